# Licensed under a 3-clause BSD style license - see LICENSE
"""
Exposure and BACKSCAL of a spectrum from an event list, and whether its region lies on the detector.

References
----------
George I. M. et al., OGIP/92-007 (BACKSCAL is the area of the region relative to
something that source and background share). What that is, is each mission's
habit: the range of X and Y of the event list for CIAO's dmextract and
HEASoft's extractor, square degrees for eROSITA's srctool, pixels of 0.05
arcsec for XMM's backscale; checked against spectra made by these tools.
"""


import numpy as np
from astropy.wcs import WCS

from astro_xlatent.events.files import EventFile

__all__ = ["Occupancy", "backscale", "exposure_of"]

_CELLS = 1024
# Cells are joined until half of those with events have at least this many, so
# that an empty one is none by chance (probability below 1e-4).
_EVENTS_A_CELL = 10


def exposure_of(events: EventFile, detector: int | None, before: float) -> tuple[float, str]:
    """
    Exposure in s of a region mostly on one detector, and the rule by which it was found; ``before`` are the
    good seconds before the user's own good times, 0 if there were none.
    """
    header = events.header
    keys = ["EXPOSURE", "LIVETIME"]
    if detector is not None and "CCD_ID" in events.columns:
        keys = [f"LIVTIME{detector}", f"EXPOSUR{detector}", *keys]
    share = events.good_seconds(detector) / before if before > 0 else 1.0
    for key in keys:
        value = header.get(key)
        if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value < 1e12:
            return float(value) * share, key + (f" x {share:.4f} of the good time" if before > 0 else "")
    factor = header.get("DTCOR")
    known = isinstance(factor, (int, float)) and 0 < factor <= 1
    seconds = events.good_seconds(detector)
    if seconds <= 0:
        events.fail("neither EXPOSURE nor LIVETIME nor good time intervals; give exposure=... in s")
    return seconds * (factor if known else 1.0), "good times x DTCOR" if known else (
        "good times, not corrected for dead time")


def backscale(events: EventFile, wcs: WCS | None, area: float) -> tuple[float, str]:
    """BACKSCAL of a region of some square pixels of X and Y, and the rule, see the references above."""
    telescope = events.header.text("TELESCOP").upper()
    limits = [events.limits(name) for name in ("X", "Y")]
    if telescope == "XMM":
        return area, "pixels of X and Y"
    if wcs is not None and (telescope == "EROSITA" or None in limits):
        return area * abs(float(np.prod(wcs.wcs.cdelt))), "square degrees"
    if None in limits:
        return area, "pixels of X and Y"
    ranges = [limit[1] - limit[0] for limit in limits if limit is not None]
    return area / float(np.prod(ranges)), "share of the range of X and Y"


class Occupancy:
    """
    Where events have been seen at all, within limits (x_lo, x_hi, y_lo, y_hi): the only map of the detector
    that an event list brings.
    """

    def __init__(self, limits):
        x_lo, x_hi, y_lo, y_hi = limits
        self._origin = np.array([x_lo, y_lo])
        self._cell = np.array([max(x_hi - x_lo, 1e-9), max(y_hi - y_lo, 1e-9)]) / _CELLS
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
