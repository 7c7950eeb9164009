# Licensed under a 3-clause BSD style license - see LICENSE
"""
What is true of a simulated source: absorption and fluxes.

The equivalent column is that of `astro_xlatent.physics.bestfit.equivalent_column`.
"""

import numpy as np

from astro_xlatent.physics.absorption import bin_cross_section
from astro_xlatent.physics.grid import ENERGY_MID, KEV_TO_ERG

__all__ = ["FLUX_BANDS", "absorb", "band_fluxes"]

#: Names and edges (keV) of the fluxes in the truth table.
FLUX_BANDS = {"flux_05_2": (0.5, 2.0), "flux_2_7": (2.0, 7.0), "flux_02_23": (0.2, 2.3)}


def absorb(spectrum, nh, redshift=0.0):
    """Send spectra (n, N_ENERGY) through cold gas of a column ``nh`` in 1/cm2 at a redshift."""
    sigma = bin_cross_section(redshift=redshift).astype(np.float32)
    column = np.asarray(nh, np.float32)[..., None]
    return (spectrum * np.exp(-column * sigma)).astype(np.float32)


def band_fluxes(spectrum):
    """Energy fluxes of `FLUX_BANDS` in erg/cm2/s, of photons/cm2/s per bin (n, N_ENERGY)."""
    fluxes = {}
    for name, (low, high) in FLUX_BANDS.items():
        first, last = np.searchsorted(ENERGY_MID, (low, high))
        energy = (ENERGY_MID[first:last] * KEV_TO_ERG).astype(np.float32)
        fluxes[name] = (spectrum[:, first:last] @ energy).astype(float)
    return fluxes
