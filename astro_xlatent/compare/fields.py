# Licensed under a 3-clause BSD style license - see LICENSE
"""Fields of the sky: groups of positions that no split should part."""

import numpy as np
from astropy.coordinates import SkyCoord
from numpy.typing import ArrayLike

from astro_xlatent.core.errors import ParameterError

__all__ = ["LINKING_LENGTH", "sky_fields"]

#: Degrees within which two sources are friends.
LINKING_LENGTH = 1.0


def sky_fields(ra: ArrayLike, dec: ArrayLike) -> tuple[np.ndarray, list[str]]:
    """
    Number of every position's field, and the fields' names; finite degrees (ICRS), (n,).

    Sources closer than one degree to one another belong to one field (friends of friends), named by
    its southernmost member (then smallest RA), to 0.001 degrees; numbers are in order of names.

    Examples
    --------
    >>> from astro_xlatent.compare.fields import sky_fields
    >>> field, names = sky_fields([359.9, 0.3, 120.0], [0.0, 0.1, 40.0])
    >>> field.tolist(), len(names)
    ([1, 1, 0], 2)
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components
    from scipy.spatial import cKDTree

    ra, dec = np.atleast_1d(np.asarray(ra, float)), np.atleast_1d(np.asarray(dec, float))
    if ra.shape != dec.shape or ra.ndim != 1:
        msg = f"ra and dec must be 1-d and equally long, got shapes {ra.shape} and {dec.shape}"
        raise ParameterError(msg)
    if not np.all(np.isfinite(ra) & np.isfinite(dec)) or np.any(np.abs(dec) > 90):
        msg = "ra and dec must be finite degrees with |dec| <= 90; drop rows without a position first"
        raise ParameterError(msg)
    if not ra.size:
        return np.zeros(0, int), []
    points = SkyCoord(ra, dec, unit="deg").cartesian.xyz.value.T
    # Identical positions once: detections repeat them, and pairs grow as the square.
    unique, inverse = np.unique(np.round(points, 9), axis=0, return_inverse=True)
    chord = 2.0 * np.sin(np.radians(LINKING_LENGTH) / 2.0)
    pairs = cKDTree(unique).query_pairs(chord, output_type="ndarray")
    graph = coo_array((np.ones(len(pairs), bool), (pairs[:, 0], pairs[:, 1])), shape=(len(unique),) * 2)
    label = connected_components(graph, directed=False)[1][inverse.ravel()]
    dec = np.degrees(np.arcsin(np.clip(points[:, 2], -1, 1))).round(3)
    ra = (np.degrees(np.arctan2(points[:, 1], points[:, 0])) % 360.0).round(3) % 360.0
    order = np.lexsort((ra, dec))
    south = order[np.unique(label[order], return_index=True)[1]]
    names = [f"{ra[k]:07.3f}{dec[k] + 0.0:+07.3f}" for k in south]
    return np.argsort(np.argsort(names))[label], sorted(names)
