# Licensed under a 3-clause BSD style license - see LICENSE
"""Which events of a list count: good times, arrays (n, 2) of start and stop, and values of columns."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from os import PathLike

import numpy as np
from numpy.typing import ArrayLike

from astro_xlatent.core.errors import ParameterError, SpectrumError
from astro_xlatent.spectra._fits import Table, read_tables

__all__ = ["Selection", "intersection", "parse_selection", "read_good_times", "start_and_stop", "union",
           "within"]

_NUMBER = r"[+-]?(?:0[xX][0-9a-fA-F]+|\d+\.?\d*(?:[eE][+-]?\d+)?)"
_RANGE = re.compile(rf"\s*({_NUMBER})\s*(?::\s*({_NUMBER}))?\s*")
_COLUMN = re.compile(r"\s*(\w+)\s*(?:&\s*(0[xX][0-9a-fA-F]+|\d+))?\s*")


@dataclass(frozen=True)
class Selection:
    """Values of a column that pass: ``ranges``, both ends included, of the bits of ``mask`` (None: all)."""

    column: str
    mask: int | None
    ranges: tuple

    def passes(self, values: np.ndarray) -> np.ndarray:
        """Which values pass, as ndarray of bool; NaN does not."""
        if self.mask is not None:
            values = np.asarray(values).astype(np.int64).view(np.uint64) & np.uint64(self.mask)
        good = np.zeros(len(values), bool)
        for low, high in self.ranges:
            good |= (values >= low) & (values <= high)
        return good

    def __str__(self):
        column = self.column if self.mask is None else f"{self.column}&{self.mask:#x}"
        return f"{column}=" + ",".join(f"{a:g}" if a == b else f"{a:g}:{b:g}" for a, b in self.ranges)


def parse_selection(select: Mapping | Sequence[str] | None) -> list[Selection]:
    """Selections from what a user may give, see `~astro_xlatent.events.extract.extract_spectrum`."""
    pairs = select.items() if isinstance(select, Mapping) else map(_split, select or ())
    return [_selection(name, values) for name, values in pairs]


def _split(text):
    name, equals, values = str(text).partition("=")
    if not equals:
        raise ParameterError(f"selection {text!r} has no =; write COLUMN=VALUE,VALUE or COLUMN=LOW:HIGH")
    return name, values


def _selection(name, values):
    column = _COLUMN.fullmatch(str(name))
    parts = values.split(",") if isinstance(values, str) else np.atleast_1d(np.asarray(values)).tolist()
    found = [_RANGE.fullmatch(str(part)) for part in parts]
    if column is None or not found or None in found:
        msg = (f"selection {name!r}: {values!r} cannot be read; give a column, with & and a mask for bits, "
               "and numbers or ranges such as '0,2:4,6'")
        raise ParameterError(msg)
    ranges = tuple((_number(m[1]), _number(m[2] or m[1])) for m in found)
    return Selection(column[1].upper(), None if column[2] is None else int(column[2], 0), ranges)


def _number(text):
    return float(int(text, 16)) if "x" in text.lower() else float(text)


def read_good_times(times: str | PathLike | ArrayLike) -> np.ndarray:
    """Good times (n, 2) of a FITS file with START and STOP, or of an array, on the event list's clock."""
    if isinstance(times, (str, PathLike)):
        found = [t for t in read_tables(times, SpectrumError) if {"START", "STOP"} <= set(t.columns)]
        if not found:
            raise SpectrumError(f"{times}: no table of good times (columns START and STOP); give a GTI file")
        return start_and_stop(found[0])
    array = np.asarray(times, float)
    if array.ndim != 2 or array.shape[1] != 2 or not np.all(np.isfinite(array)) or np.any(
            array[:, 1] < array[:, 0]):
        msg = f"good_times has shape {array.shape}; rows of start and stop, finite and in order, are needed"
        raise ParameterError(msg)
    return array


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
