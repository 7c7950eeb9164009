# Licensed under a 3-clause BSD style license - see LICENSE
"""
Draws of latents, spectra and fluxes that know the exact likelihood.

The encoder's posterior is the first proposal of an importance sampler whose
target is exp(-C/2) times the density of simulated sources in latent space. A
few rounds adapt the proposal; only the last one is used.

References
----------
Adaptive importance sampling as in Cappe et al. 2008, Stat. Comput. 18, 447,
with one multivariate t component; weights are tempered as in Koblents &
Miguez 2015, Stat. Comput. 25, 407, until their effective number suffices.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy.special import gammaln

from astro_xlatent.core.errors import ParameterError, SpectrumError, XlatentWarning
from astro_xlatent.model.density import density_quantiles
from astro_xlatent.model.network import LOG_NH_RANGE
from astro_xlatent.model.pretrained import load_model
from astro_xlatent.model.profile import profile_normalisation
from astro_xlatent.physics.absorption import transmission
from astro_xlatent.physics.grid import ENERGY_MID, KEV_TO_ERG, band_weights
from astro_xlatent.sherpa._decoder import double_decoder
from astro_xlatent.sherpa._likelihood import likelihood_of
from astro_xlatent.sherpa._session import resolve_ids, resolve_session

if TYPE_CHECKING:
    from sherpa.astro.ui.utils import Session

    from astro_xlatent.model.posterior import Model

__all__ = ["Samples", "sample"]

#: Variance by which the prior is smoothed. The mixture that describes the simulated sources has
#: ridges thinner than it knows of, which hardly any proposal hits.
SMOOTHING = 0.03
#: Degrees of freedom of the proposal: heavier tails than the target's.
DEGREES = 6
MAX_ROUNDS = 12
#: Proposals of the rounds before the last, and their effective share at which adaptation ends.
ADAPTING, GOOD_SHARE = 1500, 0.1
#: Effective draws that suffice, and below which a warning is given.
ENOUGH, TOO_FEW = 200, 20
#: Largest factor by which absorption is corrected for at any energy.
MAX_CORRECTION = 30.0
_CHUNK = 1000


@dataclass
class Samples:
    """
    Posterior draws of equal weight.

    Attributes
    ----------
    latent : ndarray, shape (n, 8)
        Latents.
    norm : ndarray, shape (n,)
        Photon flux in 0.5-7 keV, photons/cm2/s, absorbed.
    nh : ndarray, shape (n,)
        Column in cm-2 that goes with the latents.
    statistic : ndarray, shape (n,)
        C-statistic.
    ess : float
        Effective number of independent draws, at most `n_proposed`: below
        about a hundred do not trust tails, below twenty trust nothing.
    n_proposed : int
        Proposals of the last round.
    rounds : int
        Rounds it took.
    n_bins : int
        Bins that the statistic is summed over.
    """

    latent: np.ndarray
    norm: np.ndarray
    nh: np.ndarray
    statistic: np.ndarray
    ess: float
    n_proposed: int
    rounds: int
    n_bins: int
    model: object = None

    @property
    def pars(self) -> list:
        """Parameters of `LatentSpectrum` in its order, shape (n, 9)."""
        return np.column_stack([self.latent, self.norm])

    def spectra(self, unabsorbed: bool = False) -> np.ndarray:
        """
        Incident spectra of the draws.

        Parameters
        ----------
        unabsorbed : bool, optional
            Divide by the transmission of a cold screen of the draw's column, at
            most by a factor of `MAX_CORRECTION`: what is absorbed more than
            that, the data know nothing of.

        Returns
        -------
        spectrum : ndarray, shape (n, n_energy)
            Photons/cm2/s per bin of `~astro_xlatent.physics.grid.ENERGY_EDGES`.
        """
        spectrum = double_decoder(self.model)(self.latent) * self.norm[:, None]
        if unabsorbed:
            spectrum = spectrum / np.maximum(transmission(self.nh), 1 / MAX_CORRECTION)
        return spectrum

    def flux(self, lo: float = 0.5, hi: float = 7.0, unabsorbed: bool = False) -> np.ndarray:
        """
        Energy flux of the draws in a band.

        Parameters
        ----------
        lo, hi : float, optional
            Band in keV, within 0.1-12.
        unabsorbed : bool, optional
            Without the absorption of the draw's column, see `spectra`.

        Returns
        -------
        flux : ndarray, shape (n,)
            erg/cm2/s.
        """
        if not 0.1 <= lo < hi <= 12.0:
            msg = f"the band is {lo} to {hi} keV; it must rise and lie within 0.1 to 12"
            raise ParameterError(msg)
        return self.spectra(unabsorbed) @ (band_weights([lo], [hi])[0] * ENERGY_MID * KEV_TO_ERG)

    def __repr__(self):
        return (f"<Samples: {len(self.norm)} draws, effective sample size {self.ess:.0f} of "
                f"{self.n_proposed} proposals after {self.rounds} rounds>")


def sample(id: int | str | None = None, n: int = 1000, session: Session | None = None, *,
           model: Model | str | None = None, seed: int | None = None,
           n_proposed: int | None = None) -> Samples:
    """
    Draw latents and fluxes of a loaded spectrum.

    Parameters
    ----------
    id : int or str, optional
        One data set; by default the session's default id.
    n : int, optional
        Number of draws to return.
    session : sherpa.astro.ui.utils.Session, optional
        By default that of `sherpa.astro.ui`.
    model : str, path-like or Model, optional
        See `~astro_xlatent.load_model`.
    seed : int or `numpy.random.Generator`, optional
        For results that can be repeated.
    n_proposed : int, optional
        Proposals a round, by default four times ``n``, at least 2000.

    Returns
    -------
    samples : Samples
        Draws from the density of simulated sources in latent space, smoothed
        with a Gaussian of variance `SMOOTHING`, times a
        flat one in source counts times exp(-C/2). The statistic is Sherpa's ``cstat``
        in the session's bins, with the expected background added to the
        model; the session's own statistic and source model do not matter, and
        stay as they are.

    Raises
    ------
    SpectrumError, ResponseError
        If data or response are missing, the filter leaves nothing, or there
        is no source: without a positive normalisation every spectrum fits.
    ParameterError
        If ``n`` is not positive.

    Examples
    --------
    >>> from astro_xlatent.sherpa import sample
    >>> draws = sample(1, n=1000)  # doctest: +SKIP
    >>> np.quantile(draws.flux(2, 10, unabsorbed=True), [0.16, 0.5, 0.84])  # doctest: +SKIP
    """
    if not (isinstance(n, (int, np.integer)) and n > 0):
        msg = f"n is {n!r}; it must be a positive integer"
        raise ParameterError(msg)
    session = resolve_session(session)
    ids = resolve_ids(id, session)
    if len(ids) != 1:
        msg = f"sample draws from one data set at a time, got {ids}; call it for each"
        raise ParameterError(msg)
    model = load_model(model)
    likelihood = likelihood_of(ids[0], session)
    posterior = model.infer(likelihood.bins, likelihood.fine_matrix)
    if not posterior.detected[0]:
        msg = (f"data set {ids[0]!r} has no counts above its background "
               f"({likelihood.counts.sum():.0f} counts, {likelihood.background.sum():.1f} expected from "
               "background): there is no spectrum to draw")
        raise SpectrumError(msg)
    rng = np.random.default_rng(seed)
    size = n_proposed or max(4 * n, 2000)
    batch, rounds = _adapt(model, likelihood, posterior, size, rng)
    chosen = _systematic(batch["weight"], n, rng)
    latent = batch["latent"][chosen]
    return Samples(latent, batch["norm"][chosen], _column(model, latent), batch["statistic"][chosen],
                   _ess(batch["weight"]), size, rounds, likelihood.counts.size, model)


def _adapt(model, likelihood, posterior, size, rng):
    """Rounds of few proposals until the weights are even enough, then of as many as asked for."""
    mean, covariance = posterior.latent[0].astype(float), posterior.latent_cov[0].astype(float)
    settled = False
    for number in range(1, MAX_ROUNDS + 1):
        batch = _propose(model, likelihood, mean, covariance, size if settled else ADAPTING, rng)
        effective = _ess(batch["weight"])
        if settled and effective > min(ENOUGH, GOOD_SHARE * size):
            break
        mean, covariance = _moments(batch)
        settled = settled or effective > GOOD_SHARE * ADAPTING or number >= MAX_ROUNDS - 4
    if effective < TOO_FEW:
        msg = (f"only {effective:.0f} of {size} draws count after {number} rounds: errors and tails are "
               "not to be trusted; raise n_proposed, or fit a LatentSpectrum")
        warnings.warn(msg, XlatentWarning, stacklevel=3)
    return batch, number


def _propose(model, likelihood, mean, covariance, size, rng):
    """Draw latents and norms, and weigh them."""
    chol = np.linalg.cholesky(covariance)
    stretch = np.sqrt(DEGREES / rng.chisquare(DEGREES, size))
    normal = rng.standard_normal((size, mean.size))
    latent = mean + stretch[:, None] * normal @ chol.T
    distance = (stretch**2) * (normal**2).sum(axis=1)
    log_proposal = -0.5 * (DEGREES + mean.size) * np.log1p(distance / DEGREES)
    parts = [_weigh(model, likelihood, latent[i:i + _CHUNK], rng) for i in range(0, size, _CHUNK)]
    norm, statistic, log_norm_proposal = (np.concatenate(p) for p in zip(*parts))
    log_weight = -0.5 * statistic + _log_prior(model, latent) - log_proposal - log_norm_proposal
    weight = np.exp(log_weight - log_weight.max())
    return {"latent": latent, "norm": norm, "statistic": statistic, "log_weight": log_weight,
            "weight": weight / weight.sum()}


def _weigh(model, likelihood, latent, rng):
    """Norm drawn around its best value, C-statistic, and log density of the draw, of every latent."""
    spectrum = double_decoder(model)(latent)
    best, information, unit = _best_norm(likelihood, spectrum)
    # A gamma density with its mode at the best norm and the likelihood's curvature there.
    power = best**2 * information
    rate = np.where(best > 0, power / np.maximum(best, 1e-300), unit)
    norm = rng.standard_gamma(power + 1) / rate
    log_density = power * np.log(norm * rate) - norm * rate - gammaln(power + 1) + np.log(rate)
    # Relative to the flat density in source counts: one in flux would favour spectra outside the band.
    return norm, likelihood.statistic(spectrum, norm), log_density - np.log(unit)


def _best_norm(likelihood, spectrum):
    """Best normalisation on the fine grid, the information on it, and the counts of a unit norm."""
    source = likelihood.fine_fold(spectrum)
    unit = source.sum(axis=1, keepdims=True)
    bins = likelihood.bins
    counts, background, valid = (torch.as_tensor(np.broadcast_to(a, source.shape).copy())
                                 for a in (bins.counts, bins.background + 1e-6, bins.valid))
    scaled = profile_normalisation(counts, torch.as_tensor(source / unit), background, valid, 8).numpy()
    best = scaled / unit[:, 0]
    expected = best[:, None] * source + bins.background + 1e-6
    information = np.sum(np.where(bins.valid, bins.counts, 0.0) * (source / expected) ** 2, axis=1)
    return best, information, unit[:, 0]


def _log_prior(model, latent):
    """Log density of simulated sources, smoothed, up to a constant."""
    kernel = np.broadcast_to(SMOOTHING * np.eye(latent.shape[1]), (*latent.shape, latent.shape[1]))
    # The evidence is taken relative to the width of the kernel, here the same for all.
    return model.calibration.evidence(latent, kernel)


def _ess(weight):
    """Kish's effective sample size of normalised weights."""
    return float(1 / np.sum(weight**2))


