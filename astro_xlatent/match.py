# Licensed under a 3-clause BSD style license - see LICENSE
"""
Matching two catalogues by position, spectrum and flux.

References
----------
Budavari & Szalay 2008, ApJ 679, 301; Sutherland & Saunders 1992, MNRAS 259,
413 (likelihood ratio against the local density).
"""

import warnings

import numpy as np
from astropy import units as u
from astropy.table import Column, MaskedColumn, Table

from astro_xlatent.columns import COLUMNS, N_LATENT
from astro_xlatent.errors import ParameterError, TableError, XlatentWarning
from astro_xlatent.gaussians import MIN_INFORMATION, latent_gaussians, likelihoods
from astro_xlatent.positions import (
    candidate_pairs,
    check_probability,
    match_share,
    positional_log_bayes,
    read_positions,
    sky_density,
)
from astro_xlatent.provenance import check_latent_space

__all__ = ["latent_population", "match_catalogs", "spectral_evidence"]

# Pairs whose matrices are worked on at once.
_CHUNK = 20_000
# Rows from which the distribution of the latents is taken, at most and at least.
_POPULATION = (20_000, 50)
# Error in dex of a flux of which only one limit is known.
_UNKNOWN_ERROR = 0.5
_PER_SQUARE_ARCSEC = (np.pi / 180 / 3600) ** 2

# name -> (type, unit, UCD, description)
_OUTPUT = {
    "xm_row_a": (np.int64, None, "meta.id.cross", "row in the first catalogue, from 0"),
    "xm_row_b": (np.int64, None, "meta.id.cross", "row in the second catalogue, from 0"),
    "xm_sep": (np.float32, u.arcsec, "pos.angDistance", "separation"),
    "xm_pos_sigma": (np.float32, None, "pos.angDistance;arith.ratio",
                     "separation over the combined error in one coordinate"),
    "xm_pos_logb": (np.float32, None, "stat.likelihood;pos",
                    "ln of the Bayes factor of the positions, one source against two anywhere on the sky"),
    "xm_pos_prob": (np.float32, None, "stat.probability;pos",
                    "probability, from position alone, that the pair is one source"),
    "xm_spec_logb": (np.float32, None, "stat.likelihood;em.X-ray",
                     "ln of the Bayes factor of the latents, one source unchanged against two, tempered"),
    "xm_latent_sigma": (np.float32, None, "stat.param;arith.diff",
                        "difference of the latents, as the standard deviations of a normal variable "
                        "that are exceeded as rarely"),
    "xm_flux_ratio": (np.float32, None, "phot.flux;arith.ratio",
                      "flux in the second catalogue over the first"),
    "xm_flux_ratio_err": (np.float32, None, "stat.error;phot.flux;arith.ratio", "error of the flux ratio"),
    "xm_prob": (np.float32, None, "stat.probability;meta.id.cross",
                "probability that the pair is one source, from position, spectrum and flux"),
    "xm_prob_same": (np.float32, None, "stat.probability;src.var",
                     "probability that it is one source with unchanged spectrum and flux"),
    "xm_rank": (np.int32, None, "meta.ranking",
                "rank among the candidates of the row of the first catalogue"),
    "xm_best": (bool, None, "meta.code", "first in rank for the rows of both catalogues"),
}


