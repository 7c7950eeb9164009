# Licensed under a 3-clause BSD style license - see LICENSE
"""
Collisionally ionized plasma (APEC) with free metal abundances.

The shipped table, made by ``tools/build_plasma_table.py``, holds AtomDB 3.0.9 emissivities [1]_ [2]_ of
hydrogen, helium and twelve metals, and of the trace elements together, at 25 temperatures. Between them the
logarithm of emissivity times exp(E/kT) follows a cubic spline in log kT, to about 0.2 %.

XSPEC interpolates linearly in kT. Done so, its published fluxes come out to 0.6 % in every band; the spline
differs from them in 0.3-2 keV by +0.6 % at 1 and 0.5 keV, +2.6 % at 0.2 and -1.2 % at 0.1 keV, and in 2-10
keV by under 0.7 % from 1 keV up, but -4 % at 0.5 keV, -26 % at 0.2 and -65 % at 0.1 keV, where 1 % of the
energy and less is there.

References
----------
.. [1] Smith, Brickhouse, Liedahl & Raymond 2001, ApJ 556, L91
.. [2] Foster, Ji, Smith & Brickhouse 2012, ApJ 756, 128
"""

from functools import lru_cache

import numpy as np

from astro_xlatent.core.errors import ParameterError
from astro_xlatent.physics._bins import REDSHIFT_RANGE, check_parameter, load_table
from astro_xlatent.physics.abundances import ABUNDANCE_SETS, abundance_vector
from astro_xlatent.physics.grid import ENERGY_EDGES, ENERGY_MID, ENERGY_WIDTH, N_ENERGY

__all__ = ["FREE_METALS", "PLASMA_KT_RANGE", "plasma"]

#: Metals whose abundances are free, as in XSPEC's ``vapec``.
FREE_METALS = ("C", "N", "O", "Ne", "Mg", "Al", "Si", "S", "Ar", "Ca", "Fe", "Ni")
#: Temperatures of the table, keV.
PLASMA_KT_RANGE = (0.06845032, 17.19394302)

_ABUNDANCE = (0.0, 1000.0)
# splines are evaluated once on this many steps per table interval, then linearly
_REFINE = 16


@lru_cache(maxsize=1)
def _table():
    table = load_table("plasma.npz")
    log_value = table["top"][:, None] - table["code"] * (table["depth"] / 65535).astype(np.float32)
    return np.log(table["kt_kev"]), tuple(table["groups"].tolist()), log_value


def _finer(values):
    """Cubic spline between the table's equidistant temperatures, at `_REFINE` steps each."""
    from scipy.interpolate import CubicSpline

    n = len(values) - 1
    return CubicSpline(np.arange(n + 1), values)(np.arange(n * _REFINE + 1) / _REFINE)


@lru_cache(maxsize=1)
def _fine_log_kt():
    return _finer(_table()[0])


@lru_cache(maxsize=64)
def _group(name):
    # emissivity of one group on the fine temperatures, times 1e14, (n_fine, N_ENERGY)
    _, names, log_value = _table()
    fine = _finer(log_value[names.index(name)])
    fine -= ENERGY_MID * np.exp(-_fine_log_kt())[:, None]
    return (1e14 * np.exp(fine)).astype(np.float32)


def _ratio(abundances, element):
    return float(abundance_vector(abundances, [element])[0] / abundance_vector("angr", [element])[0])


@lru_cache(maxsize=len(ABUNDANCE_SETS))
def _unchanging(abundances):
    return _group("H") + _ratio(abundances, "He") * _group("He") + _group(f"trace_{abundances}")


@lru_cache(maxsize=len(ABUNDANCE_SETS))
def _metals(abundances):
    return sum(_ratio(abundances, element) * _group(element) for element in FREE_METALS)


