# Licensed under a 3-clause BSD style license - see LICENSE
"""
How alike spectra and fluxes of pairs of rows are, as evidence of one source. The latents of a row are a
Gaussian; divided by the prior, N(0, 1) by their definition, it is the likelihood.
"""

import numpy as np
from astropy.table import Table

from astro_xlatent.core.columns import CLASSES, COLUMNS, N_LATENT, all_probabilities
from astro_xlatent.core.errors import TableError
from astro_xlatent.core.flags import Flag

__all__ = ["MIN_INFORMATION", "REPEATED", "class_probabilities", "compare_fluxes", "compare_latents",
           "inverse_square", "latent_gaussians", "latent_population", "likelihoods", "plain_column",
           "spectral_evidence", "temper_factor"]

#: Information, relative to the prior's, below which a direction of the latents counts as not measured: what
#: a posterior holds there is the population, which is no Gaussian and would look like a measurement.
MIN_INFORMATION = 0.3
#: Variance of a repeated posterior mean over what Gaussian posteriors imply: part of a posterior's width is
#: doubt between kinds of sources, which a second observation shares. Chosen on simulated repeats, so that
#: p-values err towards no change but in their far tail (``benchmarks/bench_change.py``).
REPEATED = 0.75
# Pairs whose matrices are worked on at once.
_CHUNK = 20_000
# Rows from which the distribution of the latents is taken, at most and at least.
_POPULATION = (20_000, 50)
# Error in dex of a flux of which only one limit is known.
_UNKNOWN_ERROR = 0.5


