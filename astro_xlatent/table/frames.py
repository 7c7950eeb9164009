# Licensed under a 3-clause BSD style license - see LICENSE
"""
Whatever holds rows, opened as an astropy table and handed back as what it was.
"""

from collections.abc import Callable, Mapping
from functools import partial

import numpy as np
from astropy.table import Column, MaskedColumn, Row, Table

from astro_xlatent.core.columns import own_columns
from astro_xlatent.table.files import flatten_vectors

__all__ = ["open_table"]

# Where data frames come from; narwhals knows more, but is not asked to import for anything else.
_FRAMES = ("pandas", "polars", "pyarrow", "modin", "cudf")


def open_table(data) -> tuple[Table, Callable]:
    """
    A table, which may be ``data`` itself, and the way back to what it was: ``hand_back(columns, meta)``
    gives a copy of ``data`` with these columns in the place of those of an earlier run. Frames of pandas
    and polars and tables of pyarrow need narwhals; raises TypeError for what holds no rows.
    """
    if isinstance(data, Row):
        rows = data.table[data.index:data.index + 1]
        return rows, lambda columns, meta: _enriched(rows, columns, meta)[0]
    if isinstance(data, Mapping) or (isinstance(data, np.ndarray) and data.dtype.names):
        data = Table(data)
    if isinstance(data, Table):
        return data, partial(_enriched, data)
    if type(data).__module__.partition(".")[0] in _FRAMES:
        frame = _narwhals().from_native(data, eager_only=True, pass_through=True)
        if isinstance(frame, _narwhals().DataFrame):
            return Table([_column(frame[name]) for name in frame.columns]), partial(_enriched_frame, frame)
    msg = f"table is a {type(data).__name__}; an astropy Table, a Row or a data frame is needed"
    if isinstance(data, str | bytes) or hasattr(data, "__fspath__"):
        msg += f": read it first, astropy.table.Table.read({str(data)!r})"
    elif hasattr(data, "collect"):
        msg += ": call its collect() first"
    raise TypeError(msg)


def _enriched(table, columns, meta):
    """A copy of a table with new columns at the end."""
    enriched = table.copy()
    enriched.remove_columns(own_columns(enriched.colnames))
    for name, column in columns.items():
        enriched[name] = column
    enriched.meta.update(meta)
    return enriched


def _narwhals():
    try:
        import narwhals
    except ImportError as error:
        raise ImportError("table is a data frame, which needs narwhals (pip install narwhals), or convert it "
                          "to an astropy Table") from error
    return narwhals


def _column(series):
    """A column of a data frame, masked where it is null."""
    nw = _narwhals()
    kind, missing = series.dtype, series.is_null().to_numpy()
    if kind.is_numeric() or kind == nw.Boolean:
        values = series.fill_null(False if kind == nw.Boolean else 0).to_numpy()
    elif kind in (nw.String, nw.Categorical, nw.Enum):
        values = np.array(series.cast(nw.String).fill_null("").to_list(), str)
    else:
        values = np.empty(len(series), object)
        values[:] = series.to_list()
    if values.dtype.kind == "O" or not missing.any():
        return Column(values, name=series.name)
    return MaskedColumn(values, mask=missing, name=series.name)


def _enriched_frame(frame, columns, meta):
    """The same for a data frame: vectors are split, and what is masked is null."""
    nw, added = _narwhals(), []
    for column in flatten_vectors(Table(list(columns.values()))).itercols():
        values, masked = np.ma.getdata(column), np.ma.getmaskarray(column)
        if masked.any():
            values = np.where(masked, np.nan if values.dtype.kind == "f" else None, values)
        if values.dtype.kind in "UO":
            added.append(nw.new_series(column.name, values.tolist(), nw.String, backend=frame.implementation))
        else:
            values = nw.new_series(column.name, np.ascontiguousarray(values), backend=frame.implementation)
            added.append(values.fill_nan(None) if masked.any() else values)
    native = frame.drop(own_columns(frame.columns)).with_columns(added).to_native()
    if isinstance(getattr(native, "attrs", None), dict):
        native.attrs.update(meta)
    return native
