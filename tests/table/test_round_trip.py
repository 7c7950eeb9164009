# Licensed under a 3-clause BSD style license - see LICENSE
"""What a user's table holds is the same after writing and reading, for all types and formats."""

import tempfile
from pathlib import Path

import numpy as np
import pytest
from astropy.table import Column, MaskedColumn, Table
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from astro_xlatent.table.files import flatten_vectors, read_table, write_table

#: Formats, and whether they tell masked text from empty text.
FORMATS = {"fits": False, "vot": False, "ecsv": False, "csv": False, "tsv": False, "parquet": True}
TYPES = ["?", "u1", "i2", "u2", "i4", "u4", "i8", "f4", "f8", "U", "S", ">i4", ">f8", "O"]
#: Outer blanks and control characters are not kept by every format.
TEXT = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), max_size=6)


def elements(kind):
    """What single values of a type can be."""
    if kind in ("U", "O"):
        return TEXT
    if kind == "S":
        return TEXT.filter(str.isascii).map(str.encode)
    if kind[-2:-1] == "f":
        width = 8 * int(kind[-1])
        return st.floats(width=width, allow_subnormal=False) | st.sampled_from([0.0, 999999.0, -999.0, 1e20])
    return hnp.from_dtype(np.dtype(kind)) | st.sampled_from([0, 1] if kind in ("?", "u1", "i2", "u2")
                                                            else [0, 999999])


@st.composite
def columns(draw, rows):
    """Any column of any type, masked or not, scalar or vector."""
    kind = draw(st.sampled_from(TYPES))
    shape = (rows,) if kind in ("U", "S", "O") or draw(st.booleans()) else (rows, 2)
    size = int(np.prod(shape))
    values = draw(st.lists(elements(kind), min_size=size, max_size=size))
    mask = np.array(draw(st.lists(st.booleans(), min_size=size, max_size=size)), bool).reshape(shape)
    if kind == "O":
        full = np.empty(rows, object)
        full[:] = [None if gone else v for v, gone in zip(values, mask, strict=True)]
        return Column(full)
    array = np.array(values, kind if values or kind not in "US" else f"{kind}1").reshape(shape)
    return MaskedColumn(array, mask=mask) if draw(st.booleans()) else Column(array)


@st.composite
def tables(draw):
    """A few columns of equal length, which may be none."""
    rows = draw(st.integers(0, 4))
    names = [f"c{i}" for i in range(draw(st.integers(1, 4)))]
    return Table({name: draw(columns(rows)) for name in names})


def plain(column, keeps_empty):
    """Values as text or numbers, None where missing."""
    array = np.ma.asarray(column)
    values = [v.decode() if isinstance(v, bytes) else v for v in np.ma.getdata(array).ravel().tolist()]
    mask = np.ma.getmaskarray(array).ravel().tolist()
    return [None if gone or v is None or v != v or (v == "" and not keeps_empty) else v
            for v, gone in zip(values, mask, strict=True)]


@pytest.mark.parametrize("suffix", FORMATS)
@settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(table=tables())
def test_round_trip(suffix, table):
    """Values, masks, shapes and kinds of types come back; the table that was written is untouched."""
    if suffix == "parquet":
        pytest.importorskip("pyarrow")
    before = repr([table[name].tolist() for name in table.colnames])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"t.{suffix}"
        write_table(table, path)
        back = read_table(path)
    assert repr([table[name].tolist() for name in table.colnames]) == before
    table = flatten_vectors(table) if suffix in ("csv", "tsv") else table
    assert back.colnames == table.colnames
    for name in table.colnames:
        assert back[name].shape == table[name].shape
        found, expected = (plain(t[name], FORMATS[suffix]) for t in (back, table))
        if suffix in ("csv", "tsv"):
            assert list(map(str, found)) == list(map(str, expected)), name
            continue
        assert found == expected, name
        kind, wanted = back[name].dtype.kind, table[name].dtype.kind
        # VOTable has no unsigned integers, and astropy loses the mask of vectors of booleans in it.
        assert kind == wanted or wanted in "OS" or (suffix == "vot" and kind == "i" and wanted in "ub")
