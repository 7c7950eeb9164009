# Licensed under a 3-clause BSD style license - see LICENSE
"""
The column of neutral gas, and the absorbed power law, that describe a spectrum best.

The column that the package reports is that of *the neutral z = 0 screen that best describes the source*: the
N that, with the unabsorbed spectrum u(E), a free normalization and a free power-law tilt t, minimizes the
expected Cash statistic of the absorbed spectrum seen by a CCD of effective area A(E). With the normalization
profiled out the model ln m(E) = ln [A u](E) - N sigma(E) + t ln E + const is log-linear, the statistic
convex in (N, t), and damped Newton steps find its minimum.
"""

import numpy as np

from astro_xlatent.core.errors import ParameterError
from astro_xlatent.physics.absorption import bin_cross_section
from astro_xlatent.physics.grid import ENERGY_EDGES, ENERGY_MID, ENERGY_WIDTH

__all__ = ["equivalent_column", "power_law_fit"]

# Effective area of a CCD telescope in cm2, rounded from ACIS-S responses of 2000-2010
_AREA_ENERGY = (0.3, 0.5, 0.7, 1.0, 1.5, 1.8, 2.1, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0)
_AREA_CM2 = (40.0, 100.0, 250.0, 500.0, 680.0, 600.0, 430.0, 390.0, 350.0, 290.0, 200.0, 100.0, 40.0)
# largest number of steps; from the simulator's starting values about six are taken
_STEPS = 60
# weight of a prior t ~ N(0, 3) against 1,000 counts: keeps the tilt finite without data below 2 keV
_RIDGE = 1.0 / (9.0 * 1000.0)
# photon index from which fits of power laws start
_REFERENCE_INDEX = 1.8


def _merge_edges():
    """First fine bin of every merged bin: 20 eV wide below 1 keV, 40 eV to 2, 100 eV to 8."""
    edges = np.concatenate([np.arange(30, 100, 2), np.arange(100, 200, 4), np.arange(200, 801, 10)])
    return edges - 10


_FIRST = _merge_edges()
_SLICE = slice(int(_FIRST[0]), int(_FIRST[-1]))
_STARTS = _FIRST[:-1] - _FIRST[0]
_COUNT = np.diff(_FIRST)
_AREA = np.exp(np.interp(np.log(ENERGY_MID[_SLICE]), np.log(_AREA_ENERGY), np.log(_AREA_CM2)))
_LOG_ENERGY = np.log(0.5 * (ENERGY_EDGES[_FIRST[:-1]] + ENERGY_EDGES[_FIRST[1:]]))


def _merge(spectrum):
    return np.add.reduceat(spectrum[:, _SLICE] * _AREA.astype(spectrum.dtype), _STARTS, axis=1).astype(float)


def equivalent_column(absorbed, unabsorbed, start):
    """
    The z = 0 column in 1/cm2 (n,), at least 0, for spectra (n, N_ENERGY) with and without all absorption.
    """
    if absorbed.shape != unabsorbed.shape or np.shape(start) != absorbed.shape[:1]:
        shapes = f"absorbed {absorbed.shape}, unabsorbed {unabsorbed.shape}, start {np.shape(start)}"
        raise ParameterError(f"rows and energies of the arguments must agree, got {shapes}")
    data, model = _merge(absorbed), _merge(unabsorbed)
    data /= np.maximum(data.sum(axis=1, keepdims=True), 1e-300)
    log_model = np.log(np.maximum(model, 1e-300))
    column, _ = _newton(data, log_model, np.asarray(start, float) / 1e22)
    return column * 1e22


def power_law_fit(spectrum):
    """
    Column in 1/cm2 (z = 0, tbabs/wilm) and index, (n,) each, of the best absorbed power law in 0.3-8 keV.
    """
    data = _merge(spectrum)
    data /= np.maximum(data.sum(axis=1, keepdims=True), 1e-300)
    reference = _merge((ENERGY_MID**-_REFERENCE_INDEX * ENERGY_WIDTH)[None])
    start = np.full(len(spectrum), 0.3)
    column, tilt = _newton(data, np.repeat(np.log(reference), len(data), axis=0), start)
    return column * 1e22, _REFERENCE_INDEX - tilt


def _newton(data, log_model, column):
    """Minimize over the column (1e22 / cm2) and the tilt by Levenberg-Marquardt steps."""
    basis, products = _basis()
    wanted = data @ basis.T
    state = np.stack([column, np.zeros_like(column)], axis=1)
    value, mean, second = _statistic(state, log_model, wanted, basis, products)
    damping = np.full(column.size, 1e-4)
    active = np.arange(column.size)
    for _ in range(_STEPS):
        trial = _step(state[active], wanted[active], mean[active], second[active], damping[active])
        found = _statistic(trial, log_model[active], wanted[active], basis, products)
        better = found[0] <= value[active] + 1e-13
        moved = np.abs(trial - state[active]) > 1e-4 * np.abs(trial) + 1e-6
        damping[active] *= np.where(better, 0.1, 10.0)
        good = active[better]
        state[good] = trial[better]
        value[good], mean[good], second[good] = (part[better] for part in found)
        active = active[moved.any(axis=1)]
        if not active.size:
            break
    return state[:, 0], state[:, 1]


def _basis():
    """Derivatives of ln m by column and tilt, and their products, per merged bin."""
    fine = bin_cross_section()[_SLICE] * 1e22
    sigma = np.add.reduceat(fine, _STARTS) / _COUNT
    products = np.stack([sigma**2, -sigma * _LOG_ENERGY, _LOG_ENERGY**2], axis=1)
    return np.stack([-sigma, _LOG_ENERGY]), products


def _statistic(state, log_model, wanted, basis, products):
    """Half the Cash statistic per count, and moments of the basis under the model."""
    eta = log_model + state @ basis
    top = eta.max(axis=1, keepdims=True)
    weight = np.exp(eta - top)
    total = weight.sum(axis=1, keepdims=True)
    weight /= total
    value = np.log(total[:, 0]) + top[:, 0] - (state * wanted).sum(axis=1) + 0.5 * _RIDGE * state[:, 1] ** 2
    return value, weight @ basis.T, weight @ products


def _step(state, wanted, mean, second, damping):
    """One damped Newton step; the column stays positive or becomes zero, then only the tilt moves."""
    gradient = mean - wanted
    gradient[:, 1] += _RIDGE * state[:, 1]
    a = (second[:, 0] - mean[:, 0] ** 2 + 1e-14) * (1.0 + damping)
    b = second[:, 1] - mean[:, 0] * mean[:, 1]
    c = (second[:, 2] - mean[:, 1] ** 2 + _RIDGE) * (1.0 + damping)
    det = np.maximum(a * c - b * b, 1e-10 * a * c)
    move = (b * gradient[:, 1] - c * gradient[:, 0]) / det
    column = np.maximum(state[:, 0] + move, 0.0)
    move = column - state[:, 0]
    turn = np.clip(-(gradient[:, 1] + b * move) / c, -2.0, 2.0)
    return np.stack([column, state[:, 1] + turn], axis=1)
