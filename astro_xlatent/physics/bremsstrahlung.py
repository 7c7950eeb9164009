# Licensed under a 3-clause BSD style license - see LICENSE
"""Thermal bremsstrahlung of hydrogen and helium."""

from functools import lru_cache
from importlib.resources import files

import numpy as np

from astro_xlatent.physics._bins import KT_RANGE, REDSHIFT_RANGE, observed_edges, simpson
from astro_xlatent.physics._checks import check_parameter

__all__ = ["bremsstrahlung", "gaunt_factor"]

_RYDBERG = 0.0136056931
# helium nuclei per proton, as in XSPEC's bremss
_HELIUM = 0.085
_REFINE = 8


@lru_cache(maxsize=1)
def _table():
    from scipy.interpolate import RectBivariateSpline

    path = files("astro_xlatent.physics") / "data" / "gaunt.npz"
    with path.open("rb") as stream, np.load(stream, allow_pickle=False) as table:
        rows, columns, values = table["log_gamma2"], table["log_u"], np.log(table["gaunt"].astype(float))
    fine_rows = np.linspace(rows[0], rows[-1], (rows.size - 1) * _REFINE + 1)
    fine_columns = np.linspace(columns[0], columns[-1], (columns.size - 1) * _REFINE + 1)
    fine = RectBivariateSpline(rows, columns, values, s=0)(fine_rows, fine_columns)
    return fine_rows, fine_columns, np.exp(fine)


def gaunt_factor(kt, energy, charge=1):
    """
    Thermally averaged free-free Gaunt factor, exact non-relativistic (Karzas & Latter 1961, ApJS 6, 167).

    Temperatures (..., 1) and energies (..., n) are in keV. Holds for
    1e-4 < energy/kt < 1e3 and 3e-5 < 13.6 eV charge^2 / kt < 10; the border value beyond.
    """
    kt, energy = np.asarray(kt, dtype=float), np.asarray(energy, dtype=float)
    rows, columns, values = _table()
    row = _position(np.log10(charge**2 * _RYDBERG / kt), rows)
    column = _position(np.log10(energy) - np.log10(kt), columns)
    i, j = row.astype(np.intp), column.astype(np.intp)
    t = row - i
    # one row per temperature first: two gathers along energy instead of four
    low = (1 - t) * values[i[..., 0]] + t * values[i[..., 0] + 1]
    j = np.broadcast_to(j, np.broadcast_shapes(j.shape, (*low.shape[:-1], j.shape[-1])))
    left = np.take_along_axis(low, j, -1)
    return left + (np.take_along_axis(low, j + 1, -1) - left) * (column - j)


def _position(x, grid):
    return np.clip((x - grid[0]) / (grid[1] - grid[0]), 0, grid.size - 1.000001)


def bremsstrahlung(kt, redshift=0.0, *, edges=None):
    """
    Thermal bremsstrahlung, XSPEC's ``bremss`` and ``zbremss``.

    Parameters
    ----------
    kt : array_like, shape (...)
        Temperature in keV, 0.005 to 200.
    redshift, edges : array_like, optional
        As for `~astro_xlatent.physics.emission.powerlaw`.

    Returns
    -------
    spectrum : ndarray of float64, shape (..., n_energy)
        photons/cm2/s per bin for 3.02e-15 / (4 pi D^2) times the integral of
        n_e n_I dV equal to one (cgs).

    Notes
    -----
    A(E) = (g(1) + 4 x 0.085 g(2)) exp(-E/kT) / (E sqrt(kT)) with g(Z) the
    thermally averaged Gaunt factor for charge Z. XSPEC's own uses the
    polynomials of Kellogg et al. 1975 (ApJ 199, 299) for g; ours is exact
    and non-relativistic, a few per cent low above 50 keV temperature.

    References
    ----------
    Karzas & Latter 1961, ApJS 6, 167; Rybicki & Lightman 1979, eq. 5.14
    """
    kt = check_parameter("kt", kt, *KT_RANGE, "keV")
    redshift = check_parameter("redshift", redshift, *REDSHIFT_RANGE)

    def density(energy, kt):
        gaunt = gaunt_factor(kt, energy, 1) + 4 * _HELIUM * gaunt_factor(kt, energy, 2)
        return gaunt * np.exp(-energy / kt) / (energy * np.sqrt(kt))

    return simpson(density, observed_edges(edges), redshift, kt)
