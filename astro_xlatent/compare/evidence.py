# Licensed under a 3-clause BSD style license - see LICENSE
"""How alike spectra and fluxes of pairs of rows are, as evidence of one source."""

import numpy as np
from astropy.table import Table

from astro_xlatent.compare.likelihoods import (
    MIN_INFORMATION,
    REPEATED,
    expected_weighted,
    inverse_square,
    latent_gaussians,
    likelihoods,
)
from astro_xlatent.core.columns import COLUMNS, N_LATENT
from astro_xlatent.core.errors import TableError

__all__ = ["compare_fluxes", "compare_latents", "latent_population", "spectral_evidence", "temper_factor"]

# Pairs whose matrices are worked on at once.
_CHUNK = 20_000
# Rows from which the distribution of the latents is taken, at most and at least.
_POPULATION = (20_000, 50)
# Error in dex of a flux of which only one limit is known.
_UNKNOWN_ERROR = 0.5


def latent_population(*tables: Table) -> tuple[np.ndarray, np.ndarray]:
    """
    Mean (8,) and covariance (8, 8) of the true latents in enriched tables, of the same weight each: that
    of the posterior means plus the mean of theirs; the prior, N(0, 1), if fewer than 50 rows are usable.
    """
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
    Compare the latents of pairs of observations, posteriors (n, 8) and (n, 8, 8): ln of the Bayes factor of
    one source against two drawn from the population (mean and covariance; by default the prior, N(0, 1)), and
    the significance of the difference, as that of a normal variable, at most 37.

    With likelihoods L = q / N(0, 1), each widened by half of the variability (variance of every latent
    between two observations), and the population p: log of the integral of L1 L2 p, less those of L1 p and
    of L2 p (Budavari & Szalay 2008, ApJ 679, 301). The significance is from chi-square of the likelihoods'
    means, with degrees of freedom as in `~astro_xlatent.compare.observations.combine`.
    """
    center, spread = (np.zeros(N_LATENT), np.eye(N_LATENT)) if population is None else population
    prior = np.linalg.inv(spread)
    wide = [likelihoods(*q, variability=variability / 2) for q in (first, second)]
    both = wide[0][0] + wide[1][0], wide[0][1] + wide[1][1]
    constant = np.linalg.slogdet(prior)[1] - center @ prior @ center
    log_bayes = (_log_integral(*both, prior, prior @ center)
                 - sum(_log_integral(*one, prior, prior @ center) for one in wide) - constant / 2)
    bounded = [likelihoods(*q, variability=variability / 2, least=MIN_INFORMATION) for q in (first, second)]
    response = [expected_weighted(q[1], variability / 2, MIN_INFORMATION) for q in (first, second)]
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
    Factor, at most 1, on log Bayes factors of latents that makes their mean over chance pairs 1, as it is
    by definition under the alternative; in a clumped population, described as one Gaussian, it is more.
    Chance pairs are random rows that are none of the pairs; tables of fewer than 50 rows get 1.
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