def latent_gaussians(table: Table, rows: slice | np.ndarray = slice(None),
                     ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Means (n, 8), covariances (n, 8, 8), and which rows are usable: measured, with a source detected."""
    mean, masked = plain_column(table, "xl_latent", rows, (N_LATENT,))
    if "xl_latent_cov" in table.colnames:
        covariance, also = plain_column(table, "xl_latent_cov", rows, (N_LATENT, N_LATENT))
        variance = np.diagonal(covariance, axis1=1, axis2=2)
    else:
        error, also = plain_column(table, "xl_latent_err", rows, (N_LATENT,))
        variance = error**2
        covariance = np.where(np.eye(N_LATENT, dtype=bool), variance[:, :, None], 0.0)
    usable = ~(masked | also) & np.isfinite(mean).all(axis=1) & (variance > 0).all(axis=1)
    usable &= np.isfinite(covariance).all(axis=(1, 2))
    if "xl_flag" in table.colnames:
        flags = np.ma.filled(np.ma.asarray(table["xl_flag"][rows]), 0).astype(np.int64)
        usable &= flags & Flag.NO_SOURCE == 0
    mean = np.where(usable[:, None], mean, 0.0)
    return mean, np.where(usable[:, None, None], covariance, np.eye(N_LATENT)), usable


def plain_column(table: Table, name: str, rows: slice | np.ndarray,
                 shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Some rows of a column of a given shape a row, as float64, and which are masked anywhere."""
    if name not in table.colnames:
        raise TableError(f"the table has no column {name!r}; enrich it first with add_latents")
    column = table[name]
    if column.shape[1:] != shape:
        raise TableError(f"column {name!r} has shape {column.shape}; {(len(table), *shape)} is needed")
    values = np.ma.asarray(getattr(column[rows], "value", column[rows]))
    masked = np.ma.getmaskarray(values).any(axis=tuple(range(1, values.ndim)))
    return np.ma.getdata(values).astype(float), np.asarray(masked)


def class_probabilities(table: Table) -> np.ndarray | None:
    """Probabilities of nine classes (n, 9), uniform where masked; None without the columns."""
    if not {"xl_class_prob", "xl_class_other"} <= set(table.colnames):
        return None
    eight, masked = plain_column(table, "xl_class_prob", slice(None), (len(CLASSES),))
    other, also = plain_column(table, "xl_class_other", slice(None), ())
    nine = all_probabilities(eight, other)
    known = ~(masked | also) & np.isfinite(nine).all(axis=1)
    return np.where(known[:, None], nine, 1 / nine.shape[1])


def likelihoods(mean: np.ndarray, covariance: np.ndarray, variability: float = 0.0,
                least: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """
    Information (inverse covariance, at ``least`` so much in every direction) and information times mean of
    the likelihoods behind posteriors; ``variability`` is a source's variance between observations.
    """
    spread, axes = np.linalg.eigh(covariance)
    spread = np.maximum(spread, 1e-8)
    measured = np.maximum(1.0 / spread - 1.0, 0.0)
    weighted = np.where(measured > 0, np.einsum("nji,nj->ni", axes, mean) / spread, 0.0)
    # A bound widens nothing but the error of what is hardly measured.
    bounded = np.maximum(measured, least)
    diluted = 1.0 + bounded * variability
    information = np.einsum("nij,nj,nkj->nik", axes, bounded / diluted, axes, optimize=True)
    return information, np.einsum("nij,nj->ni", axes, weighted / diluted)


def _expected_weighted(covariance: np.ndarray, variability: float = 0.0,
                      least: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Slope and noise (n, 8, 8): what `likelihoods` weighs is slope times the latents' mean, +- noise."""
    spread, axes = np.linalg.eigh(covariance)
    measured = np.maximum(1.0 / np.maximum(spread, 1e-8) - 1.0, 0.0)
    diluted = 1.0 + np.maximum(measured, least) * variability

    def matrix(values):
        return np.einsum("nij,nj,nkj->nik", axes, values, axes, optimize=True)

    return matrix(measured / diluted), matrix(measured * (1.0 + measured * variability) / diluted**2)


def inverse_square(matrix: np.ndarray, vector: np.ndarray) -> np.ndarray:
    """v' M^-1 v of matrices (n, 8, 8) and vectors (n, 8)."""
    return np.einsum("ni,ni->n", vector, np.linalg.solve(matrix, vector[..., None])[..., 0])


def latent_population(*tables: Table) -> tuple[np.ndarray, np.ndarray]:
    """Mean and covariance of true latents, tables alike in weight; the prior below 50 usable rows."""
    most, least = _POPULATION
    parts = []
    for table in tables:
        rows = np.unique(np.linspace(0, max(len(table) - 1, 0), min(most, len(table))).astype(int))
        mean, covariance, usable = latent_gaussians(table, rows)
        parts.append((mean[usable], covariance[usable]))
    if min((len(mean) for mean, _ in parts), default=0) < least:
        return np.zeros(N_LATENT), np.eye(N_LATENT)
    center = np.mean([mean.mean(axis=0) for mean, _ in parts], axis=0)
    spread = np.mean([np.einsum("ni,nj->ij", m - center, m - center) / len(m) + c.mean(axis=0)
                      for m, c in parts], axis=0)
    return center, spread + 1e-6 * np.eye(N_LATENT)


def spectral_evidence(first: tuple[np.ndarray, np.ndarray], second: tuple[np.ndarray, np.ndarray], *,
                      variability: float = 0.05,
                      population: tuple[np.ndarray, np.ndarray] | None = None,
                      ) -> tuple[np.ndarray, np.ndarray]:
    """
    ln of the Bayes factor of one source against two of the population (its mean and covariance), for pairs
    of posteriors, (n, 8) and (n, 8, 8), and the significance of the difference in sigma, at most 37.

    With likelihoods L = q / N(0, 1), each widened by half of the variability, and the population p: log of
    the integral of L1 L2 p, less those of L1 p and of L2 p (Budavari & Szalay 2008, ApJ 679, 301). The
    significance is from chi-square as in `~astro_xlatent.compare.observations.combine`.
    """
    center, spread = (np.zeros(N_LATENT), np.eye(N_LATENT)) if population is None else population
    prior = np.linalg.inv(spread)
    wide = [likelihoods(*q, variability=variability / 2) for q in (first, second)]
    both = wide[0][0] + wide[1][0], wide[0][1] + wide[1][1]
    constant = np.linalg.slogdet(prior)[1] - center @ prior @ center
    log_bayes = (_log_integral(*both, prior, prior @ center)
                 - sum(_log_integral(*one, prior, prior @ center) for one in wide) - constant / 2)
    bounded = [likelihoods(*q, variability=variability / 2, least=MIN_INFORMATION) for q in (first, second)]
    response = [_expected_weighted(q[1], variability / 2, MIN_INFORMATION) for q in (first, second)]
    return log_bayes, _difference(bounded, response)


def _log_integral(information, weighted, prior, prior_weighted):
    """Log of the integral of a Gaussian likelihood times a Gaussian, but for common constants."""
    total = information + prior
    return 0.5 * (inverse_square(total, weighted + prior_weighted) - np.linalg.slogdet(total)[1])


def _difference(bounded, response):
    """Significance of the difference of two likelihoods' means, in standard deviations."""
    from scipy.special import chdtrc, ndtri

    covariances = [np.linalg.inv(information) for information, _ in bounded]
    means = [np.einsum("nij,nj->ni", c, h) for c, (_, h) in zip(covariances, bounded, strict=True)]
    offset = means[0] - means[1]
    weight = np.linalg.inv(covariances[0] + covariances[1])
    chi2 = np.einsum("ni,nij,nj->n", offset, weight, offset, optimize=True)
    # Directions that are hardly measured differ by less than their error: fewer degrees of freedom.
    slopes = [c @ slope for c, (slope, _) in zip(covariances, response, strict=True)]
    spread = (slopes[0] - slopes[1]) @ (slopes[0] - slopes[1]).transpose(0, 2, 1)
    spread = spread + sum(c @ noise @ c for c, (_, noise) in zip(covariances, response, strict=True))
    p = chdtrc(np.maximum(np.einsum("nij,nji->n", weight, spread), 1e-3), chi2 / REPEATED)
    return -ndtri(np.maximum(p, 1e-299) / 2)


def compare_latents(a: Table, b: Table, rows_a: np.ndarray, rows_b: np.ndarray,
                    variability: float) -> tuple[np.ndarray, np.ndarray]:
    """As `spectral_evidence`, of pairs of rows in the population of both tables; NaN without latents."""
    population = latent_population(a, b)
    log_bayes, sigma = np.full(len(rows_a), np.nan), np.full(len(rows_a), np.nan)
    for start in range(0, len(rows_a), _CHUNK):
        part = slice(start, start + _CHUNK)
        first = latent_gaussians(a, rows_a[part])
        second = latent_gaussians(b, rows_b[part])
        known = first[2] & second[2]
        found = spectral_evidence(first[:2], second[:2], variability=variability, population=population)
        for target, value in zip((log_bayes, sigma), found, strict=True):
            target[part] = np.where(known, value, np.nan)
    return log_bayes, sigma


def temper_factor(a: Table, b: Table, rows_a: np.ndarray, rows_b: np.ndarray, variability: float) -> float:
    """
    Factor, at most 1, on log Bayes factors of latents that makes their mean over chance pairs 1, as it is by
    definition under the alternative; a clumped population, described as one Gaussian, has more.
    """
    from scipy.special import logsumexp

    if min(len(a), len(b)) < _POPULATION[1]:
        return 1.0
    rng = np.random.default_rng(20261122)
    i, j = (rng.integers(0, len(t), _CHUNK) for t in (a, b))
    chance = ~np.isin(i * len(b) + j, rows_a * len(b) + rows_b)
    log_bayes, _ = compare_latents(a, b, i[chance], j[chance], variability)
    log_bayes = log_bayes[np.isfinite(log_bayes)]

    def log_mean(factor):
        return logsumexp(factor * log_bayes) - np.log(log_bayes.size)

    if not log_bayes.size or log_bayes.mean() >= 0 or log_mean(1.0) <= 0:
        return 1.0
    low, high = 0.0, 1.0
    # The mean is 1 at 0, falls, and rises through 1 again: convex, so that halving finds it.
    for _ in range(40):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if log_mean(middle) <= 0 else (low, middle)
    return low


def compare_fluxes(a: Table, b: Table, rows_a: np.ndarray, rows_b: np.ndarray, name: str,
                   scatter: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """
    Flux ratios of pairs, second over first, their errors, and ln of the Bayes factor (0 where unknown) of
    one source, which scatters by so many dex, against a chance pair with any flux of ``b``.
    """
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
    """Logarithm of the density of some values, smoothed by 0.2, as a function."""
    from scipy.ndimage import gaussian_filter1d

    values = values[np.isfinite(values)]
    if not values.size:
        return np.zeros_like
    edges = np.arange(values.min() - 1.0, values.max() + 1.1, 0.05)
    counts = np.histogram(values, edges, density=True)[0]
    density = np.maximum(gaussian_filter1d(counts, 4, mode="constant", truncate=5), 1e-6)
    return lambda x: np.log(np.interp(x, 0.5 * (edges[1:] + edges[:-1]), density))
