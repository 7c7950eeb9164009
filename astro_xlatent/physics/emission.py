# Licensed under a 3-clause BSD style license - see LICENSE
"""
Continuum and line models on the incident grid.

Every function broadcasts its parameters, adds an axis of energy bins, and returns photons/cm2/s per bin for
an XSPEC normalization of one. Power laws and lines are in closed form, the others by Simpson's rule.

Redshift follows XSPEC (`zpowerlw`, `zbbody`, `zbremss`, `zgauss`): the rest-frame model is integrated over
the bin stretched by (1 + z) and divided by (1 + z), for the time dilation of the rate.

References
----------
Arnaud 1996, ASP Conf. Ser. 101, 17 (XSPEC; its manual gives the formulas)
"""

from functools import lru_cache

import numpy as np

from astro_xlatent.physics._bins import (
    INDEX_RANGE,
    KT_RANGE,
    REDSHIFT_RANGE,
    check_parameter,
    gaussian_line,
    load_table,
    lookup,
    observed_edges,
    simpson,
)
from astro_xlatent.physics.plasma import plasma
from astro_xlatent.physics.reflection import reflection

__all__ = [
    "blackbody",
    "bremsstrahlung",
    "cutoff_powerlaw",
    "disk_blackbody",
    "gaunt_factor",
    "gaussian_line",
    "plasma",
    "powerlaw",
    "reflection",
]

_RYDBERG = 0.0136056931  # keV
# helium nuclei per proton, as in XSPEC's bremss
_HELIUM = 0.085
# grid points of the Gaunt factor per step of its table
_REFINE = 8


def powerlaw(photon_index, redshift=0.0, *, edges=None):
    """
    Power law, XSPEC's ``powerlaw`` and ``zpowerlw``.

    Parameters
    ----------
    photon_index, redshift : array_like, shape (...)
        -5 to 10, and 0 to 15.
    edges : array_like, shape (n_energy + 1,), optional
        Bin edges in keV; the incident grid if not given.

    Returns
    -------
    spectrum : ndarray of float64, shape (..., n_energy)
        Integral of (E (1 + z))^-photon_index: one photon/cm2/s/keV at 1 keV in the rest frame.

    Raises
    ------
    ParameterError
        If a parameter is NaN or out of range.

    Examples
    --------
    >>> from astro_xlatent.physics.emission import powerlaw
    >>> powerlaw([1.7, 2.0]).shape
    (2, 1190)
    """
    slope = 1 - check_parameter("photon_index", photon_index, *INDEX_RANGE)[..., None]
    stretch = 1 + check_parameter("redshift", redshift, *REDSHIFT_RANGE)[..., None]
    log_edges = np.log(observed_edges(edges))
    log_width = np.diff(log_edges)
    log_mid = 0.5 * (log_edges[1:] + log_edges[:-1])
    # exact: width x sinh(u)/u, as a series that has no hole at index 1
    u2 = (0.5 * slope * log_width) ** 2
    factor = 1 + u2 / 6 * (1 + u2 / 20 * (1 + u2 / 42 * (1 + u2 / 72)))
    factor *= np.exp(slope * log_mid + np.log(log_width))
    return factor * stretch ** (slope - 1)


def cutoff_powerlaw(photon_index, e_cut, redshift=0.0, *, edges=None):
    """
    Power law with an exponential cut-off, XSPEC's ``cutoffpl``: E^-photon_index exp(-E / e_cut).

    The e-folding energy ``e_cut``, 0.01 to 1e6, is in keV in the rest frame; the rest as for `powerlaw`.
    """
    index = check_parameter("photon_index", photon_index, *INDEX_RANGE)
    e_cut = check_parameter("e_cut", e_cut, 0.01, 1e6, "keV")
    redshift = check_parameter("redshift", redshift, *REDSHIFT_RANGE)

    def density(energy, index, e_cut):
        return np.exp(-index * np.log(energy) - energy / e_cut)

    return simpson(density, observed_edges(edges), redshift, index, e_cut)


def blackbody(kt, redshift=0.0, *, edges=None):
    """
    Black body of temperature ``kt``, 0.005 to 200 keV, normalized as XSPEC's ``bbodyrad``.

    1.0344e-3 E^2 / (exp(E / kt) - 1) photons/cm2/s/keV, integrated: a sphere of 1 km radius at 10 kpc.
    Multiply by 7784.7 / kt^4 (kt in keV) for ``bbody`` (1e39 erg/s at 10 kpc). The rest as for `powerlaw`.
    """
    kt = check_parameter("kt", kt, *KT_RANGE, "keV")
    redshift = check_parameter("redshift", redshift, *REDSHIFT_RANGE)

    # beyond 700 kt there is nothing left, and exp would overflow
    def density(energy, kt):
        return 1.0344e-3 * energy**2 / np.expm1(np.minimum(energy / kt, 700.0))

    return simpson(density, observed_edges(edges), redshift, kt)


