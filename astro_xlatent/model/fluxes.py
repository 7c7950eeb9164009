# Licensed under a 3-clause BSD style license - see LICENSE
"""
Absorbed energy fluxes, from draws of latents and normalization.
"""

from collections.abc import Callable

import numpy as np
import torch
from scipy.special import ndtri
from scipy.stats import qmc

from astro_xlatent.model.profile import profile_normalization
from astro_xlatent.physics.grid import COARSE_EDGES, ENERGY_EDGES, KEV_TO_ERG, band_weights
from astro_xlatent.spectra.bins import EnergyBins

__all__ = ["FLUX_BANDS", "fluxes"]

#: Bands of the flux columns in keV, by column suffix.
FLUX_BANDS = {"05_2": (0.5, 2.0), "2_7": (2.0, 7.0), "02_23": (0.2, 2.3)}
#: Latent draws per source; the same standard normals for all.
N_DRAWS = 32
# Rows whose draws are decoded at once: they stay in the processor's cache.
AT_ONCE = 32
# 68 % of a normal distribution lie between the outer ones.
_QUANTILES = (0.16, 0.5, 0.84)
# Without an excess the likelihood is exp(-K), of which 68 % lie below -ln 0.32.
_NO_EXCESS_SPREAD = 1.14


def _flux_weights(edges):
    """What turns a spectrum in photons/cm2/s per cell into the fluxes of `FLUX_BANDS`, (3, cells)."""
    energy = 0.5 * (edges[1:] + edges[:-1]) * KEV_TO_ERG
    return band_weights(*zip(*FLUX_BANDS.values(), strict=True), edges) * energy


_COARSE_MID, _COARSE_WIDTH = 0.5 * (COARSE_EDGES[1:] + COARSE_EDGES[:-1]), np.diff(COARSE_EDGES)
_FINE_FLUX, _COARSE_FLUX = (
    torch.as_tensor(weights.T.astype(np.float32))
    for weights in (_flux_weights(ENERGY_EDGES), _flux_weights(COARSE_EDGES) * _COARSE_WIDTH))


@torch.no_grad()
def fluxes(decode: Callable, bins: EnergyBins, matrices: np.ndarray | None, mean: np.ndarray,
           covariance: np.ndarray) -> dict[str, np.ndarray]:
    """
    Absorbed fluxes in erg/cm2/s by band name, over draws of latents and normalization.

    16, 50 and 84 % quantiles (rows, 3), not yet conformal. ``mean`` and ``covariance`` are as the
    encoder gives them. ``decode(z)`` gives photons per bin of the incident grid,
    ``decode(z, coarse=True)`` photons per keV in the cells of
    `~astro_xlatent.physics.grid.COARSE_EDGES`, in any unit. Without ``matrices`` (cm2 s) the bins'
    own areas serve.
    """
    coarse = matrices is None
    if matrices is None:
        matrices = bins.unfolded_weights(COARSE_EDGES, _COARSE_MID) * _COARSE_WIDTH.astype(np.float32)
    z = mean[:, None, :] + np.einsum("nij,kj->nki", np.linalg.cholesky(covariance), _NORMALS[:, :-1])
    # Bins first in memory: sums over a few bins then run over long rows.
    shape = torch.empty((bins.n_bins, len(bins), N_DRAWS), dtype=torch.float64).permute(1, 2, 0)
    flux = np.empty((len(bins), N_DRAWS, len(FLUX_BANDS)))
    for start in range(0, len(bins), AT_ONCE):
        rows = slice(start, start + AT_ONCE)
        spectrum = torch.as_tensor(decode(z[rows].reshape(-1, z.shape[-1]), coarse=coarse))
        flux[rows] = (spectrum @ (_COARSE_FLUX if coarse else _FINE_FLUX)).view(flux[rows].shape)
        spectrum = spectrum.view(-1, N_DRAWS, spectrum.shape[-1])
        folding = torch.as_tensor(np.require(matrices[rows], requirements=["C", "W"]))
        shape[rows] = torch.bmm(spectrum, folding.transpose(1, 2)).double()
    drawn = _normalization_draws(bins, shape)[..., None] * flux
    limits = _draw_quantiles(drawn)
    return {name: limits[..., k] for k, name in enumerate(FLUX_BANDS)}


def _draw_quantiles(drawn):
    """`_QUANTILES` of draws on the second axis, linearly between neighbors, on the second axis."""
    drawn = np.sort(drawn, axis=1)
    place = np.array(_QUANTILES) * (N_DRAWS - 1)
    below = place.astype(int)
    part = (place - below)[:, None]
    return (1 - part) * drawn[:, below] + part * drawn[:, below + 1]


def _normalization_draws(bins, shape):
    """Normalizations K, one for every draw of the latents, with their Poisson spread."""
    counts, background, valid = (
        torch.as_tensor(a.copy())[:, None] for a in (bins.counts, bins.background, bins.valid))
    # K is of order 1e-10 and less in physical units: solve it in units of counts.
    unit = shape.sum(-1).clamp(min=1e-300)
    scaled = shape / unit[..., None]
    norm = profile_normalization(counts, scaled, background, valid, n_steps=8)
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
