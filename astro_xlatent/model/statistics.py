# Licensed under a 3-clause BSD style license - see LICENSE
"""
The Cash statistic of a model, and what to expect of it.

References
----------
Cash 1979, ApJ 228, 939; expectation and variance as in Kaastra 2017, A&A 605,
A51, here summed from the Poisson distribution itself.
"""

from functools import lru_cache

import numpy as np
import torch
from numpy.typing import ArrayLike

from astro_xlatent.spectra.bins import EnergyBins, floored_background

__all__ = ["cash", "cash_moments", "fit_statistics", "largest_run", "merge_bins", "merged_fit",
           "profile_normalization"]

#: Bins of the fine grid that make one bin of the goodness of fit.
MERGED = 2
#: Fewer bins than latents + 2 always fit.
MIN_BINS = 10
#: Lengths, in merged bins, of the runs that are searched for an excess or a deficit.
RUNS = (1, 2, 3, 4, 6, 8)
# Relative step below which a normalization has arrived.
_ARRIVED = 1e-4


def cash(counts: ArrayLike, model: ArrayLike) -> np.ndarray:
    """Cash statistic per bin, 2 (m - n + n log(n / m)), which tends to chi-square; the model is positive."""
    n, m = np.asarray(counts, float), np.asarray(model, float)
    return 2 * (m - n + n * np.log(np.where(n > 0, n, 1) / np.where(n > 0, m, 1)))


@lru_cache(maxsize=1)
def _moment_table():
    """Mean and variance of the Cash statistic per bin against log expected counts."""
    from scipy.stats import poisson

    log_mean = np.linspace(np.log(1e-5), np.log(1e3), 361)
    moments = []
    for mean in np.exp(log_mean):
        n = np.arange(max(0, int(mean - 12 * np.sqrt(mean))), int(mean + 12 * np.sqrt(mean) + 20))
        weight, value = poisson.pmf(n, mean), cash(n, mean)
        first = (weight * value).sum()
        moments.append((first, (weight * value**2).sum() - first**2))
    return log_mean, np.array(moments)


