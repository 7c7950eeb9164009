# Licensed under a 3-clause BSD style license - see LICENSE
"""
Header cards of FITS files: values, sizes of data, places of table columns.

References
----------
FITS Standard 4.0, https://fits.gsfc.nasa.gov/fits_standard.html, sections 4.2
(values), 4.4.1 (sizes), 7.3 (binary tables).
"""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import IO


__all__ = ["BLOCK", "Column", "Header", "data_size", "integer", "read_header", "read_stream", "table_columns"]

#: Bytes of a FITS block and of a header card.
BLOCK, _CARD = 2880, 80
_MAX_CARDS = 100_000
_SIZES = {"L": 1, "X": 0.125, "B": 1, "I": 2, "J": 4, "K": 8, "A": 1, "E": 4, "D": 8,
          "C": 8, "M": 16, "P": 8, "Q": 16}
_FORM = re.compile(r"(\d*)([LXBIJKAEDCMPQ])([LXBIJKAEDCM]?)")
# What follows the last extension is read in pieces of so many bytes.
_BLANK = 1024**2


class Header:
    """Keywords of one HDU, parsed when asked for; the first card of a name counts, as in astropy."""

    def __init__(self, cards, raw):
        self._cards, self.raw = cards, raw
        self._values = {}

    def __contains__(self, key):
        return key in self._cards

    def get(self, key: str, default: Any = None) -> Any:
        """Value as bool, int, float or str (stripped); ``default`` if absent or undefined."""
        if key not in self._values:
            card = self._cards.get(key)
            self._values[key] = None if card is None else _value(card.decode("ascii", "replace"))
        value = self._values[key]
        return default if value is None else value

    def number(self, key: str) -> float | None:
        """Value if it is a finite number, else None."""
        value = self.get(key)
        usable = isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < np.inf
        return value if usable else None

    def text(self, key: str) -> str:
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


def read_stream(stream: IO[bytes], size: int, fail: Callable[[str], NoReturn],
                place: int | None = None) -> bytes:
    """So many bytes, or those that are left, from a place of a file that may be compressed and damaged."""
    try:
        if place is not None:
            stream.seek(place)
        return stream.read(size)
    except (EOFError, zlib.error, OSError) as error:
        return fail(f"the file ends early or is damaged ({error}); fetch it again")


def read_header(stream: IO[bytes], place: int, fail: Callable[[str], NoReturn]) -> Header | None:
    """Header that begins at a place of a file; None at its end."""
    cards, key, raw = {}, "", bytearray()
    block = read_stream(stream, BLOCK, fail, place)
    if not block.startswith(b"XTENSION" if place else b"SIMPLE  ="):
        return _check_end(stream, block, place, fail)
    while block and len(raw) < _MAX_CARDS * _CARD:
        raw += block
        for pos in range(0, len(block) - _CARD + 1, _CARD):
            name = block[pos:pos + 8]
            if block[pos + 8:pos + 10] == b"= ":
                key = name.rstrip().decode("ascii", "replace")
                if key in cards:
                    key = ""
                else:
                    cards[key] = block[pos + 10:pos + _CARD]
            elif name == b"CONTINUE" and key:
                # NUL cannot occur in a card: marks that the value goes on.
                cards[key] = cards[key] + b"\0" + block[pos + 8:pos + _CARD]
            elif name == b"END     ":
                return Header(cards, raw.ljust(-(-len(raw) // BLOCK) * BLOCK))
        block = read_stream(stream, BLOCK, fail)
    return fail(f"the header that begins at byte {place} has no END card; the file is truncated or damaged")


def _check_end(stream, block, place, fail):
    """Nothing but zeros and blanks may follow the last extension."""
    if not place:
        fail("not a FITS file (it does not begin with 'SIMPLE  ='); give one, gzipped or not")
    while block:
        if block.strip(b"\0 "):
            fail(f"unexpected content behind byte {place}, where an extension should begin; part of the file "
                 "is lost, fetch it again")
        block = read_stream(stream, _BLANK, fail)


@dataclass
class Column:
    """Place and kind of one table column, its number in the header, and TLMIN and TLMAX."""

    offset: int
    repeat: int
    code: str
    element: str
    scale: float
    zero: float
    number: int
    limits: tuple
    unit: str


def integer(header: Header, key: str, fail: Callable[[str], NoReturn], default: int | None = None,
            top: int = 2**40) -> int:
    value = header.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= top:
        fail(f"header keyword {key} is {value!r}; a whole number from 0 to {top} is needed, "
             "the header is damaged")
    return value


def data_size(header: Header, pos: int, fail: Callable[[str], NoReturn]) -> int:
    """Bytes of data of an HDU, without padding (section 4.4.1)."""
    bitpix = header.get("BITPIX")
    if bitpix not in (8, 16, 32, 64, -32, -64):
        fail(f"header keyword BITPIX is {bitpix!r}; the header at byte {pos} is damaged")
    naxis = integer(header, "NAXIS", fail, top=999)
    size = 1 if naxis else 0
    for i in range(1, naxis + 1):
        size *= integer(header, f"NAXIS{i}", fail)
        if size > 2**50:
            fail("the sizes in a header multiply to more than any file holds; it is damaged")
    extra = integer(header, "PCOUNT", fail, 0)
    return abs(bitpix) // 8 * integer(header, "GCOUNT", fail, 1) * (extra + size)


def table_columns(header: Header, width: int, fail: Callable[[str], NoReturn]) -> dict[str, Column]:
    columns: dict[str, Column] = {}
    offset = 0
    for i in range(1, integer(header, "TFIELDS", fail, top=999) + 1):
        form = _FORM.match(header.text(f"TFORM{i}"))
        if form is None or len(form[1]) > 12:
            fail(f"header keyword TFORM{i} is {header.get(f'TFORM{i}')!r}, not a column format")
        repeat, code = int(form[1] or 1), form[2]
        size = int(np.ceil(repeat * _SIZES[code]))
        if offset + size > width:
            fail(f"columns up to number {i} need {offset + size} bytes a row, the rows have {width}")
        if repeat or code in "PQ":
            columns.setdefault(header.text(f"TTYPE{i}").upper() or f"COLUMN{i}", Column(
                offset, repeat, code, form[3] or "", _factor(header, f"TSCAL{i}", 1.0, fail),
                _factor(header, f"TZERO{i}", 0.0, fail), i,
                (header.get(f"TLMIN{i}"), header.get(f"TLMAX{i}")), header.text(f"TUNIT{i}").lower()))
        offset += size
    return columns


def _factor(header, key, default, fail):
    value = header.get(key, default)
    if not isinstance(value, (int, float)) or not abs(value) < 1e30:
        fail(f"header keyword {key} is {value!r}; a number is needed")
    return float(value)
