# Licensed under a 3-clause BSD style license - see LICENSE
"""
Keeping a table's values, types and masks through a file: what a format, or astropy's reader or writer of it,
would change is written in a form that survives, and mended on reading. Only Parquet tells masked text from
empty text; FITS and VOTable read NaN as masked. FITS drops trailing blanks of text, VOTable, ECSV and CSV
outer ones; CSV has no units, types of integers, or vectors.
"""

import json
import re
from collections.abc import Sequence
from itertools import chain, pairwise
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.table import Column, MaskedColumn, Table
from astropy.table.serialize import represent_mixins_as_columns
from astropy.units import Quantity

__all__ = ["fill_empty", "mend_columns", "storable_columns"]

# An integer that is written with leading zeros, as a field of its own: a name, not a number.
_LEADING_ZERO = re.compile(r"[+-]?0\d+")
_LEADING_ZERO_FIELD = re.compile(rb'[,\t\n]"?[+-]?0\d+"?\s*[,\t\n]')


def storable_columns(table: Table, form: str) -> Table:
    """A copy of a table, sharing its data, that a format's writer does not change; ValueError without one."""
    storable = table.copy(copy_data=False)
    if form in ("votable", "ascii.csv", "ascii.tab"):
        # Coordinates and times as columns of numbers, such as position.ra.
        storable = represent_mixins_as_columns(storable, exclude_classes=(Quantity,))
        storable.meta.pop("__serialized_columns__", None)
    for name in storable.colnames:
        column = storable[name]
        if not isinstance(column, Column):
            continue
        if column.dtype.kind == "O":
            column = _typed(column)
        if form == "fits":
            column = _for_fits(column)
        elif form == "votable":
            column = _for_votable(column)
        elif form in ("ascii.csv", "ascii.tab") and column.dtype.kind == "S":
            column = _like(column, np.strings.decode(np.ma.getdata(column), "utf-8"))
        if column is not storable[name]:
            storable.replace_column(name, column)
    return storable


def _typed(column):
    """An object column of one kind of scalars as that kind, None masked."""
    masked = np.ma.getmaskarray(np.ma.asarray(column)).tolist()
    values = [None if m is True or v is np.ma.masked else v for v, m in zip(column.tolist(), masked)]
    present = [value for value in values if value is not None]
    kinds = {np.asarray(v).dtype.kind if np.ndim(v) == 0 else "O" for v in present}
    if not (len(kinds) < 2 and kinds <= set("biufcUS")) and not kinds <= set("iuf"):
        found = ", ".join(sorted({type(v).__name__ for v in present}))
        msg = f"column {column.name!r} holds objects ({found}); make it one of numbers, booleans or text"
        raise ValueError(msg)
    array, missing = np.array(present or [""]), np.array([value is None for value in values], bool)
    filled = np.zeros(len(values), array.dtype)
    filled[~missing] = present
    return _like(column, filled, missing)


def _for_fits(column):
    """With a null value that is no value of the column, or a mask of its own; text as UTF-8."""
    if column.dtype.kind == "U" and not all(map(str.isascii, np.ma.getdata(column).ravel().tolist())):
        column = _like(column, np.strings.encode(np.ma.getdata(column), "utf-8"))
    if not isinstance(column, MaskedColumn):
        return column
    if not np.any(column.mask):
        return _like(column, np.ma.getdata(column))  # a null value could only do harm
    column = MaskedColumn(column, copy=False)
    if column.dtype.kind in "fcUS":
        column.fill_value = np.nan if column.dtype.kind in "fc" else np.zeros(1, column.dtype)[0]
    elif column.ndim == 1 and (null := _unused(np.ma.getdata(column))) is not None:
        column.fill_value = null
    else:
        column.info.serialize_method["fits"] = "data_mask"
    return column


def _like(column, values, mask=None):
    mask = getattr(column, "mask", None) if mask is None else mask
    info = {"name": column.name, "unit": column.unit, "format": column.format, "meta": column.meta,
            "description": column.description}
    return Column(values, **info) if not np.any(mask) else MaskedColumn(values, mask=mask, **info)


def _unused(values):
    """An extreme integer that is not among the values; None if there is none, or for other types."""
    # FITS stores unsigned integers shifted, bytes excepted; their null would be shifted, too.
    if values.dtype.kind != "i" and values.dtype != np.uint8:
        return None
    ends = np.iinfo(values.dtype)
    return next((n for n in (ends.min, ends.max, ends.min + 1, ends.max - 1) if n not in values), None)