def match_catalogs(a, b, *, a_error=None, b_error=None, n_sigma=5.0, share=None, changed=0.1,
                   variability=0.05, flux="xl_flux_05_2", flux_scatter=0.2, spectral=True):
    """
    Find the sources that two catalogues have in common.

    Parameters
    ----------
    a, b : `~astropy.table.Table`
        Enriched by `~astro_xlatent.add_latents`, with ``ra`` and ``dec``
        (ICRS). The full covariance is used where there is ``xl_latent_cov``.
    a_error, b_error : str or `~astropy.units.Quantity`, optional
        Standard deviation of the positions in one coordinate: a column with
        a unit, an angle, or one a row; by default the column is recognised
        (CSC ``err_ellipse_r0``, eRASS ``POS_ERR`` or ``RADEC_ERR``).
    n_sigma : float, optional
        Largest separation over combined error.
    share : float, optional
        Share of rows of ``a`` in the area of ``b`` that are in ``b``; by
        default estimated from the positions.
    changed : float, optional
        Share of true pairs in which spectrum or flux changed altogether.
    variability : float, optional
        Variance of every latent between two observations of a source that
        counts as unchanged. The latents' variance over all sources is 1.
    flux : str or None, optional
        The flux column to compare; None for none.
    flux_scatter : float, optional
        Standard deviation in dex between the fluxes of an unchanged source.
    spectral : bool, optional
        False: match tables without latents, by position alone.

    Returns
    -------
    pairs : `~astropy.table.Table`
        Every candidate pair, by row of ``a`` and rank: ``xm_row_a``,
        ``xm_row_b``, ``xm_sep``, ``xm_pos_sigma``, ``xm_pos_logb``,
        ``xm_pos_prob``, ``xm_spec_logb``, ``xm_latent_sigma``,
        ``xm_flux_ratio``, ``xm_flux_ratio_err``, ``xm_prob``,
        ``xm_prob_same``, ``xm_rank``, ``xm_best``; masked where latents or
        fluxes are. Its metadata hold ``XMSHARE``, ``XMTEMPER`` (see the
        notes), and in ``XMLEFTA`` and ``XMLEFTB`` the number of rows without
        usable position or error, which are left out with a warning.

    Raises
    ------
    TableError
        If columns are missing, ambiguous or in wrong units.
    ModelError
        If the latents are of different latent spaces.
    ParameterError
        If a number lies outside its range.

    Notes
    -----
    A row of ``a`` has one counterpart, with probability ``share``, or none.
    Candidate j is it with weight share x f_j / n_j x [(1 - changed) B + changed],
    none of them with weight 1 - share; f_j is the density of the separation
    (two-dimensional normal), n_j that of ``b`` on the sky, from the distance
    to its 16th neighbour. B is the product of the Bayes factors of latents
    and flux, see `spectral_evidence`; where they are masked it is 1.

    What a chance pair looks like is taken from the tables themselves: the
    distribution of fluxes, and of latents as one Gaussian. Real populations
    are clumps, in which chance pairs are more alike than that. The mean of a
    Bayes factor over chance pairs is 1, so its logarithm is multiplied by the
    number of at most 1 for which that holds among random pairs of rows
    (``XMTEMPER``).

    Examples
    --------
    >>> from astropy import units as u
    >>> from astropy.table import Table
    >>> from astro_xlatent.match import match_catalogs
    >>> a = Table({"ra": [0.0, 10.0], "dec": [0.0, 90.0]})
    >>> b = Table({"ra": [200.0, 359.9999], "dec": [89.9999, 0.0]})
    >>> pairs = match_catalogs(a, b, a_error=1 * u.arcsec, b_error=1 * u.arcsec, spectral=False)
    >>> pairs["xm_row_a", "xm_row_b"].as_array().tolist()
    [(0, 1), (1, 0)]
    """
    changed = check_probability(changed, "changed")
    _check_positive(n_sigma=n_sigma, variability=variability, flux_scatter=flux_scatter)
    if spectral:
        _check_enriched(a, b)
    sky_a = read_positions(a, "the first table", a_error)
    sky_b = read_positions(b, "the second table", b_error)
    left = len(a) - len(sky_a), len(b) - len(sky_b)
    if any(left):
        warnings.warn(f"{left[0]} and {left[1]} rows of the two tables have no usable position or position "
                      "error and are left out", XlatentWarning, stacklevel=2)
    i, j, separation, sigma = candidate_pairs(sky_a, sky_b, n_sigma)
    ratio = _likelihood_ratio(sky_b, j, separation, sigma)
    if share is None:
        share = match_share(sky_a, sky_b, _sum_by(i, ratio)[np.unique(i)] if i.size else np.zeros(0))
    share = check_probability(share, "share")
    rows_a, rows_b = sky_a.rows[i], sky_b.rows[j]
    values = {"xm_row_a": rows_a, "xm_row_b": rows_b,
              "xm_sep": separation, "xm_pos_sigma": separation / sigma,
              "xm_pos_logb": positional_log_bayes(separation, sigma),
              "xm_pos_prob": _probability(i, share * ratio, 1 - share)}
    evidence = np.zeros(len(i))
    if spectral:
        log_bayes, difference = _compare_latents(a, b, rows_a, rows_b, variability)
        temper = _temper(a, b, rows_a, rows_b, variability)
        log_bayes = temper * log_bayes
        values |= {"xm_spec_logb": log_bayes, "xm_latent_sigma": difference}
        evidence += np.nan_to_num(log_bayes)
    if spectral and flux is not None:
        values["xm_flux_ratio"], values["xm_flux_ratio_err"], log_flux = _compare_fluxes(
            a, b, rows_a, rows_b, flux, flux_scatter)
        evidence += log_flux
    same = (1 - changed) * np.exp(np.clip(evidence, -500, 500))
    either = share * ratio * (same + changed) if spectral else share * ratio
    values["xm_prob"] = _probability(i, either, 1 - share)
    if spectral:
        values["xm_prob_same"] = values["xm_prob"] * same / np.maximum(same + changed, 1e-300)
    pairs = _finish(values, either)
    pairs.meta.update({"XMSHARE": share, "XMLEFTA": left[0], "XMLEFTB": left[1]})
    if spectral:
        pairs.meta["XMTEMPER"] = temper
    return pairs


