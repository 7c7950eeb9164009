# Licensed under a 3-clause BSD style license - see LICENSE
"""
Event lists, read in pieces.

A survey's event list has tens of millions of rows of a hundred bytes: only
headers and good time intervals are kept, events come by a few columns of a
few thousand rows at once, from plain and gzipped files alike.
"""

from __future__ import annotations

import gzip
import os
import re
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

import numpy as np

from astro_xlatent.core.errors import SpectrumError
from astro_xlatent.events.column_wcs import column_limits, column_number
from astro_xlatent.events.intervals import intersection, union, within
from astro_xlatent.spectra._cards import (
    BLOCK,
    CARD,
    MAX_CARDS,
    Header,
    data_size,
    integer,
    read_header,
    table_columns,
)
from astro_xlatent.spectra._fits import MAX_HDUS, Table, regular_size, sum_of_words

__all__ = ["DETECTOR_COLUMNS", "EventFile"]

#: Columns that tell which CCD or telescope saw an event; good times go by it.
DETECTOR_COLUMNS = ("CCD_ID", "TM_NR", "CCDNR")
_PIECE_ROWS = 200_000
_PIECE_BYTES = 64 * 1024**2
_MAX_ROW_BYTES = 1024**2
_MAX_GTI_BYTES = 64 * 1024**2
# Event lists shrink to a third or a tenth.
_MAX_RATIO = 200
_BLANK = 1024**2
_GTI = re.compile(r"(?:STD|SRC)?GTI(\d*)")


