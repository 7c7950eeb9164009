# Licensed under a 3-clause BSD style license - see LICENSE
"""
The encoder's posterior, corrected by the exact likelihood, with importance sampling.

The target is exp(-C/2) times the mixture that describes simulated latents, the first proposal that mixture
times the encoder's likelihood. Rounds adapt the proposal, of multivariate t densities (Cappe et al. 2008,
Stat. Comput. 18, 447; tempered as in Koblents & Miguez 2015, Stat. Comput. 25, 407); only the last is used.
N_H follows by the teacher's density for the draws, the photon index by the absorbed power law that fits each
best.
"""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, replace

import numpy as np
import torch
from scipy.special import gammaln, logsumexp, softmax

from astro_xlatent.model.network import HEADS
from astro_xlatent.model.posterior import FLUX_BANDS, Posterior
from astro_xlatent.model.statistics import profile_normalization
from astro_xlatent.physics.bestfit import power_law_fit
from astro_xlatent.physics.grid import ENERGY_MID, KEV_TO_ERG, band_weights
from astro_xlatent.spectra.bins import EnergyBins, floored_background

__all__ = ["Draws", "Likelihood", "column_density", "importance_draws", "index_density",
           "likelihood_of_row", "refine_posterior", "systematic"]

#: Variance by which the prior is smoothed. The mixture that describes the simulated sources has
#: ridges thinner than it knows of, which hardly any proposal hits.
SMOOTHING = 0.03
#: Degrees of freedom of the proposal: heavier tails than the target's.
DEGREES = 6
MAX_ROUNDS = 12
#: Proposals of the rounds before the last, and their effective share at which adaptation ends.
ADAPTING, GOOD_SHARE = 1500, 0.1
#: Least share of a component of the proposal.
LEAST_SHARE = 1e-3
_CHUNK = 1000
#: Proposals of the last round at first, effective draws that are aimed at (they bring the
#: distribution function's error to about 0.02), and most proposals.
N_PROPOSED, ENOUGH, MOST_PROPOSED = 4000, 1500, 24000
#: Effective draws below which the encoder's answer stays.
TOO_FEW = 20
# Draws of one row do not depend on other rows.
_SEED = 20261126


@dataclass
class Likelihood:
    """
    One spectrum in any bins: ``counts`` and expected ``background`` (n_bins,), ``matrix`` float32 (n_bins,
    n_energy) in cm2 s; and as the encoder sees it, ``bins`` with ``fine_matrix`` (1, n_fine, n_energy).
    """

    counts: np.ndarray
    background: np.ndarray
    matrix: np.ndarray
    bins: EnergyBins
    fine_matrix: np.ndarray

    def statistic(self, spectrum: np.ndarray, norm: np.ndarray) -> np.ndarray:
        """C-statistic (Sherpa's ``cstat``) of incident spectra (n, n_energy) with normalizations (n,)."""
        filled = self.counts > 0
        n = self.counts[filled]
        # Bins without counts matter by the sum of their model alone.
        total = norm * (spectrum @ self.matrix.sum(axis=0, dtype=float)) + self.background.sum()
        source = (spectrum.astype(np.float32) @ self.matrix[filled].T).astype(float)
        model = np.maximum(norm[:, None] * source + self.background[filled], 1e-25)
        return 2 * (total - n.sum() + (n * np.log(n / model)).sum(axis=1))

    def fine_fold(self, spectrum: np.ndarray) -> np.ndarray:
        """Source counts on the fine grid, shape (n, n_fine)."""
        return (spectrum.astype(np.float32) @ self.fine_matrix[0].T).astype(float)


@dataclass
class Draws:
    """Draws (n, ...): latents, norms, C-statistics, log weights up to a constant, and weights of sum 1."""

    latent: np.ndarray
    norm: np.ndarray
    statistic: np.ndarray
    log_weight: np.ndarray
    weight: np.ndarray
    rounds: int = 0

    @property
    def ess(self) -> float:
        """Effective number of independent draws (Kish 1965, Survey Sampling)."""
        return float(1 / np.sum(self.weight**2))


def importance_draws(model, likelihood: Likelihood, mean: np.ndarray, covariance: np.ndarray, size: int,
                     rng: np.random.Generator, *, decode: Callable, enough: float) -> Draws:
    """
    Rounds of few proposals, the first of ``mean`` (8,) and ``covariance`` (8, 8), until ``enough`` effective
    draws or `GOOD_SHARE` of all, then of ``size``; the last one is returned.
    """
    settled, proposal = False, _first_proposal(model, mean, covariance)
    for number in range(1, MAX_ROUNDS + 1):
        draws = _propose(model, likelihood, proposal, size if settled else ADAPTING, rng, decode)
        draws.rounds = number
        if settled and draws.ess > min(enough, GOOD_SHARE * size):
            break
        proposal = proposal.adapted(draws)
        settled = settled or draws.ess > GOOD_SHARE * ADAPTING or number >= MAX_ROUNDS - 4
    return draws


