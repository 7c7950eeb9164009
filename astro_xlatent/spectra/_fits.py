# Licensed under a 3-clause BSD style license - see LICENSE
"""
Bounded reading of FITS binary tables.

Bulk reading of spectra opens four small tables per source, and files arrive
truncated or damaged. This reader walks the HDUs of a file, checks every size a
header claims against the bytes that are there before memory is taken, and
hands out single columns. `astropy.io.fits` needs about ten times as long per
file (its header objects do far more); it is used for writing, and the tests
compare every header value and column used here with what it gives.

References
----------
FITS Standard 4.0, https://fits.gsfc.nasa.gov/fits_standard.html, sections 3.4
(HDUs), 4.2 (values), 7.3 (binary tables).
"""

import os
import re
import stat
import zlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

__all__ = ["MAX_BYTES", "MAX_ELEMENTS", "Table", "gunzip", "load_bytes", "parse_tables", "read_regular"]

#: Largest file, or decompressed content of a ``.gz`` file, in bytes.
MAX_BYTES = 256 * 1024**2
#: Largest number of values taken from one column.
MAX_ELEMENTS = 12_000_000
_MAX_ROWS = 200_000
_MAX_CARDS = 100_000
_MAX_HDUS = 5_000
_BLOCK = 2880
_CARD = 80

_DTYPES = {"L": "S1", "B": "u1", "I": ">i2", "J": ">i4", "K": ">i8", "E": ">f4", "D": ">f8"}
_SIZES = {"L": 1, "X": 0.125, "B": 1, "I": 2, "J": 4, "K": 8, "A": 1, "E": 4, "D": 8,
          "C": 8, "M": 16, "P": 8, "Q": 16}
_FORM = re.compile(r"(\d*)([LXBIJKAEDCMPQ])([LXBIJKAEDCM]?)")


def load_bytes(path, error):
    """
    Content of a file, decompressed if gzipped.

    Parameters
    ----------
    path : str or path-like
        A regular file of at most `MAX_BYTES`, also after decompression.
    error : type
        Exception class to raise.

    Returns
    -------
    content : bytes

    Raises
    ------
    error
        If the file is missing, not a regular file, empty, too large, or the
        compressed stream is damaged.
    """
    return gunzip(read_regular(path, error), path, error)


def read_regular(path, error):
    """Content of a regular file of at most `MAX_BYTES`; raises ``error``."""
    path = Path(path)
    try:
        status = os.stat(path)
        if stat.S_ISDIR(status.st_mode):
            msg = f"{path} is a directory; give the path of one FITS file"
            raise error(msg)
        if not stat.S_ISREG(status.st_mode):
            msg = f"{path} is not a regular file; give the path of a FITS file"
            raise error(msg)
        _check_size(status.st_size, path, error)
        with open(path, "rb") as stream:
            raw = stream.read(MAX_BYTES + 1)
    except FileNotFoundError:
        msg = f"{path} does not exist; check the path"
        raise error(msg) from None
    except (OSError, ValueError) as exc:  # ValueError: null byte in a path
        msg = f"{path!s:.200} cannot be read: {exc}"
        raise error(msg) from None
    if not raw:
        msg = f"{path} is empty (0 bytes); fetch the file again"
        raise error(msg)
    _check_size(len(raw), path, error)
    return raw


def _check_size(size, path, error):
    if size > MAX_BYTES:
        msg = (f"{path} holds more than {MAX_BYTES // 1024**2} MB, which is no spectrum or response "
               "of the supported kind; rebin the response or cut out the extension you need")
        raise error(msg)


def gunzip(raw, path, error):
    """Decompress all members of a gzip stream, never more than `MAX_BYTES`; else as it is."""
    if raw[:2] != b"\x1f\x8b":
        return raw
    parts, size = [], 0
    try:
        while raw[:2] == b"\x1f\x8b":
            member = zlib.decompressobj(wbits=31)
            parts.append(member.decompress(raw, MAX_BYTES + 1 - size))
            size += len(parts[-1])
            _check_size(size, path, error)
            if not member.eof:
                msg = f"{path}: the gzip stream ends early (truncated file); fetch the file again"
                raise error(msg)
            raw = member.unused_data
    except zlib.error as exc:
        msg = f"{path}: the gzip stream is damaged ({exc}); fetch the file again"
        raise error(msg) from None
    return b"".join(parts)