@dataclass
class EventFile:
    """
    An event list on disk.

    Attributes
    ----------
    path : str
    header : Header
        Keywords of the event table.
    n_rows : int
        Number of events.
    good_times : dict of ndarray, shape (n, 2)
        Sorted, disjoint good time intervals by number of the detector; None
        is the key of those of all detectors.
    notes : list of str
        What is odd about the file.
    """

    path: str
    header: Header
    n_rows: int
    good_times: dict = field(default_factory=dict)
    notes: list = field(default_factory=list)
    _begin: int = 0
    _row_bytes: int = 1
    columns: dict = field(default_factory=dict, init=False, repr=False, compare=False)

    @classmethod
    def open(cls, path: str | os.PathLike) -> EventFile:
        """
        Read headers and good times of an event list, gzipped or not, of any size.

        A file that is missing, damaged, or holds no event list or several, is refused.
        """
        if not isinstance(path, (str, os.PathLike)):
            msg = f"events is a {type(path).__name__}; give the path of an event list in FITS"
            raise SpectrumError(msg)
        path = Path(path).expanduser()
        found, times = [], []
        with _opened(path) as stream:
            for header, begin, size in _hdus(stream, path):
                name = header.text("EXTNAME").upper()
                if header.text("XTENSION") != "BINTABLE":
                    continue
                if re.fullmatch(r"EVENTS?\d*", name) or header.text("HDUCLAS1").upper() == "EVENTS":
                    found.append((name, header, begin))
                elif _GTI.fullmatch(name):
                    times.append(_read_times(stream, header, begin, size, path))
        name, header, begin = _choose(found, path)
        events = cls(str(path), header, 0, _merge([time[:2] for time in times]), [], begin)
        events.notes += [note for *_, note in times if note]
        if not times:
            events.notes.append(f"{path.name} has no good time intervals: all events count")
        events.n_rows = integer(header, "NAXIS2", events.fail)
        events._row_bytes = integer(header, "NAXIS1", events.fail)
        if not 0 < events._row_bytes <= _MAX_ROW_BYTES:
            events.fail(f"rows of {events._row_bytes} bytes; at most {_MAX_ROW_BYTES} are allowed")
        events.columns = table_columns(header, events._row_bytes, events.fail)
        return events

    def fail(self, text: str) -> NoReturn:
        """Raise the error of this file."""
        msg = f"{self.path}: event list {self.header.text('EXTNAME')}: {text}"
        raise SpectrumError(msg)

    def detector_column(self) -> str | None:
        """The first of `DETECTOR_COLUMNS` that the file has, or None."""
        return next((name for name in DETECTOR_COLUMNS if name in self.columns), None)

    def limits(self, name: str) -> tuple[float, float] | None:
        """Edges of the pixels of a column from TLMIN and TLMAX, or None."""
        return column_limits(self.header, name)

    def unit(self, name: str) -> str:
        """Unit of a column in lower case, or empty."""
        return self.header.text(f"TUNIT{column_number(self.header, name)}").lower()

    def pieces(self, names: Sequence[str]) -> Iterator[dict[str, np.ndarray]]:
        """
        Yield the columns asked for (upper case) by name, some hundred thousand events at once; bit columns
        come as whole numbers.
        """
        names = list(dict.fromkeys(names))
        missing = [name for name in names if name not in self.columns]
        if missing:
            self.fail(f"no column {', '.join(missing)}; it has {', '.join(self.columns) or 'none'}")
        # Multiples of four rows are whole 32-bit words, of which DATASUM is the sum.
        rows = max(4, min(_PIECE_ROWS, _PIECE_BYTES // self._row_bytes) // 4 * 4)
        stored, total = self.header.text("DATASUM"), 0
        with _opened(self.path) as stream:
            head = _header_sum(stream, self.header, self._begin, self.path)
            stream.seek(self._begin)
            for first in range(0, self.n_rows, rows):
                n = min(rows, self.n_rows - first)
                data = _read(stream, n * self._row_bytes, self.path)
                if len(data) < n * self._row_bytes:
                    self.fail(f"truncated: {self.n_rows} events are promised, {first} and "
                              f"{len(data) // self._row_bytes} are there; fetch the file again")
                total = sum_of_words(data, total) if stored else 0
                table = Table("EVENTS", self.header, n, self.path, SpectrumError, data, 0,
                              self._row_bytes, (0, 0))
                table.columns = self.columns
                piece = {name: _values(table, name) for name in names}
                self._check(piece, data, first)
                yield piece
        if not self.header.get("PCOUNT", 0):
            note = _changed(self.header, head, total, self.path)
            self.notes += [note] if note and note not in self.notes else []

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
        """
        Which events (n,) lie in a good time interval of their own detector; one without any is an error.
        """
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


def _values(table, name):
    column = table.columns[name]
    if column.code not in "XB" or (column.code == "B" and column.repeat == 1):
        return table.column(name)
    # Bits, or a few bytes of bits, as one number of up to 64 bits, first bit highest.
    width = -(-column.repeat // 8) if column.code == "X" else column.repeat
    if width > 8:
        table.fail(f"column {name} has {column.repeat} bits; at most 64 can be selected by")
    raw = np.ndarray((table.n_rows, width), "u1", table._data, column.offset, (table._row_bytes, 1))
    shifts = 8 * np.arange(width - 1, -1, -1, dtype=np.uint64)
    return (raw.astype(np.uint64) << shifts).sum(axis=1, dtype=np.uint64)


def _opened(path):
    try:
        regular_size(path, SpectrumError)
        with open(path, "rb") as stream:
            packed = stream.read(2) == b"\x1f\x8b"
        return gzip.open(path, "rb") if packed else open(path, "rb")
    except OSError as error:
        msg = f"{path} cannot be read: {error}"
        raise SpectrumError(msg) from None


def _read(stream, size, path):
    try:
        return stream.read(size)
    except (EOFError, zlib.error, OSError) as error:
        msg = f"{path}: the file ends early or is damaged ({error}); fetch it again"
        raise SpectrumError(msg) from None


def _hdus(stream, path):
    """Yield header, place and size of the data of every extension; the stream stands at the data."""
    def fail(text):
        msg = f"{path}: {text}"
        raise SpectrumError(msg)

    packed, total = isinstance(stream, gzip.GzipFile), Path(path).stat().st_size
    position = 0
    for count in range(MAX_HDUS):
        header, length = _header_at(stream, path, first=count == 0, fail=fail)
        if header is None:
            return
        begin, size = position + length, data_size(header, position, fail)
        if packed and begin + size > _MAX_RATIO * total:
            fail(f"an extension ends at byte {begin + size}, more than {_MAX_RATIO} times the {total} of the "
                 "compressed file; if that is right, decompress it first with gunzip")
        if not packed and begin + size > total:
            fail(f"truncated: an extension ends at byte {begin + size}, the file at {total}; fetch the "
                 "file again")
        yield header, begin, size
        position = begin + -(-size // BLOCK) * BLOCK
        try:
            stream.seek(position)
        except (EOFError, zlib.error, OSError) as error:
            fail(f"the file ends early or is damaged ({error}); fetch it again")
    fail(f"more than {MAX_HDUS} extensions; this is no event list")


def _changed(header, head, total, path):
    """What is said where the sums of data and header are not those that the file tells, else empty."""
    stored, name = header.text("DATASUM"), header.text("EXTNAME")
    if not stored.isdigit():
        return ""
    if int(stored) != total:
        return f"{Path(path).name}: the {name} has changed since it was written (DATASUM)"
    if head is not None and sum_of_words(head.to_bytes(4, "big"), total) not in (0, 2**32 - 1):
        return f"{Path(path).name}: the header of {name} has changed since it was written (CHECKSUM)"
    return ""


def _header_sum(stream, header, begin, path):
    """Sum of the words of the header that ends where the data begin; None where the file tells none."""
    if len(header.text("CHECKSUM")) != 16:
        return None
    total = 0
    while begin > 0:
        begin -= BLOCK
        stream.seek(begin)
        block = _read(stream, BLOCK, path)
        total = sum_of_words(block, total)
        if block[:8] in (b"XTENSION", b"SIMPLE  "):
            break
    return total


def _header_at(stream, path, *, first, fail):
    """Header and its length in bytes at the place of the stream, or (None, 0) at the end."""
    data = bytearray()
    while len(data) < MAX_CARDS * CARD:
        block = _read(stream, BLOCK, path)
        if not data and not first and block[:8] != b"XTENSION":
            while block:
                if block.strip(b"\0 "):
                    fail("unexpected content where an extension should begin; part of the file is lost, "
                         "fetch it again")
                block = _read(stream, _BLANK, path)
            return None, 0
        if first and not data and block[:9] != b"SIMPLE  =":
            fail("not a FITS file (it does not begin with 'SIMPLE  ='); give an event list in FITS, "
                 "gzipped or not")
        data += block
        if any(block[i:i + 8] == b"END     " for i in range(0, len(block), CARD)):
            return read_header(bytes(data), 0, fail)[0], len(data)
        if len(block) < BLOCK:
            break
    fail("a header has no END card; the file is truncated or damaged")


def _choose(found, path):
    exact = [item for item in found if item[0] == "EVENTS"]
    chosen = exact if len(exact) == 1 else found
    if len(chosen) == 1:
        return chosen[0]
    names = ", ".join(item[0] for item in found)
    what = f"{len(found)} event lists ({names})" if found else "no event list (extension EVENTS)"
    msg = f"{path}: {what}; give a FITS file with one, such as a Chandra evt2 or eROSITA EventList file"
    raise SpectrumError(msg)


def _read_times(stream, header, begin, size, path):
    """Number of the detector, or None, the intervals of one extension, and what is odd about it."""
    name = header.text("EXTNAME").upper()
    if size > _MAX_GTI_BYTES:
        msg = f"{path}: extension {name}: {size} bytes of good times; the header is damaged"
        raise SpectrumError(msg)

    def fail(text):
        msg = f"{path}: extension {name}: {text}"
        raise SpectrumError(msg)

    width, rows = integer(header, "NAXIS1", fail), integer(header, "NAXIS2", fail)
    data = _read(stream, size, path)
    if len(data) < width * rows:
        fail("truncated; fetch the file again")
    table = Table(name, header, rows, str(path), SpectrumError, data, 0, width, (0, 0))
    times = np.stack([table.column(key).astype(float) for key in ("START", "STOP")], axis=1)
    if not np.all(times[:, 1] >= times[:, 0]):
        fail("a good time interval has START or STOP that is NaN, or ends before it begins; the file is "
             "damaged, fetch it again")
    number = header.get("CCD_ID", _GTI.fullmatch(name)[1])
    note = _changed(header, _header_sum(stream, header, begin, path), sum_of_words(data), path)
    return (int(number) if str(number).isdigit() else None), times[times[:, 1] > times[:, 0]], note


def _merge(times):
    by_detector = {}
    for number, intervals in times:
        by_detector.setdefault(number, []).append(intervals)
    return {number: union(parts) for number, parts in by_detector.items()}
