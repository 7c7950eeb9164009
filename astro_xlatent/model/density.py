# Licensed under a 3-clause BSD style license - see LICENSE
"""Densities on a grid of cells, flat within each, and what follows from them."""

from collections.abc import Sequence

import numpy as np

__all__ = ["density_below", "density_quantiles", "interpolate_rows", "probability_below_truth",
           "recalibrated_density"]

_AT_ONCE = 512


def _cumulative(density, limits):
    """Borders of the cells and the distribution function there."""
    n_cells = density.shape[1]
    step = (limits[1] - limits[0]) / (n_cells - 1)
    borders = limits[0] + step * (np.arange(n_cells + 1) - 0.5)
    cumulative = np.concatenate([np.zeros((len(density), 1)), np.cumsum(density, axis=1)], axis=1)
    return borders, cumulative / cumulative[:, -1:]


def density_quantiles(density: np.ndarray, limits: tuple[float, float],
                      probabilities: Sequence[float]) -> np.ndarray:
    """Quantiles (n, len(probabilities)) of densities (n, cells); limits are centers of the outer cells."""
    borders, cumulative = _cumulative(density, limits)
    # A tiny slope makes the distribution function invertible everywhere.
    ramp = np.linspace(0, 1e-9, cumulative.shape[1])
    return interpolate_rows(np.broadcast_to(probabilities, (len(density), len(probabilities))),
                            cumulative + ramp, borders)


def density_below(density: np.ndarray, limits: tuple[float, float], value: float) -> np.ndarray:
    """Probability below a value, (n,); arguments as for `density_quantiles`."""
    borders, cumulative = _cumulative(density, limits)
    # The weights of the borders are those of all rows.
    return cumulative @ [np.interp(value, borders, one) for one in np.eye(borders.size)]


def interpolate_rows(x: np.ndarray, known: np.ndarray, values: np.ndarray) -> np.ndarray:
    """`numpy.interp` of all rows: ``x`` (n, m) in rising ``known`` (n, k); ``values`` (k,) or (n, k)."""
    values = np.broadcast_to(values, known.shape)
    low, span = known[:, :1], known[:, -1:] - known[:, :1]
    span = np.where(span > 0, span, 1.0)
    x, known = np.clip((x - low) / span, 0.0, 1.0), (known - low) / span
    found = np.empty(x.shape)
    for start in range(0, len(x), _AT_ONCE):
        rows = slice(start, start + _AT_ONCE)
        # Rows one behind the other on one axis, with a gap between them.
        shift = 2.0 * np.arange(len(x[rows]))[:, None]
        found[rows] = np.interp((x[rows] + shift).ravel(), (known[rows] + shift).ravel(),
                                values[rows].ravel()).reshape(shift.size, -1)
    return found


def probability_below_truth(density: np.ndarray, limits: tuple[float, float], truth: np.ndarray,
                            rng: np.random.Generator) -> np.ndarray:
    """Distribution function at the truth, (n,); what lies outside falls at random in the outermost cell."""
    borders, cumulative = _cumulative(density, limits)
    value, (low, high) = np.asarray(truth, float), limits
    outer = np.where(value < low, borders[0], borders[-2]) + np.diff(borders[:2]) * rng.random(len(value))
    value = np.where((value < low) | (value > high), outer, value)
    return interpolate_rows(value[:, None], np.broadcast_to(borders, cumulative.shape), cumulative)[:, 0]


def recalibrated_density(density: np.ndarray, quantiles: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """
    Densities (n, cells) of distribution function G(F), where G is that of F at the truth over like simulated
    sources (Kuleshov et al. 2018, arXiv:1807.00263): ``levels`` (k,) or (n, k) at ``quantiles`` (n, k).
    """
    cumulative = np.cumsum(density, axis=1) / density.sum(axis=1, keepdims=True)
    return np.diff(interpolate_rows(cumulative, quantiles, levels), axis=1, prepend=0.0)
