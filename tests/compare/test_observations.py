# Licensed under a 3-clause BSD style license - see LICENSE
"""Combination of observations against numerical integration and textbook statistics."""

import sys

import numpy as np
import pytest
from astropy.table import MaskedColumn, Table, vstack
from enriched import make_enriched
from scipy import stats

from astro_xlatent.compare.evidence import latent_gaussians, likelihoods
from astro_xlatent.compare.observations import CLASS_GAIN, combine, group_latents
from astro_xlatent.core.errors import ModelError, ParameterError, TableError

D = 8


def observe(rng, truth, error):
    """Exact posteriors, under the prior N(0, 1), of measurements with independent errors."""
    variance = np.broadcast_to(error, truth.shape) ** 2
    measured = truth + np.sqrt(variance) * rng.standard_normal(truth.shape)
    posterior = 1 / (1 + 1 / variance)
    return Table({"xl_latent": posterior * measured / variance, "xl_latent_err": np.sqrt(posterior)},
                 meta={"XLSPACE": "a"})


def rotated(rng, n):
    """Covariances with random axes, narrower than the prior."""
    axes = np.linalg.qr(rng.standard_normal((n, D, D)))[0]
    spread = rng.uniform(0.05, 0.9, (n, D))
    return np.einsum("nij,nj,nkj->nik", axes, spread, axes)


def with_cov(mean, covariance, **columns):
    """Enriched rows with full covariances."""
    errors = np.sqrt(np.diagonal(covariance, axis1=1, axis2=2))
    return Table({"xl_latent": mean, "xl_latent_err": errors, "xl_latent_cov": covariance, **columns},
                 meta={"XLSPACE": "a"})


def test_product_by_integration():
    """Two correlated directions: mean and covariance equal those integrated on a grid."""
    covariance = np.stack([np.eye(D) * 0.5, np.eye(D) * 0.7])
    covariance[0, :2, :2], covariance[1, :2, :2] = [[0.3, 0.2], [0.2, 0.4]], [[0.6, -0.3], [-0.3, 0.5]]
    mean = np.zeros((2, D))
    mean[:, :2] = [[0.5, -0.2], [-0.4, 0.9]]
    joint = combine(with_cov(mean, covariance))
    axis = np.linspace(-6, 6, 601)
    grid = np.stack(np.meshgrid(axis, axis, indexing="ij"), -1)
    density = np.prod([stats.multivariate_normal(m[:2], c[:2, :2]).pdf(grid)
                       for m, c in zip(mean, covariance)], axis=0)
    density /= stats.multivariate_normal(np.zeros(2), np.eye(2)).pdf(grid)
    density /= density.sum()
    expected = np.einsum("ij,ijk->k", density, grid)
    spread = np.einsum("ij,ijk,ijl->kl", density, grid - expected, grid - expected)
    np.testing.assert_allclose(joint.latent[0, :2], expected, atol=1e-6)
    np.testing.assert_allclose(joint.latent_cov[0, :2, :2], spread, atol=1e-6)


def test_joint_coverage_and_uniform_p(monkeypatch):
    """Joint posteriors of unchanged sources cover the truth, and p-values of Gaussian ones are uniform."""
    monkeypatch.setattr(sys.modules["astro_xlatent.compare.observations"], "REPEATED", 1.0)
    rng = np.random.default_rng(5)
    truth = rng.standard_normal((4000, D))
    errors = (0.5, [0.2] * 4 + [1.5] * 4, 1.0)
    joint = combine([observe(rng, truth, error) for error in errors])
    offset = joint.latent - truth
    chi2 = np.einsum("ni,nij,nj->n", offset, np.linalg.inv(joint.latent_cov), offset)
    assert stats.kstest(chi2, stats.chi2(D).cdf).pvalue > 1e-3
    assert stats.kstest(joint.p_change, "uniform").pvalue > 1e-3
    assert (joint.n_used == 3).all()


def test_change_is_found():
    """A shift of many sigma in one latent gives a tiny p-value."""
    rng = np.random.default_rng(6)
    truth = rng.standard_normal((50, D))
    moved = truth + np.eye(D)[3] * 2.0
    joint = combine([observe(rng, truth, 0.2), observe(rng, moved, 0.2)])
    assert np.median(joint.p_change) < 1e-5


