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
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["BLOCK", "CARD", "MAX_CARDS", "Column", "Header", "data_size", "integer", "read_header",
           "table_columns"]

#: Bytes of a FITS block and of a header card.
BLOCK, CARD = 2880, 80
#: Largest number of cards of one header.
MAX_CARDS = 100_000
_SIZES = {"L": 1, "X": 0.125, "B": 1, "I": 2, "J": 4, "K": 8, "A": 1, "E": 4, "D": 8,
          "C": 8, "M": 16, "P": 8, "Q": 16}
_FORM = re.compile(r"(\d*)([LXBIJKAEDCMPQ])([LXBIJKAEDCM]?)")


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

    def get(self, key: str, default: Any = None) -> Any:
        """Value as bool, int, float or str (stripped); ``default`` if absent or undefined."""
        if key not in self._values:
            card = self._cards.get(key)
            self._values[key] = None if card is None else _value(card.decode("ascii", "replace"))
        value = self._values[key]
        return default if value is None else value

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


def read_header(data: bytes, start: int, fail: Callable[[str], NoReturn]) -> tuple[Header, int]:
    """Cards by keyword and where the data of the HDU begin."""
    cards, key = {}, ""
    stop = min(len(data), start + MAX_CARDS * CARD)
    for pos in range(start, stop - CARD + 1, CARD):
        name = data[pos:pos + 8]
        if data[pos + 8:pos + 10] == b"= ":
            key = name.rstrip().decode("ascii", "replace")
            if key in cards:
                key = ""
            else:
                cards[key] = data[pos + 10:pos + CARD]
        elif name == b"CONTINUE" and key:
            # NUL cannot occur in a card: marks that the value goes on.
            cards[key] = cards[key] + b"\0" + data[pos + 8:pos + CARD]
        elif name == b"END     ":
            return Header(cards), pos + BLOCK - (pos - start) % BLOCK
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
    minimum: Any
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
