# Licensed under a 3-clause BSD style license - see LICENSE
"""What the physical models share: checks of parameters and their ranges, integration over energy bins."""

from importlib.resources import files

import numpy as np

from astro_xlatent.core.errors import ParameterError
from astro_xlatent.physics.grid import ENERGY_EDGES

__all__ = ["INDEX_RANGE", "KT_RANGE", "REDSHIFT_RANGE", "check_parameter", "gaussian_line", "load_table",
           "lookup", "observed_edges", "plain_numbers", "simpson"]

#: Allowed photon indices.
INDEX_RANGE = (-5.0, 10.0)
#: Allowed temperatures of thermal continua, keV.
KT_RANGE = (0.005, 200.0)
#: Allowed redshifts.
REDSHIFT_RANGE = (0.0, 15.0)

_ROWS = 16


def check_parameter(name, value, low, high, unit=""):
    """A parameter as a float array in ``unit``; NaN and what lies outside ``low``..``high`` is refused."""
    try:
        value = plain_numbers(value, unit)
    except (TypeError, ValueError) as error:
        msg = f"{name} must be numbers{_in(unit)} from {low:g} to {high:g}, got {value!r}: {error}"
        raise ParameterError(msg) from error
    bad = ~((value >= low) & (value <= high))
    if bad.any():
        first = value[bad].flat[0]
        where = "" if value.ndim == 0 else f" ({int(bad.sum())} of {value.size} values are outside)"
        allowed = f"it must be a number from {low:g} to {high:g}"
        raise ParameterError(f"{name} = {first:g}{_in(unit)} is not allowed; {allowed}{where}")
    return value


def plain_numbers(value, unit=""):
    """Float array of numbers, a column or quantity, in ``unit`` where it carries one; masked becomes NaN."""
    own = getattr(value, "unit", None)
    if np.ma.isMaskedArray(value):
        value = value.astype(float).filled(np.nan)
    value = np.asarray(value, dtype=float)
    return value if own is None else np.asarray((value * own).to_value(unit))


def _in(unit):
    return f" {unit}" if unit else ""


def load_table(name):
    """Arrays of a table shipped with this room, by name."""
    path = files("astro_xlatent.physics") / "data" / name
    with path.open("rb") as stream, np.load(stream, allow_pickle=False) as table:
        return dict(table)


def observed_edges(edges):
    """Checked bin edges in keV; the incident grid for None."""
    return check_parameter("edges", ENERGY_EDGES if edges is None else edges, 1e-3, 300.0, "keV")


def simpson(density, edges, redshift, *parameters):
    """
    ``density(energy, *parameters)`` in photons/cm2/s/keV at rest energies, integrated by Simpson's rule.

    Over observed bins (..., n_energy); ``redshift`` and parameters are broadcast, passed as (rows, 1).
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


def gaussian_line(energy, sigma, redshift=0.0, *, edges=None):
    """
    Gaussian emission line, XSPEC's ``zgauss``: one photon/cm2/s in the rest frame, 1 / (1 + z) observed.

    ``energy`` (0.01 to 200) and standard deviation ``sigma`` (0 to 50; 0 is a delta function) are in keV at
    rest. The rest as for `~astro_xlatent.physics.emission.powerlaw`; what lies beyond the grid is lost.
    """
    from scipy.special import ndtr

    energy = check_parameter("energy", energy, 0.01, 200.0, "keV")[..., None]
    sigma = check_parameter("sigma", sigma, 0.0, 50.0, "keV")[..., None]
    stretch = 1 + check_parameter("redshift", redshift, *REDSHIFT_RANGE)[..., None]
    distance = observed_edges(edges) * stretch - energy
    return np.diff(ndtr(distance / np.maximum(sigma, 1e-7))) / stretch