def _check_positive(**numbers):
    for name, value in numbers.items():
        if isinstance(value, (bool, str)) or not np.isscalar(value) or not 0 <= value < np.inf:
            msg = f"{name} is {value!r}; it must be a number of 0 or more"
            raise ParameterError(msg)


def _check_enriched(a, b):
    for label, table in (("first", a), ("second", b)):
        if "xl_latent" not in table.colnames:
            msg = (f"the {label} table has no latents; enrich it with add_latents, or match by position "
                   "alone with spectral=False")
            raise TableError(msg)
    check_latent_space(a, b)


def _likelihood_ratio(sky_b, j, separation, sigma):
    """Density of the separations over that of the second catalogue's sources."""
    if not j.size:
        return np.zeros(0)
    unique, inverse = np.unique(j, return_inverse=True)
    density = sky_density(sky_b, unique)[inverse] * _PER_SQUARE_ARCSEC
    return np.exp(-0.5 * (separation / sigma) ** 2) / (2 * np.pi * sigma**2) / density


def _sum_by(index, values):
    """Sums of values with the same index, from 0 to the largest index."""
    return np.bincount(index, weights=values) if index.size else np.zeros(0)


def _probability(index, weight, none):
    """Weights over their sum by index, the weight of no counterpart included."""
    total = _sum_by(index, weight)[index] + none if index.size else np.ones(0)
    return weight / np.maximum(total, 1e-300)


def latent_population(*tables):
    """
    Mean and covariance of the true latents in some tables.

    Parameters
    ----------
    *tables : `~astropy.table.Table`
        Enriched.

    Returns
    -------
    mean, covariance : ndarray, (8,) and (8, 8)
        Covariance of the posterior means plus mean of the posterior
        covariances, every table with the same weight; N(0, 1), the prior,
        if fewer than 50 rows can be used.
    """
    most, least = _POPULATION
    parts = []
    for table in tables:
        rows = np.unique(np.linspace(0, max(len(table) - 1, 0), min(most, len(table))).astype(int))
        mean, covariance, usable = latent_gaussians(table, rows)
        parts.append((mean[usable], covariance[usable]))
    if min((len(mean) for mean, _ in parts), default=0) < least:
        return np.zeros(N_LATENT), np.eye(N_LATENT)
    centre = np.mean([mean.mean(axis=0) for mean, _ in parts], axis=0)
    spread = np.mean([np.einsum("ni,nj->ij", m - centre, m - centre) / len(m) + c.mean(axis=0)
                      for m, c in parts], axis=0)
    return centre, spread + 1e-6 * np.eye(N_LATENT)


