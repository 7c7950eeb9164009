# Licensed under a 3-clause BSD style license - see LICENSE
"""Intervals of time, arrays of shape (n, 2) with start and stop."""

from collections.abc import Iterable

import numpy as np

from astro_xlatent.spectra._fits import Table

__all__ = ["intersection", "start_and_stop", "union", "within"]


def start_and_stop(table: Table) -> np.ndarray:
    """The intervals of a table of good times that are not empty, in file order."""
    times = np.stack([table.column(key).astype(float) for key in ("START", "STOP")], axis=1)
    if not np.all(times[:, 1] >= times[:, 0]):
        table.fail("a good time interval has START or STOP that is NaN, or ends before it begins; the file "
                   "is damaged, fetch it again")
    return times[times[:, 1] > times[:, 0]]


def union(parts: Iterable[np.ndarray]) -> np.ndarray:
    """Disjoint, sorted intervals that cover the same times."""
    times = np.concatenate(list(parts))
    times = times[np.argsort(times[:, 0])]
    if not len(times):
        return times
    reach = np.maximum.accumulate(times[:, 1])
    new = np.concatenate([[True], times[1:, 0] > reach[:-1]])
    last = np.concatenate([np.flatnonzero(new)[1:] - 1, [len(times) - 1]])
    return np.stack([times[new, 0], reach[last]], axis=1)


def intersection(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Common part of two sets of disjoint, sorted intervals."""
    edges = np.unique(np.concatenate([a.ravel(), b.ravel()]))
    middle = 0.5 * (edges[1:] + edges[:-1])
    both = within(middle, a) & within(middle, b)
    return np.stack([edges[:-1][both], edges[1:][both]], axis=1)


def within(time: np.ndarray, intervals: np.ndarray) -> np.ndarray:
    """Which times lie in disjoint, sorted intervals, ends included; NaN lies in none."""
    if not len(intervals):
        return np.zeros(len(time), bool)
    index = np.searchsorted(intervals[:, 0], time, side="right") - 1
    return (index >= 0) & (time <= intervals[np.maximum(index, 0), 1])