def disk_blackbody(kt_in, *, edges=None):
    """
    Multi-color disk, XSPEC's ``diskbb``: inner radius 1 km at 10 kpc, face on, reaching to zero temperature.

    Parameters
    ----------
    kt_in : array_like, shape (...)
        Temperature of the inner edge in keV, 0.005 to 200.
    edges : array_like, optional
        As for `powerlaw`.

    Returns
    -------
    spectrum : ndarray of float64, shape (..., n_energy)

    Notes
    -----
    The rings of T proportional to r^(-3/4) add up (Mitsuda et al. 1984, PASJ 36, 741; Makishima et al. 1986,
    ApJ 308, 635) to A(E) = (8/3) 1.0380e-3 E^2 x^(-8/3) G(x), x = E / kt_in, with G(x) the integral of
    y^(5/3) / (exp(y) - 1) from x to infinity. The constant is the exact 2 pi / (h^3 c^2) at 1 km and 10 kpc;
    XSPEC's rounding in ``bbodyrad``, kept in `blackbody`, is 0.4 % lower.
    """
    kt_in = check_parameter("kt_in", kt_in, *KT_RANGE, "keV")

    def density(energy, kt):
        log_energy = np.log(energy)
        scaled = lookup(log_energy - np.log(kt), *_disk_table())
        return np.exp(scaled - energy / kt + 2 * log_energy)

    return simpson(density, observed_edges(edges), np.zeros(()), kt_in)


@lru_cache(maxsize=1)
def _disk_table():
    # log of (8/3) 1.0380e-3 x^(-8/3) G(x) exp(x) against log x
    start, step = np.log(4e-6), 1e-3
    log_x = start + step * np.arange(int(np.log(2e8) / step))
    x = np.exp(log_x)
    node, weight = np.polynomial.laguerre.laggauss(40)
    scaled = np.empty_like(x)
    far = x > 1
    y = x[far, None] + node
    scaled[far] = (y ** (5 / 3) / -np.expm1(-y)) @ weight
    near = np.exp(log_x[~far]) ** (8 / 3) / np.expm1(x[~far])
    piece = 0.5 * step * (near[1:] + near[:-1])
    rest = np.append(np.cumsum(piece[::-1])[::-1], 0.0)
    at_one = scaled[far][0] * np.exp(-x[far][0]) + step * near[-1]
    scaled[~far] = (rest + at_one) * np.exp(x[~far])
    return start, step, np.log(8 / 3 * 1.0380e-3 * scaled) - 8 / 3 * log_x


@lru_cache(maxsize=1)
def _gaunt_table():
    from scipy.interpolate import RectBivariateSpline

    table = load_table("gaunt.npz")
    rows, columns, values = table["log_gamma2"], table["log_u"], np.log(table["gaunt"].astype(float))
    fine_rows, fine_columns = (np.linspace(axis[0], axis[-1], (axis.size - 1) * _REFINE + 1)
                               for axis in (rows, columns))
    fine = RectBivariateSpline(rows, columns, values, s=0)(fine_rows, fine_columns)
    return fine_rows, fine_columns, np.exp(fine)


def gaunt_factor(kt, energy, charge=1):
    """
    Thermally averaged free-free Gaunt factor, exact non-relativistic (Karzas & Latter 1961, ApJS 6, 167).

    Temperatures (..., 1) and energies (..., n) are in keV. Holds for
    1e-4 < energy/kt < 1e3 and 3e-5 < 13.6 eV charge^2 / kt < 10; the border value beyond.
    """
    kt, energy = np.asarray(kt, dtype=float), np.asarray(energy, dtype=float)
    rows, columns, values = _gaunt_table()
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
    Thermal bremsstrahlung of hydrogen and helium, XSPEC's ``bremss`` and ``zbremss``.

    Parameters
    ----------
    kt : array_like, shape (...)
        Temperature in keV, 0.005 to 200.
    redshift, edges : array_like, optional
        As for `powerlaw`.

    Returns
    -------
    spectrum : ndarray of float64, shape (..., n_energy)
        photons/cm2/s per bin for 3.02e-15 / (4 pi D^2) times the integral of n_e n_I dV equal to one (cgs).

    Notes
    -----
    A(E) = (g(1) + 4 x 0.085 g(2)) exp(-E/kT) / (E sqrt(kT)) (Rybicki & Lightman 1979, eq. 5.14)
    with g(Z) the `gaunt_factor` of charge Z. XSPEC's own uses the polynomials of Kellogg et al.
    1975 (ApJ 199, 299); ours is exact and non-relativistic, a few per cent low above 50 keV.
    """
    kt = check_parameter("kt", kt, *KT_RANGE, "keV")
    redshift = check_parameter("redshift", redshift, *REDSHIFT_RANGE)

    def density(energy, kt):
        gaunt = gaunt_factor(kt, energy, 1) + 4 * _HELIUM * gaunt_factor(kt, energy, 2)
        return gaunt * np.exp(-energy / kt) / (energy * np.sqrt(kt))

    return simpson(density, observed_edges(edges), redshift, kt)
