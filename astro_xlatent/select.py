# Licensed under a 3-clause BSD style license - see LICENSE
"""Rows of a table by region on the sky."""

import numpy as np
from astropy import units as u
from astropy.coordinates import SkyCoord

from astro_xlatent.errors import RegionError
from astro_xlatent.positions import read_positions
from astro_xlatent.spectra.region_files import read_region

__all__ = ["select_by_region"]

__doctest_requires__ = {"select_by_region": ["regions"]}
# A tangent plane shows less than half of the sky; polygons stay well within.
_LARGEST_POLYGON = 80.0


def select_by_region(table, region):
    """
    Which rows of a catalogue lie in a region.

    Parameters
    ----------
    table : `~astropy.table.Table`
        With columns ``ra`` and ``dec`` in any case (ICRS; degrees if without unit).
    region : str, path-like, regions.SkyRegion or regions.Regions
        DS9, CRTF or FITS region file, or regions, on the sky. Excluded shapes
        (``-circle(...)``) are taken out of all included ones.

    Returns
    -------
    inside : ndarray of bool, shape (n_rows,)
        False where the position is masked or not finite.

    Raises
    ------
    RegionError
        If the region cannot be read, or is in pixels without world coordinates.
    TableError
        If there are no usable columns of positions.
    ImportError
        If the regions package is not installed.

    Notes
    -----
    No image is needed: circles and annuli are separations on the sphere,
    ellipses and boxes are laid out around their centre by separation and
    position angle, and the sides of polygons are great circles.

    Examples
    --------
    >>> from astropy import units as u
    >>> from astropy.coordinates import SkyCoord
    >>> from astropy.table import Table
    >>> from regions import CircleSkyRegion
    >>> from astro_xlatent.select import select_by_region
    >>> t = Table({"ra": [359.99, 0.01, 1.0], "dec": [0.0, 0.0, 0.0]})
    >>> select_by_region(t, CircleSkyRegion(SkyCoord(0 * u.deg, 0 * u.deg), 2 * u.arcmin))
    array([ True,  True, False])
    """
    region = read_region(region)
    inside = np.zeros(len(table), bool)
    if not len(table):
        return inside
    # Any error will do: only the positions are used.
    positions = read_positions(table, error=1 * u.arcsec)
    found = {}
    for shape in region.shapes:
        if id(shape) not in found:
            found[id(shape)] = _inside(_on_sky(shape, region), positions)
    for component in region.components:
        rows = np.ones(len(positions), bool)
        for shape, sign in component:
            rows &= found[id(shape)] == sign
        inside[positions.rows[rows]] = True
    return inside


def _on_sky(shape, region):
    if hasattr(shape, "to_pixel"):
        return shape
    if region.wcs is None:
        msg = (f"{region.name}: a shape is in pixels, and nothing tells where on the sky; give a region in "
               "sky coordinates (icrs, fk5, galactic)")
        raise RegionError(msg)
    return shape.to_sky(region.wcs)


def _inside(shape, positions):
    """Which positions lie inside one shape; few of them are looked at."""
    center, reach = _surroundings(shape)
    inside = np.zeros(len(positions), bool)
    # The cosine is exact to 1e-16, thus the angle to 1e-8: the margin keeps all that are inside.
    least = np.cos(min(reach.to_value(u.rad), np.pi)) - 1e-12
    near = np.flatnonzero(positions.xyz @ center.cartesian.xyz.value >= least)
    if near.size:
        coords = SkyCoord(*positions.xyz[near].T, representation_type="cartesian")
        inside[near] = _contains(shape, center, SkyCoord(coords.spherical.lon, coords.spherical.lat))
    return inside


def _surroundings(shape):
    """Centre, ICRS, and the largest distance from it."""
    if hasattr(shape, "vertices"):
        corners = shape.vertices.icrs
        middle = corners.cartesian.mean()
        center = SkyCoord(middle.x, middle.y, middle.z, representation_type="cartesian")
        center = SkyCoord(center.spherical.lon, center.spherical.lat)
        reach = corners.separation(center).max()
        if reach.deg > _LARGEST_POLYGON:
            msg = f"a polygon reaches {reach.deg:.0f} degrees from its middle; at most {_LARGEST_POLYGON:g}"
            raise RegionError(msg)
        return center, reach
    radii = [getattr(shape, key) for key in ("radius", "outer_radius") if hasattr(shape, key)]
    if not radii:
        prefix = "outer_" if hasattr(shape, "outer_width") else ""
        width, height = (getattr(shape, prefix + key) for key in ("width", "height"))
        radii = [0.5 * np.hypot(width, height)]
    return shape.center.icrs, radii[0]


def _contains(shape, center, coords):
    from regions import PixCoord

    kind = type(shape).__name__
    if kind in ("CircleSkyRegion", "CircleAnnulusSkyRegion"):
        distance = coords.separation(center)
        if kind == "CircleSkyRegion":
            return distance < shape.radius
        return (distance > shape.inner_radius) & (distance < shape.outer_radius)
    wcs = _plane(center, "TAN" if hasattr(shape, "vertices") else "ARC")
    x, y = wcs.world_to_pixel(coords)
    return shape.to_pixel(wcs).contains(PixCoord(x, y))


def _plane(center, projection):
    """World coordinates around a place: true distances from it (ARC), or straight great circles (TAN)."""
    from astropy.wcs import WCS

    wcs = WCS(naxis=2)
    wcs.wcs.ctype = [f"RA---{projection}", f"DEC--{projection}"]
    wcs.wcs.crval = [center.ra.deg, center.dec.deg]
    wcs.wcs.crpix, wcs.wcs.cdelt = [1, 1], [-1 / 3600, 1 / 3600]
    wcs.wcs.radesys = "ICRS"
    wcs.wcs.set()
    return wcs