class Header:
    """
    Keywords of one HDU, parsed when asked for.

    The first card of a name counts, as in astropy.
    """

    def __init__(self, cards):
        self._cards = cards
        self._values = {}

    def __contains__(self, key):
        return key in self._cards

    def get(self, key, default=None):
        """Value as bool, int, float or str (stripped); ``default`` if absent or undefined."""
        if key not in self._values:
            card = self._cards.get(key)
            self._values[key] = None if card is None else _value(card.decode("ascii", "replace"))
        value = self._values[key]
        return default if value is None else value

    def text(self, key):
        """Value as a string, empty if absent."""
        value = self.get(key, "")
        return value if isinstance(value, str) else str(value)


def _value(text):
    """Value of the part of a card after ``KEYWORD =`` (section 4.2)."""
    text = text.lstrip()
    if text.startswith("'"):
        return _string(text)
    text = text.partition("/")[0].strip()
    if text in ("T", "F"):
        return text == "T"
    try:
        return int(text) if len(text) < 40 else None
    except ValueError:
        pass
    try:
        return float(text.replace("D", "E").replace("d", "e"))
    except ValueError:
        return text or None


def _string(text):
    parts = []
    for piece in re.finditer(r"'((?:[^']|'')*)'", text):
        parts.append(piece.group(1).replace("''", "'").rstrip())
        if not parts[-1].endswith("&") or "\0" not in text:
            break
        parts[-1] = parts[-1][:-1]
    return "".join(parts).strip() if parts else text[1:].strip()


def _read_header(data, start, fail):
    """Cards by keyword and where the data of the HDU begin."""
    cards, key = {}, ""
    stop = min(len(data), start + _MAX_CARDS * _CARD)
    for pos in range(start, stop - _CARD + 1, _CARD):
        name = data[pos:pos + 8]
        if data[pos + 8:pos + 10] == b"= ":
            key = name.rstrip().decode("ascii", "replace")
            if key in cards:
                key = ""
            else:
                cards[key] = data[pos + 10:pos + _CARD]
        elif name == b"CONTINUE" and key:
            # NUL cannot occur in a card: marks that the value goes on.
            cards[key] = cards[key] + b"\0" + data[pos + 8:pos + _CARD]
        elif name == b"END     ":
            return Header(cards), pos + _BLOCK - (pos - start) % _BLOCK
    fail(f"the header that begins at byte {start} has no END card; the file is truncated or damaged")


@dataclass
class Column:
    """Place and kind of one table column."""

    offset: int
    repeat: int
    code: str
    element: str
    scale: float
    zero: float
    minimum: object
    unit: str


