# Licensed under a 3-clause BSD style license - see LICENSE
"""Integration over energy bins, and the ranges that the emission models share."""

import numpy as np

from astro_xlatent.physics._checks import check_parameter
from astro_xlatent.physics.grid import ENERGY_EDGES

__all__ = ["INDEX_RANGE", "KT_RANGE", "REDSHIFT_RANGE", "lookup", "observed_edges", "simpson"]

#: Allowed photon indices.
INDEX_RANGE = (-5.0, 10.0)
#: Allowed temperatures of thermal continua, keV.
KT_RANGE = (0.005, 200.0)
#: Allowed redshifts.
REDSHIFT_RANGE = (0.0, 15.0)


def observed_edges(edges):
    """Checked bin edges in keV; the incident grid for None."""
    return check_parameter("edges", ENERGY_EDGES if edges is None else edges, 1e-3, 300.0, "keV")


def simpson(density, edges, redshift):
    """
    Integrate a rest-frame model over observed bins.

    Parameters
    ----------
    density : callable
        photons/cm2/s/keV at rest energies [keV] of shape (..., 2 n_energy + 1).
    edges : ndarray, shape (n_energy + 1,)
        Observed edges in keV.
    redshift : ndarray, shape (...)
        Redshifts.

    Returns
    -------
    spectrum : ndarray, shape (..., n_energy)
        photons/cm2/s per bin.

    Examples
    --------
    >>> import numpy as np
    >>> from astro_xlatent.physics._bins import simpson
    >>> simpson(lambda e: e**2, np.array([1.0, 2.0]), np.zeros(1)).round(4)
    array([[2.3333]])
    """
    # the (1 + z) of the stretched bin and of the time dilation cancel
    points = np.empty(2 * edges.size - 1)
    points[::2] = edges
    points[1::2] = 0.5 * (edges[1:] + edges[:-1])
    value = density(points * (1 + redshift)[..., None])
    total = 4 * value[..., 1::2]
    total += value[..., :-1:2]
    total += value[..., 2::2]
    total *= np.diff(edges) / 6
    return total


def lookup(x, start, step, values):
    """Linear interpolation of ``values`` on a uniform grid, faster than `numpy.interp`."""
    position = (x - start) / step
    index = np.clip(position.astype(np.intp), 0, values.size - 2)
    low = values[index]
    return low + (values[index + 1] - low) * (position - index)
