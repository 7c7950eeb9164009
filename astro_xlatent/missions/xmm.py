# Licensed under a 3-clause BSD style license - see LICENSE
"""
XMM-Newton EPIC: spectra, and 4XMM tables recognised.

The catalogues publish count rates by band, camera and filter; turning them
into energy bins needs responses by filter, which are not shipped. Spectra of
EPIC pn and MOS are read like any other.
"""

import re

import numpy as np

from astro_xlatent.errors import TableError
from astro_xlatent.flags import Flag
from astro_xlatent.missions._columns import Columns
from astro_xlatent.missions.base import Mission
from astro_xlatent.missions.responses import default_response

__all__ = ["XMM"]


class XMM(Mission):
    """
    XMM-Newton EPIC (spectra only).

    Examples
    --------
    >>> from astro_xlatent.missions.xmm import XMM
    >>> XMM().default_response("MOS1").instrument
    'EMOS1'
    """

    name = "xmm"
    title = "XMM-Newton EPIC"
    telescopes = ("XMM", "XMM-NEWTON")
    instruments = ("EPN", "EMOS1", "EMOS2")
    bands = ()

    def matches(self, table):
        """Number of 4XMM rate and flux columns such as ``EP_1_RATE`` and ``PN_8_FLUX``."""
        tell_tale = re.compile(r"(ep|pn|m1|m2)_[1-9]_(rate|flux|rate_err|flux_err|det_ml)")
        return sum(bool(tell_tale.fullmatch(name)) for name in Columns(table))

    def expected_columns(self):
        """Columns looked for, in words."""
        return "none (spectra only); 4XMM tables are recognised by EP_1_RATE, EP_1_FLUX and the like"

    def catalog_flags(self, table):
        """Bits for extent (EP_EXTENT > 0) and confusion (CONFUSED)."""
        cols = Columns(table)
        flags = np.where(cols.number("ep_extent") > 0, Flag.EXTENDED, 0).astype(np.int64)
        return flags | np.where(cols.boolean("confused"), Flag.CONFUSED, 0)

    def read_bands(self, table):
        """Always fails: band rates of 4XMM are not read."""
        msg = ("band columns of XMM-Newton catalogues are not read; give spectra= (a column of paths, a "
               "mapping or a list) for this table")
        raise TableError(msg)

    def default_response(self, instrument=None, year=None):
        """EPIC pn, or MOS with ``instrument="MOS"``."""
        return default_response(self.name, instrument, year)
