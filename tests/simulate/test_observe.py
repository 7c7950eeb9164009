# Licensed under a 3-clause BSD style license - see LICENSE
"""Observations: expectations, recipes, and merging."""

import numpy as np
import pytest

from astro_xlatent.core.errors import ParameterError
from astro_xlatent.physics.grid import ENERGY_MID, ENERGY_WIDTH
from astro_xlatent.simulate.instruments import default_instruments
from astro_xlatent.simulate.observe import (
    CSC_RECIPES,
    csc_bins,
    merge_randomly,
    observe_csc_bands,
    observe_erosita_bands,
    observe_spectra,
)
from astro_xlatent.simulate.photometry import csc_photometry, hardness

EDGES = np.array([0.5, 1.2, 2.0, 7.0])
SPECTRUM = (ENERGY_MID**-1.7 * ENERGY_WIDTH * 1e-5).astype(np.float32)


@pytest.fixture(scope="module")
def instruments():
    return {i.mission: i for i in default_instruments(years=[2010])}


def _photometry(counts, background=0.0, area=1e7):
    counts = np.atleast_2d(np.asarray(counts, float))
    zero = np.zeros_like(counts)
    return csc_photometry(counts, zero + background, zero, zero + area, EDGES)


@pytest.mark.parametrize("n", [20, 100, 1000])
def test_half_width_is_1_17_sqrt_n(n):
    """The 68 % half-width of net counts and of both fluxes is 1.17 sqrt(N)."""
    found = _photometry([n, n, n])
    for kind in ("net", "photon", "energy"):
        relative = 0.5 * (found[f"{kind}_hi"] - found[f"{kind}_lo"])[:, :3] / found[kind][:, :3]
        np.testing.assert_allclose(relative * np.sqrt(n), 1.17, rtol=1e-12)


def test_zero_has_the_limit_of_a_poisson_mean():
    """Without counts or background the upper limit is that of zero counts at 68 %, about 1.2 corrected."""
    found = _photometry([0, 0, 0])
    assert np.all(found["net"][:, :3] == 0) and np.all(found["photon_lo"] == 0)
    expected = -np.log(1 - 0.68)
    np.testing.assert_allclose(found["net_hi"][:, :3], expected, rtol=0.01)
    np.testing.assert_allclose(found["photon_hi"][:, :3] * 1e7, expected, rtol=0.01)


def test_limits_enclose_and_do_not_fall_below_zero():
    """Faint bands under background keep 0 <= lower limit <= value < upper limit."""
    rng = np.random.default_rng(1)
    found = _photometry(rng.poisson(3.0, (500, 3)), background=2.0)
    for kind in ("net", "photon", "energy"):
        assert np.all(found[f"{kind}_lo"] >= 0)
        assert np.all(found[f"{kind}_lo"] <= found[kind])
        assert np.all(found[f"{kind}_hi"] > found[kind])


def test_fluxes_in_closed_form():
    """With one area for all, fluxes are counts over area, and counts times mean energy over area."""
    found = _photometry([100, 50, 25])
    np.testing.assert_allclose(found["photon"][0], np.array([100, 50, 25, 175]) / 1e7)
    energy = (np.array([0.85, 1.6, 4.5]) * [100, 50, 25]) / 1e7
    np.testing.assert_allclose(found["energy"][0], [*energy, energy.sum()])
    ratio, low, high = hardness(found, "h", "s")
    assert ratio[0] == pytest.approx((25 - 100) / 125)
    assert -1 <= low[0] < ratio[0] < high[0] <= 1


@pytest.mark.parametrize("recipe", CSC_RECIPES)
def test_recipes_give_back_what_was_there(recipe):
    """Bright rows without background come back with their counts, and with the area of their flux."""
    bins = csc_bins(_photometry([400, 900, 100]), recipe)
    np.testing.assert_allclose(bins.counts[0], [400, 900, 100], rtol=0.002)
    reference = np.sqrt(bins.e_lo * bins.e_hi) / [0.85, 1.6, 4.5] if recipe == "energy flux" else 1.0
    np.testing.assert_allclose(bins.area[0], np.ravel(1e7 * reference * np.ones(3)), rtol=0.002)
    assert bool(bins.energy_weighted[0]) is (recipe == "energy flux")


