# Licensed under a 3-clause BSD style license - see LICENSE
"""
Densities on a grid of cells, and what follows from them.
"""

import numpy as np

__all__ = ["density_below", "density_quantiles"]


def _cumulative(density, limits):
    """Borders of the cells and the distribution function there."""
    n_cells = density.shape[1]
    step = (limits[1] - limits[0]) / (n_cells - 1)
    borders = limits[0] + step * (np.arange(n_cells + 1) - 0.5)
    cumulative = np.concatenate([np.zeros((len(density), 1)), np.cumsum(density, axis=1)], axis=1)
    return borders, cumulative / cumulative[:, -1:]


def density_quantiles(density, limits, probabilities):
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


def density_below(density, limits, value):
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
