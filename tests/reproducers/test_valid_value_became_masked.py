# Licensed under a 3-clause BSD style license - see LICENSE
"""Written to FITS and VOTable, a valid 999999 came back masked, and masks of booleans and text were lost."""

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.table import MaskedColumn, QTable, Table
from astropy.utils.masked import Masked

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


@pytest.mark.parametrize("suffix", ["fits", "vot", "ecsv", "csv"])
def test_coordinates_and_quantities(tmp_path, suffix):
    """A table with a column of coordinates, and one of masked quantities, is written and read."""
    table = QTable({"p": SkyCoord([1, 2] * u.deg, [3, 4] * u.deg),
                    "f": Masked([1.0, 2.0] * u.Jy, mask=[False, True]),
                    "n": MaskedColumn([1, 999999], mask=[False, True])})
    write_table(table, tmp_path / f"t.{suffix}")
    back = read_table(tmp_path / f"t.{suffix}")
    right_ascension = back["p"].ra.deg if "p" in back.colnames else back["p.ra"]
    np.testing.assert_allclose(right_ascension, [1, 2])
    assert back["f"].tolist() == [1.0, None] and back["n"].tolist() == [1, None]


def test_text_of_older_programs(tmp_path):
    """Accents in Latin-1 are read, those beyond ASCII come back."""
    Table({"who": [b"Andr\xe9"]}).write(tmp_path / "t.fits")
    table = read_table(tmp_path / "t.fits")
    assert table["who"].tolist() == ["Andr\xe9"]
    write_table(table, tmp_path / "u.fits")
    assert read_table(tmp_path / "u.fits")["who"].tolist() == ["Andr\xe9"]