def test_undetected_bands_have_no_counts_but_an_area():
    """A flux of zero is zero counts on the area that its limit implies."""
    bins = csc_bins(_photometry([0, 10, 0]), "photon flux")
    np.testing.assert_array_equal(bins.counts[0, [0, 2]], 0)
    np.testing.assert_allclose(bins.area[0, [0, 2]], 1e7, rtol=1e-12)


def test_unknown_recipe_is_refused():
    """The message lists the recipes."""
    with pytest.raises(ParameterError, match="aperture counts, photon flux, energy flux"):
        csc_bins(_photometry([1, 1, 1]), "guess")


@pytest.mark.parametrize("recipe", CSC_RECIPES)
def test_csc_bands_expect_what_folding_says(instruments, recipe):
    """Mean counts of bright rows agree with area times incident flux, after background."""
    spectra = np.repeat(SPECTRUM[None], 400, axis=0)
    bins, truth = observe_csc_bands(spectra, instruments["csc"], np.random.default_rng(0), recipe, (3e4, 3e4))
    rate = instruments["csc"].band_matrix @ SPECTRUM
    centre = 0.5 * (instruments["csc"].band_edges[1:] + instruments["csc"].band_edges[:-1])
    band = np.searchsorted(EDGES, centre) - 1
    share = np.array([rate[band == k].sum() for k in range(3)]) / rate.sum()
    predicted = (bins.unfolded_weights() @ SPECTRUM) / (truth["counts"] / rate.sum())[:, None]
    # area times flux, redistribution left out
    np.testing.assert_allclose(np.median(predicted, axis=0), share * rate.sum(), rtol=0.15)
    if recipe == "aperture counts":
        net = (bins.counts - bins.background).mean(axis=0) / 3e4
        np.testing.assert_allclose(net, share, atol=0.01)


def test_erosita_bands(instruments):
    """Five bands, whole counts, the mean as folded."""
    spectra = np.repeat(SPECTRUM[None], 300, axis=0)
    bins, _ = observe_erosita_bands(spectra, instruments["erosita"], np.random.default_rng(0), (3e3, 3e3))
    rate = instruments["erosita"].band_matrix @ SPECTRUM
    assert np.all(bins.counts == np.round(bins.counts))
    net = (bins.counts - bins.background).mean(axis=0)
    np.testing.assert_allclose(net, 3e3 * rate / rate.sum(), rtol=0.05, atol=30)


def test_spectra_are_poisson(instruments):
    """Counts scatter about source and true background as Poisson numbers do."""
    spectra = np.repeat(SPECTRUM[None], 300, axis=0)
    item = instruments["csc"]
    bins, truth = observe_spectra(spectra, item, np.random.default_rng(3), (500, 500))
    expected = (spectra @ item.matrix.T) * truth["seconds"][:, None] + truth["expected_background"]
    chi = (bins.counts - expected) / np.sqrt(np.maximum(expected, 1e-9))
    good = expected > 2
    assert abs(chi[good].mean()) < 0.03
    assert chi[good].var() == pytest.approx(1.0, abs=0.05)


def test_merging_loses_nothing(instruments):
    """Random merges keep counts, background and area times width, in 3 bins or more."""
    spectra = np.repeat(SPECTRUM[None], 50, axis=0)
    rng = np.random.default_rng(4)
    bins, _ = observe_spectra(spectra, instruments["xmm"], rng, (100, 1000))
    merged = merge_randomly(bins, rng, 20)
    for field in ("counts", "background"):
        before = np.where(bins.valid, getattr(bins, field), 0).sum(axis=1)
        after = np.where(merged.valid, getattr(merged, field), 0).sum(axis=1)
        np.testing.assert_allclose(after, before)
    number = merged.valid.sum(axis=1)
    assert number.min() >= 2 and number.max() <= 20 and np.unique(number).size > 5
