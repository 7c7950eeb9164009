# Licensed under a 3-clause BSD style license - see LICENSE
"""
The Cash statistic (Cash 1979, ApJ 228, 939) of a model, what to expect of it (as in Kaastra 2017, A&A 605,
A51, but summed from the Poisson distribution itself), and the latents that make it least.
"""

from collections.abc import Callable
from copy import copy
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import ArrayLike

from astro_xlatent.spectra.bins import EnergyBins, floored_background

__all__ = ["cash", "cash_moments", "fit_statistics", "largest_run", "merge_bins", "merged_fit",
           "profile_normalization", "refine_latents", "search_elsewhere"]

#: Bins of the fine grid that make one bin of the goodness of fit.
MERGED = 2
#: Fewer bins than latents + 2 always fit.
MIN_BINS = 10
#: Lengths, in merged bins, of the runs that are searched for an excess or a deficit.
RUNS = (1, 2, 3, 4, 6, 8)
# Relative step below which a normalization has arrived.
_ARRIVED = 1e-4
# Finite difference in units of the latents' prior standard deviation.
STEP = 0.02
#: Step lengths that are tried at every step, besides staying.
LENGTHS = np.array([1.0, 0.2])
# A row whose objective falls by less than this has arrived.
TOLERANCE = 0.3
#: Places from which a second search sets out, and most steps from there.
N_STARTS, FAR_STEPS = 3, 12


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
    By name, (rows,), NaN with fewer than `MIN_BINS`: ``gof``, (C - C_e) / sqrt(Var C), the background's error
    in both moments, which each of ``n_fitted`` parameters lowers by one and two, as for chi-square; ``run``,
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
    Largest excess or deficit, (rows,), in `RUNS` neighboring bins, as a line, edge or kink makes it: the Cash
    statistic of their summed counts over one plus the background's share of their variance, near 10 by
    chance.
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
    Maximum-likelihood normalization K >= 0 (...) of a source s on a known background b: the stationary point
    of the Poisson likelihood (Cash 1979), sum_i n_i s_i / (K s_i + b_i) = sum_i s_i over ``valid`` bins (...,
    bins). The left side falls with K, so that K = 0 if it starts below the right side.
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


class _Problem:
    """Counts, background and folding of some rows, as tensors."""

    def __init__(self, decode, bins, matrices):
        self.decode = decode
        used = merge_bins(bins.valid, bins.valid) > 0
        background = merge_bins(bins.background, bins.valid)
        error = np.sqrt(merge_bins(bins.background_error**2, bins.valid))
        floor = floored_background(background, error) + 1e-5
        self.valid = torch.as_tensor(used)
        self.counts = torch.as_tensor(merge_bins(bins.counts, bins.valid))
        self.background = torch.as_tensor(np.where(used, floor, 1.0))
        self.matrices = torch.as_tensor(merge_bins(matrices, bins.valid))

    def rows(self, index):
        """The same problem for some of the rows."""
        part = copy(self)
        if len(index) < len(self.counts):
            vars(part).update({name: v[index] for name, v in vars(self).items() if name != "decode"})
        return part

    def model(self, z):
        """Expected counts for latents (rows, copies, D), shape (rows, copies, bins)."""
        rows, copies, d = z.shape
        spectrum = torch.as_tensor(self.decode(z.reshape(-1, d))).view(rows, copies, -1)
        s = torch.bmm(spectrum, self.matrices.transpose(1, 2)) * self.valid[:, None]
        s = s / s.sum(-1, keepdim=True).clamp(min=1e-30)
        norm = profile_normalization(self.counts.float()[:, None], s, self.background.float()[:, None],
                                     self.valid[:, None], n_steps=8)
        return torch.addcmul(self.background[:, None], norm[..., None].double(), s.double())

    def objective(self, expected, z):
        """Half the Cash statistic, up to a constant, plus half of z squared; (rows, copies)."""
        terms = expected - self.counts[:, None] * torch.log(expected)
        prior = 0.5 * torch.as_tensor(z).square().sum(-1)
        return torch.where(self.valid[:, None], terms, 0.0).sum(-1) + prior


def refine_latents(decode: Callable, start: np.ndarray, bins: EnergyBins, matrices: np.ndarray,
                   n_steps: int = 6) -> tuple[np.ndarray, np.ndarray]:
    """
    Maximum a posteriori latents (rows, D) by damped Gauss-Newton steps, never worse than the start, and the
    effective number of parameters (rows,), normalization included: the trace of (H + 1)^-1 H for the Hessian
    H of the likelihood (Spiegelhalter et al. 2002, JRSS B 64, 583).
    """
    z = np.array(start, float)
    n_fitted = np.ones(len(z))
    active = np.arange(len(z))
    problem = _Problem(decode, bins, matrices)
    for _ in range(n_steps):
        z[active], n_fitted[active], gain = _gauss_newton_step(problem.rows(active), z[active])
        active = active[gain > TOLERANCE]
        if not len(active):
            break
    return z, n_fitted


def search_elsewhere(decode: Callable, latent: np.ndarray, n_fitted: np.ndarray, candidates: np.ndarray,
                     bins: EnergyBins, matrices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The better of ``latent`` and what `refine_latents` finds from the best `N_STARTS` of ``candidates``."""
    problem = _Problem(decode, bins, matrices)
    everywhere = np.repeat(candidates[None], len(latent), axis=0)
    order = problem.objective(problem.model(everywhere), everywhere).argsort(dim=1).numpy()
    found = [(latent, n_fitted)] + [refine_latents(decode, candidates[k], bins, matrices, FAR_STEPS)
                                    for k in order[:, :N_STARTS].T]
    z, fitted = (np.stack(parts, axis=1) for parts in zip(*found, strict=True))  # (rows, searches, ...)
    best = problem.objective(problem.model(z), z).argmin(dim=1).numpy()
    rows = np.arange(len(latent))
    return z[rows, best], fitted[rows, best]


def _gauss_newton_step(problem, z):
    """Improved latents, effective number of parameters, and the gain."""
    d = z.shape[1]
    offsets = STEP * np.concatenate([np.zeros((1, d)), np.eye(d)])
    around = problem.model(z[:, None, :] + offsets)
    now, jacobian = around[:, 0], (around[:, 1:] - around[:, :1]) / STEP  # (rows, D, bins)
    slope = torch.where(problem.valid, 1 - problem.counts / now, 0.0)
    gradient = torch.einsum("rib,rb->ri", jacobian, slope) + torch.as_tensor(z)
    weight = torch.where(problem.valid, 1 / now, 0.0)
    hessian = torch.einsum("rib,rb,rjb->rij", jacobian, weight, jacobian)
    with_prior = hessian + torch.eye(d, dtype=torch.float64)
    move = -torch.linalg.solve(with_prior, gradient).numpy()
    fitted = torch.linalg.solve(with_prior, hessian).diagonal(dim1=1, dim2=2).sum(-1).numpy()
    tried = z[:, None, :] + LENGTHS[:, None] * move[:, None, :]
    before = problem.objective(now[:, None], z[:, None])[:, 0]
    best, index = problem.objective(problem.model(tried), tried).min(dim=1)
    gain = (before - best).numpy()
    moved = tried[np.arange(len(z)), index.numpy()]
    return np.where(gain[:, None] > 0, moved, z), 1 + fitted, gain
