# Licensed under a 3-clause BSD style license - see LICENSE
"""Positions of catalog rows with their errors, circles or ellipses, and fields that no split should part."""

from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.table import Table
from numpy.typing import ArrayLike

from astro_xlatent.core.errors import ParameterError, TableError
from astro_xlatent.missions._columns import Columns

if TYPE_CHECKING:
    from scipy.spatial import cKDTree

__all__ = ["ERROR_COLUMNS", "POSITION_COLUMNS", "Positions", "position_names", "read_positions", "sky_fields"]

#: Recognized position columns, in degrees if without unit: eFEDS's corrected ones first; VizieR's names.
POSITION_COLUMNS = (("ra_corr", "dec_corr"), ("ra", "dec"), ("ra_icrs", "de_icrs"), ("raicrs", "deicrs"))

_TO_SIGMA = 1 / np.sqrt(-2 * np.log(0.05))
#: Recognized error columns, in arcsec if without unit, by what makes them the standard deviation in one
#: coordinate: CSC's 95 % radius, eRASS's 1-sigma error, radial errors of eSASS, eFEDS and 4XMM.
ERROR_COLUMNS = {
    "err_ellipse_r0": _TO_SIGMA,
    "pos_err": 1.0,
    "poserr": 1 / np.sqrt(2),
    "radec_err_corr": 1 / np.sqrt(2),
    "radec_err": 1 / np.sqrt(2),
}
# Error ellipses: 95 % semi-axes and position angle of the first, and what tells VizieR's short names.
_ELLIPSES = ((("err_ellipse_r0", "err_ellipse_r1", "err_ellipse_ang"), ()),
             (("r0", "r1", "pa"), ("2cxo", "_2cxo")))
# VizieR's posErr of eRASS1 is its POS_ERR; in tables with these it is not 4XMM's POSERR.
_ERASS = ("detlike0", "mlcts1", "mlflux1", "detuid")
#: Errors above this, in arcsec, are not believed.
LARGEST_ERROR = 300.0
#: Degrees within which two sources are friends.
LINKING_LENGTH = 1.0


@dataclass
class Positions:
    """
    Rows, unit vectors (n, 3), standard deviations in arcsec of the circle of the same area and along the
    axes, vectors along the major axis as long as the root of the difference of both variances; None: circles.
    """

    rows: np.ndarray
    xyz: np.ndarray
    sigma: np.ndarray
    major: np.ndarray
    minor: np.ndarray
    stretch: np.ndarray | None

    def __len__(self):
        return len(self.rows)

    @cached_property
    def tree(self) -> "cKDTree":
        """All positions as `scipy.spatial.cKDTree`."""
        from scipy.spatial import cKDTree

        return cKDTree(self.xyz)


def read_positions(table: Table, label: str = "table", error: str | u.Quantity | None = None) -> Positions:
    """
    Positions and errors from a catalog's columns. ``error`` is the name of a column with a unit, one angle,
    or one a row; by default it is recognized. Rows without a position or a plausible error are left out.
    """
    columns = Columns(table)
    names = position_names(columns)
    if names is None:
        missing = [name for name in ("ra", "dec") if name not in columns]
        msg = f"{label} has no column {' and '.join(missing)}; rename its position columns to ra and dec"
        raise TableError(msg)
    ra, dec = (columns.number(name, u.deg) for name in names)
    sigma, ellipse = _errors(columns, label, error)
    large = sigma > LARGEST_ERROR
    if 2 * large.sum() > len(table):
        msg = (f"{label}: most position errors are above {LARGEST_ERROR:g} arcsec, with a median of "
               f"{np.nanmedian(sigma):.4g} arcsec; is their unit wrong?")
        raise TableError(msg)
    rows = np.flatnonzero(np.isfinite(ra) & (np.abs(dec) <= 90) & (sigma > 0) & ~large)
    if len(table) and not rows.size:
        raise TableError(f"{label}: no row has a position with an error; all are masked, not finite or zero")
    ra, dec = np.radians(ra[rows]), np.radians(dec[rows])
    xyz = np.stack([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)], axis=1)
    sigma = sigma[rows]
    if ellipse is None:
        return Positions(rows, xyz, sigma, sigma, sigma, None)
    first, second, angle = (part[rows] for part in ellipse)
    return Positions(rows, xyz, sigma, np.maximum(first, second), np.minimum(first, second),
                     _stretch(ra, dec, first, second, angle))


