# Licensed under a 3-clause BSD style license - see LICENSE
"""Matching two catalogs by position, spectrum and flux."""

import warnings
from collections.abc import Sequence

import numpy as np
from astropy import units as u
from astropy.table import Column, MaskedColumn, Table

from astro_xlatent.compare.evidence import compare_fluxes, compare_latents, temper_factor
from astro_xlatent.compare.pairs import (
    candidate_pairs,
    check_numbers,
    match_share,
    positional_log_bayes,
    sky_density,
)
from astro_xlatent.compare.positions import read_positions
from astro_xlatent.core.errors import TableError, XlatentWarning
from astro_xlatent.core.provenance import check_latent_space

__all__ = ["join_pairs", "match_catalogs"]

_PER_SQUARE_ARCSEC = (np.pi / 180 / 3600) ** 2

# name -> (unit, UCD, description)
_OUTPUT = {
    "xm_row_a": (None, "meta.id.cross", "row in the first catalog, from 0"),
    "xm_row_b": (None, "meta.id.cross", "row in the second catalog, from 0"),
    "xm_sep": ("arcsec", "pos.angDistance", "separation"),
    "xm_pos_sigma": (None, "pos.angDistance;arith.ratio",
                     "separation over the combined error in its direction"),
    "xm_pos_logb": (None, "stat.likelihood;pos",
                    "ln of the Bayes factor of the positions, one source against two anywhere on the sky"),
    "xm_pos_prob": (None, "stat.probability;pos",
                    "probability, from position alone, that the pair is one source"),
    "xm_spec_logb": (None, "stat.likelihood;em.X-ray",
                     "ln of the Bayes factor of the latents, one source unchanged against two, tempered"),
    "xm_latent_sigma": (None, "stat.param;arith.diff",
                        "difference of the latents, as the standard deviations of a normal variable "
                        "that are exceeded as rarely"),
    "xm_flux_ratio": (None, "phot.flux;arith.ratio", "flux in the second catalog over the first"),
    "xm_flux_ratio_err": (None, "stat.error;phot.flux;arith.ratio", "error of the flux ratio"),
    "xm_prob": (None, "stat.probability;meta.id.cross",
                "probability that the pair is one source, from position, spectrum and flux"),
    "xm_prob_same": (None, "stat.probability;src.var",
                     "probability that it is one source with unchanged spectrum and flux"),
    "xm_rank": (None, "meta.ranking", "rank among the candidates of the row of the first catalog"),
    "xm_best": (None, "meta.code", "first in rank for the rows of both catalogs"),
}


