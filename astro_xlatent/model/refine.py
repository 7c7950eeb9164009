# Licensed under a 3-clause BSD style license - see LICENSE
"""Latents that describe the counts best, starting from the encoder's answer."""

from collections.abc import Callable
from copy import copy
from typing import Self

import numpy as np
import torch

from astro_xlatent.model.statistics import merge_bins, profile_normalization
from astro_xlatent.spectra.bins import EnergyBins, floored_background

__all__ = ["refine_latents", "search_elsewhere"]

# Finite difference in units of the latents' prior standard deviation.
STEP = 0.02
#: Step lengths that are tried at every step, besides staying.
LENGTHS = np.array([1.0, 0.2])
# A row whose objective falls by less than this has arrived.
TOLERANCE = 0.3
#: Places from which a second search sets out, and most steps from there.
N_STARTS, FAR_STEPS = 3, 12


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

    def rows(self, index: np.ndarray) -> Self:
        """The same problem for some of the rows."""
        part = copy(self)
        if len(index) < len(self.counts):
            vars(part).update({name: v[index] for name, v in vars(self).items() if name != "decode"})
        return part

    def model(self, z: np.ndarray) -> torch.Tensor:
        """Expected counts for latents (rows, copies, D), shape (rows, copies, bins)."""
        rows, copies, d = z.shape
        spectrum = torch.as_tensor(self.decode(z.reshape(-1, d))).view(rows, copies, -1)
        s = torch.bmm(spectrum, self.matrices.transpose(1, 2)) * self.valid[:, None]
        s = s / s.sum(-1, keepdim=True).clamp(min=1e-30)
        norm = profile_normalization(self.counts.float()[:, None], s, self.background.float()[:, None],
                                     self.valid[:, None], n_steps=8)
        return torch.addcmul(self.background[:, None], norm[..., None].double(), s.double())

    def objective(self, expected: torch.Tensor, z: np.ndarray) -> torch.Tensor:
        """Half the Cash statistic, up to a constant, plus half of z squared; (rows, copies)."""
        terms = expected - self.counts[:, None] * torch.log(expected)
        likelihood = torch.where(self.valid[:, None], terms, 0.0).sum(-1)
        return likelihood + 0.5 * torch.as_tensor(z).square().sum(-1)


def refine_latents(decode: Callable, start: np.ndarray, bins: EnergyBins, matrices: np.ndarray,
                   n_steps: int = 6) -> tuple[np.ndarray, np.ndarray]:
    """
    Maximum a posteriori latents (rows, D) by damped Gauss-Newton steps, never worse than the start.

    Minimizes half the Cash statistic, normalization profiled, plus half the squared latents. Also gives the
    effective number of parameters that the counts determined (rows,), normalization included: the trace of
    (H + 1)^-1 H for the Hessian H of the likelihood (Spiegelhalter et al. 2002, JRSS B 64, 583).
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
    """
    The better of the minimum that was found and others, as `refine_latents` gives them.

    The searches begin at the `N_STARTS` of some latents ``candidates`` (n, D) that describe a row best.
    """
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
