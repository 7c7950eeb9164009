# Licensed under a 3-clause BSD style license - see LICENSE
"""add_latents with ``group_by``: several observations of one source, row by row."""

import numpy as np
import pytest
from astropy.table import MaskedColumn, vstack

from astro_xlatent.compare.observations import group_latents, share_latents
from astro_xlatent.core.columns import COLUMNS, GROUP_COLUMNS
from astro_xlatent.core.errors import TableError
from astro_xlatent.core.flags import Flag
from astro_xlatent.simulate.catalog import simulate_catalog
from astro_xlatent.table.add_latents import add_latents

JOINT = ["xl_latent", "xl_latent_err", "xl_class", "xl_class_prob", "xl_class_other"]


@pytest.fixture(scope="module")
def detections():
    """Eleven rows of simulated detections of four sources; one row without any band."""
    catalog = simulate_catalog(5, 11, "csc")[0]
    for name in catalog.colnames:
        if name[-2:] in ("_s", "_m", "_h") or name.startswith("hard_"):
            catalog[name] = MaskedColumn(np.array(catalog[name], float), mask=np.arange(11) == 4)
    catalog["name"] = list("bacabacbadd")
    return catalog


@pytest.fixture(scope="module")
def joint(detections, random_model):
    """The same, enriched by source."""
    return add_latents(detections, model=random_model, group_by="name")


def test_rows_and_order_remain(detections, joint):
    """Every row is there, with the usual columns and three more at the end."""
    assert list(joint["name"]) == list(detections["name"])
    own = [name for name, spec in COLUMNS.items() if not spec.optional]
    assert joint.colnames == [*detections.colnames, *own, *GROUP_COLUMNS]
    for name, spec in GROUP_COLUMNS.items():
        assert joint[name].meta["ucd"] == spec.ucd and joint[name].description


def test_one_way_through_the_code(detections, joint, random_model):
    """Each row holds what `group_latents` finds for its source, and its own N_H, fluxes and flags."""
    single = add_latents(detections, model=random_model, include=["xl_latent_cov"])
    sources = group_latents(single)
    row = [list(sources["name"]).index(name) for name in joint["name"]]
    for name in [*JOINT, *GROUP_COLUMNS]:
        expected = sources[name][row]
        np.testing.assert_array_equal(np.ma.getmaskarray(np.ma.asarray(joint[name])),
                                      np.ma.getmaskarray(np.ma.asarray(expected)), err_msg=name)
        if name == "xl_class":
            assert list(joint[name]) == list(expected)
        else:
            np.testing.assert_allclose(joint[name], expected, rtol=1e-4, atol=1e-6, err_msg=name)
    for name in ("xl_nh", "xl_flux_05_2", "xl_flag", "xl_reason"):
        np.testing.assert_array_equal(joint[name], single[name])


def test_row_without_data_knows_its_source(joint):
    """A row that could not be used has the latents of its source; nothing else."""
    assert joint["xl_flag"][4] & Flag.NO_DATA
    assert not np.ma.getmaskarray(joint["xl_latent"])[4].any() and np.ma.is_masked(joint["xl_nh"][4])
    assert (joint["xl_n_obs"][4], joint["xl_n_obs"][0]) == (3, 3)
    assert joint["xl_n_used"][4] < 3


def test_alone_is_as_before(detections, random_model):
    """Sources of one row get what they get without grouping, and no p-value."""
    first = detections[:2]
    grouped = add_latents(first, model=random_model, group_by="name")
    plain = add_latents(first, model=random_model)
    for name in JOINT[:2] + JOINT[3:]:
        np.testing.assert_allclose(grouped[name], plain[name], rtol=1e-4, atol=1e-6)
    assert np.ma.getmaskarray(grouped["xl_p_change"]).all() and list(grouped["xl_n_obs"]) == [1, 1]


def test_order_of_rows(detections, joint, random_model):
    """Shuffled rows give the same values."""
    shuffle = np.random.default_rng(1).permutation(len(detections))
    again = add_latents(detections[shuffle], model=random_model, group_by="name")
    np.testing.assert_allclose(again["xl_latent"], joint["xl_latent"][shuffle], rtol=1e-3, atol=1e-5)


