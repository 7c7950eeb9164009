# Licensed under a 3-clause BSD style license - see LICENSE
"""Rows of a table by region on the sky."""

import numpy as np
from astropy import units as u
from astropy.table import Table

from astro_xlatent.compare.positions import read_positions
from astro_xlatent.events.regions import read_region
from astro_xlatent.events.sky_regions import inside_region

__all__ = ["select_by_region"]

__doctest_requires__ = {"select_by_region": ["regions"]}


def select_by_region(table: Table, region) -> np.ndarray:
    """
    Which rows of a catalog lie in a region, without any image; sides of polygons are great circles.

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

    Examples
    --------
    >>> from astropy import units as u
    >>> from astropy.coordinates import SkyCoord
    >>> from astropy.table import Table
    >>> from regions import CircleSkyRegion
    >>> from astro_xlatent.table.select import select_by_region
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
    inside[positions.rows[inside_region(region, positions.xyz)]] = True
    return inside
