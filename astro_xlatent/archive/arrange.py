# Licensed under a 3-clause BSD style license - see LICENSE
"""
Columns under the names that `astro_xlatent.add_latents` recognises.

The CSC's own names, and HEASARC's for it, are recognised as they are. VizieR
and HEASARC respell those of eRASS (``MLctsP1``, ``e_MLctsP1``,
``p1_counts_error``), which are given back their own (``ML_CTS_P1``,
``ML_CTS_ERR_P1``) by rule rather than by a list, for how they spell every
column is not documented.
"""

import re

import numpy as np

from astro_xlatent.errors import TableError
from astro_xlatent.missions.base import get_mission

__all__ = ["arrange_columns", "band_problem"]

_BANDS = ("0", "1", "2", "3", "4", *(f"P{k}" for k in range(1, 10)))
_FITTED = ("ML_CTS", "ML_RATE", "ML_FLUX")
_STEMS = (
    *(f"{stem}{part}" for stem in _FITTED for part in ("", "_ERR", "_LOWERR", "_UPERR")),
    *"ML_BKG ML_EXP ML_EEF APE_CTS APE_BKG APE_EXP APE_RADIUS APE_POIS DET_LIKE".split(),
)
_SINGLE = """
    IAUNAME DETUID SKYTILE ID_SRC UID UID_Hard UID_1B ID_CLUSTER RA DEC RA_RAW DEC_RAW RADEC_ERR
    POS_ERR LII BII ELON ELAT MJD MJD_MIN MJD_MAX EXT EXT_ERR EXT_LOWERR EXT_UPERR EXT_LIKE
    FLAG_SP_SNR FLAG_SP_BPS FLAG_SP_SCL FLAG_SP_LGA FLAG_SP_GC_CONS FLAG_NO_RADEC_ERR
    FLAG_NO_EXT_ERR FLAG_NO_CTS_ERR FLAG_OPT
""".split()
_OTHER_WORDS = {
    "raicrs": "RA",
    "deicrs": "DEC",
    "glon": "LII",
    "glat": "BII",
    "error_radius": "POS_ERR",
    "name": "IAUNAME",
    "source_extent": "EXT",
    "source_extent_error": "EXT_ERR",
    "extent_likelihood": "EXT_LIKE",
    "cluster_id": "ID_CLUSTER",
    "source_number": "ID_SRC",
    "sky_tile": "SKYTILE",
    "uidh": "UID_Hard",
}
_HEASARC = re.compile(
    r"(?:b(?P<band>\d)|(?P<forced>p\d))_(?P<aperture>ap(?:er(?:ture)?|e)?_)?"
    r"(?P<what>counts|cts|count_rate|rate|flux|background|bkg|exposure|detect_likelihood)"
    r"(?P<error>_error|_err)?"
)
_WHAT = {
    "counts": "CTS",
    "cts": "CTS",
    "count_rate": "RATE",
    "rate": "RATE",
    "flux": "FLUX",
    "background": "BKG",
    "bkg": "BKG",
    "exposure": "EXP",
}


def _key(name):
    return re.sub(r"[_\s]", "", name).lower()


_OWN = {_key(name): name for name in (*_SINGLE, *(f"{stem}_{band}" for stem in _STEMS for band in _BANDS))}


def _erass_name(name):
    """The catalogue's own name of a column, or None."""
    low = name.lower()
    for wanted in (_key(name), low):
        if wanted in _OWN:
            return _OWN[wanted]
        if wanted in _OTHER_WORDS:
            return _OTHER_WORDS[wanted]
    if low.startswith("e_") and (base := _OWN.get(_key(name[2:]))):
        stem, _, band = base.rpartition("_")
        return _OWN.get(_key(f"{stem}_ERR_{band}")) or _OWN.get(_key(f"{base}_ERR"))
    found = _HEASARC.fullmatch(low)
    if not found:
        return None
    band = found["band"] or found["forced"]
    if found["what"] == "detect_likelihood":
        return _OWN.get(_key(f"DET_LIKE_{band}"))
    kind = "APE" if found["aperture"] else "ML"
    error = "_ERR" if found["error"] else ""
    return _OWN.get(_key(f"{kind}_{_WHAT[found['what']]}{error}_{band}"))


def arrange_columns(table, mission):
    """
    Give columns the names under which their mission publishes them.

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
    """
    arranged = table[[name for name in table.colnames if not name.startswith("__")]]
    if mission != "erosita":
        return arranged
    for name in list(arranged.colnames):
        own = _erass_name(name)
        if own and own != name and own not in arranged.colnames:
            arranged.rename_column(name, own)
    return arranged


def band_problem(table, mission):
    """
    Why the bands of a table will not be found.

    Parameters
    ----------
    table : `~astropy.table.Table`
    mission : str

    Returns
    -------
    problem : str
        Empty if they will.
    """
    try:
        with np.errstate(all="ignore"):
            get_mission(mission).read_bands(table[:0])
    except TableError as error:
        return str(error)
    return ""
