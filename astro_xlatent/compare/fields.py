# Licensed under a 3-clause BSD style license - see LICENSE
"""
Fields of the sky: groups of positions that no split should part.

Sources closer than one degree to one another belong to one field (friends of
friends). Detections of one source, sources of one cluster and spectra of one
pointing are then on one side of every split by field, provided all positions
in use are joined in one call.
"""

import numpy as np
from astropy.coordinates import SkyCoord

from astro_xlatent.core.errors import ParameterError

__all__ = ["LINKING_LENGTH", "SkyFields"]

#: Degrees within which two sources are friends.
LINKING_LENGTH = 1.0


def _unit_vectors(ra, dec):
    ra, dec = np.atleast_1d(np.asarray(ra, float)), np.atleast_1d(np.asarray(dec, float))
    if ra.shape != dec.shape or ra.ndim != 1:
        msg = f"ra and dec must be 1-d and equally long, got shapes {ra.shape} and {dec.shape}"
        raise ParameterError(msg)
    if not np.all(np.isfinite(ra) & np.isfinite(dec)) or np.any(np.abs(dec) > 90):
        msg = "ra and dec must be finite degrees with |dec| <= 90; drop rows without a position first"
        raise ParameterError(msg)
    return SkyCoord(ra, dec, unit="deg").cartesian.xyz.value.T


def _chord(degrees):
    return 2.0 * np.sin(np.radians(degrees) / 2.0)


def _components(points):
    """Friends of friends: label of every point, shape (n,)."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components
    from scipy.spatial import cKDTree

    # identical positions once: detections repeat them, and pairs grow as the square
    unique, inverse = np.unique(np.round(points, 9), axis=0, return_inverse=True)
    pairs = cKDTree(unique).query_pairs(_chord(LINKING_LENGTH), output_type="ndarray")
    graph = coo_array((np.ones(len(pairs), bool), (pairs[:, 0], pairs[:, 1])), shape=(len(unique),) * 2)
    return connected_components(graph, directed=False)[1][inverse.ravel()]


def _field_name(points):
    """Name of a field by its southernmost member (then smallest RA), to 0.001 degrees."""
    dec = np.degrees(np.arcsin(np.clip(points[:, 2], -1, 1))).round(3)
    ra = (np.degrees(np.arctan2(points[:, 1], points[:, 0])) % 360.0).round(3) % 360.0
    first = np.lexsort((ra, dec))[0]
    return f"{ra[first]:07.3f}{dec[first] + 0.0:+07.3f}"


class SkyFields:
    """
    Fields of a set of positions in degrees (ICRS), (n,), which must be finite.

    ``field`` (n,) numbers them in order of their ``names``.

    Examples
    --------
    >>> from astro_xlatent.compare.fields import SkyFields
    >>> sky = SkyFields([359.9, 0.3, 120.0], [0.0, 0.1, 40.0])
    >>> sky.field.tolist(), len(sky.names)
    ([1, 1, 0], 2)
    """

    def __init__(self, ra, dec):
        self._points = _unit_vectors(ra, dec)
        label = _components(self._points) if len(self._points) else np.zeros(0, int)
        raw = [_field_name(self._points[label == k]) for k in range(label.max(initial=-1) + 1)]
        order = np.argsort(raw)
        rank = np.empty(len(raw), int)
        rank[order] = np.arange(len(raw))
        self.names = [raw[k] for k in order]
        self.field = rank[label]

    def assign(self, ra, dec):
        """Fields of other positions: that of the nearest known one within the linking length, else -1."""
        from scipy.spatial import cKDTree

        distance, nearest = cKDTree(self._points).query(_unit_vectors(ra, dec))
        return np.where(distance <= _chord(LINKING_LENGTH), self.field[nearest], -1)