def test_prior_is_entered_once(detections, random_model):
    """With a class prior the joint probabilities are those of `group_latents` with that prior divided out."""
    prior = {"AGN": 3, "CV": 1, "YSO": 2, "other": 1}
    grouped = add_latents(detections, model=random_model, prior=prior, group_by="name")
    single = add_latents(detections, model=random_model, prior=prior, include=["xl_latent_cov"])
    sources = group_latents(single, class_weights=prior)
    row = [list(sources["name"]).index(name) for name in grouped["name"]]
    np.testing.assert_allclose(grouped["xl_class_prob"], sources["xl_class_prob"][row], rtol=1e-4, atol=1e-9)
    excluded = np.asarray(grouped["xl_class_prob"])[:, [2, 3, 4, 5, 6]]
    assert excluded.max() < 1e-9


def test_prior_by_row(detections, random_model):
    """Priors that differ between rows of a source enter as their geometric mean."""
    rng = np.random.default_rng(2)
    weights = rng.dirichlet(np.full(9, 5.0), len(detections))
    alone = detections[[8, 9]]
    alone["name"] = ["x", "x"]
    mixed = add_latents(alone, model=random_model, prior=weights[:2], group_by="name")
    mean = np.sqrt(weights[0] * weights[1])
    single = add_latents(alone, model=random_model, prior=weights[:2], include=["xl_latent_cov"])
    nine = [np.r_[np.asarray(r["xl_class_prob"]) * (1 - r["xl_class_other"]), r["xl_class_other"]]
            for r in single]
    assert len(set(mixed["xl_class_other"])) == 1
    if (mixed["xl_n_used"][0]) == 2:
        ratio = [np.log(p / w) for p, w in zip(nine, weights)]
        gain = [np.sum(p * r) for p, r in zip(nine, ratio)]
        average = np.average(ratio, axis=0, weights=gain)
        effective = np.sum(gain) ** 2 / np.sum(np.square(gain))
        expected = mean * np.exp((1 + 0.35 * (1 - 1 / effective)) * average)
        assert mixed["xl_class_other"][0] == pytest.approx((expected / expected.sum())[8], rel=1e-3)


def test_survey_prior_gives_classes(detections):
    """The prior by position can be divided out, as its weights are known here."""
    grouped = add_latents(detections, prior="survey", group_by="name")
    assert not np.ma.getmaskarray(grouped["xl_class_prob"]).any()
    for source in "abcd":
        assert len(set(grouped["xl_class_other"][grouped["name"] == source])) == 1


def test_overwrite_leaves_nothing_stale(joint, random_model):
    """Enriched again without grouping, the joint columns are gone."""
    with pytest.raises(TableError, match="replace=True"):
        add_latents(joint, model=random_model)
    again = add_latents(joint, model=random_model, replace=True)
    assert not set(GROUP_COLUMNS) & set(again.colnames)


def test_joint_rows_are_not_joined_again(joint):
    """Likelihoods would be counted twice."""
    for function in (group_latents, share_latents):
        with pytest.raises(TableError, match="joint already"):
            function(joint)


def test_empty_table(detections, joint, random_model):
    """No rows: the same columns."""
    empty = add_latents(detections[:0], model=random_model, group_by="name")
    assert len(empty) == 0 and empty.colnames == joint.colnames


def test_unknown_or_masked_names(detections, random_model):
    """Refused before any work."""
    with pytest.raises(TableError, match="no column 'source' names the source"):
        add_latents(detections, model=random_model, group_by="source")
    table = detections.copy()
    table["name"] = MaskedColumn(table["name"], mask=np.arange(len(table)) == 3)
    with pytest.raises(TableError, match="1 rows are masked"):
        add_latents(table, model=random_model, group_by="name")


def test_joint_latents_of_two_missions():
    """The same sources seen by Chandra and by eROSITA: one posterior each, narrower than either."""
    tables = [add_latents(simulate_catalog(7, 256, mission)[0], include=["xl_latent_cov"])
              for mission in ("csc", "erosita")]
    for table in tables:
        table["source"] = np.arange(256)
    keep = ["source", "xl_latent", "xl_latent_err", "xl_latent_cov"]
    both = vstack([t[keep] for t in tables], metadata_conflicts="silent")
    shared = share_latents(both, "source")
    assert np.mean(shared["xl_latent_err"]) < 0.95 * np.mean(both["xl_latent_err"])
    np.testing.assert_array_equal(shared["xl_latent"][:256], shared["xl_latent"][256:])
