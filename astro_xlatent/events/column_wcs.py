# Licensed under a 3-clause BSD style license - see LICENSE
"""
The world coordinates of a pair of table columns (TCTYPn, TCRPXn, ...).

References
----------
FITS standard 4.0, table 22 (keywords of pixel lists).
"""

from collections.abc import Callable
from typing import NoReturn

import numpy as np
from astropy.coordinates import SkyCoord
from astropy.wcs import WCS

from astro_xlatent.spectra._cards import Header

__all__ = ["column_limits", "column_number", "column_wcs", "wcs_around"]

_FIRST, _SECOND = ("RA--", "GLON", "ELON"), ("DEC-", "GLAT", "ELAT")


def column_number(header: Header, name: str) -> int | None:
    """Number of the column of this name in any case, or None."""
    for i in range(1, header.get("TFIELDS", 0) + 1):
        if header.text(f"TTYPE{i}").upper() == name.upper():
            return i
    return None


def column_limits(header: Header, name: str) -> tuple[float, float] | None:
    """
    Lowest and highest edge of a column's pixels (TLMINn, TLMAXn), or None.

    Whole numbers, as of integer columns, are pixel centers, so that the edges lie half a pixel further out.
    """
    i = column_number(header, name)
    low, high = (header.get(f"{key}{i}") for key in ("TLMIN", "TLMAX"))
    for value in (low, high):
        if isinstance(value, (bool, str)) or value is None or not np.isfinite(value):
            return None
    half = 0.5 if low == np.floor(low) and high == np.floor(high) else 0.0
    return (low - half, high + half) if low < high else None


def column_wcs(header: Header, x_name: str, y_name: str, fail: Callable[[str], NoReturn]) -> WCS | None:
    """
    World coordinates of two columns, whose values are pixel numbers that begin at 1; None if they carry no
    celestial ones. ``fail`` is called with a text if the keywords make no sense.
    """
    axes = [column_number(header, name) for name in (x_name, y_name)]
    types = [header.text(f"TCTYP{i}").upper() for i in axes]
    if None in axes or not (types[0].startswith(_FIRST) and types[1].startswith(_SECOND)):
        return None
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = types
    for name, key in (("crpix", "TCRPX"), ("crval", "TCRVL"), ("cdelt", "TCDLT")):
        values = [header.get(f"{key}{i}") for i in axes]
        if not all(isinstance(v, (int, float)) and np.isfinite(v) for v in values) or (
                key == "TCDLT" and 0 in values):
            fail(f"{key} of the columns {x_name} and {y_name} is {values}; numbers are needed, the header "
                 "is damaged")
        setattr(wcs.wcs, name, values)
    wcs.wcs.cunit = ["deg", "deg"]
    _rotate(wcs, header.get(f"TCROT{axes[1]}", 0.0))
    _set_frame(wcs, header)
    try:
        wcs.wcs.set()
    except Exception as error:  # wcslib has a family of exceptions of its own
        fail(f"the world coordinates of {x_name} and {y_name} ({', '.join(types)}) cannot be used: "
             f"{str(error).splitlines()[0]}")
    return wcs


def _rotate(wcs, degrees):
    """Rotation in the old convention of one angle (CROTA2)."""
    if not isinstance(degrees, (int, float)) or not degrees:
        return
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    dx, dy = wcs.wcs.cdelt
    wcs.wcs.pc = [[cos, -sin * dy / dx], [sin * dx / dy, cos]]


def _set_frame(wcs, header):
    frame = header.text("RADESYS").upper() or header.text("RADECSYS").upper()
    if frame in ("ICRS", "FK5", "FK4"):
        wcs.wcs.radesys = frame
    equinox = header.get("EQUINOX")
    if frame in ("FK5", "FK4") and isinstance(equinox, (int, float)) and 1900 <= equinox <= 2100:
        wcs.wcs.equinox = equinox


def wcs_around(center: SkyCoord, arcsec: float, projection: str = "TAN") -> WCS:
    """World coordinates (ICRS) whose pixel 1, 1 is a place on the sky, in steps of some arcseconds."""
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = [f"RA---{projection}", f"DEC--{projection}"]
    wcs.wcs.crval = [center.ra.deg, center.dec.deg]
    wcs.wcs.crpix, wcs.wcs.cdelt = [1, 1], [-arcsec / 3600, arcsec / 3600]
    wcs.wcs.radesys = "ICRS"
    wcs.wcs.set()
    return wcs
