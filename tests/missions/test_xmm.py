# Licensed under a 3-clause BSD style license - see LICENSE
"""XMM-Newton tables are recognized; one without the columns of all bands is refused with their names."""

import pytest
from astropy.table import Table

from astro_xlatent.core.errors import TableError
from astro_xlatent.core.flags import Flag
from astro_xlatent.missions.xmm import XMM


def test_table_of_too_few_columns_is_refused():
    """The error says what was found and what is needed."""
    with pytest.raises(TableError, match=r"it has EP_1_RATE.*expected EP_1_FLUX, EP_1_FLUX_ERR"):
        XMM().read_bands(Table({"EP_1_RATE": [0.1]}))


def test_catalogue_flags():
    """Extent and confusion of 4XMM."""
    flags = XMM().catalog_flags(Table({"EP_EXTENT": [0.0, 6.5], "CONFUSED": [True, False]}))
    assert flags.tolist() == [Flag.CONFUSED, Flag.EXTENDED]
    assert XMM().find_spectra(Table({"a": [1]}), ".") == [None]
