# Licensed under a 3-clause BSD style license - see LICENSE
"""
Positions with errors, pairs of catalogue rows that lie near each other, and
how probable it is that such a pair is one source, as far as position goes.

References
----------
Budavari & Szalay 2008, ApJ 679, 301 (Bayes factor of two positions).
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from astropy import units as u

from astro_xlatent.errors import ParameterError, TableError
from astro_xlatent.missions._columns import Columns

__all__ = ["ERROR_COLUMNS", "Positions", "candidate_pairs", "match_share", "positional_log_bayes",
           "read_positions", "sky_density"]

#: Error columns that are recognised, in arcsec if they have no unit, and the
#: number that makes them the standard deviation in one coordinate: the 95 %
#: radius of the CSC (semi-axes r0, r1), the 1-sigma error of eRASS, and the
#: radial errors sqrt(ra_err^2 + dec_err^2) of eSASS and 4XMM.
ERROR_COLUMNS = {
    "err_ellipse_r0": 1 / np.sqrt(-2 * np.log(0.05)),
    "pos_err": 1.0,
    "poserr": 1 / np.sqrt(2),
    "radec_err": 1 / np.sqrt(2),
}
#: Errors above this, in arcsec, are not believed.
LARGEST_ERROR = 300.0
#: More candidate pairs than this are refused, for they fill the memory.
MOST_PAIRS = 30_000_000
_NEIGHBOURS = 16
_CHUNK = 100_000
_RAD = np.pi / 180 / 3600


@dataclass
class Positions:
    """
    The rows of a catalogue that have a position and an error.

    Attributes
    ----------
    rows : ndarray of int, (n,)
        Row numbers in the table.
    xyz : ndarray, (n, 3)
        Unit vectors.
    sigma : ndarray, (n,)
        Standard deviation in one coordinate, arcsec.
    n_table : int
        Rows of the table, those left out included.
    """

    rows: np.ndarray
    xyz: np.ndarray
    sigma: np.ndarray
    n_table: int

    def __len__(self):
        return len(self.rows)

    @cached_property
    def tree(self):
        """All positions as `scipy.spatial.cKDTree`."""
        from scipy.spatial import cKDTree

        return cKDTree(self.xyz)


def read_positions(table, label="table", error=None):
    """
    Positions and their errors from a catalogue's columns.

    Parameters
    ----------
    table : `~astropy.table.Table`
        With ``ra`` and ``dec`` in any case (ICRS; degrees if without unit).
    label : str, optional
        What error messages call the table.
    error : str or `~astropy.units.Quantity`, optional
        Standard deviation in one coordinate: name of a column that has a
        unit, one angle, or one a row. By default the first column of
        `ERROR_COLUMNS` that the table has.

    Returns
    -------
    positions : Positions
        Without the rows whose position or error is masked, not finite, or
        impossible (declination beyond the poles; error zero, negative or
        above `LARGEST_ERROR`).

    Raises
    ------
    TableError
        If columns are missing, ambiguous, or in a wrong unit, if more than
        half of the errors are above `LARGEST_ERROR`, or if the table has
        rows but none can be used.

    Examples
    --------
    >>> from astropy.table import Table
    >>> from astro_xlatent.positions import read_positions
    >>> read_positions(Table({"RA": [359.9], "DEC": [-90.0], "POS_ERR": [4.0]})).sigma
    array([4.])
    """
    columns = Columns(table)
    missing = [name for name in ("ra", "dec") if name not in columns]
    if missing:
        msg = f"{label} has no column {' and '.join(missing)}; rename its position columns to ra and dec"
        raise TableError(msg)
    ra, dec = (columns.number(name, u.deg) for name in ("ra", "dec"))
    sigma = _errors(columns, label, error)
    large = sigma > LARGEST_ERROR
    if 2 * large.sum() > len(table):
        msg = (f"{label}: most position errors are above {LARGEST_ERROR:g} arcsec, with a median of "
               f"{np.nanmedian(sigma):.4g} arcsec; is their unit wrong?")
        raise TableError(msg)
    rows = np.flatnonzero(np.isfinite(ra) & (np.abs(dec) <= 90) & (sigma > 0) & ~large)
    if len(table) and not rows.size:
        msg = f"{label}: no row has a position with an error; all are masked, not finite or zero"
        raise TableError(msg)
    ra, dec = np.radians(ra[rows]), np.radians(dec[rows])
    xyz = np.stack([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)], axis=1)
    return Positions(rows, xyz, sigma[rows], len(table))


def _errors(columns, label, error):
    """Standard deviation in one coordinate, arcsec; NaN where unknown."""
    if isinstance(error, str):
        if error not in columns:
            msg = f"{label} has no column {error!r} of position errors"
            raise TableError(msg)
        if getattr(columns.raw(error), "unit", None) is None:
            msg = f"{label}: column {error!r} has no unit; set table[{error!r}].unit, such as 'arcsec'"
            raise TableError(msg)
        return columns.number(error, u.arcsec)
    if error is not None:
        try:
            values = u.Quantity(error).to_value(u.arcsec)
            return np.array(np.broadcast_to(values, len(columns)), float)
        except (u.UnitConversionError, TypeError, ValueError) as problem:
            msg = f"{label}: position error is {error!r}; give an angle with a unit, one or one a row"
            raise TableError(msg) from problem
    name = columns.first(*ERROR_COLUMNS)
    if name is None:
        msg = (f"{label} has none of the columns {', '.join(ERROR_COLUMNS)}; name the column of its "
               "position errors, or give an angle such as 1.0 * u.arcsec")
        raise TableError(msg)
    values = columns.number(name, u.arcsec)
    if name == "err_ellipse_r0" and "err_ellipse_r1" in columns:
        # The circle of the same area.
        values = np.sqrt(values * columns.number("err_ellipse_r1", u.arcsec))
    return values * ERROR_COLUMNS[name]


def candidate_pairs(a, b, n_sigma=5.0):
    """
    Pairs of rows closer than a number of combined standard deviations.

    Parameters
    ----------
    a, b : Positions
    n_sigma : float, optional
        5 keeps all but 4e-6 of the true pairs.

    Returns
    -------
    i, j : ndarray of int64
        Indices into ``a`` and ``b``, sorted.
    separation, sigma : ndarray
        Distance and combined standard deviation in one coordinate, arcsec.

    Raises
    ------
    TableError
        If there are more than `MOST_PAIRS`.

    Notes
    -----
    Rows are searched in groups of like errors, so that a few poorly placed
    sources do not widen the search of all others.
    """
    if not len(a) or not len(b):
        return np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0), np.zeros(0)
    found, total = [], 0
    groups_b = list(_groups(b, len(b)))
    for mine, tree in _groups(a, _CHUNK):
        for others, other_tree in groups_b:
            reach = n_sigma * np.hypot(a.sigma[mine].max(), b.sigma[others].max()) * _RAD
            near = tree.sparse_distance_matrix(other_tree, 2 * np.sin(reach / 2), output_type="ndarray")
            i, j = mine[near["i"]], others[near["j"]]
            separation = 2 * np.arcsin(near["v"] / 2) / _RAD
            sigma = np.hypot(a.sigma[i], b.sigma[j])
            keep = separation < n_sigma * sigma
            found.append((i[keep], j[keep], separation[keep], sigma[keep]))
            total += int(keep.sum())
            if total > MOST_PAIRS:
                msg = (f"more than {MOST_PAIRS} pairs of rows lie within {n_sigma:g} standard deviations; "
                       "are position errors too large, or rows repeated?")
                raise TableError(msg)
    i, j, separation, sigma = (np.concatenate(parts) for parts in zip(*found, strict=True))
    order = np.lexsort((j, i))
    return i[order], j[order], separation[order], sigma[order]


def _groups(positions, most):
    """Indices of rows with like errors, at most so many at once, with their trees."""
    from scipy.spatial import cKDTree

    octave = np.floor(np.log2(positions.sigma)).astype(int)
    for value in np.unique(octave):
        members = np.flatnonzero(octave == value)
        for start in range(0, len(members), most):
            part = members[start:start + most]
            yield part, cKDTree(positions.xyz[part])


def positional_log_bayes(separation, sigma):
    """
    Bayes factor of one source against two, from two positions.

    Parameters
    ----------
    separation, sigma : array_like
        Distance, and sqrt(sigma_1^2 + sigma_2^2) of the standard deviations
        in one coordinate, arcsec.

    Returns
    -------
    log_bayes : ndarray
        Natural logarithm of 2 / sigma^2 exp(-separation^2 / (2 sigma^2)),
        angles in radians (Budavari & Szalay 2008, equation 16): the
        alternative is anywhere on the sky.

    Examples
    --------
    >>> from astro_xlatent.positions import positional_log_bayes
    >>> positional_log_bayes(0.0, 1.0).round(2).item()
    25.17
    """
    sigma = np.asarray(sigma, float)
    return np.log(2) - 2 * np.log(sigma * _RAD) - 0.5 * (np.asarray(separation) / sigma) ** 2


def sky_density(positions, at):
    """
    Sources per steradian around some sources of a catalogue.

    Parameters
    ----------
    positions : Positions
    at : ndarray of int
        Indices of the sources.

    Returns
    -------
    density : ndarray
        From the distance to the 16th neighbour, or the last one there is; at
        least one source in all the sky.
    """
    k = min(_NEIGHBOURS, len(positions) - 1)
    if k < 1:
        return np.full(len(at), 1 / (4 * np.pi))
    chord = positions.tree.query(positions.xyz[at], k=[k + 1])[0][:, 0]
    # A cap of chord c has the area pi c^2 on the unit sphere; the k-th
    # neighbour itself is left out, which makes the mean right.
    chord = np.maximum(chord, _RAD)
    return np.maximum((k - 1) / (np.pi * chord**2), 1 / (4 * np.pi))


def match_share(a, b, likelihood_ratio):
    """
    Share of the rows of one catalogue, within the other's area, that the other has too.

    Parameters
    ----------
    a, b : Positions
    likelihood_ratio : ndarray
        For every row of ``a`` with candidates, the sum over these of the
        density of their separation over the density of ``b``.

    Returns
    -------
    share : float
        Maximum of the likelihood, between 0.001 and 0.99.
    """
    within = _share_within(a, b) * len(a)
    share = 0.5
    for _ in range(200):
        signal = share * likelihood_ratio
        new = np.sum(signal / (signal + 1 - share)) / max(within, len(likelihood_ratio), 1)
        new = float(np.clip(new, 1e-3, 0.99))
        if abs(new - share) < 1e-6:
            break
        share = new
    return share


def _share_within(a, b, most=5000):
    """Share of rows of a with as many neighbours in b as rows of b have, within three times the distance."""
    k = min(_NEIGHBOURS, len(b))
    if k < 2 or not len(a):
        return 1.0
    own, other = (p.xyz[np.linspace(0, len(p) - 1, min(len(p), most)).astype(int)] for p in (b, a))
    usual = np.median(b.tree.query(own, k=[k])[0])
    return float(np.mean(b.tree.query(other, k=[k])[0] < 3 * usual))


def check_probability(value, name):
    """
    Refuse what is no probability.

    Raises
    ------
    ParameterError
        If ``value`` is not a number between 0 and 1.
    """
    if isinstance(value, bool) or not np.isscalar(value) or isinstance(value, str) or not 0 <= value <= 1:
        msg = f"{name} is {value!r}; it must lie between 0 and 1"
        raise ParameterError(msg)
    return float(value)