def match_catalogs(a: Table, b: Table, *, a_error: str | u.Quantity | None = None,
                   b_error: str | u.Quantity | None = None, n_sigma: float = 5.0,
                   share: float | None = None, changed: float = 0.1, variability: float = 0.05,
                   flux: str | None = "xl_flux_05_2", flux_scatter: float = 0.2,
                   spectral: bool = True) -> Table:
    """
    Find the sources that two catalogs have in common.

    Parameters
    ----------
    a, b : `~astropy.table.Table`
        Enriched by `~astro_xlatent.add_latents`, best with ``xl_latent_cov``; ``ra`` and ``dec`` are ICRS.
    a_error, b_error : str or `~astropy.units.Quantity`, optional
        Standard deviation of the positions in one coordinate: a column with a unit, an angle, or one a row;
        by default it is recognized (the error ellipse of the CSC, ``POS_ERR`` or ``RADEC_ERR`` of eRASS).
    n_sigma : float, optional
        Largest separation over combined error.
    share : float, optional
        Share of rows of ``a`` in the area of ``b`` that are in ``b``; by default estimated.
    changed : float, optional
        Share of true pairs in which spectrum or flux changed altogether.
    variability : float, optional
        Variance of every latent (1 over all sources) between two observations of an unchanged source.
    flux : str or None, optional
        The flux column to compare; None for none.
    flux_scatter : float, optional
        Standard deviation in dex between the fluxes of an unchanged source.
    spectral : bool, optional
        False: match tables without latents, by position alone.

    Returns
    -------
    pairs : `~astropy.table.Table`
        Every candidate pair, by row of ``a`` and rank; the ``xm_...`` columns describe themselves. Metadata:
        ``XMSHARE``, ``XMTEMPER``, and numbers of rows left out without usable position, ``XMLEFTA``,
        ``XMLEFTB``.

    Raises
    ------
    TableError, ModelError, ParameterError
        If columns are missing, ambiguous or in wrong units, latent spaces differ, a number is out of range.

    Notes
    -----
    A row of ``a`` has one counterpart, with probability ``share``, or none (Sutherland & Saunders 1992,
    MNRAS 259, 413). Candidate j is it with weight share x f_j / n_j x [(1 - changed) B + changed], none of
    them with weight 1 - share; f_j is the density of the separation (two-dimensional normal with both
    error ellipses), n_j that of ``b`` on the sky, from the distance to its 16th neighbor. B is the product
    of the Bayes factors of latents and flux (Budavari & Szalay 2008, ApJ 679, 301); where they are masked
    it is 1. What a chance pair looks like is taken from the tables themselves.

    Examples
    --------
    >>> from astropy import units as u
    >>> from astropy.table import Table
    >>> from astro_xlatent.compare.match import match_catalogs
    >>> a = Table({"ra": [0.0, 10.0], "dec": [0.0, 90.0]})
    >>> b = Table({"ra": [200.0, 359.9999], "dec": [89.9999, 0.0]})
    >>> pairs = match_catalogs(a, b, a_error=1 * u.arcsec, b_error=1 * u.arcsec, spectral=False)
    >>> pairs["xm_row_a", "xm_row_b"].as_array().tolist()
    [(0, 1), (1, 0)]
    """
    check_numbers(n_sigma=n_sigma, variability=variability, flux_scatter=flux_scatter)
    check_numbers(1, changed=changed, **({} if share is None else {"share": share}))
    if spectral:
        _check_enriched(a, b)
    sky_a = read_positions(a, "the first table", a_error)
    sky_b = read_positions(b, "the second table", b_error)
    left = len(a) - len(sky_a), len(b) - len(sky_b)
    if any(left):
        warnings.warn(f"{left[0]} and {left[1]} rows of the two tables have no usable position or position "
                      "error and are left out", XlatentWarning, stacklevel=2)
    near = candidate_pairs(sky_a, sky_b, n_sigma)
    i, ratio = near.i, _likelihood_ratio(sky_b, near)
    if share is None:
        share = match_share(sky_a, sky_b, np.bincount(i, ratio)[np.unique(i)])
    rows_a, rows_b = sky_a.rows[i], sky_b.rows[near.j]
    values = {"xm_row_a": rows_a, "xm_row_b": rows_b,
              "xm_sep": near.separation, "xm_pos_sigma": near.separation / near.sigma,
              "xm_pos_logb": positional_log_bayes(near.separation, near.sigma, near.width),
              "xm_pos_prob": _probability(i, share * ratio, 1 - share)}
    evidence = np.zeros(len(i))
    if spectral:
        log_bayes, difference = compare_latents(a, b, rows_a, rows_b, variability)
        temper = temper_factor(a, b, rows_a, rows_b, variability)
        log_bayes = temper * log_bayes
        values |= {"xm_spec_logb": log_bayes, "xm_latent_sigma": difference}
        evidence += np.nan_to_num(log_bayes)
    if spectral and flux is not None:
        values["xm_flux_ratio"], values["xm_flux_ratio_err"], log_flux = compare_fluxes(
            a, b, rows_a, rows_b, flux, flux_scatter)
        evidence += log_flux
    same = (1 - changed) * np.exp(np.clip(evidence, -500, 500))
    either = share * ratio * (same + changed) if spectral else share * ratio
    values["xm_prob"] = _probability(i, either, 1 - share)
    if spectral:
        values["xm_prob_same"] = values["xm_prob"] * same / np.maximum(same + changed, 1e-300)
    pairs = _finish(values, either)
    pairs.meta.update({"XMSHARE": float(share), "XMLEFTA": left[0], "XMLEFTB": left[1]})
    if spectral:
        pairs.meta["XMTEMPER"] = temper
    return pairs


