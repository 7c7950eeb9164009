# Licensed under a 3-clause BSD style license - see LICENSE
"""
The model without a teacher, to compare with: a variational autoencoder.

Encoder and decoder have the form of the model's own, but the latents are
whatever reconstructs the observed counts best: the loss is the Cash statistic
of decoded and folded draws of the latents plus a small Kullback-Leibler
divergence from a standard normal.

References
----------
Kingma & Welling 2013, arXiv:1312.6114; Cash 1979, ApJ 228, 939.
"""

import numpy as np
import torch

from astro_xlatent.model.statistics import profile_normalization

__all__ = ["KL_WEIGHT", "cash_of_counts", "divergence", "draw_latents", "folded"]

#: Weight of the divergence beside minus the log likelihood.
KL_WEIGHT = 0.1
# Statistic from which a row's pull is damped: bright rows must not rule the mean.
_DAMPING = 200.0


def draw_latents(mean, precision_chol):
    """One draw from every row's Gaussian, differentiable; shape (B, D)."""
    noise = torch.randn_like(mean)[..., None]
    return mean + torch.linalg.solve_triangular(precision_chol.mT, noise, upper=True)[..., 0]


def divergence(mean, precision_chol):
    """
    Kullback-Leibler divergence of Gaussians from the standard normal.

    Parameters
    ----------
    mean : Tensor, shape (B, D)
    precision_chol : Tensor, shape (B, D, D)
        Lower Cholesky factor of the inverse covariance.

    Returns
    -------
    divergence : Tensor, shape (B,)

    Examples
    --------
    >>> import torch
    >>> divergence(torch.tensor([[1.0, 0.0]]), torch.eye(2)[None])
    tensor([0.5000])
    """
    unit = torch.eye(mean.shape[1]).expand_as(precision_chol)
    root = torch.linalg.solve_triangular(precision_chol, unit, upper=False)
    log_det = 2 * torch.diagonal(precision_chol, dim1=1, dim2=2).log().sum(1)
    return 0.5 * (root.square().sum((1, 2)) + mean.square().sum(1) - mean.shape[1] + log_det)


def folded(spectrum, observation):
    """
    Source counts of decoded spectra in the observation's bins, any normalization.

    Parameters
    ----------
    spectrum : Tensor, shape (B, E)
        Incident spectra.
    observation : `~benchmarks.ablation.data.Observation`
        Spectra are folded with their response, bands with their area.

    Returns
    -------
    counts : Tensor, shape (B, bins)
        Sum one a row.
    """
    if observation.mode == "spectra":
        parts = [spectrum[rows] @ torch.as_tensor(instrument.matrix).T
                 for rows, instrument in observation.chunks()]
        counts = torch.cat(parts)
    else:
        weights = observation.bins.unfolded_weights()
        # float32 wants moderate numbers
        weights /= np.maximum(weights.max(axis=(1, 2), keepdims=True), 1e-30)
        counts = torch.einsum("be,bte->bt", spectrum, torch.as_tensor(weights))
    counts = counts * torch.as_tensor(observation.bins.valid)
    return counts / counts.sum(-1, keepdim=True).clamp(min=1e-30)


def cash_of_counts(spectrum, observation):
    """
    Cash statistic of the observed counts, normalization profiled, damped for bad rows.

    Parameters
    ----------
    spectrum, observation
        As for `folded`.

    Returns
    -------
    cash : Tensor, shape (B,)
    """
    shape = folded(spectrum, observation)
    bins = observation.bins
    n, b = (torch.as_tensor(a, dtype=torch.float32) for a in (bins.counts, observation.background))
    valid = torch.as_tensor(bins.valid)
    norm = profile_normalization(n, shape, b, valid)[:, None]
    model = (norm * shape + b).clamp(min=1e-4)
    terms = model - n + torch.where(n > 0, n * torch.log(n.clamp(min=1e-30) / model), 0.0)
    cash = 2 * (terms * valid).sum(1)
    return _DAMPING * torch.log1p(cash / _DAMPING)
