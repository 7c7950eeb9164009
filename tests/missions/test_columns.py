# Licensed under a 3-clause BSD style license - see LICENSE
"""Reading of catalog columns in every storage."""

import numpy as np
import pytest
from astropy import units as u
from astropy.table import MaskedColumn, QTable, Table
from astropy.utils.masked import Masked
from numpy.testing import assert_array_equal

from astro_xlatent.core.errors import TableError
from astro_xlatent.missions._columns import ENERGY_FLUX, Columns


@pytest.mark.parametrize("values", [
    [1.5, np.nan, np.inf], MaskedColumn([1.5, 2, 3], mask=[False, True, True]), ["1.5", "", "n/a"],
    [b"1.5", b"nan", b"-"], np.array([1.5, None, "x"], object), np.array([1.5, np.nan, np.nan], ">f4"),
])
def test_numbers(values):
    """Missing in every form is NaN."""
    assert_array_equal(Columns(Table({"A": values})).number("a"), [1.5, np.nan, np.nan])


def test_quantities_with_and_without_mask():
    """Quantities and masked quantities are converted."""
    table = QTable({"a": [1.0, 2.0] * u.ks, "b": Masked([1.0, 2.0] * u.ks, mask=[True, False])})
    assert_array_equal(Columns(table).number("a", u.s), [1000, 2000])
    assert_array_equal(Columns(table).number("b", u.s), [np.nan, 2000])


def test_absent_columns():
    """Absent columns are NaN, False and empty."""
    cols = Columns(Table({"a": [1, 2]}))
    assert np.all(np.isnan(cols.number("b")))
    assert not cols.boolean("b").any()
    assert cols.text("b").tolist() == ["", ""]
    assert cols.first("b", "A") == "A"


@pytest.mark.parametrize(("unit", "factor"), [
    ("erg / (s cm2)", 1), ("mW/m2", 1), ("W m-2", 1000), ("ergs/cm^2/s", 1),
    ("keV / (s cm2)", 1.602176634e-9),
])
def test_flux_units(unit, factor):
    """Units that are energy fluxes are converted, whatever their spelling."""
    table = Table({"f": [1.0]})
    table["f"].unit = u.Unit(unit, parse_strict="silent")
    np.testing.assert_allclose(Columns(table).number("f", ENERGY_FLUX), factor)


@pytest.mark.parametrize("unit", ["Jy", "erg", "ct / (s cm2)", "furlong per fortnight"])
def test_wrong_units(unit):
    """Units that are not energy fluxes are refused by column name."""
    table = Table({"flux": [1.0]})
    table["flux"].unit = u.Unit(unit, parse_strict="silent")
    with pytest.raises(TableError, match="'flux' has unit"):
        Columns(table).number("flux", ENERGY_FLUX)
