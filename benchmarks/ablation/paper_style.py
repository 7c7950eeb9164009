# Licensed under a 3-clause BSD style license - see LICENSE
"""
An autoencoder in the manner of arXiv:2510.14102, to compare with.

Raw counts in 400 bins between 0.5 and 8 keV, scaled to lie between 0 and 1
for every source; a transformer encoder to 8 latents and a transformer
decoder; mean absolute error. It knows neither response nor background nor
Poisson statistics, and has no errors and no heads. The paper gives neither
code nor all sizes: depth and width here are those of the variants it is
compared with, and every token is a patch of bins, which costs less than one
token a bin.
"""

import numpy as np
import torch
from torch import nn

from astro_xlatent.model.network import Block
from astro_xlatent.spectra.bins import FINE_EDGES

__all__ = ["PAPER_EDGES", "PaperAutoencoder", "paper_input", "paper_scale", "to_fine_grid"]

#: Edges of the 400 bins in keV.
PAPER_EDGES = np.linspace(0.5, 8.0, 401)
_PATCH = 8


def paper_input(bins, rng):
    """
    Raw counts in the paper's bins.

    Parameters
    ----------
    bins : `~astro_xlatent.spectra.bins.EnergyBins`
        On the fine grid. Photons of a bin, half as wide as the resolution,
        are spread evenly over it.
    rng : `numpy.random.Generator`
        Of their energies.

    Returns
    -------
    counts : ndarray of float32, shape (rows, 400)
    """
    n_out = PAPER_EDGES.size - 1
    counts = np.where(bins.valid, bins.counts, 0).astype(int)
    row, column = np.nonzero(counts)
    times = counts[row, column]
    low, high = (np.repeat(e[row, column], times) for e in (bins.e_lo, bins.e_hi))
    energy = low + (high - low) * rng.random(low.size)
    index = np.floor((energy - PAPER_EDGES[0]) / (PAPER_EDGES[1] - PAPER_EDGES[0])).astype(int)
    inside = (index >= 0) & (index < n_out)
    flat = np.repeat(row, times)[inside] * n_out + index[inside]
    return np.bincount(flat, minlength=len(bins) * n_out).reshape(len(bins), n_out).astype(np.float32)


def paper_scale(counts):
    """
    Min-max scaling of every row.

    Parameters
    ----------
    counts : ndarray, shape (rows, bins)

    Returns
    -------
    scaled : ndarray of float32, shape (rows, bins)
        Between 0 and 1; all zero if all counts are alike.
    low, span : ndarray, shape (rows, 1)
        ``counts = low + span * scaled``.

    Examples
    --------
    >>> import numpy as np
    >>> paper_scale(np.array([[1.0, 3.0, 2.0]]))[0]
    array([[0. , 1. , 0.5]], dtype=float32)
    """
    low = counts.min(axis=1, keepdims=True)
    span = counts.max(axis=1, keepdims=True) - low
    return ((counts - low) / np.maximum(span, 1e-30)).astype(np.float32), low, span


def to_fine_grid():
    """
    Weights that turn the paper's bins into those of the fine grid.

    Returns
    -------
    weights : ndarray, shape (400, N_FINE)
        Share of every one of the 400 bins in every fine bin.
    inside : ndarray of bool, shape (N_FINE,)
        Fine bins that lie wholly within 0.5-8 keV.
    """
    low = np.maximum(PAPER_EDGES[:-1, None], FINE_EDGES[None, :-1])
    high = np.minimum(PAPER_EDGES[1:, None], FINE_EDGES[None, 1:])
    weights = np.maximum(high - low, 0) / np.diff(PAPER_EDGES)[:, None]
    inside = (FINE_EDGES[:-1] >= PAPER_EDGES[0] - 1e-9) & (FINE_EDGES[1:] <= PAPER_EDGES[-1] + 1e-9)
    return weights, inside


class PaperAutoencoder(nn.Module):
    """
    Scaled counts to latents and back.

    Parameters
    ----------
    config : `~astro_xlatent.model.network.Config`
        Number of latents, width, layers and attention heads.
    """

    def __init__(self, config):
        super().__init__()
        n_tokens = (PAPER_EDGES.size - 1) // _PATCH
        self.embed = nn.Linear(_PATCH, config.width)
        self.place_in = nn.Parameter(0.1 * torch.randn(n_tokens, config.width))
        self.place_out = nn.Parameter(0.1 * torch.randn(n_tokens, config.width))
        self.encoder = _blocks(config)
        self.to_latent = nn.Sequential(nn.LayerNorm(config.width), nn.Linear(config.width, config.n_latent))
        self.from_latent = nn.Linear(config.n_latent, config.width)
        self.decoder = _blocks(config)
        self.to_bins = nn.Sequential(nn.LayerNorm(config.width), nn.Linear(config.width, _PATCH))

    def encode(self, x):
        """Latents, shape (B, D), of scaled counts (B, 400)."""
        tokens = self.embed(x.view(len(x), -1, _PATCH)) + self.place_in
        return self.to_latent(_run(self.encoder, tokens).mean(1))

    def decode(self, z):
        """Scaled counts, shape (B, 400)."""
        tokens = self.from_latent(z)[:, None] + self.place_out
        return self.to_bins(_run(self.decoder, tokens)).flatten(1)

    def loss(self, x):
        """Mean absolute error of the reconstruction."""
        return (self.decode(self.encode(x)) - x).abs().mean()


def _blocks(config):
    return nn.ModuleList(Block(config.width, config.n_heads) for _ in range(config.n_layers))


def _run(blocks, tokens):
    for block in blocks:
        tokens = block(tokens, None)
    return tokens