@dataclass
class Table:
    """
    One binary table of a file; columns are read when asked for.

    Attributes
    ----------
    name : str
        EXTNAME in upper case, or empty.
    header : Header
        Keywords.
    n_rows : int
        Number of rows.
    """

    name: str
    header: Header
    n_rows: int
    path: str
    error: type
    _data: bytes
    _start: int
    _row_bytes: int
    _heap: tuple

    @cached_property
    def columns(self):
        """Places of the columns by upper-case name; parsed when first asked for."""
        return _columns(self.header, self._row_bytes, self.fail)

    def fail(self, text):
        """Raise the error of this file."""
        msg = f"{self.path}: extension {self.name or '(unnamed)'}: {text}"
        raise self.error(msg)

    def _get(self, name):
        if name not in self.columns:
            self.fail(f"no column {name}; it has {', '.join(self.columns) or 'none'}")
        if self.n_rows > _MAX_ROWS:
            self.fail(f"{self.n_rows} rows, at most {_MAX_ROWS} are allowed for a spectrum or response")
        return self.columns[name]

    def is_ragged(self, name):
        """Whether the column has arrays of variable length."""
        return self._get(name).code in "PQ"

    def column(self, name):
        """
        A column of fixed width in native byte order.

        Returns
        -------
        values : ndarray, shape (n_rows,) or (n_rows, repeat)
        """
        col = self._get(name)
        if col.code not in _DTYPES or col.code == "L":
            self.fail(f"column {name} has the format {col.code!r}; a numeric column is needed")
        if self.n_rows * col.repeat > MAX_ELEMENTS:
            self.fail(f"column {name} has {self.n_rows} x {col.repeat} values; "
                      f"at most {MAX_ELEMENTS} are allowed")
        dtype = np.dtype(_DTYPES[col.code])
        values = np.ndarray((self.n_rows, col.repeat), dtype, self._data, self._start + col.offset,
                            (self._row_bytes, dtype.itemsize))
        values = _scaled(values.astype(dtype.newbyteorder("=")), col)
        return values[:, 0] if col.repeat == 1 else values

    def text(self, name):
        """A column of strings, stripped, as a list."""
        col = self._get(name)
        if col.code != "A":
            self.fail(f"column {name} has the format {col.code!r}; strings are needed")
        raw = np.ndarray((self.n_rows,), f"S{col.repeat}", self._data, self._start + col.offset,
                         (self._row_bytes,))
        return [value.decode("ascii", "replace").strip() for value in raw.tolist()]

    def ragged(self, name):
        """
        A column of variable-length arrays, joined.

        Returns
        -------
        values : ndarray, shape (sum of lengths,)
        lengths : ndarray of int, shape (n_rows,)
        """
        col = self._get(name)
        if col.element not in _DTYPES or col.element == "L":
            self.fail(f"column {name} holds arrays of format {col.element!r}; numbers are needed")
        dtype = np.dtype(_DTYPES[col.element])
        kind = np.dtype(">i4" if col.code == "P" else ">i8")
        pairs = np.ndarray((self.n_rows, 2), kind, self._data, self._start + col.offset,
                           (self._row_bytes, kind.itemsize)).astype(np.int64)
        lengths, starts = pairs.T
        begin, size = self._heap
        if np.any(lengths < 0) or np.any(lengths > MAX_ELEMENTS) or lengths.sum() > MAX_ELEMENTS:
            self.fail(f"column {name} claims {lengths.sum()} values; at most {MAX_ELEMENTS} are allowed")
        stops = starts + lengths * dtype.itemsize
        if np.any((starts < 0) | (starts > size) | (stops > size), where=lengths > 0):
            self.fail(f"column {name} points outside the data of the file; the file is damaged")
        data = self._data
        joined = b"".join([data[a:b] for a, b in zip((begin + starts).tolist(), (begin + stops).tolist())
                           if b > a])
        values = np.frombuffer(joined, dtype).astype(dtype.newbyteorder("="))
        return _scaled(values, col), lengths


def _scaled(values, col):
    if col.scale == 1.0 and col.zero == 0.0:
        return values
    if values.dtype.kind in "iu" and col.scale == 1.0 and col.zero.is_integer() and abs(col.zero) < 2**40:
        return values.astype(np.int64) + int(col.zero)
    with np.errstate(all="ignore"):  # what overflows is found by the checks of the values
        return values * col.scale + col.zero


