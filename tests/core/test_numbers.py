# Licensed under a 3-clause BSD style license - see LICENSE
"""Columns as plain numbers, and streams of random ones."""

import numpy as np
import pytest
from astropy import units as u
from astropy.table import MaskedColumn, QTable
from astropy.utils.masked import Masked

from astro_xlatent.core.numbers import STREAMS, plain_floats, random_stream, stream_seed

NAN = np.nan
KINDS = {
    "list": [1, 2],
    "integers with a mask": np.ma.MaskedArray([1, 5, 2], mask=[0, 1, 0]),
    "masked column": MaskedColumn([1.0, 5.0, 2.0], mask=[False, True, False], unit="deg"),
    "text": MaskedColumn(["1", " x", "2"]),
    "bytes": np.array([b"1", b"", b"2.0"]),
    "objects": np.array([1, None, "2"], dtype=object),
    "big-endian": np.array([1, NAN, 2], dtype=">f4"),
    "masked quantity": Masked(u.Quantity([1, 5, 2], "deg"), mask=[False, True, False]),
    "quantity column": QTable({"a": u.Quantity([60, NAN, 120], "arcmin")})["a"],
}


@pytest.mark.parametrize("column", KINDS.values(), ids=KINDS)
def test_every_storage(column):
    """Masked, blank and unreadable values are NaN; units are converted."""
    wanted = [1, 2] if len(column) == 2 else [1, NAN, 2]
    found = plain_floats(column, u.deg)
    assert found.dtype == float
    np.testing.assert_allclose(found, wanted)


def test_vectors_keep_their_shape():
    """A vector column is masked element by element."""
    column = MaskedColumn([[1, 2], [3, 4]], mask=[[False, True], [False, False]])
    np.testing.assert_array_equal(plain_floats(column), [[1, NAN], [3, 4]])


def test_streams_differ():
    """No two names share their numbers, and a seed gives the same ones again."""
    assert len(set(STREAMS.values())) == len(STREAMS)
    first = {random_stream(1, name).random() for name in STREAMS}
    assert len(first) == len(STREAMS) and random_stream(1, "cells").random() in first
    assert stream_seed(3, "cells") - stream_seed(1, "cells") == 2
