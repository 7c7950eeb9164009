# Licensed under a 3-clause BSD style license - see LICENSE
"""
The encoder's posterior, corrected by the exact likelihood.

Draws of the latents are weighted by `~astro_xlatent.model.importance`, and what
is reported follows from them: N_H by the density that the teacher gives it for
these latents, the photon index by the absorbed power law that fits their decoded
spectrum best, fluxes by their decoded spectra and normalizations.
"""

from dataclasses import dataclass

import numpy as np
import torch

from astro_xlatent.model.importance import Draws, Likelihood, importance_draws
from astro_xlatent.model.network import PHOTON_INDEX_RANGE
from astro_xlatent.model.posterior import FLUX_BANDS, Posterior
from astro_xlatent.physics.bestfit import power_law_fit
from astro_xlatent.physics.grid import ENERGY_MID, KEV_TO_ERG, band_weights
from astro_xlatent.spectra.bins import EnergyBins, floored_background

__all__ = ["RefinedPosterior", "column_density", "index_density", "likelihood_of_row", "refine_posterior"]

#: Proposals of the last round at first, effective draws that are aimed at (they bring the
#: distribution function's error to about 0.02), and most proposals.
N_PROPOSED, ENOUGH, MOST_PROPOSED = 4000, 1500, 24000
#: Effective draws below which the encoder's answer stays.
TOO_FEW = 20
# Draws of one row do not depend on other rows.
_SEED = 20261126


@dataclass
class RefinedPosterior(Posterior):
    """
    A posterior of weighted draws, with their effective number ``ess`` (n,).

    Where it is below `TOO_FEW` the row is the encoder's answer; zero where no source was detected.
    """

    ess: np.ndarray | None = None


def refine_posterior(model, posterior: Posterior, bins: EnergyBins,
                     matrices: np.ndarray | None = None) -> RefinedPosterior:
    """
    Correct posteriors by the likelihood of their counts.

    Parameters
    ----------
    model : `~astro_xlatent.model.posterior.Model`
    posterior : Posterior
        What ``model.infer`` gives.
    bins, matrices
        What it was given.

    Returns
    -------
    refined : RefinedPosterior
        With latents, covariance, densities of N_H and photon index, and fluxes of the
        weighted draws; class, temperature and quality as they were.
    """
    values = {name: getattr(posterior, name).copy()
              for name in ("latent", "latent_cov", "nh_density", "index_density")}
    flux, ess = {band: limits.copy() for band, limits in posterior.flux.items()}, np.zeros(len(bins))
    for row in np.flatnonzero(posterior.detected).tolist():
        draws = _draw(model, likelihood_of_row(bins, row, matrices), posterior.latent[row],
                      posterior.latent_cov[row])
        ess[row] = draws.ess
        if draws.ess < TOO_FEW:
            continue
        spectrum, found = model.decode(draws.latent), _summary(model, draws)
        found["index_density"] = index_density(spectrum, draws.weight, values["index_density"].shape[1])
        for name, value in found.items():
            values[name][row] = value
        for band, limits in flux.items():
            limits[row] = _flux_limits(spectrum, draws, FLUX_BANDS[band])
    return RefinedPosterior(**(vars(posterior) | values | {"flux": flux, "ess": ess}))


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
    """
    Density (n_cells,) of the photon index that fits best, over weighted incident spectra (n, n_energy).

    Over `~astro_xlatent.model.network.PHOTON_INDEX_RANGE`; what lies outside is in the cells
    at the ends.
    """
    low, high = PHOTON_INDEX_RANGE
    position = (power_law_fit(spectrum)[1] - low) / (high - low) * (n_cells - 1)
    cell = np.rint(position).clip(0, n_cells - 1).astype(int)
    return np.bincount(cell, weight, n_cells)


def _flux_limits(spectrum, draws, band):
    """16, 50 and 84 % quantiles of an energy flux, erg/cm2/s."""
    flux = draws.norm * (spectrum @ (band_weights(*band)[0] * ENERGY_MID * KEV_TO_ERG))
    order = np.argsort(flux)
    return np.interp([0.16, 0.5, 0.84], np.cumsum(draws.weight[order]), flux[order])