def parse_tables(data, path, error):
    """
    Find the binary tables of a FITS file.

    Parameters
    ----------
    data : bytes
        Content of the (decompressed) file.
    path : str or path-like
        For messages.
    error : type
        Exception class to raise.

    Returns
    -------
    tables : list of Table
        In file order.

    Raises
    ------
    error
        If this is no FITS file, a header is damaged, or data are missing.
    """
    def fail(text):
        msg = f"{path}: {text}"
        raise error(msg)

    if data[:9] != b"SIMPLE  =":
        fail("not a FITS file (it does not begin with 'SIMPLE  ='); "
             "give an OGIP FITS file, gzipped or not")
    tables, pos, count = [], 0, 0
    while pos < len(data):
        if pos and data[pos:pos + 8] != b"XTENSION":
            if data[pos:].strip(b"\0 "):
                fail(f"unexpected content at byte {pos}, where an extension should begin; "
                     "the file is damaged, fetch it again")
            break
        header, begin = _read_header(data, pos, fail)
        size = _data_size(header, pos, fail)
        if begin + size > len(data):
            fail(f"truncated: an extension ends at byte {begin + size}, the file at {len(data)}; "
                 "fetch the file again")
        if header.text("XTENSION") == "BINTABLE":
            tables.append(_table(header, data, begin, path, error))
        pos = begin + -(-size // _BLOCK) * _BLOCK
        count += 1
        if count > _MAX_HDUS:
            fail(f"more than {_MAX_HDUS} extensions; this is no spectrum or response file")
    return tables


def _integer(header, key, fail, default=None, top=2**40):
    value = header.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= top:
        fail(f"header keyword {key} is {value!r}; a whole number from 0 to {top} is needed, "
             "the header is damaged")
    return value


def _data_size(header, pos, fail):
    """Bytes of data of an HDU, without padding (section 4.4.1)."""
    bitpix = header.get("BITPIX")
    if bitpix not in (8, 16, 32, 64, -32, -64):
        fail(f"header keyword BITPIX is {bitpix!r}; the header at byte {pos} is damaged")
    naxis = _integer(header, "NAXIS", fail, top=999)
    size = 1 if naxis else 0
    for i in range(1, naxis + 1):
        size *= _integer(header, f"NAXIS{i}", fail)
        if size > 2**50:
            fail("the sizes in a header multiply to more than any file holds; it is damaged")
    extra = _integer(header, "PCOUNT", fail, 0)
    return abs(bitpix) // 8 * _integer(header, "GCOUNT", fail, 1) * (extra + size)


def _table(header, data, begin, path, error):
    name = header.text("EXTNAME").upper()

    def fail(text):
        msg = f"{path}: extension {name or '(unnamed)'}: {text}"
        raise error(msg)

    if header.get("BITPIX") != 8 or header.get("NAXIS") != 2:
        fail("a binary table must have BITPIX 8 and NAXIS 2; the header is damaged")
    width, rows = _integer(header, "NAXIS1", fail), _integer(header, "NAXIS2", fail)
    end = begin + width * rows + _integer(header, "PCOUNT", fail, 0)
    heap = begin + _integer(header, "THEAP", fail, width * rows)
    return Table(name, header, rows, str(path), error, data, begin, width,
                 (heap, max(end - heap, 0)))


def _columns(header, width, fail):
    columns, offset = {}, 0
    for i in range(1, _integer(header, "TFIELDS", fail, top=999) + 1):
        form = _FORM.match(header.text(f"TFORM{i}"))
        if form is None or len(form[1]) > 12:
            fail(f"header keyword TFORM{i} is {header.get(f'TFORM{i}')!r}, not a column format")
        repeat, code = int(form[1] or 1), form[2]
        size = int(np.ceil(repeat * _SIZES[code])) if code == "X" else repeat * _SIZES[code]
        if offset + size > width:
            fail(f"columns up to number {i} need {offset + size} bytes a row, the rows have {width}")
        if repeat or code in "PQ":
            columns.setdefault(header.text(f"TTYPE{i}").upper() or f"COLUMN{i}", Column(
                offset, repeat, code, form[3] or "", _number(header, f"TSCAL{i}", 1.0, fail),
                _number(header, f"TZERO{i}", 0.0, fail), header.get(f"TLMIN{i}"),
                header.text(f"TUNIT{i}")))
        offset += size
    return columns


def _number(header, key, default, fail):
    value = header.get(key, default)
    if not isinstance(value, (int, float)) or not abs(value) < 1e30:
        fail(f"header keyword {key} is {value!r}; a number is needed")
    return float(value)