def plasma(kt, abundance=1.0, redshift=0.0, *, abundances="wilm"):
    """
    Collisionally ionized plasma, XSPEC's ``apec`` and ``vapec``.

    Parameters
    ----------
    kt : array_like, shape (...)
        Temperature in keV, 0.0685 to 17.19.
    abundance : array_like, shape (...), or dict, optional
        Metal abundance relative to the set, 0 to 1000: one number for all of `FREE_METALS`, or a mapping of
        element to number; elements that it does not name follow its key ``"metals"`` (1 if absent). Hydrogen,
        helium and trace elements keep the abundances of the set, as in XSPEC.
    redshift : array_like, shape (...), optional
        0 to 15.
    abundances : {'wilm', 'angr', 'aspl'}, optional
        Reference set.

    Returns
    -------
    spectrum : ndarray, shape (..., N_ENERGY)
        photons/cm2/s per bin for 1e-14 / (4 pi (D_A (1 + z))^2) times the integral of n_e n_H dV equal to one
        (cgs). Lines are at least a bin wide; above 12 keV at rest it goes on as E^-1.4 exp(-E / kT).

    Raises
    ------
    ParameterError
        If a parameter is out of range or an element or set unknown.
    """
    if abundances not in ABUNDANCE_SETS:
        raise ParameterError(f"unknown abundance set {abundances!r}; known are {sorted(ABUNDANCE_SETS)}")
    kt = check_parameter("kt", kt, *PLASMA_KT_RANGE, "keV")
    redshift = check_parameter("redshift", redshift, *REDSHIFT_RANGE)
    metals, single = _split_abundance(abundance)
    kt, metals, redshift, *values = np.broadcast_arrays(kt, metals, redshift, *single.values())
    locate = _locate(kt)
    spectrum = _at(locate, _unchanging(abundances)) + metals[..., None] * _at(locate, _metals(abundances))
    for element, value in zip(single, values, strict=True):
        excess = (value - metals) * _ratio(abundances, element)
        spectrum += excess[..., None] * _at(locate, _group(element))
    # a difference of equal single-precision numbers may fall below zero
    return _shift(np.maximum(spectrum, 0.0) if single else spectrum, kt, redshift)


def _split_abundance(abundance):
    if not isinstance(abundance, dict):
        return check_parameter("abundance", abundance, *_ABUNDANCE), {}
    unknown = set(abundance) - {*FREE_METALS, "metals"}
    if unknown:
        msg = f"abundance of {sorted(unknown)} cannot be set; free are 'metals' and {', '.join(FREE_METALS)}"
        raise ParameterError(msg)
    checked = {
        key: check_parameter(f"abundance[{key!r}]", value, *_ABUNDANCE) for key, value in abundance.items()
    }
    return checked.pop("metals", np.ones(())), checked


def _locate(kt):
    fine = _fine_log_kt()
    position = (np.log(kt) - fine[0]) / (fine[1] - fine[0])
    index = np.clip(position.astype(np.intp), 0, fine.size - 2)
    return index, np.clip(position - index, 0.0, 1.0)[..., None]


def _at(locate, group):
    index, t = locate
    low = group[index].astype(float)
    return low + t * (group[index + 1] - low)


def _shift(spectrum, kt, redshift):
    if not np.any(redshift):
        return spectrum
    stretch = 1 + redshift[..., None]
    cumulative = np.zeros((*spectrum.shape[:-1], N_ENERGY + 1))
    np.cumsum(spectrum, axis=-1, out=cumulative[..., 1:])
    rest = ENERGY_EDGES * stretch
    position = np.clip((rest - ENERGY_EDGES[0]) / ENERGY_WIDTH[0], 0, N_ENERGY)
    index = np.minimum(position.astype(np.intp), N_ENERGY - 1)
    low = np.take_along_axis(cumulative, index, -1)
    low += (np.take_along_axis(cumulative, index + 1, -1) - low) * (position - index)
    return (np.diff(low) + _tail(spectrum[..., -1:], kt[..., None], rest)) / stretch


def _tail(last, kt, rest):
    # beyond the table: bremsstrahlung, tied to the last bin
    end = ENERGY_EDGES[-1]
    width = np.diff(np.maximum(rest, end))
    middle = np.maximum(0.5 * (rest[..., 1:] + rest[..., :-1]), end)
    density = last / ENERGY_WIDTH[-1] * (middle / end) ** -1.4 * np.exp(-(middle - end) / kt)
    return density * width