@dataclass
class _Proposal:
    """A mixture of multivariate t densities: weights (k,), means (k, d), scale matrices (k, d, d)."""

    weight: np.ndarray
    mean: np.ndarray
    scale: np.ndarray

    def draw(self, size, rng):
        """Latents, shape (size, d)."""
        which = rng.choice(self.weight.size, size, p=self.weight)
        stretch = np.sqrt(DEGREES / rng.chisquare(DEGREES, size))[:, None]
        normal = rng.standard_normal((size, self.mean.shape[1], 1))
        return self.mean[which] + stretch * (np.linalg.cholesky(self.scale)[which] @ normal)[..., 0]

    def log_parts(self, latent):
        """Log densities of the weighted components up to one constant, shape (n, k)."""
        d = self.mean.shape[1]
        offset = latent[:, None, :] - self.mean
        distance = np.einsum("nki,kij,nkj->nk", offset, np.linalg.inv(self.scale), offset, optimize=True)
        return (np.log(self.weight) - 0.5 * np.linalg.slogdet(self.scale)[1]
                - 0.5 * (DEGREES + d) * np.log1p(distance / DEGREES))

    def adapted(self, draws):
        """The mixture nearer to weighted draws; components that few of them know of stay as they are."""
        d = self.mean.shape[1]
        power, weight = 1.0, draws.weight
        while 1 / np.sum(weight**2) < 10 * d and power > 1e-4:
            power *= 0.8
            weight = np.exp(power * (draws.log_weight - draws.log_weight.max()))
            weight /= weight.sum()
        share = weight[:, None] * softmax(self.log_parts(draws.latent), axis=1)
        alpha = share.sum(axis=0)
        known = alpha**2 / np.sum(share**2, axis=0).clip(1e-300) > 4 * d
        mean, scale = self.mean.copy(), self.scale.copy()
        for k in np.flatnonzero(known):
            mean[k] = share[:, k] @ draws.latent / alpha[k]
            offset = draws.latent - mean[k]
            scale[k] = 1.2 * (share[:, k, None] * offset).T @ offset / alpha[k] + 1e-8 * np.eye(d)
        kept = alpha > LEAST_SHARE
        return _Proposal(alpha[kept] / alpha[kept].sum(), mean[kept], scale[kept])


def _first_proposal(model, mean, covariance):
    """Every component of the smoothed prior times what the encoder's posterior tells of the likelihood."""
    weight, center, spread = (model.calibration.mixture[k] for k in ("weight", "mean", "covariance"))
    d = mean.size
    inner = np.linalg.inv(spread + SMOOTHING * np.eye(d))
    # The encoder's prior is that of all simulated sources, of mean 0 and covariance 1.
    value, axes = np.linalg.eigh(np.linalg.inv(covariance.astype(float)))
    told = (axes * np.maximum(value - 1, 1e-3)) @ axes.T
    pull = np.linalg.solve(covariance.astype(float), mean)
    scale = np.linalg.inv(inner + told)
    middle = np.einsum("kij,kj->ki", scale, np.einsum("kij,kj->ki", inner, center) + pull)
    log_weight = np.log(weight) + 0.5 * (
        np.linalg.slogdet(scale)[1] + np.linalg.slogdet(inner)[1]
        + np.einsum("ki,kij,kj->k", middle, inner + told, middle)
        - np.einsum("ki,kij,kj->k", center, inner, center))
    # Half of the proposals go where the encoder points whatever the prior says of it.
    share = np.append(0.5 * softmax(log_weight), 0.5)
    kept = share > LEAST_SHARE
    return _Proposal(share[kept] / share[kept].sum(), np.vstack([middle, mean])[kept],
                     np.concatenate([1.2 * scale, covariance[None]])[kept])


def _propose(model, likelihood, proposal, size, rng, decode):
    """Draw latents and norms, and weigh them."""
    latent = proposal.draw(size, rng)
    log_proposal = logsumexp(proposal.log_parts(latent), axis=1)
    parts = [_weigh(likelihood, decode(latent[i:i + _CHUNK]), rng) for i in range(0, size, _CHUNK)]
    norm, statistic, log_norm_proposal = (np.concatenate(p) for p in zip(*parts, strict=True))
    # The evidence is taken relative to the width of the kernel, here the same for all.
    kernel = np.broadcast_to(SMOOTHING * np.eye(latent.shape[1]), (*latent.shape, latent.shape[1]))
    log_prior = model.calibration.evidence(latent, kernel)
    log_weight = -0.5 * statistic + log_prior - log_proposal - log_norm_proposal
    weight = np.exp(log_weight - log_weight.max())
    return Draws(latent, norm, statistic, log_weight, weight / weight.sum())


def _weigh(likelihood, spectrum, rng):
    """Norm drawn around its best value, C-statistic, and log density of the draw, of every spectrum."""
    best, information, unit = _best_norm(likelihood, spectrum)
    # A gamma density with its mode at the best norm and the likelihood's curvature there.
    power = best**2 * information
    rate = np.where(best > 0, power / np.maximum(best, 1e-300), unit)
    norm = rng.standard_gamma(power + 1) / rate
    log_density = power * np.log(norm * rate) - norm * rate - gammaln(power + 1) + np.log(rate)
    # Relative to the flat density in source counts: one in flux would favor spectra outside the band.
    return norm, likelihood.statistic(spectrum, norm), log_density - np.log(unit)


