# Licensed under a 3-clause BSD style license - see LICENSE
"""
XMM-Newton EPIC: spectra, and 4XMM tables recognised.

The catalogues publish count rates by band, camera and filter; turning them
into energy bins needs responses by filter, which are not shipped. Spectra of
EPIC pn and MOS are read like any other.
"""

import re

import numpy as np

from astro_xlatent.core.errors import TableError
from astro_xlatent.core.flags import Flag
from astro_xlatent.missions._columns import Columns
from astro_xlatent.missions.base import Mission, list_files
from astro_xlatent.missions.responses import default_response

__all__ = ["XMM"]

#: Source spectra of the pipeline: P, observation, camera, exposure, source number in hexadecimal.
_SPEC_NAME = re.compile(
    r"p(?P<obs>\d{10})(?P<camera>pn|m1|m2)[su]\d{3}srspec(?P<source>[0-9a-f]{4})\.(?:ftz|fits|fits\.gz)"
)


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

    def find_spectra(self, table, folder):
        """
        Source spectra by the pipeline's naming, such as ``P0112830201PNS003SRSPEC0001.FTZ``.

        Needs the columns ``OBS_ID`` and ``SRC_NUM`` of 4XMM; pn is preferred
        to MOS1, MOS1 to MOS2.
        """
        cols, files = Columns(table), {}
        for path in list_files(folder, (".ftz", ".fits", ".fits.gz")):
            found = _SPEC_NAME.fullmatch(path.name.lower())
            if found:
                key = int(found["obs"]), int(found["source"], 16)
                rank = ("pn", "m1", "m2").index(found["camera"]), path.name
                if key not in files or rank < files[key][0]:
                    files[key] = rank, path
        keys = zip(cols.number("obs_id").tolist(), cols.number("src_num").tolist(), strict=True)
        return [files.get(key, (None, None))[1] for key in keys]

    def read_bands(self, table):
        """Always fails: band rates of 4XMM are not read."""
        msg = ("band columns of XMM-Newton catalogues are not read; give spectra= (a column of paths, a "
               "mapping or a list) for this table")
        raise TableError(msg)

    def default_response(self, instrument=None, year=None):
        """EPIC pn, or MOS with ``instrument="MOS"``."""
        return default_response(self.name, instrument, year)
