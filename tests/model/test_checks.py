# Licensed under a 3-clause BSD style license - see LICENSE
"""Checks of what no latents describe: p-values, power, words."""

import numpy as np
import pytest
from scipy import stats

from astro_xlatent.model.checks import CHECKS, _gain_directions, check_spectra
from astro_xlatent.physics.grid import ENERGY_MID
from astro_xlatent.spectra.bins import FINE_EDGES, N_FINE, EnergyBins


def decode(latent):
    """Power laws whose index and turnover are two latents, photons per bin with sum 1."""
    z = np.asarray(latent, float)
    spectrum = ENERGY_MID ** (-1.7 + 0.4 * z[:, :1]) * np.exp(-np.exp(0.5 * z[:, 1:2]) / ENERGY_MID)
    return (spectrum / spectrum.sum(axis=1, keepdims=True)).astype(np.float32)


def observe(n, rng, change=lambda spectrum: spectrum, gain=1.0, expected=4000.0):
    """Bins, matrices and true latents of sources that a CCD with a Gaussian response sees."""
    latent = rng.standard_normal((n, 2))
    edges = FINE_EDGES[:, None]
    sigma = 0.03 * np.sqrt(ENERGY_MID) + 0.02
    area = 400 * np.exp(-0.5 / ENERGY_MID) * np.where(ENERGY_MID > 2.1, 0.4, 1.0)

    def response(shift):
        matrix = np.diff(stats.norm.cdf((edges - shift * ENERGY_MID) / sigma), axis=0) * area
        return matrix.astype(np.float32)

    source = change(decode(latent)) @ response(gain).T
    counts = rng.poisson(source * (expected / source.sum(axis=1, keepdims=True))).astype(float)
    full = np.ones((n, N_FINE))
    bins = EnergyBins(e_lo=FINE_EDGES[:-1] * full, e_hi=FINE_EDGES[1:] * full, counts=counts,
                      background=0.1 * full, background_error=0.01 * full, area=full, resolution=0.1 * full,
                      valid=full > 0)
    return bins, np.repeat(response(1.0)[None], n, axis=0), latent


def checked(n, seed, **how):
    """p-values at the best latents."""
    from astro_xlatent.model.statistics import refine_latents

    bins, matrices, latent = observe(n, np.random.default_rng(seed), **how)
    best, _ = refine_latents(decode, latent, bins, matrices)
    return check_spectra(decode, best, bins, matrices)


def test_uniform_where_the_model_is_right(monkeypatch):
    """Kolmogorov and Smirnov find nothing, with a decoder without errors."""
    monkeypatch.setattr("astro_xlatent.model.checks.SPECTRUM_ERROR", 0.0)
    found = checked(120, 1)
    for name in CHECKS:
        assert stats.kstest(found[name], "uniform").pvalue > 0.01, name


def test_a_line_is_found_at_its_energy():
    """A narrow line of 200 eV at 3.3 keV."""
    def add(spectrum):
        at = np.searchsorted(ENERGY_MID, 3.3)
        more = spectrum.copy()
        more[:, at] += 20 * spectrum[:, at]  # of 10 eV each
        return more

    found = checked(20, 2, change=add)
    assert np.mean(found["line"] < 0.01) > 0.8
    assert abs(np.median(found["energy"]) - 3.3) < 0.1


@pytest.mark.parametrize("gain", [0.97, 1.03])
def test_a_shifted_scale_is_found(gain):
    """3 % of either sign at 20,000 counts, by an edge of the area."""
    assert np.mean(checked(20, 3, gain=gain, expected=2e4)["gain"] < 0.05) > 0.5


def test_a_shift_is_a_direction_for_either_sign():
    """What moves across an edge of the area is no mirror image; without photons nothing moves."""
    bins, matrices, latent = observe(1, np.random.default_rng(6))
    spectrum = decode(latent)[0]
    up, down = _gain_directions(spectrum, matrices[0]).T
    seen = matrices[0] @ spectrum
    cosine = up @ down / np.sqrt((up @ up) * (down @ down))
    assert -1 < cosine < -0.5
    assert np.abs(up).sum() > 0.01 * seen.sum()
    np.testing.assert_array_equal(_gain_directions(0 * spectrum, matrices[0]), 0)


def test_a_soft_excess_is_found():
    """A blackbody of 0.08 keV as bright as the source."""
    def add(spectrum):
        soft = ENERGY_MID**2 / np.expm1(ENERGY_MID / 0.08)
        return spectrum + soft / soft.sum()

    assert np.mean(checked(20, 4, change=add)["soft"] < 0.05) > 0.7


def test_rows_do_not_depend_on_others_and_empty_ones_say_nothing():
    """The same row alone; NaN without counts."""
    bins, matrices, latent = observe(3, np.random.default_rng(5))
    bins.counts[1] = 0
    together = check_spectra(decode, latent, bins, matrices)
    alone = check_spectra(decode, latent[2:], bins[2:], matrices[2:])
    for name in CHECKS:
        assert together[name][2] == pytest.approx(alone[name][0], abs=0.02)
        assert np.isnan(together[name][1])
