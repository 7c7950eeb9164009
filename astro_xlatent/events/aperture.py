# Licensed under a 3-clause BSD style license - see LICENSE
"""Regions in the plane X, Y of event lists. Areas are exact, or counted on a grid where shapes overlap."""

from __future__ import annotations

import numpy as np

from astro_xlatent.core.errors import RegionError
from astro_xlatent.events.regions import read_region
from astro_xlatent.events.sky_regions import to_frame

__all__ = ["Aperture"]

# Points each way of the grid that counts areas: right to 1e-4, far better than any count of photons.
_GRID = 600
# World coordinates of region file and event list that differ by less, in pixels, are the same.
_SAME_PLACE = 0.05
__doctest_requires__ = {"Aperture": ["regions"]}


class Aperture:
    """
    A region, or what `read_region` takes, in the plane X, Y of an event list with a ``wcs`` or None.

    Sky shapes are projected; pixel shapes are taken as X and Y, unless their file has other world
    coordinates.
    """

    def __init__(self, region, wcs, purpose="source"):
        given = read_region(region, purpose)
        self.name = given.name
        self._components = given.map(lambda shape: _Shape(_to_plane(shape, given, wcs, purpose)))
        boxes = np.array([_box(component) for component in self._components])
        self._bounds = boxes[:, 0].min(), boxes[:, 1].max(), boxes[:, 2].min(), boxes[:, 3].max()

    @property
    def center(self) -> tuple[float, float]:
        """Middle of the first component, (x, y)."""
        x_lo, x_hi, y_lo, y_hi = _box(self._components[0])
        return 0.5 * (x_lo + x_hi), 0.5 * (y_lo + y_hi)

    def contains(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Which points of the columns X and Y (n,) lie inside; NaN lies outside."""
        x, y = np.asarray(x, float), np.asarray(y, float)
        inside = np.zeros(x.shape, bool)
        near = np.flatnonzero(_in_box(x, y, self._bounds))
        for component in self._components:
            inside[near] |= _in_component(component, x[near], y[near])
        return inside

    def area(self, field: Aperture | None = None) -> tuple[float, str]:
        """Area in square pixels, within ``field`` if given, and how it was found, 'exact' or 'counted'."""
        total, exact = 0.0, True
        for i, component in enumerate(self._components):
            # Each component counts without what earlier ones have counted.
            before = [c for c in self._components[:i] if _overlap(_box(c), _box(component))]
            part, part_exact = _component_area(component, before, field)
            total, exact = total + part, exact and part_exact
        return float(total), "exact" if exact else "counted"

    def points(self, n: int = 300) -> tuple[np.ndarray, ...]:
        """
        Points inside, of a grid of about ``n`` squared per component: x, y and each one's square pixels.
        """
        parts = []
        for component in self._components:
            x, y, cell = _grid(_box(component), n)
            keep = _in_component(component, x, y)
            parts.append((x[keep], y[keep], np.full(keep.sum(), cell)))
        return tuple(np.concatenate(part) for part in zip(*parts, strict=True))


class _Shape:
    """A pixel region of ``regions`` with its bounding box; coordinates begin at 1."""

    def __init__(self, region):
        self.region, box = region, region.bounding_box
        # From indices of pixels that begin at 0 to outer edges of pixels that begin at 1.
        self.box = (box.ixmin + 0.5, box.ixmax + 0.5, box.iymin + 0.5, box.iymax + 0.5)

    def contains(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        from regions import PixCoord

        inside = np.zeros(x.shape, bool)
        near = np.flatnonzero(_in_box(x, y, self.box))
        if near.size:
            inside[near] = self.region.contains(PixCoord(x[near] - 1, y[near] - 1))
        return inside


def _to_plane(shape, given, wcs, purpose):
    """A pixel region in the events' pixels."""
    if hasattr(shape, "to_pixel"):
        if wcs is None:
            msg = (f"{given.name}: the {purpose} region is in sky coordinates, but the columns X and Y of "
                   "the event list have no world coordinates (TCTYPn, ...); give a region in physical "
                   "coordinates")
            raise RegionError(msg)
        return _projected(shape, given, wcs)
    if given.wcs is None or wcs is None:
        return shape
    place = shape.vertices if hasattr(shape, "vertices") else shape.center
    x, y = wcs.world_to_pixel(given.wcs.pixel_to_world(place.x, place.y))
    if np.max(np.hypot(x - place.x, y - place.y)) < _SAME_PLACE:
        return shape
    return _projected(shape.to_sky(given.wcs), given, wcs)


def _projected(shape, given, wcs):
    from astropy.wcs.utils import wcs_to_celestial_frame

    shape = to_frame(shape, wcs_to_celestial_frame(wcs))
    place = shape.vertices if hasattr(shape, "vertices") else shape.center
    try:
        seen = np.all(np.isfinite(wcs.world_to_pixel(place)))
        plane = shape.to_pixel(wcs) if seen else None
    except (ValueError, np.linalg.LinAlgError):
        plane = None
    if plane is None:
        msg = (f"{given.name}: a shape lies on the other side of the sky from the event list, or too far "
               "away to be projected; give a region of this observation")
        raise RegionError(msg)
    return plane


def _in_box(x, y, box):
    return (x >= box[0]) & (x <= box[1]) & (y >= box[2]) & (y <= box[3])


def _box(component):
    """Common part of the boxes of the included shapes."""
    boxes = np.array([shape.box for shape, sign in component if sign])
    return boxes[:, 0].max(), boxes[:, 1].min(), boxes[:, 2].max(), boxes[:, 3].min()


def _overlap(a, b):
    return a[0] < b[1] and b[0] < a[1] and a[2] < b[3] and b[2] < a[3]


def _in_component(component, x, y):
    inside = np.ones(x.shape, bool)
    for shape, sign in component:
        left = np.flatnonzero(inside)
        inside[left] = shape.contains(x[left], y[left]) == sign
    return inside


def _grid(box, n=_GRID):
    """Centers of the cells of a grid over a box, and the area of a cell."""
    width, height = box[1] - box[0], box[3] - box[2]
    if width <= 0 or height <= 0:
        return np.zeros(0), np.zeros(0), 0.0
    # Different numbers each way, lest all of a diagonal side fall on points.
    m = n + 17
    x = box[0] + (np.arange(n) + 0.5) / n * width
    y = box[2] + (np.arange(m) + 0.5) / m * height
    x, y = (part.ravel() for part in np.meshgrid(x, y))
    return x, y, width * height / (n * m)


def _component_area(component, before, field):
    box = _box(component)
    plus = [shape for shape, sign in component if sign]
    minus = [shape for shape, sign in component if not sign and _overlap(shape.box, box)]
    if len(plus) == 1 and not minus and not before and field is None:
        return float(plus[0].region.area), True
    x, y, cell = _grid(box)
    within = plus[0].contains(x, y)
    x, y = x[within], y[within]
    keep = _in_component(component, x, y)
    for other in before:
        keep &= ~_in_component(other, x, y)
    if field is not None:
        keep &= field.contains(x, y)
    if len(plus) == 1 and len(x):
        # A share of the exact area: the grid's own error at the rim cancels.
        return float(plus[0].region.area) * keep.mean(), False
    return float(keep.sum()) * cell, False
