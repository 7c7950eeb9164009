# Licensed under a 3-clause BSD style license - see LICENSE
"""
Posterior draws that know the exact likelihood, by importance sampling.

The target is exp(-C/2) times the density of simulated sources in latent space, a
mixture. The first proposal is that mixture times the likelihood as the encoder's
posterior tells of it. A few rounds adapt the proposal; only the last one is used.

References
----------
Adaptive importance sampling as in Cappe et al. 2008, Stat. Comput. 18, 447,
with a mixture of multivariate t densities; weights are tempered as in Koblents &
Miguez 2015, Stat. Comput. 25, 407, until their effective number suffices.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from scipy.special import gammaln, logsumexp, softmax

from astro_xlatent.model.profile import profile_normalization
from astro_xlatent.spectra.bins import EnergyBins

__all__ = ["Draws", "Likelihood", "importance_draws", "log_prior", "systematic"]

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


@dataclass
class Likelihood:
    """
    Counts, background and response of one spectrum, in any bins.

    ``counts`` and expected ``background`` (n_bins,); ``matrix`` float32 (n_bins, n_energy), cm2 s;
    ``bins``, the same data as the encoder sees them, and their ``fine_matrix`` (1, n_fine, n_energy).
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
    """
    Weighted draws: ``latent`` (n, 8), and (n,) each ``norm`` of the decoded spectra, ``statistic``, weights.

    ``log_weight`` is up to a constant, ``weight`` has the sum 1; ``rounds`` is how many it took.
    """

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
    Rounds of few proposals until the weights are even enough, then of as many as asked for.

    Parameters
    ----------
    model : `~astro_xlatent.model.posterior.Model`
        Whose simulated sources are the prior.
    likelihood : Likelihood
    mean, covariance : ndarray, shape (8,) and (8, 8)
        Of the first proposal.
    size : int
        Draws of the last round, which alone are returned.
    rng : `numpy.random.Generator`
    decode : callable
        Latents (n, 8) to incident spectra (n, n_energy).
    enough : float
        Effective number of draws, of at most `GOOD_SHARE` of all, at which the rounds end.
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
    log_weight = -0.5 * statistic + log_prior(model, latent) - log_proposal - log_norm_proposal
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


def log_prior(model, latent: np.ndarray) -> np.ndarray:
    """Log density of simulated sources at latents (n, 8), smoothed, up to a constant; shape (n,)."""
    kernel = np.broadcast_to(SMOOTHING * np.eye(latent.shape[1]), (*latent.shape, latent.shape[1]))
    # The evidence is taken relative to the width of the kernel, here the same for all.
    return model.calibration.evidence(latent, kernel)


def systematic(weight: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    """Indices of n draws of equal weight, shape (n,), in random order."""
    position = (rng.random() + np.arange(n)) / n
    index = np.searchsorted(np.cumsum(weight), position)
    return rng.permutation(np.minimum(index, weight.size - 1))
