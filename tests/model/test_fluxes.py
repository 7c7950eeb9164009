# Licensed under a 3-clause BSD style license - see LICENSE
"""Fluxes against closed forms and against many more draws."""

import numpy as np
import pytest
from band_rows import csc_table

from astro_xlatent import load_model
from astro_xlatent.missions.base import get_mission
from astro_xlatent.model.fluxes import FLUX_BANDS, fluxes
from astro_xlatent.model.posterior import covariance_of
from astro_xlatent.physics.grid import CELLS, ENERGY_EDGES, KEV_TO_ERG, sum_cells
from astro_xlatent.spectra.bins import FINE_EDGES, N_FINE, EnergyBins

INDEX = 2.0


def _decode(latent, cells):
    """A power law whose index is 2 plus a tenth of the first latent."""
    index = INDEX + 0.1 * np.asarray(latent)[:, :1]
    lo, hi = ENERGY_EDGES[:-1], ENERGY_EDGES[1:]
    spectrum = (hi ** (1 - index) - lo ** (1 - index)) / (1 - index)
    if cells is not None:
        spectrum = sum_cells(spectrum, cells) / np.diff(CELLS[cells], append=lo.size)
    return spectrum.astype(np.float32)


def _bins(norm, background=0.0):
    """Expected counts of a power law through an area of 1e6 cm2 s."""
    rows = len(norm)
    e_lo, e_hi = (np.broadcast_to(e, (rows, N_FINE)) for e in (FINE_EDGES[:-1], FINE_EDGES[1:]))
    counts = 1e6 * np.asarray(norm)[:, None] * (1 / e_lo - 1 / e_hi) + background
    full = np.ones((rows, N_FINE))
    return EnergyBins(e_lo=e_lo, e_hi=e_hi, counts=counts, background=background * full,
                      background_error=0.1 * background * full, area=1e6 * full, resolution=0.1 * full,
                      valid=full > 0)


@pytest.mark.parametrize("background", [0.0, 2.0])
def test_medians_are_the_closed_form(background):
    """K ln(E2 / E1) for a photon index of 2, latents known exactly."""
    norm = np.array([1e-3, 1e-2])
    bins = _bins(norm, background)
    exact = 1e-12 * np.broadcast_to(np.eye(8), (2, 8, 8))
    found = fluxes(_decode, bins, bins.unfolded_weights(), np.zeros((2, 8)), exact)
    for band, (lo, hi) in FLUX_BANDS.items():
        np.testing.assert_allclose(found[band][:, 1], norm * np.log(hi / lo) * KEV_TO_ERG, rtol=0.03)


def test_width_is_poisson():
    """With the shape known, the relative error of the flux is that of the counts."""
    bins = _bins([1e-3])
    low, median, high = fluxes(_decode, bins, None, np.zeros((1, 8)), 1e-12 * np.eye(8)[None])["05_2"][0]
    assert (high - low) / 2 / median == pytest.approx(bins.counts.sum() ** -0.5, rel=0.15)


def test_width_of_the_shape():
    """An uncertain index widens the hard flux as much as a direct calculation says."""
    bins = _bins([0.3])
    covariance = 1e-12 * np.eye(8)[None]
    covariance[0, 0, 0] = 9.0
    low, _, high = fluxes(_decode, bins, None, np.zeros((1, 8)), covariance)["2_7"][0]
    limits = []
    for index in (1.7, 2.3):
        exact = 1e-12 * np.eye(8)[None]
        mean = np.zeros((1, 8))
        mean[0, 0] = 10 * (index - INDEX)
        limits.append(fluxes(_decode, bins, None, mean, exact)["2_7"][0, 1])
    assert high - low == pytest.approx(abs(limits[0] - limits[1]), rel=0.25)


def test_without_an_excess_there_is_an_upper_limit():
    """No counts: 84 % of the draws lie below what 1.14 counts would be."""
    bins = _bins([1e-3])
    empty = EnergyBins(**vars(bins) | {"counts": np.zeros((1, N_FINE))})
    low, _, high = fluxes(_decode, empty, None, np.zeros((1, 8)), 1e-12 * np.eye(8)[None])["05_2"][0]
    one_count = 1e-3 * np.log(4) * KEV_TO_ERG / bins.counts.sum()
    assert low == 0
    assert high == pytest.approx(1.14 * one_count, rel=0.2)


def test_fluxes_in_cells_are_those_of_the_incident_grid():
    """The few cells in which draws are decoded move no limit by more than 3 % of the interval."""
    model = load_model()
    bins = get_mission("csc").read_bands(csc_table(300)).bins
    out, matrices = model.encode(bins), bins.unfolded_weights()
    posterior = bins, out["mean"], covariance_of(out["precision_chol"])
    fine = _limits(model, *posterior, matrices)
    for cells, folding in (("bands", None), ("bands", sum_cells(matrices, "bands")),
                           ("spectra", sum_cells(matrices, "spectra"))):
        found = _limits(model, *posterior, folding, cells)
        assert np.all(np.abs(found - fine) < 0.03 * (fine[..., 2:] - fine[..., :1]))


def _limits(model, bins, mean, covariance, matrices, cells=None):
    return np.stack(list(fluxes(model.decode, bins, matrices, mean, covariance, cells).values()))
