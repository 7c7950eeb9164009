# Licensed under a 3-clause BSD style license - see LICENSE
"""Evidence beside the spectrum in `add_latents`."""

import numpy as np
import pytest
from astropy import units as u
from astropy.table import Table

from astro_xlatent import add_latents, decode_flags
from astro_xlatent.core.columns import CLASSES
from astro_xlatent.core.errors import ParameterError, TableError
from astro_xlatent.core.flags import Flag
from astro_xlatent.model.pretrained import load_model
from astro_xlatent.model.priors import against_spectrum
from astro_xlatent.table.collect import EnrichedColumns
from astro_xlatent.table.evidence import galactic_column, row_inputs

N = 6


@pytest.fixture(scope="module")
def rows():
    """Six X-ray sources; the first three look like a quasar, a young star and an isolated neutron star."""
    table = Table({"ra": [180.0, 84.0, 260.0, 10.0, 20.0, 30.0], "dec": [60.0, -5.4, -39.0, 0.0, 0.0, 0.0],
                   "nh_gal": [2.0, 30.0, 120.0, 3.0, 3.0, 3.0]})
    for band, flux in zip("smh", (1e-14, 2e-14, 6e-14), strict=True):
        table[f"flux_aper_{band}"] = np.full(N, flux)
        table[f"flux_aper_lolim_{band}"] = np.full(N, 0.8 * flux)
        table[f"flux_aper_hilim_{band}"] = np.full(N, 1.2 * flux)
    quasar = {"Gmag": 19.5, "BPmag": 19.8, "RPmag": 19.0, "Plx": 0.05, "e_Plx": 0.3, "PM": 0.2, "e_PM": 0.3,
              "Jmag": np.nan, "Hmag": np.nan, "Kmag": np.nan, "W1mag": 15.0, "W2mag": 13.9, "W3mag": 11.0}
    star = {"Gmag": 14.5, "BPmag": 15.8, "RPmag": 13.2, "Plx": 2.5, "e_Plx": 0.03, "PM": 2.0, "e_PM": 0.03,
            "Jmag": 11.5, "Hmag": 10.6, "Kmag": 10.1, "W1mag": 9.7, "W2mag": 9.3, "W3mag": 7.5}
    for name, value in quasar.items():
        table[name] = [value, star[name], *[np.nan] * (N - 2)]
    return table