def position_names(columns: Collection[str]) -> tuple[str, str] | None:
    """The first of `POSITION_COLUMNS` of which both are among lower-case names, or None."""
    return next((pair for pair in POSITION_COLUMNS if all(name in columns for name in pair)), None)


def _stretch(ra, dec, first, second, angle):
    """Vectors along the major axes, from both standard deviations and the first one's angle (radians)."""
    east = np.stack([-np.sin(ra), np.cos(ra), np.zeros_like(ra)], axis=1)
    north = np.stack([-np.sin(dec) * np.cos(ra), -np.sin(dec) * np.sin(ra), np.cos(dec)], axis=1)
    angle = np.where(first >= second, angle, angle + np.pi / 2)
    direction = np.sin(angle)[:, None] * east + np.cos(angle)[:, None] * north
    return np.sqrt(np.abs(first**2 - second**2))[:, None] * direction


def _errors(columns, label, error):
    """Standard deviation in one coordinate, arcsec, NaN where unknown; and the ellipse or None."""
    if isinstance(error, str):
        if error not in columns:
            raise TableError(f"{label} has no column {error!r} of position errors")
        if getattr(columns.raw(error), "unit", None) is None:
            msg = f"{label}: column {error!r} has no unit; set table[{error!r}].unit, such as 'arcsec'"
            raise TableError(msg)
        return columns.number(error, u.arcsec), None
    if error is not None:
        try:
            values = u.Quantity(error).to_value(u.arcsec)
            return np.array(np.broadcast_to(values, len(columns)), float), None
        except (u.UnitConversionError, TypeError, ValueError) as problem:
            msg = f"{label}: position error is {error!r}; give an angle with a unit, one or one a row"
            raise TableError(msg) from problem
    for names, telling in _ELLIPSES:
        if all(name in columns for name in names[:2]) and (not telling or columns.first(*telling)):
            return _ellipse(columns, *names)
    name = columns.first(*ERROR_COLUMNS)
    if name is None:
        msg = (f"{label} has none of the columns {', '.join(ERROR_COLUMNS)}; name the column of its "
               "position errors, or give an angle such as 1.0 * u.arcsec")
        raise TableError(msg)
    known = 1.0 if name == "poserr" and columns.first(*_ERASS) else ERROR_COLUMNS[name]
    return known * columns.number(name, u.arcsec), None


def _ellipse(columns, first, second, angle):
    """Standard deviation of the circle of equal area, and both axes' with the angle; no angle: a circle."""
    axes = [_TO_SIGMA * columns.number(name, u.arcsec) for name in (first, second)]
    with np.errstate(invalid="ignore"):
        # One axis alone, or one that is zero, makes a circle.
        one, two = (np.where(mine > 0, mine, other) for mine, other in (axes, axes[::-1]))
        sigma = np.sqrt(one * two)
    turn = np.radians(columns.number(angle, u.deg))
    known = np.isfinite(turn)
    if not known.any():
        return sigma, None
    return sigma, (np.where(known, one, sigma), np.where(known, two, sigma), np.where(known, turn, 0.0))


def sky_fields(ra: ArrayLike, dec: ArrayLike) -> tuple[np.ndarray, list[str]]:
    """
    Number of every position's field, and the fields' names; finite degrees (ICRS), (n,).

    Sources closer than one degree to one another belong to one field (friends of friends), named by
    its southernmost member (then smallest RA), to 0.001 degrees; numbers are in order of names.

    Examples
    --------
    >>> from astro_xlatent.compare.positions import sky_fields
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
