# Licensed under a 3-clause BSD style license - see LICENSE
"""
Fetched columns under names that all rooms of the package look for: names, positions and errors as the catalog
was published with, bands and flags as the archive spells them, which the missions know.
"""

__all__ = ["arrange_columns"]

_ERASS_NAMES = {"IAUNAME": ("name", "iauname"), "RA": ("ra_icrs", "raicrs"), "DEC": ("de_icrs", "deicrs"),
                "POS_ERR": ("poserr", "error_radius")}


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
        Without internal columns (``__row`` and the like); of two columns for one name, the first gets it.

    Examples
    --------
    >>> from astropy.table import Table
    >>> from astro_xlatent.archive.arrange import arrange_columns
    >>> arrange_columns(Table({"__row": [1], "RA_ICRS": [1.0], "MLctsP1": [9.0]}), "erosita").colnames
    ['RA', 'MLctsP1']
    """
    arranged = table[[name for name in table.colnames if not name.startswith("__")]]
    meant = _ERASS_NAMES.items() if mission == "erosita" else ()
    for name in list(arranged.colnames):
        own = next((own for own, spellings in meant if name.lower() in spellings), name)
        if own not in arranged.colnames:
            arranged.rename_column(name, own)
    return arranged
