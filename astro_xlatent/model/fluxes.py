# Licensed under a 3-clause BSD style license - see LICENSE
"""Absorbed energy fluxes, from draws of latents and normalization."""

from collections.abc import Callable

import numpy as np
import torch
from scipy.special import ndtri
from scipy.stats import qmc

from astro_xlatent.model.statistics import profile_normalization
from astro_xlatent.physics.grid import ENERGY_MID, KEV_TO_ERG, band_weights, sum_cells
from astro_xlatent.spectra.bins import EnergyBins

__all__ = ["FLUX_BANDS", "fluxes"]

#: Bands of the flux columns in keV, by column suffix.
FLUX_BANDS = {"05_2": (0.5, 2.0), "2_7": (2.0, 7.0), "02_23": (0.2, 2.3)}
#: Latent draws per source; the same standard normals for all.
N_DRAWS = 32
# Rows whose draws are decoded at once: they stay in the processor's cache.
AT_ONCE = 32
# Quantiles of sorted draws, (N_DRAWS, 3); 68 % of a normal distribution lie between the outer ones.
_QUANTILES = np.array([np.interp(np.array([0.16, 0.5, 0.84]) * (N_DRAWS - 1), range(N_DRAWS), one)
                       for one in np.eye(N_DRAWS)])
# Without an excess the likelihood is exp(-K), of which 68 % lie below -ln 0.32.
_NO_EXCESS_SPREAD = 1.14
# What turns photons/cm2/s per grid bin into the fluxes of `FLUX_BANDS`, (3, n_energy).
_FLUX = (band_weights(*zip(*FLUX_BANDS.values(), strict=True)) * ENERGY_MID * KEV_TO_ERG).astype(np.float32)


@torch.no_grad()
def fluxes(decode: Callable, bins: EnergyBins, matrices: np.ndarray | None, mean: np.ndarray,
           covariance: np.ndarray, cells: str | None = None) -> dict[str, np.ndarray]:
    """
    16, 50 and 84 % quantiles (rows, 3) of absorbed fluxes in erg/cm2/s by band name, not yet conformal.
    ``cells`` are those of ``decode`` and of ``matrices`` (cm2 s); without these the bins' own areas serve.
    """
    z = mean[:, None, :] + _NORMALS[:, :-1] @ np.linalg.cholesky(covariance).transpose(0, 2, 1)
    fold = _through_areas(bins, cells) if matrices is None else _through_matrices(matrices)
    weights = torch.as_tensor(_on_cells(_FLUX, cells))
    # Bins first in memory: sums over a few bins then run over long rows.
    shape = torch.empty((bins.n_bins, len(bins), N_DRAWS))
    flux = torch.empty((len(FLUX_BANDS), len(bins), N_DRAWS))
    for start in range(0, len(bins), AT_ONCE):
        rows = slice(start, start + AT_ONCE)
        spectrum = torch.as_tensor(decode(z[rows].reshape(-1, z.shape[-1]), cells))
        flux[:, rows] = (weights @ spectrum.T).view(flux[:, rows].shape)
        shape[:, rows] = fold(spectrum, rows)
    drawn = _normalization_draws(bins, shape.permute(1, 2, 0)) * flux.double()
    return dict(zip(FLUX_BANDS, np.sort(drawn.numpy(), axis=-1) @ _QUANTILES, strict=True))


def _on_cells(weights, cells):
    return weights if cells is None else sum_cells(weights, cells)


def _through_areas(bins, cells):
    """What folds spectra without redistribution; shapes as in `_through_matrices`."""
    # Rows of a catalog have the same few bins: the integrals over each are made once.
    edges = bins.e_lo + 1j * np.where(bins.energy_weighted[:, None], -bins.e_hi, bins.e_hi)
    kinds, which = np.unique(edges, return_inverse=True)
    e_lo, e_hi = kinds.real[:, None], np.abs(kinds.imag)[:, None]
    none = np.zeros(e_lo.shape)
    kinds = EnergyBins(e_lo, e_hi, none, none, none, area=none + 1, resolution=none, valid=e_hi > e_lo,
                       energy_weighted=kinds.imag < 0)
    weights = torch.as_tensor(_on_cells(kinds.unfolded_weights()[:, 0], cells))
    which = torch.as_tensor(which.reshape(bins.counts.shape).T)
    area = torch.as_tensor(np.where(bins.valid, bins.area, 0.0).T[..., None].astype(np.float32))

    def fold(spectrum, rows):
        integrals = (weights @ spectrum.T).view(len(weights), -1, N_DRAWS)
        return integrals[which[:, rows], torch.arange(integrals.shape[1])] * area[:, rows]

    return fold


def _through_matrices(matrices):
    """What folds spectra of some rows' draws, (rows x draws, n_cells), to (bins, rows, draws)."""
    def fold(spectrum, rows):
        folding = torch.as_tensor(np.require(matrices[rows], requirements=["C", "W"]))
        return torch.bmm(folding, spectrum.view(len(folding), N_DRAWS, -1).transpose(1, 2)).transpose(0, 1)

    return fold


def _normalization_draws(bins, shape):
    """Normalizations K, (rows, draws), one for every draw of the latents, with their Poisson spread."""
    counts, background, valid = (torch.as_tensor(a)[:, None] for a in (
        bins.counts.astype(np.float32), bins.background.astype(np.float32), bins.valid.copy()))
    # K is of order 1e-10 and less in physical units: solve it in units of counts.
    unit = shape.sum(-1).clamp(min=1e-30)
    scaled = shape / unit[..., None]
    norm = profile_normalization(counts, scaled, background, valid, n_steps=8)
    model = torch.addcmul(background, norm[..., None], scaled).clamp(min=1e-6)
    information = (counts * (scaled / model) ** 2 * valid).sum(-1)
    spread = torch.where(norm > 0, information.clamp(min=1e-12).rsqrt(), _NO_EXCESS_SPREAD)
    drawn = norm + spread * torch.as_tensor(_NORMALS[:, -1])
    return drawn.clamp(min=0) / unit


# A fixed low-discrepancy set of standard normals, of the latents and, last, the normalization.
_NORMALS = ndtri(qmc.Sobol(9, scramble=True, rng=20261122).random(N_DRAWS).clip(1e-6, 1 - 1e-6))
