# Licensed under a 3-clause BSD style license - see LICENSE
"""The world coordinates of a pair of table columns (TCTYPn, TCRPXn, ...; FITS standard 4.0, table 22)."""

from astropy.coordinates import SkyCoord
from astropy.wcs import WCS

from astro_xlatent.spectra._fits import Table

__all__ = ["column_wcs", "wcs_around"]

_FIRST, _SECOND = ("RA--", "GLON", "ELON"), ("DEC-", "GLAT", "ELAT")


def column_wcs(table: Table, x_name: str, y_name: str) -> WCS | None:
    """World coordinates of two columns of pixels that begin at 1; None if they carry no celestial ones."""
    header, axes = table.header, [table.columns[name].number for name in (x_name, y_name)]
    types = [header.text(f"TCTYP{i}").upper() for i in axes]
    if not (types[0].startswith(_FIRST) and types[1].startswith(_SECOND)):
        return None
    cards: dict = {"CTYPE1": types[0], "CTYPE2": types[1], "CUNIT1": "deg", "CUNIT2": "deg"}
    for name, key in (("CRPIX", "TCRPX"), ("CRVAL", "TCRVL"), ("CDELT", "TCDLT")):
        values = [header.number(f"{key}{i}") for i in axes]
        if None in values or (key == "TCDLT" and 0 in values):
            table.fail(f"{key} of the columns {x_name} and {y_name} is {values}; numbers are needed, the "
                       "header is damaged")
        cards |= {f"{name}1": values[0], f"{name}2": values[1]}
    # Rotation in the old convention of one angle.
    cards["CROTA2"] = header.number(f"TCROT{axes[1]}") or 0.0
    frame = header.text("RADESYS").upper() or header.text("RADECSYS").upper()
    if frame in ("ICRS", "FK5", "FK4"):
        cards["RADESYS"] = frame
    if frame in ("FK5", "FK4") and 1900 <= (header.number("EQUINOX") or 0) <= 2100:
        cards["EQUINOX"] = header.number("EQUINOX")
    try:
        return WCS(cards)
    except Exception as error:  # wcslib has a family of exceptions of its own
        return table.fail(f"the world coordinates of {x_name} and {y_name} ({', '.join(types)}) cannot be "
                          f"used: {str(error).splitlines()[0]}")


def wcs_around(center: SkyCoord, arcsec: float, projection: str = "TAN") -> WCS:
    """World coordinates (ICRS) whose pixel 1, 1 is a place on the sky, in steps of some arcseconds."""
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = [f"RA---{projection}", f"DEC--{projection}"]
    wcs.wcs.crval = [center.ra.deg, center.dec.deg]
    wcs.wcs.crpix, wcs.wcs.cdelt = [1, 1], [-arcsec / 3600, arcsec / 3600]
    wcs.wcs.radesys = "ICRS"
    wcs.wcs.set()
    return wcs
