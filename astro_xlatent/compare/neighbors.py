# Licensed under a 3-clause BSD style license - see LICENSE
"""
Searching enriched tables: sources like a given one, and unlike all others. The distance of two rows is the
root of the expected squared distance of their true latents: a row that is hardly measured is near nothing.
"""

from collections.abc import Sequence

import numpy as np
from astropy.table import Column, Row, Table
from numpy.typing import ArrayLike

from astro_xlatent.compare.evidence import plain_column
from astro_xlatent.core.columns import N_LATENT
from astro_xlatent.core.errors import ParameterError, TableError
from astro_xlatent.core.flags import Flag
from astro_xlatent.core.provenance import check_latent_space

__all__ = ["neighbors", "outliers"]

# More queries than this make a search tree worth its while.
_FEW = 50
# Rows of the samples with which `outliers` bounds distances.
_COARSE, _FINE = 2000, 40_000
# Error, in units of the latents' spread, below which rows count as equally well measured.
_FLOOR = 0.1


def neighbors(table: Table, source: int | Row | ArrayLike, k: int = 10) -> Table:
    """
    Rows whose spectra are most like that of a source.

    Parameters
    ----------
    table : `~astropy.table.Table`
        Enriched, of any mission or several.
    source : int, `~astropy.table.Row` or `~astropy.table.Table`
        A row number in ``table`` (it is not its own neighbor), or enriched rows of the same latent space.
    k : int, optional
        How many neighbors; fewer if the table has fewer usable rows.

    Returns
    -------
    found : `~astropy.table.Table`
        Rows of ``table``, nearest first, source by source; in front ``xn_query`` (number of the source),
        ``xn_row`` (row number) and ``xn_distance``, the root of ``|m_1 - m_2|^2 + tr C_1 + tr C_2``.

    Raises
    ------
    TableError, ParameterError, ModelError
        If latents are missing or masked, ``k`` or the row number cannot be used, latent spaces differ.

    Examples
    --------
    >>> import numpy as np
    >>> from astropy.table import Table
    >>> from astro_xlatent.compare.neighbors import neighbors
    >>> t = Table({"xl_latent": np.outer([0.0, 3.0, 1.0], np.ones(8)),
    ...            "xl_latent_err": np.full((3, 8), 0.1)}, meta={"XLSPACE": "demo"})
    >>> neighbors(t, 0, k=1)["xn_row"].tolist()
    [2]
    """
    _check_count(k, "k")
    query, self_row = _query(table, source)
    points, rows = _points(table)
    wanted = min(k + (self_row is not None), len(rows))
    index, distance = _nearest(points, query, wanted)
    asked, found = np.repeat(np.arange(len(query)), wanted), rows[index.ravel()]
    distance = np.sqrt(distance**2 + query[:, N_LATENT:] ** 2).ravel()
    keep = np.arange(len(found)) if self_row is None else np.flatnonzero(found != self_row)[:k]
    return _prepend(table[found[keep]], [
        ("xn_query", asked[keep], "number of the source that was asked for", "meta.id.cross"),
        ("xn_row", found[keep], "row number in the searched table", "meta.id.cross"),
        ("xn_distance", distance[keep].astype(np.float32), "expected distance of the true latents",
         "stat.param;arith.diff")])


def outliers(table: Table, n: int = 20, *, k: int = 5,
             exclude: Sequence[str] = ("NO_DATA", "NO_SOURCE")) -> Table:
    """
    Rows whose spectra have no like in the table.

    Parameters
    ----------
    table : `~astropy.table.Table`
        As for `neighbors`.
    n : int, optional
        How many rows; fewer if the table has fewer usable rows.
    k : int, optional
        A row is as isolated as its k-th neighbor is far: k - 1 odd sources alike do not hide each other.
    exclude : sequence of str, optional
        Names of flags; rows that have one of them are not looked at.

    Returns
    -------
    found : `~astropy.table.Table`
        Rows of ``table``, most isolated first; in front ``xn_row``, the row number, and ``xn_isolation``.

    Raises
    ------
    TableError, ParameterError, ModelError
        If no more than ``k`` rows are usable, an argument is not, or the latent space is not known.

    Notes
    -----
    ``xn_isolation`` is the distance from the row's latents to those of its k-th neighbor over the row's own
    rms error, sqrt(tr C / 8 + 0.1^2). Unlike ``xl_outlier``, which compares with the simulated sources of
    the training, it compares with the table. The result is exact: the distance within a sample bounds that
    within the table, and rows are looked at in the order of that bound until none can be among the first n.

    Examples
    --------
    >>> import numpy as np
    >>> from astropy.table import Table
    >>> from astro_xlatent.compare.neighbors import outliers
    >>> latent = np.random.default_rng(1).normal(size=(100, 8))
    >>> latent[17] += 5
    >>> t = Table({"xl_latent": latent, "xl_latent_err": np.full((100, 8), 0.3)}, meta={"XLSPACE": "demo"})
    >>> outliers(t, n=1)["xn_row"].tolist()
    [17]
    """
    from scipy.spatial import cKDTree

    _check_count(n, "n")
    _check_count(k, "k")
    check_latent_space(table)
    excluded = _flagged(table, exclude)
    points, rows = _points(table)
    points, rows = points[~excluded[rows]], rows[~excluded[rows]]
    if len(rows) <= k:
        msg = f"only {len(rows)} rows have latents and none of the excluded flags; more than k={k} are needed"
        raise TableError(msg)
    mean, error = points[:, :N_LATENT], np.sqrt(points[:, N_LATENT] ** 2 / N_LATENT + _FLOOR**2)
    bound = _bound(mean, k, _COARSE)(slice(None)) / error
    finer, threshold = _bound(mean, k, _FINE), -np.inf
    tree, order = cKDTree(mean), np.argsort(-bound)
    score = np.full(len(rows), -np.inf)
    n, step = min(n, len(rows)), max(4 * n, 256)
    for start in range(0, len(order), step):
        block = order[start:start + step]
        if bound[block[0]] < threshold:
            break
        block = block[finer(block) / error[block] >= threshold]
        score[block] = tree.query(mean[block], k=[k + 1])[0][:, 0] / error[block]
        threshold = np.partition(score, -n)[-n]
    best = np.argsort(-score, kind="stable")[:n]
    return _prepend(table[rows[best]], [
        ("xn_row", rows[best], "row number in the searched table", "meta.id.cross"),
        ("xn_isolation", score[best].astype(np.float32),
         "distance to the k-th neighbor over the row's own error", "stat.param;arith.ratio")])


