# Licensed under a 3-clause BSD style license - see LICENSE
"""Event lists of any size: headers and good times are kept, events come by a few columns and rows at once."""

from __future__ import annotations

import gzip
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from astro_xlatent.core.errors import SpectrumError
from astro_xlatent.core.files import check_input
from astro_xlatent.events.filters import intersection, start_and_stop, union, within
from astro_xlatent.spectra._cards import read_stream
from astro_xlatent.spectra._fits import Table, sum_of_words, walk

__all__ = ["DETECTOR_COLUMNS", "EventFile"]

#: Columns that tell which CCD or telescope saw an event; good times go by it.
DETECTOR_COLUMNS = ("CCD_ID", "TM_NR", "CCDNR")
_PIECE_ROWS = 200_000
_PIECE_BYTES = 64 * 1024**2
_MAX_ROW_BYTES = 1024**2
_MAX_GTI_BYTES = 64 * 1024**2
_GTI = re.compile(r"(?:STD|SRC)?GTI(\d*)")


@dataclass
class EventFile(Table):
    """
    An event list on disk; ``good_times`` are sorted, disjoint (n, 2) by detector, None for those of all.
    """

    good_times: dict = field(default_factory=dict)
    notes: list = field(default_factory=list)

    @classmethod
    def open(cls, path: str | os.PathLike) -> EventFile:
        """
        Read headers and good times; a file that is damaged, or holds no event list or several, is refused.
        """
        if not isinstance(path, (str, os.PathLike)):
            raise SpectrumError(f"events is a {type(path).__name__}; give the path of an event list in FITS")
        path = Path(path).expanduser()
        found, notes = [], []
        times: dict = {}
        with _opened(path) as stream:
            for header, begin, size in walk(stream, path, path.stat().st_size, SpectrumError):
                name = header.text("EXTNAME").upper()
                if header.text("XTENSION") != "BINTABLE":
                    continue
                if re.fullmatch(r"EVENTS?\d*", name) or header.text("HDUCLAS1").upper() == "EVENTS":
                    found.append(cls.at(header, path, start=begin))
                elif numbered := _GTI.fullmatch(name):
                    table = _loaded(stream, header, begin, size, path)
                    number = str(header.get("CCD_ID", numbered[1]))
                    number = int(number) if number.isdigit() else None
                    times.setdefault(number, []).append(start_and_stop(table))
                    notes.append(table.wrong_sum())
        events = _choose(found, path)
        events.good_times = {number: union(parts) for number, parts in times.items()}
        events.notes = [note for note in notes if note]
        if not times:
            events.notes.append(f"{path.name} has no good time intervals: all events count")
        if not 0 < events._row_bytes <= _MAX_ROW_BYTES:
            events.fail(f"rows of {events._row_bytes} bytes; at most {_MAX_ROW_BYTES} are allowed")
        return events

    def detector_column(self) -> str | None:
        """The first of `DETECTOR_COLUMNS` that the file has, or None."""
        return next((name for name in DETECTOR_COLUMNS if name in self.columns), None)

    def limits(self, name: str) -> tuple[float, float] | None:
        """
        Edges of a column's pixels from TLMINn and TLMAXn, half a pixel beyond whole numbers, or None.
        """
        low, high = self.columns[name].limits if name in self.columns else (None, None)
        for value in (low, high):
            if isinstance(value, (bool, str)) or value is None or not np.isfinite(value):
                return None
        half = 0.5 if low == np.floor(low) and high == np.floor(high) else 0.0
        return (low - half, high + half) if low < high else None

    def pieces(self, names: Sequence[str]) -> Iterator[dict[str, np.ndarray]]:
        """Yield columns (upper case) of many events at once; bit columns come as whole numbers."""
        # Multiples of four rows are whole 32-bit words, of which DATASUM is the sum.
        rows = max(4, min(_PIECE_ROWS, _PIECE_BYTES // self._row_bytes) // 4 * 4)
        total = 0
        with _opened(self.path) as stream:
            for first in range(0, self.n_rows, rows):
                n = min(rows, self.n_rows - first)
                place = self._start if first == 0 else None
                data = read_stream(stream, n * self._row_bytes, self.fail, place)
                if len(data) < n * self._row_bytes:
                    self.fail(f"truncated: {self.n_rows} events are promised, {first} and "
                              f"{len(data) // self._row_bytes} are there; fetch the file again")
                total = sum_of_words(data, total)
                part = replace(self, n_rows=n, _data=data, _start=0)
                piece = {name: part._values(name) for name in dict.fromkeys(names)}
                self._check(piece, data, first)
                yield piece
        note = "" if self.header.get("PCOUNT", 0) else self.wrong_sum(total)
        if note and note not in self.notes:
            self.notes.append(note)

    def _values(self, name):
        column = self._get(name)
        if column.code not in "XB" or (column.code == "B" and column.repeat == 1):
            return self.column(name)
        # Bits, or a few bytes of bits, as one number of up to 64 bits, first bit highest.
        width = -(-column.repeat // 8) if column.code == "X" else column.repeat
        if width > 8:
            self.fail(f"column {name} has {column.repeat} bits; at most 64 can be selected by")
        raw = np.ndarray((self.n_rows, width), "u1", self._data, column.offset, (self._row_bytes, 1))
        shifts = 8 * np.arange(width - 1, -1, -1, dtype=np.uint64)
        return (raw.astype(np.uint64) << shifts).sum(axis=1, dtype=np.uint64)

    def _check(self, piece, data, first):
        """Refuse events without time or energy, and rows of zeros, where a block of the file is lost."""
        for name in {"TIME", "PI"} & set(piece):
            bad = np.flatnonzero(~np.isfinite(piece[name]))
            if bad.size:
                self.fail(f"{name} is NaN or infinite in {bad.size} rows (first: row {first + bad[0] + 1}); "
                          "the file is damaged, fetch it again")
        if len(piece) > 1:
            zero = np.flatnonzero(np.all([values == 0 for values in piece.values()], axis=0))
            lost = [row for row in zero if not any(data[row * self._row_bytes:(row + 1) * self._row_bytes])]
            if lost:
                self.fail(f"{len(lost)} rows hold only zeros (first: row {first + lost[0] + 1}); part of the "
                          "file is lost, fetch it again")

    def good(self, time: np.ndarray, detector: np.ndarray | None = None) -> np.ndarray:
        """Which events (n,) lie in a good time of their own detector; a detector without any is an error."""
        if not self.good_times:
            return np.ones(len(time), bool)
        if detector is None or set(self.good_times) == {None}:
            return within(time, union(self.good_times.values()))
        result = np.zeros(len(time), bool)
        for number in np.unique(detector):
            chosen = detector == number
            times = self.good_times.get(int(number), self.good_times.get(None))
            if times is None:
                name = self.detector_column() or "the detector"
                known = ", ".join(str(n) for n in self.good_times)
                self.fail(f"{chosen.sum()} events have {name} {number}, of which there are no good time "
                          f"intervals (only of {known}); fetch the file again, or leave them out with "
                          f"select={{{name.lower()!r}: ({known},)}}")
            result[chosen] = within(time[chosen], times)
        return result

    def good_seconds(self, detector: int | None = None) -> float:
        """Sum of the good times of one detector; without one, the mean over detectors."""
        if detector in self.good_times:
            return float(np.sum(np.diff(self.good_times[detector], axis=1)))
        sums = [float(np.sum(np.diff(times, axis=1))) for times in self.good_times.values()]
        return float(np.mean(sums)) if sums else 0.0

    def restrict(self, times: np.ndarray) -> None:
        """Keep only the good times that lie in further intervals (n, 2); to leave nothing is an error."""
        times = union([times])
        old = self.good_times or {None: times}
        self.good_times = {number: intersection(kept, times) for number, kept in old.items()}
        if not sum(len(kept) for kept in self.good_times.values()):
            self.fail(f"no good time is left within the {len(times)} intervals given; are they on the clock "
                      "of this observation?")


def _opened(path):
    try:
        check_input(path, error=SpectrumError)
        with open(path, "rb") as stream:
            packed = stream.read(2) == b"\x1f\x8b"
        return gzip.open(path, "rb") if packed else open(path, "rb")
    except OSError as error:
        raise SpectrumError(f"{path} cannot be read: {error}") from None


def _loaded(stream, header, begin, size, path):
    """The table of good times at a place of the file, with its data."""
    table = Table.at(header, path)
    if size > _MAX_GTI_BYTES:
        table.fail(f"{size} bytes of good times; the header is damaged")
    table._data = read_stream(stream, size, table.fail, begin)
    if len(table._data) < size:
        table.fail("truncated; fetch the file again")
    return table


def _choose(found, path):
    exact = [events for events in found if events.name == "EVENTS"]
    chosen = exact if len(exact) == 1 else found
    if len(chosen) == 1:
        return chosen[0]
    names = ", ".join(events.name for events in found)
    what = f"{len(found)} event lists ({names})" if found else "no event list (extension EVENTS)"
    msg = f"{path}: {what}; give a FITS file with one, such as a Chandra evt2 or eROSITA EventList file"
    raise SpectrumError(msg)
