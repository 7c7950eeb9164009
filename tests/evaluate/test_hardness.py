# Licensed under a 3-clause BSD style license - see LICENSE
"""Hardness ratios from energy bins against the fluxes that made them."""

import numpy as np
from astropy.table import Table

from astro_xlatent.evaluate.features import (
    BandFluxes,
    band_fluxes,
    fluxes_of_spectra,
    hardness_ratios,
)
from astro_xlatent.missions._columns import Columns
from astro_xlatent.missions._csc_areas import mean_over_effective
from astro_xlatent.missions.csc import CSC
from astro_xlatent.spectra.bins import FINE_EDGES, N_FINE, EnergyBins


def _csc_table(quantity, values):
    columns = {}
    for band, value in zip("smh", values, strict=True):
        for part, factor in (("", 1.0), ("lolim_", 0.9), ("hilim_", 1.1)):
            columns[f"{quantity}_aper_{part}{band}"] = [value * factor]
    return Table(columns)


def test_energy_and_photon_fluxes_survive_the_bins():
    """What the catalog says comes back, under its own name; photon fluxes over the band's mean area."""
    ratio = mean_over_effective(Columns(Table({"row": [0]})), CSC.bands)[0][0]
    for quantity, values, kind in (
        ("flux", (1e-14, 3e-14, 7e-14), "energy-flux"),
        ("photflux", (4e-6, 3e-6, 1e-6), "photon-flux"),
    ):
        found = band_fluxes(CSC().read_bands(_csc_table(quantity, values)).bins)
        factor = ratio if quantity == "photflux" else 1.0
        np.testing.assert_allclose(found.flux[0] * factor, values, rtol=1e-6)
        assert found.kind == kind


def test_ratios_of_unknown_bands_are_nan():
    """A missing band spoils its own ratios only."""
    ratios = hardness_ratios([[1.0, 3.0, np.nan], [0.0, 0.0, 1.0]])
    np.testing.assert_array_equal(ratios, [[0.5, np.nan, np.nan], [np.nan, 1.0, 1.0]])


def test_kinds_are_named():
    """Rows of both kinds are called mixed."""
    flux = np.ones((2, 3))
    assert BandFluxes(flux, flux, np.array([True, False])).kind == "mixed"


def test_spectrum_flux_does_not_depend_on_the_range_kept():
    """A flat spectrum has the same band fluxes where the analyst cut a band short."""
    area, density = 1e7, 2e-5
    shape = (2, N_FINE)
    e_lo, e_hi = (np.broadcast_to(e, shape) for e in (FINE_EDGES[:-1], FINE_EDGES[1:]))
    valid = np.ones(shape, bool)
    valid[1] = e_hi[1] < 5
    bins = EnergyBins(
        e_lo=e_lo,
        e_hi=e_hi,
        counts=area * density * (e_hi - e_lo) + 3.0,
        background=np.full(shape, 3.0),
        background_error=np.ones(shape),
        area=np.full(shape, area),
        resolution=np.full(shape, 0.1),
        valid=valid,
    )
    found = fluxes_of_spectra(bins)
    assert found.kind == "photon-flux"
    np.testing.assert_allclose(found.flux, density * np.broadcast_to([0.7, 0.8, 5.0], (2, 3)), rtol=0.08)
    np.testing.assert_allclose(hardness_ratios(found.flux)[0], hardness_ratios(found.flux)[1], atol=0.03)