def _check_count(value, name):
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
        raise ParameterError(f"{name} is {value!r}; it must be an integer, 1 or more")


def _points(table):
    """Means and root of the summed variance of the usable rows (n, 9), and their row numbers."""
    mean, masked = plain_column(table, "xl_latent", slice(None), (N_LATENT,))
    error, also = plain_column(table, "xl_latent_err", slice(None), (N_LATENT,))
    usable = ~(masked | also) & np.isfinite(mean).all(axis=1) & (np.isfinite(error) & (error > 0)).all(axis=1)
    spread = np.sqrt(np.sum(error**2, axis=1, keepdims=True))
    return np.concatenate([mean, spread], axis=1)[usable], np.flatnonzero(usable)


def _query(table, source):
    """Points of the sources asked for, and the row number if there is one."""
    row = None
    if isinstance(source, (int, np.integer)) and not isinstance(source, bool):
        if not -len(table) <= source < len(table):
            raise ParameterError(f"source is row {source}, but the table has {len(table)} rows")
        row = int(source) % len(table)
        source = table[row:row + 1]
    elif isinstance(source, Row):
        source = source.table[source.index:source.index + 1]
    if not isinstance(source, Table):
        msg = f"source is {type(source).__name__}; a row number, a row or a table of rows is needed"
        raise ParameterError(msg)
    check_latent_space(table, source)
    points, rows = _points(source)
    if len(rows) < len(source):
        absent = np.setdiff1d(np.arange(len(source)), rows)
        raise TableError(f"source: row {absent[0]} of those given has no latents (masked, see its xl_reason)")
    return points, row


def _nearest(points, query, k):
    """Index of the k nearest points, and the distance without the query's own variance."""
    from scipy.spatial import cKDTree
    from scipy.spatial.distance import cdist

    target = query.copy()
    target[:, N_LATENT] = 0.0
    if k and len(query) > _FEW:
        distance, index = cKDTree(points).query(target, k=np.arange(1, k + 1))
        return index, distance
    distance = cdist(target, points)
    index = np.argpartition(distance, k - 1, axis=1)[:, :k] if k else np.zeros((len(query), 0), int)
    near = np.take_along_axis(distance, index, axis=1)
    order = np.argsort(near, axis=1, kind="stable")
    return np.take_along_axis(index, order, axis=1), np.take_along_axis(near, order, axis=1)


def _bound(mean, k, size):
    """Function of rows: distance to the k-th neighbor within a sample, never less than within all."""
    from scipy.spatial import cKDTree

    sample = np.unique(np.linspace(0, len(mean) - 1, size).astype(int))
    tree = cKDTree(mean[sample])
    # One neighbor more: a row of the sample finds itself. Too few rows: infinity.
    return lambda rows: tree.query(mean[rows], k=[k + 1])[0][:, 0]


def _flagged(table, names):
    """True for rows that have one of the named flags."""
    known = Flag.__members__
    unknown = [names] if isinstance(names, str) else [str(name) for name in names if name not in known]
    if unknown:
        msg = f"exclude names {', '.join(unknown)}; a sequence of flags is needed: {', '.join(known)}"
        raise ParameterError(msg)
    if "xl_flag" not in table.colnames:
        return np.zeros(len(table), bool)
    bits = sum(known[name] for name in set(names))
    return (np.ma.filled(np.ma.asarray(table["xl_flag"]), 0) & bits) != 0


def _prepend(found, columns):
    """Add columns in front, replacing those of an earlier search."""
    for position, (name, values, text, ucd) in enumerate(columns):
        if name in found.colnames:
            found.remove_column(name)
        found.add_column(Column(values, name=name, description=text, meta={"ucd": ucd}), index=position)
    return found