def spectral_evidence(first, second, *, variability=0.05, population=None):
    """
    Compare the latents of pairs of observations.

    Parameters
    ----------
    first, second : tuple of ndarray, (n, 8) and (n, 8, 8)
        Means and covariances of the posteriors.
    variability : float, optional
        Variance of every latent between two observations of one source.
    population : tuple of ndarray, (8,) and (8, 8), optional
        Mean and covariance of the latents of the sources that are compared;
        by default the prior, N(0, 1).

    Returns
    -------
    log_bayes : ndarray, (n,)
        Natural logarithm of the Bayes factor of one source against two that
        were drawn from the population.
    sigma : ndarray, (n,)
        Significance of the difference, as that of a normal variable. It is
        chi-square of 8 degrees of freedom of the likelihoods' means, with
        their covariances and the variability; at most 37.

    Notes
    -----
    With likelihoods L = q / N(0, 1), each widened by half of the variability,
    and the population p: log of the integral of L1 L2 p, less the logs of
    those of L1 p and of L2 p. For p = N(0, 1) and no variability this is the
    integral of q1 q2 / p.

    Examples
    --------
    >>> import numpy as np
    >>> from astro_xlatent.match import spectral_evidence
    >>> q = np.zeros((1, 8)), 0.01 * np.eye(8)[None]
    >>> evidence, sigma = spectral_evidence(q, q)
    >>> bool(evidence[0] > 5), sigma.round().item()
    (True, 0.0)
    """
    centre, spread = (np.zeros(N_LATENT), np.eye(N_LATENT)) if population is None else population
    prior = np.linalg.inv(spread)
    wide = [likelihoods(*q, variability=variability / 2) for q in (first, second)]
    both = wide[0][0] + wide[1][0], wide[0][1] + wide[1][1]
    constant = np.linalg.slogdet(prior)[1] - centre @ prior @ centre
    log_bayes = (_log_integral(*both, prior, prior @ centre)
                 - sum(_log_integral(*one, prior, prior @ centre) for one in wide) - constant / 2)
    bounded = [likelihoods(*q, variability=variability / 2, least=MIN_INFORMATION) for q in (first, second)]
    return log_bayes, _difference(*bounded)


def _log_integral(information, weighted, prior, prior_weighted):
    """Log of the integral of a Gaussian likelihood times a Gaussian, but for common constants."""
    total, pull = information + prior, weighted + prior_weighted
    solved = np.linalg.solve(total, pull[..., None])[..., 0]
    return 0.5 * (np.einsum("ni,ni->n", pull, solved) - np.linalg.slogdet(total)[1])


def _difference(first, second):
    """Significance of the difference of two likelihoods' means, in standard deviations."""
    from scipy.special import chdtrc, ndtri

    covariances = [np.linalg.inv(information) for information, _ in (first, second)]
    means = [np.einsum("nij,nj->ni", c, h) for c, (_, h) in zip(covariances, (first, second), strict=True)]
    offset = means[0] - means[1]
    solved = np.linalg.solve(covariances[0] + covariances[1], offset[..., None])[..., 0]
    p = chdtrc(N_LATENT, np.einsum("ni,ni->n", offset, solved))
    return -ndtri(np.maximum(p, 1e-299) / 2)


def _compare_latents(a, b, rows_a, rows_b, variability):
    """Bayes factor and difference of every pair, NaN where one has no latents."""
    population = latent_population(a, b)
    log_bayes, sigma = np.full(len(rows_a), np.nan), np.full(len(rows_a), np.nan)
    for start in range(0, len(rows_a), _CHUNK):
        part = slice(start, start + _CHUNK)
        *first, known = latent_gaussians(a, rows_a[part])
        *second, also = latent_gaussians(b, rows_b[part])
        found = spectral_evidence(first, second, variability=variability, population=population)
        for target, value in zip((log_bayes, sigma), found, strict=True):
            target[part] = np.where(known & also, value, np.nan)
    return log_bayes, sigma


def _temper(a, b, rows_a, rows_b, variability):
    """Factor on the log Bayes factors of the latents that makes their mean over chance pairs 1."""
    if min(len(a), len(b)) < _POPULATION[1]:
        return 1.0
    rng = np.random.default_rng(20261122)
    i, j = (rng.integers(0, len(t), _CHUNK) for t in (a, b))
    chance = ~np.isin(i * len(b) + j, rows_a * len(b) + rows_b)
    log_bayes, _ = _compare_latents(a, b, i[chance], j[chance], variability)
    log_bayes = log_bayes[np.isfinite(log_bayes)]
    if not log_bayes.size or log_bayes.mean() >= 0:
        return 1.0
    if _log_mean_exp(log_bayes) <= 0:
        return 1.0
    low, high = 0.0, 1.0
    # The mean is 1 at 0, falls, and rises through 1 again: convex, so that halving finds it.
    for _ in range(40):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if _log_mean_exp(middle * log_bayes) <= 0 else (low, middle)
    return low


