# Licensed under a 3-clause BSD style license - see LICENSE
"""
Regions on the sky.

An archive is asked for the cone around each region; which rows lie inside the
region itself is decided here.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from astropy.coordinates import SkyCoord
from astropy.wcs import WCS

from astro_xlatent.archive.areas import Cone
from astro_xlatent.errors import ParameterError

__all__ = ["Region", "enclose", "inside", "read_regions"]

#: Share by which the cone around a region is wider, for rounding.
_MARGIN = 1e-6
_FORMATS = {".reg": "ds9", ".ds9": "ds9", ".crtf": "crtf", ".fits": "fits"}


@dataclass(frozen=True)
class Region:
    """
    A region with the cone around it.

    Attributes
    ----------
    shape : object
        Sky region of the package ``regions``.
    cone : Cone
    excluded : bool
        Whether rows inside are left out.
    """

    shape: object
    cone: Cone
    excluded: bool = False

    def contains(self, ra, dec):
        """
        Which positions lie inside.

        Circles are exact; ellipses and boxes have their widths along great
        circles through the middle, polygons great circles for sides.

        Parameters
        ----------
        ra, dec : ndarray, shape (n,)
            Degrees (ICRS).

        Returns
        -------
        inside : ndarray of bool, shape (n,)
        """
        near = self.cone.separation(ra, dec) <= self.cone.radius
        if _kind(self.shape) == "circle":
            return near
        inside = np.zeros(len(near), bool)
        if near.any():
            position = SkyCoord(ra[near], dec[near], unit="deg").transform_to(self.shape_frame)
            inside[near] = self.shape.contains(position, _local_wcs(self))
        return inside

    @property
    def shape_frame(self):
        """The frame that angles of the shape are measured in."""
        return _anchor(self.shape).frame.replicate_without_data()


_KINDS = {
    "CircleSkyRegion": "circle",
    "EllipseSkyRegion": "ellipse",
    "RectangleSkyRegion": "box",
    "PolygonSkyRegion": "polygon",
}


def _kind(shape):
    return _KINDS.get(type(shape).__name__)


def _anchor(shape):
    return shape.vertices[0] if _kind(shape) == "polygon" else shape.center


def _local_wcs(region):
    """A map around the region on which its shape is as it is on the sky."""
    shape = region.shape
    # Great circles are straight in the gnomonic projection, distances from the middle true in ARC.
    projection = "TAN" if _kind(shape) == "polygon" else "ARC"
    middle = SkyCoord(region.cone.ra, region.cone.dec, unit="deg").transform_to(region.shape_frame)
    galactic = region.shape_frame.name == "galactic"
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = [
        f"{'GLON' if galactic else 'RA--'}-{projection}",
        f"{'GLAT' if galactic else 'DEC-'}-{projection}",
    ]
    wcs.wcs.crval = [middle.spherical.lon.deg, middle.spherical.lat.deg]
    step = region.cone.radius / 1000
    wcs.wcs.cdelt, wcs.wcs.crpix = [-step, step], [1, 1]
    if not galactic:
        wcs.wcs.radesys = {"fk5": "FK5", "fk4": "FK4"}.get(region.shape_frame.name, "ICRS")
        if wcs.wcs.radesys != "ICRS":
            wcs.wcs.equinox = region.shape_frame.equinox.jyear
    return wcs


def read_regions(path):
    """
    Read circles, ellipses, boxes and polygons in sky coordinates.

    Parameters
    ----------
    path : path-like
        DS9, CRTF or FITS; the package ``regions`` tells by name or content.

    Returns
    -------
    regions : list of Region

    Raises
    ------
    ParameterError
        If the file cannot be read, is empty, or holds another shape or
        regions in pixels.
    """
    from regions import Regions

    path = Path(path)
    if not path.is_file():
        msg = f"{path}: no such region file"
        raise ParameterError(msg)
    try:
        # DS9 files without their customary first line are common, and not told by content.
        found = Regions.read(path, format=_FORMATS.get(path.suffix.lower()))
    except Exception as error:
        # The parsers of the package raise whatever they meet.
        said = (str(error).splitlines() or [type(error).__name__])[0]
        msg = f"{path}: cannot be read as a region file (DS9, CRTF or FITS): {said}"
        raise ParameterError(msg) from error
    result = [enclose(shape, path) for shape in found]
    if not any(not region.excluded for region in result):
        msg = f"{path}: holds no region to search in"
        raise ParameterError(msg)
    return result


def enclose(shape, path="regions"):
    """
    A region with the cone around it.

    Parameters
    ----------
    shape : object
        Of the package ``regions``.
    path : path-like, optional
        Named in an error.

    Returns
    -------
    region : Region

    Raises
    ------
    ParameterError
        If it is another shape, or in pixels.
    """
    kind = _kind(shape)
    if kind is None:
        pixels = (
            "in pixels (save it in sky coordinates)" if type(shape).__name__.endswith("PixelRegion") else ""
        )
        msg = f"{path}: {type(shape).__name__} {pixels} cannot be used; allowed: {', '.join(_KINDS)}"
        raise ParameterError(" ".join(msg.split()))
    if kind == "polygon":
        corners = shape.vertices.icrs.cartesian.xyz.value
        middle = SkyCoord(*corners.mean(axis=1), representation_type="cartesian")
        middle = SkyCoord(middle.spherical.lon, middle.spherical.lat)
        radius = middle.separation(shape.vertices.icrs).deg.max()
    else:
        middle = shape.center.icrs
        size = (
            [shape.radius.to_value("deg")]
            if kind == "circle"
            else [shape.width.to_value("deg") / 2, shape.height.to_value("deg") / 2]
        )
        radius = np.hypot(*size) if kind == "box" else max(size)
    wider = 1.0 if kind == "circle" else 1 + _MARGIN
    cone = Cone(float(middle.ra.deg) % 360.0, float(middle.dec.deg), float(radius) * wider)
    return Region(shape, cone, excluded=str(shape.meta.get("include", True)) in ("False", "-", "0"))


def inside(regions, ra, dec):
    """
    Which positions lie in at least one region and in none that is excluded.

    Parameters
    ----------
    regions : list of Region
    ra, dec : array-like, shape (n,)
        Degrees (ICRS).

    Returns
    -------
    inside : ndarray of bool, shape (n,)
    """
    ra, dec = np.asarray(ra, float), np.asarray(dec, float)
    found = np.zeros(len(ra), bool)
    for region in regions:
        if not region.excluded:
            found |= region.contains(ra, dec)
    for region in regions:
        if region.excluded:
            found &= ~region.contains(ra, dec)
    return found