def _best_norm(likelihood, spectrum):
    """Best normalization on the fine grid, the information on it, and the counts of a unit norm."""
    source = likelihood.fine_fold(spectrum)
    unit = source.sum(axis=1, keepdims=True)
    bins = likelihood.bins
    counts, background, valid = (torch.as_tensor(np.broadcast_to(a, source.shape).copy())
                                 for a in (bins.counts, bins.background + 1e-6, bins.valid))
    scaled = profile_normalization(counts, torch.as_tensor(source / unit), background, valid, 8).numpy()
    best = scaled / unit[:, 0]
    expected = best[:, None] * source + bins.background + 1e-6
    information = np.sum(np.where(bins.valid, bins.counts, 0.0) * (source / expected) ** 2, axis=1)
    return best, information, unit[:, 0]


def systematic(weight: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    """Indices of n draws of equal weight, shape (n,), in random order."""
    position = (rng.random() + np.arange(n)) / n
    index = np.searchsorted(np.cumsum(weight), position)
    return rng.permutation(np.minimum(index, weight.size - 1))


def refine_posterior(model, posterior: Posterior, bins: EnergyBins,
                     matrices: np.ndarray | None = None) -> Posterior:
    """
    Correct what ``model.infer`` gives by the likelihood of the counts, but for class, temperature and
    quality. Rows whose ``ess`` is below `TOO_FEW`, 0 where nothing is detected, are the encoder's answer.
    """
    ess = np.zeros(len(bins))
    refined = replace(deepcopy(posterior), ess=ess)
    for row in np.flatnonzero(posterior.detected).tolist():
        draws = _draw(model, likelihood_of_row(bins, row, matrices), posterior.latent[row],
                      posterior.latent_cov[row])
        ess[row] = draws.ess
        if draws.ess < TOO_FEW:
            continue
        spectrum, found = model.decode(draws.latent), _summary(model, draws)
        found["index_density"] = index_density(spectrum, draws.weight, model.config.n_index)
        for name, value in found.items():
            getattr(refined, name)[row] = value
        for band, limits in refined.flux.items():
            limits[row] = _flux_limits(spectrum, draws, FLUX_BANDS[band])
    return refined


def likelihood_of_row(bins: EnergyBins, row: int, matrices: np.ndarray | None) -> Likelihood:
    """The likelihood of one row in its own valid bins; without matrices by the bins' areas."""
    one, valid = bins[row:row + 1], bins.valid[row]
    matrix = (one.unfolded_weights() if matrices is None else matrices[row:row + 1]).astype(np.float32)
    background = floored_background(one.background, one.background_error)[0, valid] + 1e-5
    return Likelihood(one.counts[0, valid], background, matrix[0, valid], one, matrix)


def _draw(model, likelihood, mean, covariance):
    """Draws around a first guess; more of them where few count."""
    rng, how = np.random.default_rng(_SEED), {"decode": model.decode, "enough": ENOUGH}
    draws = importance_draws(model, likelihood, mean, covariance, N_PROPOSED, rng, **how)
    if not TOO_FEW < draws.ess < ENOUGH:
        return draws
    size, around = int(min(N_PROPOSED * ENOUGH / draws.ess, MOST_PROPOSED)), _summary(model, draws)
    return importance_draws(model, likelihood, around["latent"], around["latent_cov"], size, rng, **how)


def _summary(model, draws: Draws):
    """Moments of the latents, and the density of N_H."""
    mean = draws.weight @ draws.latent
    offset = draws.latent - mean
    return {"latent": mean, "latent_cov": (draws.weight[:, None] * offset).T @ offset,
            "nh_density": draws.weight @ column_density(model, draws.latent)}


@torch.no_grad()
def column_density(model, latent: np.ndarray) -> np.ndarray:
    """Densities of log N_H (n, cells) that the teacher gives for exact latents (n, 8)."""
    z = torch.as_tensor(latent, dtype=torch.float32, device=model.device)
    raw = z @ model.decoder.rotation.T + model.decoder.offset
    logits = model.teacher.head(raw)[:, model.config.n_classes:]
    return torch.softmax(logits, dim=-1).cpu().numpy().astype(float)


def index_density(spectrum: np.ndarray, weight: np.ndarray, n_cells: int) -> np.ndarray:
    """Density (n_cells,) of best photon indices of weighted spectra; the end cells hold what lies beyond."""
    low, high = HEADS["index"].limits
    position = (power_law_fit(spectrum)[1] - low) / (high - low) * (n_cells - 1)
    cell = np.rint(position).clip(0, n_cells - 1).astype(int)
    return np.bincount(cell, weight, n_cells)


def _flux_limits(spectrum, draws, band):
    """16, 50 and 84 % quantiles of an energy flux, erg/cm2/s."""
    flux = draws.norm * (spectrum @ (band_weights(*band)[0] * ENERGY_MID * KEV_TO_ERG))
    order = np.argsort(flux)
    return np.interp([0.16, 0.5, 0.84], np.cumsum(draws.weight[order]), flux[order])