def test_uninformative_observation_changes_nothing():
    """A posterior equal to the prior, or broader, adds nothing and is no observation of change."""
    rng = np.random.default_rng(7)
    good = with_cov(rng.standard_normal((5, D)), rotated(rng, 5))
    for spread in (1.0, 1.3):
        empty = with_cov(np.full((5, D), 0.3 * (spread > 1)), np.tile(np.eye(D) * spread, (5, 1, 1)))
        joint = combine([good, empty])
        np.testing.assert_allclose(joint.latent, good["xl_latent"], atol=1e-10)
        np.testing.assert_allclose(joint.latent_cov, good["xl_latent_cov"], atol=1e-10)
        assert (joint.n_used == 1).all() and np.isnan(joint.p_change).all()


def test_single_observation_is_itself():
    """One observation comes back as it is, also where it is broader than the prior."""
    rng = np.random.default_rng(8)
    one = with_cov(rng.standard_normal((3, D)), 1.2 * rotated(rng, 3))
    joint = combine([one])
    np.testing.assert_array_equal(joint.latent_cov, one["xl_latent_cov"])
    np.testing.assert_array_equal(joint.latent, one["xl_latent"])


def test_variability_adds_to_the_error():
    """A likelihood with variability has the inverse of covariance plus variability as information."""
    rng = np.random.default_rng(9)
    covariance, mean = rotated(rng, 4), rng.standard_normal((4, D))
    plain, h = likelihoods(mean, covariance)
    wide, h_wide = likelihoods(mean, covariance, variability=0.3)
    expected = np.linalg.inv(np.linalg.inv(plain) + 0.3 * np.eye(D))
    np.testing.assert_allclose(wide, expected, rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(np.linalg.solve(wide, h_wide[..., None]), np.linalg.solve(plain, h[..., None]))


def test_population_is_no_evidence_of_change():
    """What posteriors hold of a clumped population where data say nothing does not look like a change."""
    rng = np.random.default_rng(13)
    # One latent is measured; the posteriors of the others are narrower than the prior by a tenth,
    # and off by what the population is, differently for either mission.
    covariance = np.tile(np.diag([0.1] + [0.9] * 7), (500, 1, 1))
    truth = rng.standard_normal(500)
    means = np.zeros((2, 500, D))
    means[:, :, 0] = 0.9 * (truth + np.sqrt(0.1 / 0.9) * rng.standard_normal((2, 500)))
    means[0, :, 1:], means[1, :, 1:] = 0.25, -0.25
    joint = combine([with_cov(mean, covariance) for mean in means])
    assert np.mean(joint.p_change < 0.01) < 0.02 and (joint.n_used == 2).all()


def with_classes(nine):
    """Rows with class probabilities and no latents to speak of."""
    return with_cov(np.zeros((len(nine), D)), np.tile(0.5 * np.eye(D), (len(nine), 1, 1)),
                    xl_class_prob=nine[:, :8] / (1 - nine[:, 8:]), xl_class_other=nine[:, 8])


def test_classes_of_equal_observations():
    """K times the same probabilities: their ratio to the prior to the power 1 + gain (1 - 1/K)."""
    weights = np.array([3.0, 1, 1, 1, 1, 1, 1, 1, 2]) / 12
    nine = np.random.default_rng(10).dirichlet(np.ones(9))
    for number in (1, 2, 7):
        expected = weights * (nine / weights) ** (1 + CLASS_GAIN * (1 - 1 / number))
        found = combine(with_classes(np.tile(nine, (number, 1))), class_weights=weights).class_prob[0]
        np.testing.assert_allclose(found, expected / expected.sum(), rtol=1e-6)


def test_uninformative_classes_change_nothing():
    """Observations that say nothing about the class do not dilute the one that does."""
    nine = np.full((6, 9), 1 / 9)
    nine[3] = np.random.default_rng(12).dirichlet(np.ones(9))
    np.testing.assert_allclose(combine(with_classes(nine)).class_prob[0], nine[3], rtol=1e-5)


def test_group_latents_masks_and_counts():
    """Masked rows are counted and left out; the order of first appearance is kept."""
    table = make_enriched(6)
    table["name"] = ["b", "a", "b", "c", "c", "d"]
    sources = group_latents(table)
    assert list(sources["name"]) == ["b", "a", "c", "d"]
    assert list(sources["xl_n_obs"]) == [2, 1, 2, 1]
    assert sources["xl_n_used"][3] == 0
    assert sources["xl_latent"].mask[3].all() and not sources["xl_latent"].mask[:3].any()
    assert list(sources["xl_p_change"].mask) == [False, True, False, True]
    np.testing.assert_allclose(sources["xl_latent"][1], table["xl_latent"][1])
    joint = combine(table[[0, 2]])
    np.testing.assert_allclose(sources["xl_latent"][0], joint.latent[0], rtol=1e-5)
    np.testing.assert_allclose(sources["xl_class_prob"][:3].sum(axis=1), 1, rtol=1e-5)


def test_group_latents_order_of_rows():
    """Shuffled rows give the same sources."""
    rng = np.random.default_rng(11)
    table = with_cov(rng.standard_normal((20, D)), rotated(rng, 20), name=rng.integers(0, 6, 20))
    one, other = group_latents(table), group_latents(table[rng.permutation(20)])
    one.sort("name"), other.sort("name")
    np.testing.assert_allclose(one["xl_latent"], other["xl_latent"], rtol=1e-5)
    np.testing.assert_allclose(one["xl_p_change"], other["xl_p_change"], rtol=1e-4)


def test_group_latents_empty():
    """An empty table gives an empty one with the same columns."""
    table = make_enriched(6)
    assert group_latents(table[:0]).colnames == group_latents(table).colnames
    assert len(group_latents(table[:0])) == 0


def test_survey_prior_gives_no_classes():
    """A prior that differs from row to row cannot be divided out."""
    table = make_enriched(4)
    table.meta["XLPRIOR"] = "survey"
    assert "xl_class" not in group_latents(table).colnames
    assert "xl_class" in group_latents(table, class_weights=np.ones(9)).colnames


def test_rows_and_posteriors_agree(random_model):
    """Posteriors straight from the model, and the rows made of them, combine alike."""
    from astro_xlatent.simulate import batch

    posteriors = [random_model.infer(batch(seed, 3, mission="csc", mode="bands")[0]) for seed in (1, 2)]
    direct = combine(posteriors)
    tables = [with_cov(p.latent, p.latent_cov) for p in posteriors]
    joined = combine([tables[0][1], tables[1][1]])
    np.testing.assert_allclose(joined.latent[0], direct.latent[1])
    assert joined.class_prob is None and direct.class_prob.shape == (3, 9)


def test_diagonal_without_covariance():
    """Errors alone give a diagonal covariance; zero or infinite errors are not usable."""
    table = make_enriched(5)
    table["xl_latent_err"][1, 2], table["xl_latent_err"][2, 0] = 0.0, np.inf
    _, covariance, usable = latent_gaussians(table)
    assert list(usable) == [True, False, False, True, False]
    np.testing.assert_allclose(np.diag(covariance[0]), np.asarray(table["xl_latent_err"][0], float) ** 2)


def test_what_cannot_be_combined():
    """Errors say what to do."""
    table = make_enriched(3)
    other = table.copy()
    other.meta["XLSPACE"] = "b"
    with pytest.raises(ModelError, match="same model"):
        combine([table, other])
    with pytest.raises(ParameterError, match="rows"):
        combine([table, table[:2]])
    with pytest.raises(ParameterError, match="empty"):
        combine([])
    with pytest.raises(TableError, match="no column 'source' names the source"):
        group_latents(table, by="source")
    with pytest.raises(TableError, match="add_latents"):
        group_latents(table["name", "ra"])
    table["name"] = MaskedColumn(["a", "b", "c"], mask=[False, True, False])
    with pytest.raises(TableError, match="masked"):
        group_latents(table)
    with pytest.raises(TableError, match="xl_latent"):
        bad = Table({"name": ["a"], "xl_latent": [0.5]}, meta={"XLSPACE": "a"})
        group_latents(bad)
    with pytest.raises(ParameterError, match="not all zero"):
        combine(vstack([make_enriched(3)]), class_weights=np.zeros(9))
