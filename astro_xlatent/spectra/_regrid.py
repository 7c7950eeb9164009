# Licensed under a 3-clause BSD style license - see LICENSE
"""Operations on redistribution matrices: other grids, line widths, channel runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from scipy.sparse import csr_array

    from astro_xlatent.spectra.response import Response

__all__ = ["channel_runs", "overlap_matrix", "same_grid", "width_at_half_maximum"]


def same_grid(lo_a: np.ndarray, hi_a: np.ndarray, lo_b: np.ndarray, hi_b: np.ndarray) -> bool:
    """Whether two sets of bins agree to a hundredth of a bin width."""
    if lo_a.size != lo_b.size:
        return False
    tolerance = 0.01 * (hi_b - lo_b) + 1e-6
    return bool(np.all(np.abs(lo_a - lo_b) <= tolerance) and np.all(np.abs(hi_a - hi_b) <= tolerance))


def overlap_matrix(from_lo: np.ndarray, from_hi: np.ndarray, to_lo: np.ndarray,
                   to_hi: np.ndarray) -> csr_array:
    """
    Fractions of photons that move from bins of one grid to those of another, csr (n_to, n_from).

    Both grids are increasing, without overlaps; gaps are allowed. Photons are
    spread evenly within a bin of the first grid.
    """
    from scipy.sparse import csr_array

    # float32 edges of neighboring bins may differ in the last digit: the
    # midpoint of every elementary interval decides where it belongs.
    edges = np.unique(np.concatenate([from_lo, from_hi, to_lo, to_hi]))
    middle, width = 0.5 * (edges[1:] + edges[:-1]), np.diff(edges)
    source, in_source = _locate(middle, from_lo, from_hi)
    target, in_target = _locate(middle, to_lo, to_hi)
    both = in_source & in_target
    source, target = source[both], target[both]
    fraction = width[both] / (from_hi - from_lo)[source]
    return csr_array((fraction, (target, source)), shape=(to_lo.size, from_lo.size))


def _locate(energy, lo, hi):
    index = np.clip(np.searchsorted(lo, energy, side="right") - 1, 0, lo.size - 1)
    return index, (energy >= lo[index]) & (energy < hi[index])


def width_at_half_maximum(response: Response, energy: np.ndarray) -> np.ndarray:
    """FWHM in keV of the redistribution at each energy, shape (n,); see `Response.fwhm`."""
    index = np.searchsorted(response.e_lo, energy, side="right") - 1
    index = np.clip(index, 0, response.n_energy - 1)
    columns, where = np.unique(index, return_inverse=True)
    width = response.channel_e_hi - response.channel_e_lo
    width = np.where(width > 0, width, np.inf)
    density = response.redistribution.tocsc()[:, columns].toarray() / width[:, None]
    order = np.argsort(response.channel_e_lo, kind="stable")
    center = 0.5 * (response.channel_e_lo + response.channel_e_hi)[order]
    widths = [_one_width(center, density[order, i], width[order]) for i in range(columns.size)]
    return np.array(widths)[where]


def _one_width(center, line, channel_width):
    peak = int(np.argmax(line))
    if line[peak] <= 0:
        return np.nan
    half = 0.5 * line[peak]
    below = line < half
    left = peak - np.argmax(below[peak::-1]) if below[:peak].any() else -1
    right = peak + np.argmax(below[peak:]) if below[peak:].any() else line.size
    lo = _crossing(center, line, left, left + 1, half) if left >= 0 else center[0]
    hi = _crossing(center, line, right, right - 1, half) if right < line.size else center[-1]
    return max(hi - lo, channel_width[peak])


def _crossing(center, line, outside, inside, half):
    fraction = (half - line[outside]) / (line[inside] - line[outside])
    return center[outside] + fraction * (center[inside] - center[outside])


def channel_runs(response: Response) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """
    The redistribution as one run of channels per energy.

    First channel (from 0) and number of channels, both (n_energy,), and all runs joined, with
    zeros between elements filled in.
    """
    columns = response.redistribution.tocsc()
    columns.sum_duplicates()
    count = np.diff(columns.indptr)
    first, last = np.zeros(count.size, int), np.full(count.size, -1)
    filled = count > 0
    first[filled] = columns.indices[columns.indptr[:-1][filled]]
    last[filled] = columns.indices[columns.indptr[1:][filled] - 1]
    width = last - first + 1
    begin = np.cumsum(width) - width
    values = np.zeros(int(width.sum()))
    values[columns.indices + np.repeat(begin - first, count)] = columns.data
    return first, width, values
