# Licensed under a 3-clause BSD style license - see LICENSE
"""Simulated catalogs: reproducible, read back by the missions' readers, true to their truth."""

import numpy as np
import pytest

from astro_xlatent.core.errors import MissionError, ParameterError
from astro_xlatent.missions.base import get_mission, identify_mission
from astro_xlatent.physics.grid import ENERGY_MID, KEV_TO_ERG
from astro_xlatent.simulate import batch
from astro_xlatent.simulate.catalog import CHUNK, class_weights, fine_bins, observed_chunks, simulate_catalog
from astro_xlatent.simulate.conditions import CONDITIONS
from astro_xlatent.simulate.populations import CLASSES
from astro_xlatent.simulate.rows import apertures_of

MISSIONS = ("csc", "erosita", "xmm")
FIELDS = ("e_lo", "e_hi", "counts", "background", "background_error", "area", "resolution", "valid")


@pytest.fixture(scope="module")
def catalogs():
    """Catalogue and truth of each mission, 512 rows."""
    return {mission: simulate_catalog(5, 512, mission) for mission in MISSIONS}


@pytest.fixture(scope="module")
def observed():
    """One chunk of each mission, in parts by detector."""
    return {mission: next(observed_chunks(5, 1, missions={mission: 1.0})) for mission in MISSIONS}


def assert_same(first, second):
    for name in FIELDS:
        np.testing.assert_array_equal(getattr(first, name), getattr(second, name), err_msg=name)


@pytest.mark.parametrize("options", [{}, {"mode": "bands"}, {"mission": "csc", "mode": "bands"}])
def test_rows_depend_on_their_number_alone(options):
    """Any stretch of rows, across chunks and in pieces, is the same."""
    bins, truth = batch(3, CHUNK + 60, **options)
    part, part_truth = batch(3, 100, start=CHUNK - 50, **options)
    assert_same(bins[CHUNK - 50 : CHUNK + 50], part)
    assert list(truth[CHUNK - 50 : CHUNK + 50]["family"]) == list(part_truth["family"])
    np.testing.assert_array_equal(truth["row"], np.arange(CHUNK + 60))
    assert_same(bins[:50], batch(3, 50, **options)[0])


def test_seeds_differ():
    """Another seed draws other sources."""
    first, second = (batch(seed, 40, mission="csc")[1] for seed in (1, 2))
    assert np.all(first["counts"] != second["counts"])


def test_nothing_can_be_asked_for():
    """No rows have the columns of some."""
    bins, truth = batch(1, 0, mission="csc", mode="bands")
    assert bins.counts.shape == (0, 3)
    assert truth.colnames == batch(1, 1)[1].colnames
    assert len(simulate_catalog(1, 0, "erosita")[0]) == 0


def test_catalog_and_batch_are_the_same_observations(catalogs):
    """Bands of a batch are what the reader finds in the catalog of the same numbers."""
    for mission in ("csc", "erosita"):
        bins, truth = batch(5, 512, mission=mission, mode="bands")
        table, table_truth = catalogs[mission]
        np.testing.assert_array_equal(truth["counts"], table_truth["counts"])
        np.testing.assert_allclose(get_mission(mission).read_bands(table).bins.counts, bins.counts)


def test_tables_are_recognised(catalogs):
    """Columns tell the mission, and only it."""
    for mission, (table, _) in catalogs.items():
        assert identify_mission(table).name == mission
        assert len(table) == 512


def test_erosita_round_trip(observed):
    """The reader finds the counts, and the area through which they were folded."""
    found = get_mission("erosita").read_bands(simulate_catalog(5, CHUNK, "erosita")[0]).bins
    (part,) = observed["erosita"]
    seen = apertures_of(part)
    np.testing.assert_array_equal(found.counts, seen.counts)
    assert np.std(found.area / seen.area) == pytest.approx(0.03, abs=0.005)
    pull = (found.background - seen.background) / (0.05 * seen.background)
    assert pull.std() == pytest.approx(1.0, abs=0.1)


@pytest.mark.parametrize("mission", MISSIONS)
def test_counts_scatter_about_folded_truth(observed, mission):
    """Bright rows have the counts that their spectrum, folded by hand, and background predict."""
    for part in observed[mission]:
        response, band = part.detector.response, CONDITIONS[mission].band
        center = 0.5 * (response.channel_e_lo + response.channel_e_hi)
        inside = (center > band[0]) & (center < band[1])
        rate = response.fold(part.sources.spectrum * part.area)[:, inside].sum(axis=1)
        np.testing.assert_allclose(rate * part.pointings.exposure, part.expected, rtol=2e-3)
        total = part.counts[:, inside].sum(axis=1)
        bright = part.expected > 50  # above the bias of the detection threshold
        pull = (total - part.expected - part.pointings.background)[bright] / np.sqrt(total[bright])
        assert abs(pull.mean()) < 4.0 / np.sqrt(bright.sum())
        off = part.off_counts[:, inside].sum(axis=1) * part.pointings.scale
        assert off.sum() == pytest.approx(part.pointings.background.sum(), rel=0.1)


