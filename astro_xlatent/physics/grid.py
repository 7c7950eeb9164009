# Licensed under a 3-clause BSD style license - see LICENSE
"""
The one incident energy grid of simulator, responses and decoder.

Spectra on it are photons/cm2/s per bin, arrays of shape (..., `N_ENERGY`).
"""

import numpy as np

__all__ = ["CELLS", "ENERGY_EDGES", "ENERGY_MID", "ENERGY_WIDTH", "KEV_TO_ERG", "N_ENERGY", "band_weights",
           "sum_cells"]

#: Edges of the incident grid in keV: 0.1 to 12 keV in steps of 10 eV.
ENERGY_EDGES = np.round(np.linspace(0.1, 12.0, 1191), 10)
#: Number of bins of the incident grid.
N_ENERGY = ENERGY_EDGES.size - 1
#: Arithmetic bin centers in keV.
ENERGY_MID = 0.5 * (ENERGY_EDGES[1:] + ENERGY_EDGES[:-1])
#: Bin widths in keV.
ENERGY_WIDTH = np.diff(ENERGY_EDGES)
#: erg per keV (exact, 2019 SI).
KEV_TO_ERG = 1.602176634e-9


def _cells(*ranges):
    """First grid bins of cells whose edges are ``arange`` of the ranges in keV, from 0.1 keV on."""
    edges = np.concatenate([[ENERGY_EDGES[0]], *(np.arange(*one) for one in ranges)])
    return np.searchsorted(ENERGY_EDGES, edges - 1e-6)


#: First grid bins of wider cells, in which many spectra are decoded at once. For rows of bands: 2 to
#: 10 % wide in the bands of catalogs, whose edges are among theirs. For spectra: those of
#: the grid below 1 keV, a third of a CCD's FWHM and less up to 4 keV, and half of it above.
CELLS = {"bands": _cells((0.2, 1, 0.02), (1, 3, 0.05), (3, 5, 0.1), (5, 8, 0.2), (8, 12, 0.5)),
         "spectra": _cells((0.11, 1, 0.01), (1, 2.4, 0.02), (2.4, 4, 0.04), (4, 8, 0.08), (8, 12, 0.2))}


def band_weights(e_lo, e_hi):
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
    overlap = np.minimum(e_hi, ENERGY_EDGES[1:]) - np.maximum(e_lo, ENERGY_EDGES[:-1])
    return np.clip(overlap, 0.0, None) / ENERGY_WIDTH


def sum_cells(values, cells):
    """Weights (..., n_energy), such as folding matrices, added up over each cell of a key of `CELLS`."""
    return np.add.reduceat(values, CELLS[cells], axis=-1)