def cash_moments(model: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Expectation and variance of the Cash statistic per bin of expected counts, from exact sums."""
    log_mean, moments = _moment_table()
    x = np.log(np.maximum(model, 1e-5))
    return np.interp(x, log_mean, moments[:, 0]), np.interp(x, log_mean, moments[:, 1])


def merge_bins(values: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """Sums (rows, bins / MERGED, ...) over neighboring valid bins of the fine grid."""
    if not valid.all():
        values = np.where(valid.reshape(valid.shape + (1,) * (values.ndim - 2)), values, 0)
    # Slices with a stride: reshaping would copy a large array, and the last bin may be single.
    merged = values[:, ::MERGED].astype(values.dtype if values.dtype.kind == "f" else float)
    for k in range(1, MERGED):
        part = values[:, k::MERGED]
        merged[:, : part.shape[1]] += part
    return merged


def fit_statistics(bins: EnergyBins, spectrum: np.ndarray, matrices: np.ndarray,
                   n_fitted: np.ndarray | float = 0.0) -> dict[str, np.ndarray]:
    """
    How well incident spectra (rows, n_energy) describe counts; NaN with fewer than `MIN_BINS` valid bins.

    By name, (rows,): ``gof``, (C - C_e) / sqrt(Var C), where the uncertainty of the background is part of
    both moments and each of ``n_fitted`` parameters lowers them by one and two, as for chi-square; ``run``,
    see `largest_run`; ``dispersion``, C / C_e, not below 1.
    """
    n, model, b_variance, used = merged_fit(bins, np.einsum("re,rbe->rb", spectrum, matrices, optimize=True))
    mean, variance = cash_moments(model)
    share = b_variance / model
    mean, variance = mean + share, variance + 2 * share**2 + 4 * share
    expected = np.where(used, mean, 0.0).sum(axis=1) - n_fitted
    excess = np.where(used, cash(n, model), 0.0).sum(axis=1) - expected
    total = np.where(used, variance, 0.0).sum(axis=1)
    fit = {
        "gof": excess / np.sqrt(np.maximum(total - 2 * n_fitted, 0.2 * total).clip(1e-30)),
        "run": largest_run(*(np.where(used, a, 0.0) for a in (n, model, b_variance))),
        "dispersion": 1 + np.maximum(excess, 0.0) / np.maximum(expected, 1.0),
    }
    enough = used.sum(axis=1) >= MIN_BINS
    return {name: np.where(enough, value, np.nan) for name, value in fit.items()}


def merged_fit(bins: EnergyBins, source: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Counts, profiled model, variance of background (rows, bins / MERGED), and which bins count."""
    valid = bins.valid
    n, s, b = (merge_bins(values, valid) for values in (bins.counts, source, bins.background))
    b_variance, used = merge_bins(bins.background_error**2, valid), merge_bins(valid, valid) > 0
    s = s / np.maximum(s.sum(axis=1, keepdims=True), 1e-300)
    counts, shape, background, counted = (torch.as_tensor(a) for a in (n, s, b, used))
    norm = profile_normalization(counts, shape, background, counted).numpy()
    model = np.maximum(norm[:, None] * s + floored_background(b, np.sqrt(b_variance)), 1e-5)
    return n, model, b_variance, used


def largest_run(counts: np.ndarray, model: np.ndarray, background_variance: np.ndarray) -> np.ndarray:
    """
    Largest excess or deficit in neighboring bins, (rows,); arguments (rows, bins) are zero where none count.

    A line, an edge or a kink that the model lacks moves a few neighbors the same way and is lost in the sum
    over all bins. The largest Cash statistic of the summed counts of `RUNS` neighbors, over one plus the
    background's share of their variance: near 10 by chance, calibrated on simulations.
    """
    summed = [np.pad(np.cumsum(a, axis=1), ((0, 0), (1, 0))) for a in (counts, model, background_variance)]
    largest = np.zeros(len(counts))
    for length in RUNS:
        n, m, b = (a[:, length:] - a[:, :-length] for a in summed)
        m = np.maximum(m, 1e-5)
        largest = np.maximum(largest, (cash(n.clip(0), m) / (1 + b / m)).max(axis=1, initial=0.0))
    return largest


@torch.no_grad()
def profile_normalization(counts: torch.Tensor, shape: torch.Tensor, background: torch.Tensor,
                          valid: torch.Tensor, n_steps: int = 12) -> torch.Tensor:
    """
    Maximum-likelihood normalization (...) of a source on a known background, zero where there is none.

    Solves sum_i n_i s_i / (K s_i + b_i) = sum_i s_i for K >= 0, the stationary point of the Poisson
    likelihood (Cash 1979, ApJ 228, 939), over ``valid`` bins (..., bins) with counts n, source counts s for
    K = 1 and background b. The left side falls, so that K = 0 if it starts below the right side.
    """
    n = torch.where(valid, counts, 0.0)
    s = torch.where(valid, shape, 0.0)
    b = torch.where(valid, background, 0.0).clamp(min=1e-6)
    total = s.sum(-1)
    # sum n s / (K s + b) <= sum n / K, hence K <= sum n / sum s.
    upper = n.sum(-1) / total.clamp(min=1e-30)
    positive = ((n * s / b).sum(-1) > total) & (total > 0)
    lower, norm = torch.zeros_like(upper), upper
    for _ in range(n_steps):
        ratio = s / torch.addcmul(b, norm[..., None], s)
        weighted = n * ratio
        slope_free = weighted.sum(-1) - total
        curvature = (weighted * ratio).sum(-1)
        lower = torch.where(slope_free > 0, norm, lower)
        upper = torch.where(slope_free > 0, upper, norm)
        newton = norm + slope_free / curvature.clamp(min=1e-30)
        inside = (newton >= lower) & (newton <= upper)
        moved, norm = norm, torch.where(inside, newton, 0.5 * (lower + upper))
        # What is left after a Newton step of this size is its square.
        if torch.all(((norm - moved).abs() <= _ARRIVED * norm) | ~positive):
            break
    return torch.where(positive, norm, 0.0)