def test_fluxes_of_truth_are_those_of_the_spectrum(observed):
    """Absorbed fluxes are integrals of the incident spectrum."""
    part = observed["csc"][0]
    band = (ENERGY_MID > 2.0) & (ENERGY_MID < 7.0)
    flux = part.sources.spectrum[:, band] @ (ENERGY_MID[band] * KEV_TO_ERG)
    np.testing.assert_allclose(part.sources.truth["flux_2_7"], flux, rtol=1e-4)


def test_published_fluxes_are_true(catalogs):
    """The catalog's broad energy flux of bright Chandra rows agrees with the truth, without bias."""
    table, truth = catalogs["csc"]
    bright = truth["counts"] > 100
    ratio = (table["flux_aper_b"] / (truth["flux_05_2"] + truth["flux_2_7"]))[bright]
    assert bright.sum() > 15
    assert np.median(ratio) == pytest.approx(1.0, abs=0.1)


def test_published_half_widths_and_limits(catalogs):
    """Published limits are 1.12 sqrt(N) wide, and near 1.2 counts at zero."""
    table, _ = catalogs["csc"]
    counts = np.array(table["cnts_aper_m"])
    half = 0.5 * (table["src_cnts_aper_hilim_m"] - table["src_cnts_aper_lolim_m"]) * table["psf_frac_aper_m"]
    many = counts > 20
    assert np.median(half[many] / np.sqrt(counts[many])) == pytest.approx(1.12, abs=0.02)
    zero = table["src_cnts_aper_hilim_m"][counts == 0]
    assert zero.size >= 5
    assert 1.1 < np.median(zero) < 1.4
    ratio = table["photflux_aper_hilim_m"] / table["src_cnts_aper_hilim_m"]
    assert np.all(ratio > 0)


def test_counts_are_those_of_a_catalog(catalogs):
    """Most Chandra rows are faint, three to nine in a hundred have more than 150 counts, all stand out."""
    table, truth = catalogs["csc"]
    assert 0.02 < np.mean(truth["counts"] > 150) < 0.09
    assert np.median(truth["counts"]) < 25
    for mission, (rows, _) in catalogs.items():
        name = {"csc": "likelihood", "erosita": "DET_LIKE_0", "xmm": "EP_8_DET_ML"}[mission]
        assert np.all(rows[name] > CONDITIONS[mission].likelihood)


def test_truth_is_complete(catalogs):
    """Every column of the issue's list is there, with units, and finite where it must be."""
    for mission, (_, truth) in catalogs.items():
        for name in ("nh", "nh_gal", "nh_int", "flux_05_2", "flux_2_7", "flux_02_23", "redshift", "epoch",
                     "exposure", "counts", "background"):
            assert np.all(np.isfinite(truth[name])), name
        assert truth["nh"].unit == "1 / cm2" and truth["kt"].unit == "keV"
        assert set(truth["class"]) == set(CLASSES)
        first, last = CONDITIONS[mission].epochs
        assert np.all((truth["epoch"] >= first) & (truth["epoch"] <= last))
        assert np.all(np.isfinite(truth["photon_index"]) | np.isfinite(truth["kt"]))


def test_fine_bins_cover_the_spectrum(observed):
    """All counts between 0.3 and 10 keV are in the fine bins."""
    for parts in observed.values():
        for part in parts:
            center = part.detector.center
            inside = (center >= 0.3) & (center < 10.0)
            expected = part.counts[:, inside].sum(axis=1)
            np.testing.assert_array_equal(fine_bins(part).counts.sum(axis=1), expected)


def test_classes_can_be_chosen():
    """Names and weights decide what is drawn."""
    assert set(batch(1, 30, mission="csc", classes=["YSO"])[1]["class"]) == {"YSO"}
    _, truth = batch(1, CHUNK, mission="csc", classes={"AGN": 3, "NS": 1})
    assert np.mean(truth["class"] == "AGN") == pytest.approx(0.75, abs=0.1)
    np.testing.assert_allclose(class_weights(None), 1 / 9)


@pytest.mark.parametrize(("arguments", "options", "error", "message"), [
    ((-1, 5), {}, ParameterError, "seed is -1; it must be an integer, 0 or more"),
    ((1, -5), {}, ParameterError, "n is -5"),
    ((1, 2.5), {}, ParameterError, "n is 2.5"),
    ((1, True), {}, ParameterError, "n is True"),
    ((1, 5), {"start": -1}, ParameterError, "start is -1"),
    ((1, 5), {"mission": "rosat"}, MissionError, "allowed: csc, erosita, xmm"),
    ((1, 5), {"mode": "images"}, ParameterError, "allowed: bands, spectra"),
    ((1, 5), {"classes": ["QSO"]}, ParameterError, "allowed: AGN, CV"),
    ((1, 5), {"classes": {"AGN": -1.0}}, ParameterError, "0 or more"),
    ((1, 5), {"classes": []}, ParameterError, "allowed: AGN"),
])
def test_bad_arguments_are_refused(arguments, options, error, message):
    """What arrived and what is allowed are named."""
    with pytest.raises(error, match=message):
        batch(*arguments, **options)


def test_a_catalog_needs_a_mission():
    """There are no columns of no mission."""
    with pytest.raises(MissionError, match="mission is None; allowed"):
        simulate_catalog(1, 5, None)
