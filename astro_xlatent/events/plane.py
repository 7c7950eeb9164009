# Licensed under a 3-clause BSD style license - see LICENSE
"""The plane in which regions and events meet, and whether regions lie in it as they should."""

import warnings
from typing import Any

import numpy as np

from astro_xlatent.core.errors import RegionError, XlatentWarning
from astro_xlatent.events.aperture import Aperture
from astro_xlatent.events.column_wcs import column_wcs, wcs_around
from astro_xlatent.events.files import EventFile

__all__ = ["Occupancy", "Plane", "check_overlap", "check_place", "warn"]

# Share of a region that may lie elsewhere than it should before this is said.
_TOLERATED = 0.005
_ALL = 0.99
_CELLS = 1024
# Cells are joined until half of those with events have as many: below 1e-4 that one is empty by chance.
_EVENTS_A_CELL = 10


class Plane:
    """Where regions and events meet: X and Y, or a plane made from RA and DEC around the source region."""

    def __init__(self, events, source):
        plane, sky = ({*pair} <= set(events.columns) for pair in (("X", "Y"), ("RA", "DEC")))
        if not plane and not sky:
            events.fail(f"columns X and Y, or RA and DEC, are needed, it has {', '.join(events.columns)}")
        self.wcs = column_wcs(events, "X", "Y") if plane else None
        self.projected = not plane or (sky and self.wcs is None and hasattr(source.shapes[0], "to_pixel"))
        self.columns = ("RA", "DEC") if self.projected else ("X", "Y")
        if self.projected:
            self.wcs = _tangent_plane(events, source)

    def xy(self, piece: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """Positions of events in the plane."""
        x, y = (np.asarray(piece[name], float) for name in self.columns)
        if self.projected:
            x, y = self.wcs.wcs_world2pix(x, y, 1)
        return x, y

    def limits(self, events: EventFile) -> tuple[float, float, float, float]:
        """Range of the plane's coordinates: what the header says, else what the events cover."""
        limits = [None if self.projected else events.limits(name) for name in self.columns]
        if limits[0] is not None and limits[1] is not None:
            return (*limits[0], *limits[1])
        found = [np.array([np.inf, -np.inf]) for _ in range(2)]
        for piece in events.pieces(self.columns):
            for edges, values in zip(found, self.xy(piece)):
                values = values[np.isfinite(values)]
                edges[0] = min(edges[0], values.min(initial=np.inf))
                edges[1] = max(edges[1], values.max(initial=-np.inf))
        return tuple(np.concatenate(found)) if np.all(np.isfinite(found)) else (0.0, 1.0, 0.0, 1.0)


def _tangent_plane(events, source):
    """World coordinates centered on the source region, in steps of half an arcsecond."""
    shape = source.shapes[0]
    place = shape.vertices if hasattr(shape, "vertices") else shape.center
    if not hasattr(place, "icrs"):
        events.fail("there are no columns X and Y, so that the region must be in sky coordinates")
    return wcs_around(place.icrs if place.isscalar else place.icrs[0], 0.5)


class Occupancy:
    """Where events were seen, within (x_lo, x_hi, y_lo, y_hi): the only map of the detector there is."""

    def __init__(self, limits):
        self._origin, end = np.reshape(limits, (2, 2)).T
        self._cell = np.maximum(end - self._origin, 1e-9) / _CELLS
        self._map = np.zeros((_CELLS, _CELLS), np.int64)

    def add(self, x: np.ndarray, y: np.ndarray) -> None:
        """Count events."""
        index, inside = self._index(x, y, _CELLS)
        self._map += np.bincount(index[inside], minlength=_CELLS**2).reshape(_CELLS, _CELLS)

    def _index(self, x, y, cells):
        with np.errstate(invalid="ignore"):
            i, j = (np.floor((np.asarray(v, float) - o) / (c * _CELLS / cells))
                    for v, o, c in zip((x, y), self._origin, self._cell))
            inside = (i >= 0) & (i < cells) & (j >= 0) & (j < cells)
        return np.where(inside, i * cells + j, 0).astype(np.int64), inside

    def empty_share(self, x: np.ndarray, y: np.ndarray, weight: np.ndarray) -> float:
        """Share of some points (n,) that lie where no event was seen although some are to be expected."""
        if not self._map.any():  # every event lies off the plane that the header describes
            return 1.0
        counts, cells = self._map, _CELLS
        while cells > 4 and np.median(counts[counts > 0]) < _EVENTS_A_CELL:
            cells //= 2
            counts = counts.reshape(cells, 2, cells, 2).sum(axis=(1, 3))
        index, inside = self._index(x, y, cells)
        seen = inside & (counts.ravel()[index] > 0)
        return float(1 - np.sum(weight[seen]) / np.sum(weight)) if np.sum(weight) else 0.0


def check_place(events: EventFile, tallies: list, occupancy: Occupancy, field: Aperture | None) -> None:
    """Refuse regions that lie off the detector or outside the field; warn where they lie so in part."""
    for tally in tallies:
        x, y, weight = tally.aperture.points()
        if not len(x):
            msg = f"{tally.aperture.name}: the {tally.purpose} region has no area, all of it is excluded"
            raise RegionError(msg)
        if field is not None:
            if not field.contains(x, y).any():
                raise RegionError(f"{tally.aperture.name}: the {tally.purpose} region lies outside the field "
                                  f"{field.name}; give a region of this observation")
            continue
        share = occupancy.empty_share(x, y, weight)
        if share > _ALL and not tally.n_events:
            place = ", ".join(f"{value:.0f}" for value in tally.aperture.center)
            msg = (f"{tally.aperture.name}: the {tally.purpose} region (around X, Y {place}) lies off the "
                   f"detector: there is no event in or near it in {events.path}. Give a region of this "
                   "observation")
            raise RegionError(msg)
        if share > _TOLERATED:
            warn(f"{tally.aperture.name}: about {100 * share:.0f} % of the {tally.purpose} region lies where "
                 "no event was seen; if that is off the detector, give the field of view as field=..., so "
                 "that only the area within it counts")
        if not tally.n_events:
            warn(f"{tally.aperture.name}: no event in the {tally.purpose} region")


def check_overlap(source: Any, background: Any) -> None:
    """Refuse a background within the source region; warn where they overlap."""
    x, y, weight = source.aperture.points()
    share = np.sum(weight[background.aperture.contains(x, y)]) / np.sum(weight)
    x, y, weight = background.aperture.points()
    back = np.sum(weight[source.aperture.contains(x, y)]) / np.sum(weight)
    if back > _ALL:
        msg = (f"{background.aperture.name}: the background region lies within the source region; give one "
               "outside of it, such as an annulus")
        raise RegionError(msg)
    if max(share, back) > _TOLERATED or source.shared:
        warn(f"{100 * share:.1f} % of the source region, with {source.shared} events, lies in the background "
             "region too; exclude the source from the background, for example with -circle(...)")


def warn(text: str) -> None:
    """Warn the user who called the extraction."""
    warnings.warn(text, XlatentWarning, stacklevel=5)