def join_pairs(a: Table, b: Table, pairs: Table, *, columns: Sequence[str] | None = None,
               suffixes: tuple[str, str] = ("_a", "_b")) -> Table:
    """
    Put the rows of both tables beside the pairs.

    Parameters
    ----------
    a, b : `~astropy.table.Table`
        As given to `match_catalogs`.
    pairs : `~astropy.table.Table`
        What it returned, or some rows of it, such as ``pairs[pairs["xm_best"]]``.
    columns : sequence of str, optional
        Columns wanted of ``a`` and of ``b``; by default all.
    suffixes : tuple of str, optional
        Added to names that both tables have (in any case, as FITS does not tell ``RA`` from ``ra``).

    Returns
    -------
    joined : `~astropy.table.Table`
        Columns of ``pairs``, ``a`` and ``b``; metadata of ``pairs``, and of both tables where they agree.

    Raises
    ------
    TableError
        If a wanted column is in neither table.

    Examples
    --------
    >>> from astropy.table import Table
    >>> from astro_xlatent.compare.match import join_pairs
    >>> a, b = Table({"ra": [1.0, 2.0], "x": [5, 6]}), Table({"RA": [2.0, 3.0]})
    >>> join_pairs(a, b, Table({"xm_row_a": [1], "xm_row_b": [0]})).colnames
    ['xm_row_a', 'xm_row_b', 'ra_a', 'x', 'RA_b']
    """
    absent = [name for name in columns or () if name not in a.colnames and name not in b.colnames]
    if absent:
        raise TableError(f"neither table has {', '.join(absent)}; leave it out of columns")
    both = {name.lower() for name in a.colnames} & {name.lower() for name in b.colnames}
    joined = pairs.copy()
    for table, rows, suffix in ((a, "xm_row_a", suffixes[0]), (b, "xm_row_b", suffixes[1])):
        for name in table.colnames:
            if columns is None or name in columns:
                new = name + suffix if name.lower() in both or name in pairs.colnames else name
                joined[new] = table[name][pairs[rows]]
    joined.meta.update({k: v for k, v in a.meta.items()
                        if k.startswith("XL") and b.meta.get(k) == v and k not in pairs.meta})
    return joined


def _check_enriched(a, b):
    for label, table in (("first", a), ("second", b)):
        if "xl_latent" not in table.colnames:
            msg = (f"the {label} table has no latents; enrich it with add_latents, or match by position "
                   "alone with spectral=False")
            raise TableError(msg)
    check_latent_space(a, b)


def _likelihood_ratio(sky_b, near):
    """Density of the separations over that of the second catalog's sources."""
    unique, inverse = np.unique(near.j, return_inverse=True)
    density = sky_density(sky_b, unique)[inverse] * _PER_SQUARE_ARCSEC
    return np.exp(-0.5 * (near.separation / near.sigma) ** 2) / (2 * np.pi * near.width**2) / density


def _probability(index, weight, none):
    """Weights over their sum by index, the weight of no counterpart included."""
    return weight / np.maximum(np.bincount(index, weight)[index] + none, 1e-300)


def _finish(values, weight):
    """Rank the pairs and make the table."""
    order = np.lexsort((values["xm_row_b"], -weight, values["xm_row_a"]))
    values = {name: value[order] for name, value in values.items()}
    row_a, row_b = values["xm_row_a"], values["xm_row_b"]
    rank = (1 + np.arange(len(row_a)) - np.searchsorted(row_a, row_a)).astype(np.int32)
    # Of equal weights the first row counts, so that no row is twice the best.
    by_b = np.lexsort((row_a, -weight[order], row_b))
    first_of_b = np.zeros(len(row_b), bool)
    first_of_b[by_b[np.unique(row_b[by_b], return_index=True)[1]]] = True
    values |= {"xm_rank": rank, "xm_best": (rank == 1) & first_of_b}
    table = Table()
    for name, (unit, ucd, text) in _OUTPUT.items():
        if name in values:
            column, info = values[name], {"unit": unit, "description": text, "meta": {"ucd": ucd}}
            if column.dtype.kind == "f":
                info["format"], unknown = "%.4g", ~np.isfinite(column)
                column = np.ma.array(column, np.float32, mask=unknown if unknown.any() else np.ma.nomask)
            table[name] = (MaskedColumn if np.ma.is_masked(column) else Column)(column, **info)
    return table
