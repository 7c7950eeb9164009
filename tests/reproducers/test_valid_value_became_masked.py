# Licensed under a 3-clause BSD style license - see LICENSE
"""Written to FITS and VOTable, a valid 999999 came back masked, and masks of booleans and text were lost."""

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import MaskedColumn, Table

from astro_xlatent.table.files import read_table, write_table

MASK = [False, True, False]


@pytest.mark.parametrize("suffix", ["fits", "fits.gz", "vot", "ecsv"])
def test_values_and_masks(tmp_path, suffix):
    """The number that numpy fills masked integers with is a number like any other."""
    table = Table({"id": MaskedColumn([999999, 5, -(2**63)], mask=MASK), "plain": [999999, 1, 2],
                   "seen": MaskedColumn([True, True, False], mask=MASK),
                   "note": MaskedColumn(["a", "b", "c"], mask=[True] * 3)})
    write_table(table, tmp_path / f"t.{suffix}")
    back = read_table(tmp_path / f"t.{suffix}")
    for name in table.colnames:
        assert back[name].tolist() == table[name].tolist(), name


def test_fill_value_of_the_user(tmp_path):
    """A fill value that is a value elsewhere in the column is not written for masked rows."""
    column = MaskedColumn([1.0, -999.0, -999.0], mask=[False, True, False], fill_value=-999.0)
    write_table(Table({"flux": column}), tmp_path / "t.fits")
    assert read_table(tmp_path / "t.fits")["flux"].tolist() == [1.0, None, -999.0]


def test_null_logicals_of_other_programs(tmp_path):
    """A zero byte in a logical column is no False."""
    path = tmp_path / "t.fits"
    Table({"flag": [True, False, True]}).write(path)
    with fits.open(path, mode="update", memmap=False) as hdus:
        start = hdus[1].fileinfo()["datLoc"]
    content = bytearray(path.read_bytes())
    content[start] = 0
    path.write_bytes(bytes(content))
    assert read_table(path)["flag"].tolist() == [None, False, True]


def test_leading_zeros_in_csv(tmp_path):
    """An identifier such as 00417 is no number."""
    (tmp_path / "t.csv").write_text("id,ra,n\n00417,010.5,1\n12345,2.5,2\n")
    table = read_table(tmp_path / "t.csv")
    assert table["id"].tolist() == ["00417", "12345"]
    assert table["ra"].tolist() == [10.5, 2.5] and np.issubdtype(table["n"].dtype, np.integer)
