# Licensed under a 3-clause BSD style license - see LICENSE
"""Regions on the sphere: what lies inside without any image, and moving shapes between frames."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from astropy import units as u
from astropy.coordinates import SkyCoord

from astro_xlatent.core.errors import RegionError
from astro_xlatent.events.column_wcs import wcs_around

if TYPE_CHECKING:
    from astropy.coordinates import BaseCoordinateFrame
    from regions import Region, SkyRegion

    from astro_xlatent.events.regions import RegionSet

__all__ = ["enclosing_cone", "inside_region", "on_sky", "to_frame"]

# A tangent plane shows less than half of the sky; polygons stay well within.
_LARGEST_POLYGON = 80.0


def inside_region(region: RegionSet, xyz: np.ndarray) -> np.ndarray:
    """
    Which positions, unit vectors (n, 3) in ICRS, lie in a region.

    Sides of polygons are great circles; other shapes are laid out by separation and position angle from their
    center. A `RegionError` is raised for pixels without a sky, and polygons of more than about half of it.
    """
    inside = np.zeros(len(xyz), bool)
    for component in region.map(lambda shape: _inside(on_sky(shape, region), xyz)):
        rows = np.ones(len(xyz), bool)
        for found, sign in component:
            rows &= found == sign
        inside |= rows
    return inside


def enclosing_cone(shape: SkyRegion) -> tuple[SkyCoord, u.Quantity]:
    """Center (ICRS) and radius of a circle around; a polygon of more than about half the sky is refused."""
    if hasattr(shape, "vertices"):
        return _around_corners(shape.vertices.icrs)
    for key in ("radius", "outer_radius"):
        if hasattr(shape, key):
            return shape.center.icrs, getattr(shape, key)
    prefix = "outer_" if hasattr(shape, "outer_width") else ""
    sides = [0.5 * getattr(shape, prefix + key) for key in ("width", "height")]
    radius = max(sides) if type(shape).__name__.startswith("Ellipse") else np.hypot(*sides)
    return shape.center.icrs, radius


def to_frame(shape: SkyRegion, frame: BaseCoordinateFrame) -> SkyRegion:
    """
    The same shape on the sky, its center and angle told in another frame.

    The angle of an ellipse or box is that of its own frame in DS9's files and in ``regions`` before 0.12,
    whereas 0.12 takes it for one of the image; once moved, all agree.
    """
    if hasattr(shape, "vertices"):
        return shape.copy(vertices=shape.vertices.transform_to(frame))
    center = shape.center.transform_to(frame)
    if not hasattr(shape, "angle"):
        return shape.copy(center=center)
    north = shape.center.directional_offset_by(0 * u.deg, 1 * u.arcsec).transform_to(frame)
    return shape.copy(center=center, angle=shape.angle + center.position_angle(north))


def on_sky(shape: Region, region: RegionSet) -> SkyRegion:
    """A shape of a region on the sky; one in pixels that lie nowhere on it is refused."""
    if hasattr(shape, "to_pixel"):
        return shape
    if region.wcs is None:
        msg = (f"{region.name}: a shape is in pixels, and nothing tells where on the sky; give a region in "
               "sky coordinates (icrs, fk5, galactic)")
        raise RegionError(msg)
    return shape.to_sky(region.wcs)


def _around_corners(corners):
    middle = corners.cartesian.mean()
    center = SkyCoord(middle.x, middle.y, middle.z, representation_type="cartesian")
    center = SkyCoord(center.spherical.lon, center.spherical.lat)
    radius = corners.separation(center).max()
    if radius.deg > _LARGEST_POLYGON:
        msg = f"a polygon reaches {radius.deg:.0f} degrees from its middle; at most {_LARGEST_POLYGON:g}"
        raise RegionError(msg)
    return center, radius


def _inside(shape, xyz):
    """Which positions lie inside one shape; few of them are looked at."""
    center, radius = enclosing_cone(shape)
    inside = np.zeros(len(xyz), bool)
    # The cosine is exact to 1e-16, thus the angle to 1e-8: the margin keeps all that are inside.
    least = np.cos(min(radius.to_value(u.rad), np.pi)) - 1e-12
    near = np.flatnonzero(xyz @ center.cartesian.xyz.value >= least)
    if near.size:
        coords = SkyCoord(*xyz[near].T, representation_type="cartesian")
        inside[near] = _contains(shape, center, SkyCoord(coords.spherical.lon, coords.spherical.lat))
    return inside


def _contains(shape, center, coords):
    from regions import PixCoord

    kind = type(shape).__name__
    if kind in ("CircleSkyRegion", "CircleAnnulusSkyRegion"):
        distance = coords.separation(center)
        if kind == "CircleSkyRegion":
            return distance < shape.radius
        return (distance > shape.inner_radius) & (distance < shape.outer_radius)
    # Straight great circles for polygons, true distances from the center for the rest.
    wcs = wcs_around(center, 1.0, "TAN" if hasattr(shape, "vertices") else "ARC")
    x, y = wcs.world_to_pixel(coords)
    return to_frame(shape, coords.frame.replicate_without_data()).to_pixel(wcs).contains(PixCoord(x, y))