def _moments(batch):
    """Mean and covariance under weights that are tempered until enough of them count."""
    latent, log_weight = batch["latent"], batch["log_weight"]
    enough = 10 * latent.shape[1]
    power, weight = 1.0, batch["weight"]
    while _ess(weight) < enough and power > 1e-4:
        power *= 0.8
        weight = np.exp(power * (log_weight - log_weight.max()))
        weight /= weight.sum()
    mean = weight @ latent
    offset = latent - mean
    covariance = (weight[:, None] * offset).T @ offset
    return mean, 1.2 * covariance + 1e-8 * np.eye(mean.size)


def _systematic(weight, n, rng):
    """Indices of n draws of equal weight."""
    position = (rng.random() + np.arange(n)) / n
    index = np.searchsorted(np.cumsum(weight), position)
    return rng.permutation(np.minimum(index, weight.size - 1))


@torch.no_grad()
def _column(model, latent):
    """Column of latents: the median of what the teacher's head makes of them."""
    z = torch.as_tensor(latent, dtype=torch.float32, device=model.device)
    raw = z @ model.decoder.rotation.T + model.decoder.offset
    density = torch.softmax(model.teacher.head(raw)[:, model.config.n_classes:], dim=-1)
    return 10 ** density_quantiles(density.cpu().numpy().astype(float), LOG_NH_RANGE, [0.5])[:, 0]
