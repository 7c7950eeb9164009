# Licensed under a 3-clause BSD style license - see LICENSE
"""
The one incident energy grid of simulator, responses and decoder.

Spectra on it are photons/cm2/s per bin, arrays of shape (..., `N_ENERGY`).
"""

import numpy as np

__all__ = ["COARSE_EDGES", "ENERGY_EDGES", "ENERGY_MID", "ENERGY_WIDTH", "KEV_TO_ERG", "N_ENERGY",
           "band_weights"]

#: Edges of the incident grid in keV: 0.1 to 12 keV in steps of 10 eV.
ENERGY_EDGES = np.round(np.linspace(0.1, 12.0, 1191), 10)
#: Number of bins of the incident grid.
N_ENERGY = ENERGY_EDGES.size - 1
#: Arithmetic bin centers in keV.
ENERGY_MID = 0.5 * (ENERGY_EDGES[1:] + ENERGY_EDGES[:-1])
#: Bin widths in keV.
ENERGY_WIDTH = np.diff(ENERGY_EDGES)
#: Edges of cells of that grid in keV, 2 to 10 % wide in the bands of catalogs, whose edges are among
#: them; coarse enough to decode the many spectra that fluxes of a band row are drawn from.
COARSE_EDGES = np.round(np.concatenate([
    [0.1], np.arange(0.2, 1, 0.02), np.arange(1, 3, 0.05), np.arange(3, 5, 0.1),
    np.arange(5, 8, 0.2), np.arange(8, 12.1, 0.5)]), 2)
#: erg per keV (exact, 2019 SI).
KEV_TO_ERG = 1.602176634e-9


def band_weights(e_lo, e_hi, edges=ENERGY_EDGES):
    """
    Fraction (n_bands, n_energy), 0 to 1, of every grid bin that lies inside each band, all in keV.

    A spectrum's flux in the bands is ``spectrum @ weights.T`` if it is flat within bins.

    Examples
    --------
    >>> from astro_xlatent.physics.grid import band_weights
    >>> float(round(band_weights([0.5], [2.0]).sum(), 6))
    150.0
    """
    e_lo = np.atleast_1d(np.asarray(e_lo, float))[:, None]
    e_hi = np.atleast_1d(np.asarray(e_hi, float))[:, None]
    overlap = np.minimum(e_hi, edges[1:]) - np.maximum(e_lo, edges[:-1])
    return np.clip(overlap, 0.0, None) / np.diff(edges)