def _for_votable(column):
    """Unsigned integers, which VOTable lacks, in the next larger type; null values as for FITS."""
    kind, size = column.dtype.kind, column.dtype.itemsize
    if kind in "US" and column.ndim > 1:
        msg = f"column {column.name!r} holds vectors of text, which VOTable does not; write FITS or ECSV"
        raise ValueError(msg)
    if kind == "u" and size > 1:
        if size == 8 and column.size and np.ma.getdata(column).max() > np.iinfo(np.int64).max:
            msg = f"column {column.name!r} holds integers above 2^63; VOTable does not: write FITS or ECSV"
            raise ValueError(msg)
        column = _like(column, np.ma.getdata(column).astype(f"i{min(2 * size, 8)}"))
    if isinstance(column, MaskedColumn) and kind == "b" and column.ndim > 1:
        column = _like(column, np.ma.getdata(column).astype("i2"))  # astropy drops the mask of these
    if isinstance(column, MaskedColumn) and (null := _unused(np.ma.getdata(column))) is not None:
        column = MaskedColumn(column, copy=False)
        column.fill_value = null
    return column


def mend_columns(table: Table, path: Path, form: str, hdu: str | int | None = None,
                 text: Sequence[str] = ()) -> None:
    """Undo in place what a format's reader has changed, but for columns of CSV that are to be ``text``."""
    for name in _columns(table, "S"):
        values = np.ma.getdata(table[name])
        try:
            decoded = np.strings.decode(values, "utf-8")
        except UnicodeDecodeError:
            decoded = np.strings.decode(values, "latin-1")  # what older programs write for accents
        table[name] = _like(table[name], decoded)
    if form == "fits":
        _mask_null_logicals(table, path, hdu)
    elif form == "votable":
        for name in _columns(table, "U"):
            empty = np.ma.getdata(table[name]) == ""
            if empty.any():
                table[name] = MaskedColumn(table[name], mask=empty)
    elif form in ("ascii.csv", "ascii.tab"):
        _retype_csv(table, path, form, text)


def _columns(table, kinds):
    return [n for n in table.colnames if isinstance(table[n], Column) and table[n].dtype.kind in kinds]


def _mask_null_logicals(table, path, hdu):
    """Mask the logical columns' NULL, a zero byte, which astropy reads as False."""
    names = _columns(table, "b")
    if not names or not len(table):
        return
    with fits.open(path) as hdus:
        first = next((h for h in hdus if isinstance(h, fits.BinTableHDU)), None)
        hdu = first if hdu is None else hdus[hdu]
        raw = None if hdu is None else hdu.data.view(np.ndarray)
        for name in names if raw is not None else []:
            if name in raw.dtype.names and raw[name].dtype == np.int8 and np.any(raw[name] == 0):
                table[name] = MaskedColumn(table[name], mask=raw[name] == 0)


def _retype_csv(table, path, form, text):
    """Make True and False booleans again, and numbers with leading zeros text."""
    from astropy.io.ascii import convert_numpy
    from astropy.utils.data import get_readable_fileobj

    for name in set(_columns(table, "U")).difference(text):
        present = np.ma.compressed(np.ma.asarray(table[name]))
        if present.size and np.isin(present, ("True", "False")).all():
            table[name] = _like(table[name], np.ma.getdata(table[name]) == "True")
    numbers = _columns(table, "if")
    with get_readable_fileobj(str(path), encoding="binary") as file:
        # In large pieces, for lines of an unbuffered file are slow.
        pieces = iter(lambda: file.read(1 << 20), b"")
        tails = pairwise(chain([b"\n"], pieces, [b"\n"]))
        if not numbers or not any(_LEADING_ZERO_FIELD.search(a[-100:] + b) for a, b in tails):
            return
    texts = Table.read(path, format=form, converters={n: [convert_numpy(str)] for n in numbers})
    for name in numbers:
        if any(map(_LEADING_ZERO.fullmatch, np.ma.compressed(np.ma.asarray(texts[name])).tolist())):
            table[name] = texts[name]


def fill_empty(path: Path) -> str | None:
    """An ECSV file without rows with one of nothing, for astropy reads no vectors without rows; else None."""
    from astropy.table.meta import get_header_from_yaml
    from astropy.utils.data import get_readable_fileobj

    lines = []
    with get_readable_fileobj(str(path), encoding="utf-8") as file:
        for line in file:
            lines.append(line.rstrip("\r\n"))
            if not line.startswith("#") and len(lines) > 1 and not lines[-2].startswith("#"):
                return None
    if len(lines) < 2 or not lines[0].startswith("# %ECSV"):
        return None
    header = get_header_from_yaml([line[2:] for line in lines if line.startswith("# ")])
    cells = []
    for column in header["datatype"]:
        shape = re.search(r"\[.*\]", column.get("subtype", ""))
        cells.append(f'"{np.zeros(json.loads(shape[0])).tolist()}"' if shape else '""')
    return "\n".join([*lines, header.get("delimiter", " ").join(cells)])
