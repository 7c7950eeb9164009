# Licensed under a 3-clause BSD style license - see LICENSE
"""From channels to the fine grid: nothing is lost, and bands come out the same in two ways."""

from dataclasses import replace

import numpy as np
import pytest

from astro_xlatent.missions.base import get_mission
from astro_xlatent.physics.emission import powerlaw
from astro_xlatent.physics.grid import ENERGY_EDGES, ENERGY_WIDTH
from astro_xlatent.spectra.binning import bins_from_spectra, fine_response
from astro_xlatent.spectra.bins import FINE_EDGES, N_FINE
from astro_xlatent.spectra.spectrum import XraySpectrum


@pytest.fixture(scope="module")
def response():
    """The default response of ACIS-S."""
    return get_mission("csc").default_response("ACIS-S", 2005)


@pytest.fixture(scope="module")
def spectrum(response):
    """Counts and an off-source spectrum with another exposure and area."""
    rng = np.random.default_rng(9)
    rate = response.on_grid().fold(powerlaw(1.5))
    off = XraySpectrum(counts=rng.poisson(0.1, rate.size), exposure=2e4, backscale=8.0, areascale=0.9)
    return XraySpectrum(counts=rng.poisson(300 * rate / rate.sum()), exposure=1e4, backscale=2.0,
                        areascale=0.8, response=response, background=off)


def test_matrix_is_the_response_added_up(response):
    """Folding with the fine matrix equals folding with all channels, then adding."""
    fine = fine_response(response)
    photons = powerlaw(1.9)
    channels = response.on_grid(ENERGY_EDGES).fold(photons)
    center = 0.5 * (response.channel_e_lo + response.channel_e_hi)
    wanted = np.histogram(center, FINE_EDGES, weights=channels)[0]
    np.testing.assert_allclose(fine.matrix @ photons, wanted, rtol=2e-4, atol=1e-7 * wanted.max())
    np.testing.assert_allclose(fine.area * (fine.e_hi - fine.e_lo), fine.matrix @ ENERGY_WIDTH, rtol=1e-5)


def test_arfs_that_share_an_rmf_do_not_mix(response):
    """What is remembered of a redistribution matrix is free of the area."""
    half = replace(response, area=0.5 * response.area)
    np.testing.assert_allclose(fine_response(half).matrix, 0.5 * fine_response(response).matrix, rtol=1e-5)


def test_counts_and_background(spectrum):
    """Counts inside the grid are kept; the off counts are scaled by OGIP's rule."""
    bins, matrices = bins_from_spectra([spectrum])
    center = 0.5 * (spectrum.e_lo + spectrum.e_hi)
    inside = (center >= FINE_EDGES[0]) & (center < FINE_EDGES[-1])
    assert bins.counts.sum() == spectrum.counts[inside].sum()
    scale = (2.0 * 0.8 * 1e4) / (8.0 * 0.9 * 2e4)
    assert bins.background.sum() == pytest.approx(scale * spectrum.background.counts[inside].sum())
    assert np.all(bins.background_error[bins.valid] > 0)
    fine = fine_response(spectrum.response)
    np.testing.assert_allclose(matrices[0], fine.matrix * 1e4 * 0.8, rtol=1e-5)


def test_bands_from_bins_and_from_channels(spectrum):
    """Adding up fine bins into bands equals building the same bands from the channels."""
    bins = bins_from_spectra([spectrum])[0]
    edges = FINE_EDGES[[5, 30, 60, 120]]
    merged = bins.merge(edges)
    center = 0.5 * (spectrum.e_lo + spectrum.e_hi)
    direct = fine_response(spectrum.response, edges)
    for k in range(3):
        inside = (center >= edges[k]) & (center < edges[k + 1])
        assert merged.counts[0, k] == spectrum.counts[inside].sum()
        off = spectrum.background.counts[inside].sum() * spectrum.background_scale
        assert merged.background[0, k] == pytest.approx(off)
    np.testing.assert_allclose(merged.e_lo[0], direct.e_lo)
    np.testing.assert_allclose(merged.e_hi[0], direct.e_hi)
    np.testing.assert_allclose(merged.area[0], direct.area * 1e4 * 0.8, rtol=1e-4)


def test_bad_channels_are_left_out(spectrum):
    """Counts and area of channels of bad quality are both gone."""
    quality = np.zeros(spectrum.counts.size, np.int16)
    quality[100:200] = 1
    marked = XraySpectrum(**{**vars(spectrum), "quality": quality})
    good, less = (bins_from_spectra([s])[0] for s in (spectrum, marked))
    assert less.counts.sum() == good.counts.sum() - spectrum.counts[100:200].sum()
    exposure, fewer = (np.sum(b.area * (b.e_hi - b.e_lo)) for b in (good, less))
    assert fewer < exposure


def test_scale_per_channel(spectrum):
    """BACKSCAL as a vector scales every channel by itself."""
    backscale = np.linspace(4, 12, spectrum.counts.size)
    off = XraySpectrum(**{**vars(spectrum.background), "backscale": backscale})
    bins = bins_from_spectra([XraySpectrum(**{**vars(spectrum), "background": off})])[0]
    center = 0.5 * (spectrum.e_lo + spectrum.e_hi)
    scaled = off.counts * (2.0 * 0.8 * 1e4) / (backscale * 0.9 * 2e4)
    wanted = np.histogram(center, FINE_EDGES, weights=scaled)[0]
    np.testing.assert_allclose(bins.background[0], wanted)
    assert bins.background.shape == (1, N_FINE)