def test_evidence_moves_the_class(rows):
    """Counterparts tell a quasar from a young star; the spectrum's own class stays beside."""
    plain = add_latents(rows)
    told = add_latents(rows, evidence="all", include="xl_class_evidence")
    assert told["xl_class"][:2].tolist() == ["AGN", "YSO"]
    assert told["xl_class_spectrum"].tolist() == plain["xl_class"].tolist()
    assert told["xl_class_evidence"].shape == (N, 2, 8)
    np.testing.assert_allclose(told["xl_class_evidence"].sum(axis=2), 0, atol=1e-4)
    assert told["xl_class_evidence"][0, 1].argmax() == CLASSES.index("AGN")
    np.testing.assert_allclose(told["xl_class_prob"].sum(axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(told["xl_class_other"], plain["xl_class_other"], rtol=1e-5)
    assert told.meta["XLPRIOR"] == "none; evidence all"
    assert "xl_class_spectrum" not in plain.colnames


def test_rows_are_independent(rows):
    """A row's class depends on no other row, and empty tables are fine."""
    whole = add_latents(rows, evidence="all")
    part = add_latents(rows[1:3], evidence="all")
    np.testing.assert_allclose(part["xl_class_prob"], whole["xl_class_prob"][1:3], atol=1e-5)
    assert len(add_latents(rows[:0], evidence="all")) == 0


def test_what_is_not_known_changes_nothing(rows):
    """Without any column of the evidence the class is the spectrum's, and a flag says so."""
    bands = rows[[name for name in rows.colnames if name.startswith("flux")]]
    plain, told = add_latents(bands), add_latents(bands, evidence="counterparts")
    np.testing.assert_allclose(told["xl_class_prob"], plain["xl_class_prob"], atol=1e-6)
    assert "EVIDENCE_UNKNOWN" in decode_flags(told["xl_flag"][0])
    assert "EVIDENCE_UNKNOWN" not in decode_flags(add_latents(rows, evidence="xray")["xl_flag"][0])


def test_unknown_counterparts_leave_the_xray_columns(rows):
    """With counterparts nobody looked for, "all" is "xray"."""
    bare = rows[[name for name in rows.colnames if not name.endswith(("mag", "Plx", "PM"))]]
    np.testing.assert_allclose(add_latents(bare, evidence="all")["xl_class_prob"],
                               add_latents(bare, evidence="xray")["xl_class_prob"], atol=1e-6)


def test_none_found_says_little(rows):
    """Empty columns move the odds of a neutron star over an AGN by less than e^2, and are flagged."""
    told = add_latents(rows, evidence="counterparts", include="xl_class_evidence")
    odds = told["xl_class_evidence"][2, 1]
    assert odds[CLASSES.index("NS")] - odds[CLASSES.index("AGN")] < 2.2
    assert "COUNTERPART_ASSUMED_NONE" in decode_flags(told["xl_flag"][2])


def test_choice_of_groups(rows):
    """Groups by name are used alone; unknown names are refused with those allowed."""
    gaia = add_latents(rows, evidence=["gaia", "wise"], include="xl_class_evidence")
    assert np.all(gaia["xl_class_evidence"][:, 0] == 0)
    with pytest.raises(ParameterError, match="'all'.*2mass"):
        add_latents(rows, evidence="spitzer")
    with pytest.raises(ParameterError, match="nothing"):
        add_latents(rows, evidence=[])


def test_joint_observations_count_evidence_once(rows):
    """Two equal observations of a source do not double what its counterpart says."""
    twice = rows[[0, 0]]
    twice["name"] = "a"
    single = add_latents(rows[:1], evidence="counterparts")["xl_class_prob"][0]
    flat = add_latents(rows[:1])["xl_class_prob"][0]
    joint = add_latents(twice, evidence="counterparts", group_by="name")["xl_class_prob"][0]
    joint_flat = add_latents(twice, group_by="name")["xl_class_prob"][0]
    k = [CLASSES.index("AGN"), CLASSES.index("YSO")]
    gain, gain_joint = (np.diff(np.log(a[k] / b[k]))[0] for a, b in ((single, flat), (joint, joint_flat)))
    assert gain_joint == pytest.approx(gain, abs=0.02)


def test_survey_prior_replaces_flux_and_position(rows):
    """With the survey prior position is not counted twice, and rows without one are flagged."""
    told = add_latents(rows, evidence="all", prior="survey")
    assert told["xl_class"][0] == "AGN"
    lost = rows.copy()
    lost["ra"][1] = np.nan
    flags = add_latents(lost, prior="survey")["xl_flag"]
    assert [bool(value & Flag.EVIDENCE_UNKNOWN) for value in flags][:3] == [False, True, False]


def test_classes_with_evidence_are_no_spectrum(rows):
    """What was made with evidence is not taken for what the spectrum says."""
    with pytest.raises(TableError, match="evidence all"):
        row_inputs(add_latents(rows, evidence="all"))
    with pytest.raises(TableError, match="enrich it first"):
        row_inputs(rows)


def test_against_spectrum():
    """Only a class outside those that hold 90 % of the spectrum's probability is against it."""
    spectrum = np.array([[0.7, 0.25, 0.05], [0.7, 0.25, 0.05], [0.95, 0.03, 0.02]])
    final = np.array([[0.1, 0.8, 0.1], [0.1, 0.1, 0.8], [0.1, 0.8, 0.1]])
    assert against_spectrum(spectrum, final).tolist() == [False, True, True]


@pytest.mark.parametrize("options", [
    {"evidence": "all"}, {"evidence": "xray", "prior": "survey"}, {"prior": {"NS": 1, "CV": 1}},
    {"evidence": "counterparts", "prior": {"LM-STAR": 1e6, "AGN": 1}}])
def test_no_class_against_the_spectrum_without_a_flag(rows, options):
    """Wherever evidence or prior put a class that the spectrum excludes, a flag says so, and nowhere else."""
    plain, told = add_latents(rows), add_latents(rows, **options)
    names = [*CLASSES, "other"]
    other = plain["xl_class_other"][:, None]
    spectrum = np.concatenate([plain["xl_class_prob"] * (1 - other), other], axis=1)
    named = spectrum[np.arange(N), [names.index(name) for name in told["xl_class"]]]
    likelier = np.where(spectrum > named[:, None] * (1 + 1e-5), spectrum, 0).sum(axis=1)
    flagged = [bool(value & Flag.AGAINST_SPECTRUM) for value in told["xl_flag"]]
    assert flagged == (likelier >= 0.9).tolist()
    assert not any(value & Flag.AGAINST_SPECTRUM for value in plain["xl_flag"])


@pytest.mark.parametrize(("column", "value", "flag"), [
    ("Gmag", 0.0, "COUNTERPART_ODD"), ("Jmag", 99.0, "COUNTERPART_ODD"), ("W1mag", 1e20, "COUNTERPART_ODD"),
    ("Hmag", np.nan, None), ("e_W3mag", 1e20, "COUNTERPART_ODD"), ("mw_r_gaia", 9.0, "COUNTERPART_ODD"),
    ("e_PM", 1e20, "COUNTERPART_ODD"), ("gaia_n", 2, "COUNTERPART_AMBIGUOUS")])
def test_bad_values_are_left_out_or_flagged(rows, column, value, flag):
    """What cannot be true counts as missing, in the class, too, and the row is flagged."""
    bad, clean = rows[1:2].copy(), rows[1:2].copy()
    bad[column] = [value]
    missing = {"e_W3mag": ["W3mag"], "e_PM": ["PM", "e_PM"], "gaia_n": [],
               "mw_r_gaia": ["Gmag", "BPmag", "RPmag", "Plx", "e_Plx", "PM", "e_PM"]}.get(column, [column])
    for name in missing:
        clean[name] = np.nan
    told, wanted = (add_latents(t, evidence="counterparts") for t in (bad, clean))
    np.testing.assert_allclose(told["xl_class_prob"], wanted["xl_class_prob"], atol=1e-5)
    assert flag is None or flag in decode_flags(told["xl_flag"][0])


@pytest.mark.parametrize(
    ("values", "unit"), [([2.0, 0.0], None), ([2e20, -1.0], None), ([2.0, 0.0], 1e20 / u.cm**2)]
)
def test_galactic_column_units(values, unit):
    """In 1e20/cm2 or 1/cm2; what no line of sight has is unknown."""
    table = Table({"nh_gal": values})
    table["nh_gal"].unit = unit
    np.testing.assert_allclose(galactic_column(table), [2e20, np.nan], rtol=1e-6)


def test_joint_class_against_the_joint_spectrum():
    """Ten spectra that each allow the expected class, and together do not, are flagged as one source."""
    n, model = 10, load_model()
    spectrum = np.full((n, 9), 0.1 / 7)
    spectrum[:, :2] = 0.85, 0.05
    columns = EnrichedColumns(n + 1, model, lambda rows, flux: 1.0, joint=True)
    columns.measured[:n] = columns.detected[:n] = True
    columns.weights[:n, 1] *= 1e4
    final = spectrum * columns.weights[:n]
    final /= final.sum(axis=1, keepdims=True)
    columns.values["xl_class_prob"][:n] = final[:, :8] / final[:, :8].sum(axis=1, keepdims=True)
    columns.values["xl_class_other"][:n] = final[:, 8]
    columns.values["xl_latent_cov"][:] = 0.1 * np.eye(8)
    assert not against_spectrum(spectrum, final).any()
    columns.join(np.r_[np.zeros(n, int), 1])
    flagged = columns.flags & int(Flag.AGAINST_SPECTRUM) != 0
    assert flagged[:n].all() and not flagged[n]
    assert columns.joined["xl_class"][0] == model.classes[1]
