# Licensed under a 3-clause BSD style license - see LICENSE
"""EnergyBins: checks, merging, and bands built in two ways."""

import numpy as np
import pytest

from astro_xlatent.core.errors import ParameterError
from astro_xlatent.physics.grid import (
    ENERGY_EDGES,
    ENERGY_MID,
    ENERGY_WIDTH,
    KEV_TO_ERG,
)
from astro_xlatent.spectra.bins import FINE_EDGES, N_FINE, EnergyBins, ccd_fwhm

RNG = np.random.default_rng(3)


def make_bins(rows=4, edges=FINE_EDGES):
    """Random contiguous bins on some edges."""
    shape = (rows, len(edges) - 1)
    return EnergyBins(
        e_lo=np.broadcast_to(edges[:-1], shape), e_hi=np.broadcast_to(edges[1:], shape),
        counts=RNG.poisson(5, shape), background=RNG.uniform(0, 2, shape),
        background_error=RNG.uniform(0, 1, shape), area=RNG.uniform(10, 100, shape),
        resolution=RNG.uniform(0.1, 0.2, shape), valid=RNG.random(shape) > 0.1)


def test_fine_grid_is_half_a_fwhm():
    """The fine grid runs from 0.3 to 10 keV in steps of half a CCD FWHM."""
    assert 120 <= N_FINE <= 150
    assert FINE_EDGES[0] == 0.3 and FINE_EDGES[-1] == 10.0
    ratio = np.diff(FINE_EDGES)[:-1] / ccd_fwhm(FINE_EDGES[:-2])
    assert np.all((ratio > 0.35) & (ratio < 0.6))


def test_merge_adds_up():
    """Counts, background, its variance and area times width are conserved."""
    bins = make_bins()
    merged = bins.merge([0.3, 1.2, 2.0, 10.0])
    for name in ("counts", "background"):
        total = np.where(bins.valid, getattr(bins, name), 0).sum(axis=1)
        np.testing.assert_allclose(getattr(merged, name).sum(axis=1), total)
    variance = np.where(bins.valid, bins.background_error**2, 0).sum(axis=1)
    np.testing.assert_allclose((merged.background_error**2).sum(axis=1), variance)
    exposure = np.where(bins.valid, bins.area * (bins.e_hi - bins.e_lo), 0).sum(axis=1)
    np.testing.assert_allclose((merged.area * (merged.e_hi - merged.e_lo)).sum(axis=1), exposure)


def test_merging_in_steps_or_at_once_is_the_same():
    """Fine to medium to coarse equals fine to coarse."""
    bins = make_bins()
    coarse = FINE_EDGES[[0, 20, 60, 146]]
    medium = FINE_EDGES[[0, 10, 20, 40, 60, 100, 146]]
    once, twice = bins.merge(coarse), bins.merge(medium).merge(coarse)
    for name in ("e_lo", "e_hi", "counts", "background", "background_error", "area", "resolution"):
        np.testing.assert_allclose(getattr(once, name), getattr(twice, name), err_msg=name)


def test_overlapping_bins_are_refused():
    """A wide band beside its parts counts photons twice."""
    bins = make_bins(1, np.array([0.5, 1.2, 2.0, 7.0]))
    wide = bins.merge([0.5, 7.0])
    values = {k: np.concatenate([getattr(bins, k), getattr(wide, k)], axis=1)
              for k in ("e_lo", "e_hi", "counts", "background", "background_error", "area",
                        "resolution", "valid")}
    values["valid"][:] = True
    with pytest.raises(ParameterError, match="overlap"):
        EnergyBins(**values)


@pytest.mark.parametrize(("name", "value"), [
    ("counts", -1.0), ("counts", np.nan), ("area", np.inf), ("background", -0.1), ("e_hi", 0.0)])
def test_bad_values_are_named(name, value):
    """Negative, NaN and infinite values in valid bins name the field."""
    good = make_bins()
    values = {k: np.array(v) for k, v in vars(good).items()}
    values["valid"][:] = True
    values[name][1, 3] = value
    with pytest.raises(ParameterError, match=name):
        EnergyBins(**values)


def test_invalid_bins_may_hold_anything():
    """NaN where valid is False is ignored."""
    values = {k: np.array(v) for k, v in vars(make_bins()).items()}
    values["valid"][:, 0] = False
    values["counts"][:, 0] = np.nan
    assert np.all(np.isfinite(EnergyBins(**values).net_counts))


def test_shapes_are_checked():
    """Arrays of different shapes are refused."""
    values = {k: np.array(v) for k, v in vars(make_bins()).items()}
    values["area"] = values["area"][:, :-1]
    with pytest.raises(ParameterError, match="area has shape"):
        EnergyBins(**values)


def test_select_and_concatenate():
    """Rows come back in order, padded with invalid bins."""
    first, second = make_bins(3), make_bins(2, np.array([0.5, 1.2, 2.0, 7.0]))
    both = EnergyBins.concatenate([first, second])
    assert both.counts.shape == (5, N_FINE)
    assert not both.valid[3:, 3:].any()
    np.testing.assert_array_equal(both[3].counts[:, :3], second[0].counts)
    np.testing.assert_allclose(both.net_counts[:3], first.net_counts)


@pytest.mark.parametrize("weighted", [False, True])
def test_unfolded_weights(weighted):
    """Predicted counts are area times photon flux, or area times energy flux over E_ref."""
    edges = np.array([0.5, 1.2, 2.0, 7.0])
    bins = make_bins(2, edges)
    bins.valid[:] = True
    bins.energy_weighted[:] = weighted
    spectrum = ENERGY_MID**-1.7 * ENERGY_WIDTH
    got = bins.unfolded_weights() @ spectrum.astype(np.float32)
    for k in range(3):
        inside = (ENERGY_EDGES[:-1] > edges[k] - 1e-6) & (ENERGY_EDGES[1:] < edges[k + 1] + 1e-6)
        flux = spectrum[inside].sum()
        if weighted:
            reference = np.sqrt(edges[k] * edges[k + 1]) * KEV_TO_ERG
            flux = (spectrum * ENERGY_MID * KEV_TO_ERG)[inside].sum() / reference
        np.testing.assert_allclose(got[:, k], bins.area[:, k] * flux, rtol=1e-4)
