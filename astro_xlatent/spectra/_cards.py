# Licensed under a 3-clause BSD style license - see LICENSE
"""Header cards of FITS files: values, sizes, columns (FITS Standard 4.0, sections 4.2, 4.4.1, 7.3)."""

from __future__ import annotations

import math
import re
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import IO, Any, NoReturn

import numpy as np

__all__ = ["BLOCK", "Column", "Header", "read_header", "read_stream"]

#: Bytes of a FITS block and of a header card.
BLOCK, _CARD = 2880, 80
_MAX_CARDS = 100_000
_SIZES = {"L": 1, "X": 0.125, "B": 1, "I": 2, "J": 4, "K": 8, "A": 1, "E": 4, "D": 8,
          "C": 8, "M": 16, "P": 8, "Q": 16}
_FORM = re.compile(r"(\d*)([LXBIJKAEDCMPQ])([LXBIJKAEDCM]?)")
# What follows the last extension is read in pieces of so many bytes.
_BLANK = 1024**2


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


class Header:
    """Keywords of one HDU, parsed when asked for; the first card of a name counts, as in astropy."""

    def __init__(self, cards: dict, raw: bytearray, fail: Callable[[str], NoReturn]):
        self._cards, self.raw, self._fail = cards, raw, fail
        self._values: dict = {}

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

    def fail(self, text: str) -> NoReturn:
        """Raise the error of this file."""
        self._fail(f"extension {self.text('EXTNAME').upper() or '(unnamed)'}: {text}")

    def integer(self, key: str, default: int | None = None, top: int = 2**40) -> int:
        value = self.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= top:
            self.fail(f"header keyword {key} is {value!r}; a whole number from 0 to {top} is needed, "
                      "the header is damaged")
        return value

    def data_size(self) -> int:
        """Bytes of data of the HDU, without padding (section 4.4.1)."""
        bitpix = self.get("BITPIX")
        if bitpix not in (8, 16, 32, 64, -32, -64):
            self.fail(f"header keyword BITPIX is {bitpix!r}; the header is damaged")
        axes = [self.integer(f"NAXIS{i + 1}") for i in range(self.integer("NAXIS", top=999))]
        elements = math.prod(axes) if axes else 0
        if elements > 2**50:
            self.fail("the sizes in the header multiply to more than any file holds; it is damaged")
        return abs(bitpix) // 8 * self.integer("GCOUNT", 1) * (self.integer("PCOUNT", 0) + elements)

    def columns(self, width: int) -> dict[str, Column]:
        """Places of the columns of a table in rows of so many bytes, by upper-case name."""
        columns: dict[str, Column] = {}
        offset = 0
        for i in range(1, self.integer("TFIELDS", top=999) + 1):
            form = _FORM.match(self.text(f"TFORM{i}"))
            if form is None or len(form[1]) > 12:
                self.fail(f"header keyword TFORM{i} is {self.get(f'TFORM{i}')!r}, not a column format")
            repeat, code = int(form[1] or 1), form[2]
            size = int(np.ceil(repeat * _SIZES[code]))
            if offset + size > width:
                self.fail(f"columns up to number {i} need {offset + size} bytes a row, the rows have {width}")
            scale, zero = self.get(f"TSCAL{i}", 1.0), self.get(f"TZERO{i}", 0.0)
            if not all(isinstance(v, (int, float)) and abs(v) < 1e30 for v in (scale, zero)):
                self.fail(f"header keywords TSCAL{i} and TZERO{i} are {scale!r} and {zero!r}; numbers are "
                          "needed")
            if repeat or code in "PQ":
                columns.setdefault(self.text(f"TTYPE{i}").upper() or f"COLUMN{i}", Column(
                    offset, repeat, code, form[3] or "", float(scale), float(zero), i,
                    (self.get(f"TLMIN{i}"), self.get(f"TLMAX{i}")), self.text(f"TUNIT{i}").lower()))
            offset += size
        return columns


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
                return Header(cards, raw.ljust(-(-len(raw) // BLOCK) * BLOCK), fail)
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
