# Licensed under a 3-clause BSD style license - see LICENSE
"""
Fetched columns under names that all rooms of the package look for.

Bands and flags stay as the archive spells them, for the missions know VizieR's
and HEASARC's spellings. Names, positions and their errors of eRASS, which other
rooms look for too, get the names under which the catalog was published.
"""

import numpy as np

from astro_xlatent.core.errors import TableError
from astro_xlatent.missions.base import get_mission

__all__ = ["arrange_columns", "band_problem"]

_ERASS_NAMES = {
    "name": "IAUNAME",
    "iauname": "IAUNAME",
    "ra_icrs": "RA",
    "raicrs": "RA",
    "de_icrs": "DEC",
    "deicrs": "DEC",
    "poserr": "POS_ERR",
    "error_radius": "POS_ERR",
}


def arrange_columns(table, mission):
    """
    Give the columns of names and positions the names that their mission publishes.

    Parameters
    ----------
    table : `~astropy.table.Table`
        Left untouched.
    mission : {'csc', 'erosita'}

    Returns
    -------
    arranged : `~astropy.table.Table`
        Without the archives' internal columns (``__row`` and the like). Where
        two columns would get one name, the first gets it.

    Examples
    --------
    >>> from astropy.table import Table
    >>> from astro_xlatent.archive.arrange import arrange_columns
    >>> arrange_columns(Table({"__row": [1], "RA_ICRS": [1.0], "MLctsP1": [9.0]}), "erosita").colnames
    ['RA', 'MLctsP1']
    """
    arranged = table[[name for name in table.colnames if not name.startswith("__")]]
    if mission != "erosita":
        return arranged
    for name in list(arranged.colnames):
        own = _ERASS_NAMES.get(name.lower(), name)
        if own not in arranged.colnames:
            arranged.rename_column(name, own)
    return arranged


def band_problem(table, mission):
    """Why the bands of a table will not be found; empty if they will."""
    try:
        with np.errstate(all="ignore"):
            get_mission(mission).read_bands(table[:0])
    except TableError as error:
        return str(error)
    return ""
