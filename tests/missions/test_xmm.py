# Licensed under a 3-clause BSD style license - see LICENSE
"""XMM-Newton tables are recognised, their bands refused with a way out."""

import pytest
from astropy.table import Table

from astro_xlatent.core.errors import TableError
from astro_xlatent.core.flags import Flag
from astro_xlatent.missions.xmm import XMM


def test_bands_are_refused():
    """The error says what to give instead."""
    with pytest.raises(TableError, match="spectra="):
        XMM().read_bands(Table({"EP_1_RATE": [0.1]}))


def test_catalogue_flags():
    """Extent and confusion of 4XMM."""
    flags = XMM().catalog_flags(Table({"EP_EXTENT": [0.0, 6.5], "CONFUSED": [True, False]}))
    assert flags.tolist() == [Flag.CONFUSED, Flag.EXTENDED]
    assert XMM().find_spectra(Table({"a": [1]}), ".") == [None]
