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

_ROWS = 16


def observed_edges(edges):
    """Checked bin edges in keV; the incident grid for None."""
    return check_parameter("edges", ENERGY_EDGES if edges is None else edges, 1e-3, 300.0, "keV")


def simpson(density, edges, redshift, *parameters):
    """
    Integrate a rest-frame model over observed bins by Simpson's rule, photons/cm2/s per bin.

    ``density(energy, *parameters)`` is in photons/cm2/s/keV at rest energies [keV], its
    parameters arrive with shape (rows, 1); ``redshift`` and they (...) are broadcast
    against each other, and bins are added behind.
    """
    points = np.empty(2 * edges.size - 1)
    points[::2] = edges
    points[1::2] = 0.5 * (edges[1:] + edges[:-1])
    # the (1 + z) of the stretched bin and of the time dilation cancel
    width = np.diff(edges) / 6
    redshift, *parameters = np.broadcast_arrays(redshift, *parameters)
    columns = [np.reshape(column, (-1, 1)) for column in (redshift, *parameters)]
    result = np.empty((redshift.size, edges.size - 1))
    # blocks that stay in the processor's cache
    for start in range(0, redshift.size, _ROWS):
        z, *block = (column[start : start + _ROWS] for column in columns)
        value = density(points * (1 + z) if z.any() else points, *block)
        total = 4 * value[:, 1::2]
        total += value[:, :-1:2]
        total += value[:, 2::2]
        np.multiply(total, width, out=result[start : start + _ROWS])
    return result.reshape(*redshift.shape, width.size)


def lookup(x, start, step, values):
    """Linear interpolation of ``values`` on a uniform grid, faster than `numpy.interp`."""
    position = (x - start) / step
    index = np.clip(position.astype(np.intp), 0, values.size - 2)
    low = values[index]
    return low + (values[index + 1] - low) * (position - index)
