# Licensed under a 3-clause BSD style license - see LICENSE
"""
Densities on a grid of cells, and what follows from them.
"""

from collections.abc import Sequence

import numpy as np

__all__ = ["density_below", "density_quantiles", "probability_below_truth", "recalibrated_density"]


def _cumulative(density, limits):
    """Borders of the cells and the distribution function there."""
    n_cells = density.shape[1]
    step = (limits[1] - limits[0]) / (n_cells - 1)
    borders = limits[0] + step * (np.arange(n_cells + 1) - 0.5)
    cumulative = np.concatenate([np.zeros((len(density), 1)), np.cumsum(density, axis=1)], axis=1)
    return borders, cumulative / cumulative[:, -1:]


def density_quantiles(density: np.ndarray, limits: tuple[float, float],
                      probabilities: Sequence[float]) -> np.ndarray:
    """
    Quantiles of densities that are flat within cells.

    Parameters
    ----------
    density : ndarray, shape (n, cells)
        Probabilities of the cells.
    limits : tuple of float
        Centres of the first and the last cell.
    probabilities : sequence of float
        Which quantiles.

    Returns
    -------
    quantiles : ndarray, shape (n, len(probabilities))

    Examples
    --------
    >>> import numpy as np
    >>> density_quantiles(np.array([[0.0, 1.0, 0.0]]), (0.0, 2.0), [0.5])
    array([[1.]])
    """
    borders, cumulative = _cumulative(density, limits)
    # A tiny slope makes the distribution function invertible everywhere.
    ramp = np.linspace(0, 1e-9, cumulative.shape[1])
    rows = [np.interp(probabilities, row + ramp, borders) for row in cumulative]
    return np.array(rows).reshape(len(density), len(probabilities))


def density_below(density: np.ndarray, limits: tuple[float, float], value: float) -> np.ndarray:
    """
    Probability below a value.

    Parameters
    ----------
    density, limits
        As for `density_quantiles`.
    value : float
        Where to cut.

    Returns
    -------
    probability : ndarray, shape (n,)
    """
    borders, cumulative = _cumulative(density, limits)
    return np.array([np.interp(value, borders, row) for row in cumulative])


def probability_below_truth(density: np.ndarray, limits: tuple[float, float], truth: np.ndarray,
                            rng: np.random.Generator) -> np.ndarray:
    """
    Distribution function of every row at its true value.

    Parameters
    ----------
    density, limits
        As for `density_quantiles`.
    truth : ndarray, shape (n,)
        In the units of ``limits``.
    rng : numpy.random.Generator
        Truths outside the range are placed at random within the outermost
        cell, where training put them.

    Returns
    -------
    probability : ndarray, shape (n,)
        Uniform if the densities are right.
    """
    cells = density.shape[1]
    _, cumulative = _cumulative(density, limits)
    step = (limits[1] - limits[0]) / (cells - 1)
    position = (np.asarray(truth, float) - limits[0]) / step + 0.5
    outside = (position < 0.5) | (position > cells - 0.5)
    position = np.where(outside, np.where(position < 0.5, 0, cells - 1) + rng.random(len(position)), position)
    cell = np.minimum(position.astype(int), cells - 1)
    rows = np.arange(len(position))
    low, high = cumulative[rows, cell], cumulative[rows, cell + 1]
    return low + (high - low) * (position - cell)


def recalibrated_density(density: np.ndarray, quantiles: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """
    Densities whose distribution function is right on average.

    The distribution function F becomes G(F), where G is that of F at the
    truth over simulated sources (Kuleshov et al. 2018, arXiv:1807.00263).

    Parameters
    ----------
    density : ndarray, shape (n, cells)
        Probabilities of the cells.
    quantiles : ndarray, shape (n, len(levels))
        Quantiles of F at the truth, from 0 to 1, for sources like each row.
    levels : ndarray
        Their probabilities, from 0 to 1.

    Returns
    -------
    density : ndarray, shape (n, cells)

    Examples
    --------
    >>> import numpy as np
    >>> half = np.array([[0.5, 0.5]])
    >>> recalibrated_density(half, np.array([[0.0, 0.5, 1.0]]), np.array([0.0, 0.8, 1.0]))
    array([[0.8, 0.2]])
    """
    cumulative = np.cumsum(density, axis=1) / density.sum(axis=1, keepdims=True)
    right = [np.interp(row, q, levels) for row, q in zip(cumulative, quantiles, strict=True)]
    return np.diff(np.array(right).reshape(density.shape), axis=1, prepend=0.0)
