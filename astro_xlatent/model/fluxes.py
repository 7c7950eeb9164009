# Licensed under a 3-clause BSD style license - see LICENSE
"""
Absorbed energy fluxes, from draws of latents and normalisation.
"""

from collections.abc import Callable

import numpy as np
import torch
from scipy.special import ndtri
from scipy.stats import qmc

from astro_xlatent.model.profile import profile_normalisation
from astro_xlatent.physics.grid import ENERGY_MID, KEV_TO_ERG, band_weights
from astro_xlatent.spectra.bins import EnergyBins

__all__ = ["FLUX_BANDS", "fluxes"]

#: Bands of the flux columns in keV, by column suffix.
FLUX_BANDS = {"05_2": (0.5, 2.0), "2_7": (2.0, 7.0), "02_23": (0.2, 2.3)}
#: Latent draws per source; the same standard normals for all.
N_DRAWS = 32
# 68 % of a normal distribution lie between the outer ones.
_QUANTILES = (0.16, 0.5, 0.84)
# Without an excess the likelihood is exp(-K), of which 68 % lie below -ln 0.32.
_NO_EXCESS_SPREAD = 1.14

_FLUX_WEIGHTS = {
    name: (band_weights([lo], [hi])[0] * ENERGY_MID * KEV_TO_ERG).astype(np.float32)
    for name, (lo, hi) in FLUX_BANDS.items()
}


@torch.no_grad()
def fluxes(decode: Callable, bins: EnergyBins, matrices: np.ndarray | None, mean: np.ndarray,
           covariance: np.ndarray) -> dict[str, np.ndarray]:
    """
    Absorbed fluxes, over draws of latents and normalisation.

    Parameters
    ----------
    decode : callable
        Latents (n, 8) to incident spectra (n, n_energy), both ndarray.
    bins : EnergyBins
        Counts and background.
    matrices : ndarray of float32, shape (rows, bins, n_energy), or None
        Folding matrices in cm2 s; without them the bins' own areas serve.
    mean, covariance : ndarray, (rows, 8) and (rows, 8, 8)
        Of the latents, as the encoder gives them.

    Returns
    -------
    fluxes : dict of ndarray, shape (rows, 3)
        16, 50 and 84 % quantiles in erg/cm2/s by band name, not yet conformal.
    """
    n, weights = len(bins), bins.unfolded_weights() if matrices is None else matrices
    chol = np.linalg.cholesky(covariance)
    z = mean[:, None, :] + np.einsum("nij,kj->nki", chol, _NORMALS[:, :-1])
    spectrum = decode(z.reshape(-1, z.shape[-1])).reshape(n, N_DRAWS, -1)
    shape = np.einsum("nke,nbe->nkb", spectrum, weights, optimize=True)
    norm = _normalisation_draws(bins, shape)
    return {name: np.quantile(norm * (spectrum @ flux_weights), _QUANTILES, axis=1).T
            for name, flux_weights in _FLUX_WEIGHTS.items()}


def _normalisation_draws(bins, shape):
    """Normalisations K, one for every draw of the latents, with their Poisson spread."""
    counts, background, valid = (
        torch.as_tensor(np.broadcast_to(a[:, None, :], shape.shape).copy())
        for a in (bins.counts, bins.background, bins.valid)
    )
    s = torch.as_tensor(shape, dtype=torch.float64)
    # K is of order 1e-10 and less in physical units: solve it in units of counts.
    unit = s.sum(-1).clamp(min=1e-300)
    scaled = s / unit[..., None]
    norm = profile_normalisation(counts, scaled, background, valid, n_steps=8)
    model = (norm[..., None] * scaled + background).clamp(min=1e-6)
    information = (counts * (scaled / model) ** 2 * valid).sum(-1)
    spread = torch.where(norm > 0, information.clamp(min=1e-12).rsqrt(), _NO_EXCESS_SPREAD)
    drawn = norm + spread * torch.as_tensor(_NORMALS[:, -1])
    return (drawn.clamp(min=0) / unit).numpy()


def _quasi_normals(n_dimensions):
    """A fixed low-discrepancy set of standard normals, shape (N_DRAWS, n_dimensions)."""
    points = qmc.Sobol(n_dimensions, scramble=True, rng=20261122).random(N_DRAWS)
    return ndtri(points.clip(1e-6, 1 - 1e-6))


_NORMALS = _quasi_normals(9)