def _log_mean_exp(values):
    from scipy.special import logsumexp

    return logsumexp(values) - np.log(values.size)


def _compare_fluxes(a, b, rows_a, rows_b, name, scatter):
    """Flux ratio, its error, and the log Bayes factor of the fluxes of every pair."""
    (flux_a, error_a), (flux_b, error_b) = _log_flux(a, name), _log_flux(b, name)
    log_ratio = flux_b[rows_b] - flux_a[rows_a]
    error = np.hypot(error_a[rows_a], error_b[rows_b])
    width = np.hypot(error, max(scatter, 1e-3))
    chance = _log_density(flux_b)(flux_b[rows_b])
    log_bayes = -0.5 * (log_ratio / width) ** 2 - np.log(np.sqrt(2 * np.pi) * width) - chance
    ratio = 10**log_ratio
    return ratio, ratio * np.log(10) * error, np.where(np.isfinite(log_ratio), log_bayes, 0.0)


def _log_flux(table, name):
    """Decimal logarithm of a flux and its error; NaN where there is none."""
    names = [name, f"{name}_lolim", f"{name}_hilim"]
    absent = [n for n in names if n not in table.colnames]
    if absent or name not in COLUMNS:
        known = ", ".join(n for n in COLUMNS if n.startswith("xl_flux") and not n.endswith("lim"))
        msg = (f"flux={name!r}: not in both tables with its limits; allowed: None, or one of {known} "
               "as add_latents makes them")
        raise TableError(msg)
    from astro_xlatent.missions._columns import Columns

    columns = Columns(table)
    value, low, high = (columns.number(n, COLUMNS[n].unit) for n in names)
    with np.errstate(divide="ignore", invalid="ignore"):
        value, low, high = np.log10(value), np.log10(low), np.log10(high)
    error = np.where(np.isfinite(low), (high - low) / 2, np.maximum(high - value, _UNKNOWN_ERROR))
    known = np.isfinite(value) & np.isfinite(error)
    return np.where(known, value, np.nan), np.where(known, np.maximum(error, 0.01), np.nan)


def _log_density(values):
    """Smooth logarithm of the density of some values, as a function."""
    values = values[np.isfinite(values)]
    if not values.size:
        return np.zeros_like
    edges = np.arange(values.min() - 1.0, values.max() + 1.1, 0.05)
    counts = np.histogram(values, edges)[0].astype(float)
    kernel = np.exp(-0.5 * (np.arange(-20, 21) * 0.05 / 0.2) ** 2)
    density = np.convolve(counts, kernel / kernel.sum(), mode="same") / values.size / 0.05
    centre = 0.5 * (edges[1:] + edges[:-1])
    return lambda x: np.log(np.interp(x, centre, np.maximum(density, 1e-6)))


def _finish(values, weight):
    """Rank the pairs and make the table."""
    row_a, row_b = values["xm_row_a"], values["xm_row_b"]
    order = np.lexsort((row_b, -weight, row_a))
    row_a, row_b, weight = row_a[order], row_b[order], weight[order]
    first = np.r_[True, row_a[1:] != row_a[:-1]][:len(row_a)]
    starts = np.flatnonzero(first)
    rank = 1 + np.arange(len(row_a)) - np.repeat(starts, np.diff(np.r_[starts, len(row_a)]))
    strongest = np.zeros(row_b.max() + 1 if len(row_b) else 0)
    np.maximum.at(strongest, row_b, weight)
    ranked = {"xm_rank": rank, "xm_best": (rank == 1) & (weight >= strongest[row_b])}
    table = Table()
    for name, (dtype, unit, ucd, text) in _OUTPUT.items():
        if name in values or name in ranked:
            column = ranked[name] if name in ranked else values[name][order]
            table[name] = _output_column(column, dtype, unit, ucd, text)
    return table


def _output_column(values, dtype, unit, ucd, text):
    info = {"unit": unit, "description": text, "meta": {"ucd": ucd}}
    if np.dtype(dtype).kind != "f":
        return Column(values.astype(dtype), **info)
    unknown = ~np.isfinite(values)
    values = values.astype(dtype)
    return MaskedColumn(values, mask=unknown, format="%.4g", **info) if unknown.any() else Column(
        values, format="%.4g", **info)
