# Licensed under a 3-clause BSD style license - see LICENSE
"""
The networks: teacher, decoder and transformer encoder.

Shapes: B rows, T tokens (energy bins), E energies, D latents, W width, C classes, G cells of a density. The
transformer is that of Vaswani et al. (2017, arXiv:1706.03762), pre-norm (Xiong et al. 2020,
arXiv:2002.04745); eight latents of an X-ray spectrum are the idea of arXiv:2510.14102.
"""

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple, Self

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from astro_xlatent.model.statistics import profile_normalization

__all__ = ["Config", "Decoder", "Encoder", "Teacher", "token_features"]

LOG_NH_RANGE = (19.0, 24.8)
PHOTON_INDEX_RANGE = (0.0, 4.5)
LOG_KT_RANGE = (-1.5, 1.4)


class Head(NamedTuple):
    """A quantity whose density the encoder gives: its name in a source's truth, centers of outer cells."""

    column: str
    limits: tuple[float, float]
    logarithmic: bool

    def target(self, values: np.ndarray | torch.Tensor, n_cells: int) -> torch.Tensor:
        """Values (B,) shared by their two nearest cells, mean kept; NaN: zeros; outside: the border."""
        values = torch.as_tensor(values, dtype=torch.float64)
        known = torch.isfinite(values)
        safe = torch.where(known, values, 1.0)
        x = torch.log10(safe.clamp(min=1e-99)) if self.logarithmic else safe
        x = (x - self.limits[0]) / (self.limits[1] - self.limits[0]) * (n_cells - 1)
        cells = torch.arange(n_cells, dtype=torch.float64, device=values.device)
        target = (1 - (x.clamp(0, n_cells - 1)[:, None] - cells).abs()).clamp(min=0)
        return torch.where(known[:, None], target, 0.0).float()


#: What the encoder gives densities of, besides latents and classes.
HEADS = {"nh": Head("nh", LOG_NH_RANGE, True), "index": Head("photon_index", PHOTON_INDEX_RANGE, False),
         "kt": Head("kt", LOG_KT_RANGE, True)}


@dataclass(frozen=True)
class Config:
    """Sizes of the networks; stored as JSON beside the weights."""

    n_latent: int = 8
    n_classes: int = 9
    width: int = 96
    n_layers: int = 4
    n_heads: int = 4
    decoder_width: int = 256
    n_knots: int = 40
    n_lines: int = 32
    n_teacher_input: int = 292
    n_frequencies: int = 8
    n_nh: int = 58
    n_index: int = 45
    n_kt: int = 58


def mlp(*widths: int) -> nn.Sequential:
    """Linear layers between these widths, with GELU between them."""
    layers = [layer for pair in pairwise(widths) for layer in (nn.GELU(), nn.Linear(*pair))]
    return nn.Sequential(*layers[1:])


class Decoder(nn.Module):
    """
    Latents to the incident spectrum, up to its normalization: log-linear between knots in log energy, behind
    a partially covering absorber with the tbabs-like cross section, times one plus non-negative line
    features.
    """

    interpolation: torch.Tensor
    sigma: torch.Tensor
    rotation: torch.Tensor
    offset: torch.Tensor

    def __init__(self, config: Config, energy: torch.Tensor, cross_section: torch.Tensor):
        super().__init__()
        knots = torch.linspace(math.log(energy[0]), math.log(energy[-1]), config.n_knots)
        self.register_buffer("interpolation", _hat_functions(torch.log(energy), knots))  # (K, E)
        self.register_buffer("sigma", cross_section * 1e22)  # (E,), per 1e22 cm-2
        # z is stored whitened and rotated; the decoder was trained on u = A z + c.
        self.register_buffer("rotation", torch.eye(config.n_latent))
        self.register_buffer("offset", torch.zeros(config.n_latent))
        self.trunk = mlp(config.n_latent, config.decoder_width, config.decoder_width).append(nn.GELU())
        self.continuum = nn.Linear(config.decoder_width, config.n_knots)
        self.absorber = nn.Linear(config.decoder_width, 2)
        self.line_strength = nn.Linear(config.decoder_width, config.n_lines)
        self.line_shape = nn.Parameter(torch.randn(config.n_lines, energy.numel()) * 0.1 - 4.0)
        nn.init.constant_(self.absorber.bias[:1], -3.0)
        nn.init.constant_(self.absorber.bias[1:], -4.0)
        nn.init.constant_(self.line_strength.bias, -2.0)

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        """Photons per grid bin, shape (B, E), with arbitrary normalization; z is (B, D)."""
        h = self.trunk(z @ self.rotation.T + self.offset)  # (B, H)
        heads = self.continuum, self.absorber, self.line_strength
        found = functional.linear(h, torch.cat([head.weight for head in heads]),
                                  torch.cat([head.bias for head in heads]))
        knots, column, leak, strength = found.split([len(self.interpolation), 1, 1, len(self.line_shape)], -1)
        knots = knots.clamp(-30, 30)  # between them nothing lies beyond
        # The screen's exponent joins that of the continuum: fewer steps over all energies.
        screened = torch.cat([knots, -functional.softplus(column)], -1) @ torch.cat(
            [self.interpolation, self.sigma[None]])  # (B, E)
        absorbed = torch.lerp(torch.exp(screened), torch.exp(knots @ self.interpolation), torch.sigmoid(leak))
        lines = functional.softplus(strength) @ functional.softplus(self.line_shape)
        return torch.addcmul(absorbed, absorbed, lines)

    def in_cells(self, starts: Sequence[int]) -> Self:
        """The same decoder averaged over cells (B, n_cells) of grid bins; ``starts`` are their first ones."""
        coarse = copy.deepcopy(self)
        sizes = torch.diff(torch.as_tensor([*starts, self.sigma.numel()])).tolist()

        def mean(values):
            return torch.stack([part.mean(-1) for part in values.split(sizes, dim=-1)], -1)

        coarse.interpolation, coarse.sigma = mean(self.interpolation), mean(self.sigma)
        lines = mean(functional.softplus(self.line_shape.detach()))
        coarse.line_shape = nn.Parameter(lines + torch.log(-torch.expm1(-lines)))  # inverse of softplus
        return coarse


def _hat_functions(x, knots):
    """Weights of linear interpolation between knots, (knots, x)."""
    step = knots[1] - knots[0]
    return (1 - (x[None, :] - knots[:, None]).abs() / step).clamp(min=0)


class Teacher(nn.Module):
    """
    `astro_xlatent.train.stream.teacher_input`, square roots of expected counts whose Euclidean distance is
    nearly the Cash statistic, to the latents that define the space.
    """

    def __init__(self, config: Config):
        super().__init__()
        self.config = config
        width = 2 * config.decoder_width
        self.register_buffer("rotation", torch.eye(config.n_latent))
        self.register_buffer("offset", torch.zeros(config.n_latent))
        self.net = mlp(config.n_teacher_input, width, width, config.n_latent)
        self.head = mlp(config.n_latent, config.decoder_width, config.n_classes + config.n_nh)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Whitened and rotated latents z*, shape (B, D)."""
        return (self.net(x) - self.offset) @ self.rotation.T


def token_features(bins: dict[str, torch.Tensor], reference: torch.Tensor,
                   n_frequencies: int) -> tuple[torch.Tensor, torch.Tensor]:
    """
    Features of every bin (B, T, F) and of the whole row (B, 3) for the encoder, of
    `~astro_xlatent.model.tokens.token_arrays` and source counts (B, T) by a reference power law.
    """
    n, b, valid = bins["counts"], bins["background"], bins["valid"]
    berr = bins["background_error"]
    expected = profile_normalization(n, reference, b, valid)[:, None] * reference  # (B, T)
    excess = (n - b - expected) / torch.sqrt(expected + b + berr**2 + 1)
    ratio = torch.log((n - b).clamp(min=0) + 1) - torch.log(expected + 1)
    frequency = 2.0 ** torch.arange(n_frequencies, device=n.device, dtype=n.dtype)
    phase = bins["log_e"][..., None] * frequency  # (B, T, n_frequencies)
    weighted = bins["energy_weighted"].to(n.dtype)
    columns = [bins["log_e"], bins["log_width"], bins["log_resolution"] - bins["log_width"],
               torch.log1p(n), torch.log1p(b), torch.log(berr + 0.1), torch.log(expected + 1e-2),
               torch.sign(excess) * torch.log1p(excess.abs()), ratio, weighted[:, None].expand_as(n)]
    tokens = torch.cat([torch.stack(columns, -1), torch.sin(phase), torch.cos(phase)], -1)
    total = [torch.log1p(torch.where(valid, counts, 0).sum(1)) for counts in (n, b)]
    summary = torch.stack([*total, weighted], -1)
    return torch.where(valid[..., None], tokens, 0), summary


class Block(nn.Module):
    """Pre-norm transformer block without dropout."""

    def __init__(self, width: int, n_heads: int):
        super().__init__()
        self.n_heads = n_heads
        self.norm1 = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = mlp(width, 4 * width, width)

    def forward(self, x: torch.Tensor, mask: torch.Tensor, kept: int | None = None) -> torch.Tensor:
        """x is (B, T, W); mask (B, 1, 1, T) is True where a token may be looked at; gives ``kept`` tokens."""
        batch, tokens, width = x.shape
        qkv = self.qkv(self.norm1(x)).view(batch, tokens, 3, self.n_heads, -1)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)  # (B, heads, T, W / heads) each
        attended = functional.scaled_dot_product_attention(q[:, :, :kept], k, v, attn_mask=mask)
        x = x[:, :kept] + self.out(attended.transpose(1, 2).reshape(batch, -1, width))
        return x + self.mlp(self.norm2(x))


class Encoder(nn.Module):
    """Energy bins to the posterior of the latents and the heads' logits."""

    def __init__(self, config: Config):
        super().__init__()
        self.config = config
        d, width = config.n_latent, config.width
        self.embed = nn.Linear(10 + 2 * config.n_frequencies, config.width)
        self.embed_summary = nn.Linear(3, config.width)
        self.blocks = nn.ModuleList(Block(config.width, config.n_heads) for _ in range(config.n_layers))
        self.norm = nn.LayerNorm(config.width)
        self.latent = mlp(width, width, d + d * (d + 1) // 2)
        for name in ("classes", *HEADS):
            setattr(self, name, mlp(width, width, getattr(config, f"n_{name}")))
        rows, cols = torch.tril_indices(d, d)
        self.register_buffer("tril", rows * d + cols)

    def forward(self, bins: dict[str, torch.Tensor], reference: torch.Tensor) -> dict[str, torch.Tensor]:
        """
        Posterior parameters by name: ``mean`` (B, D); ``precision_chol`` (B, D, D), lower Cholesky factor of
        the inverse covariance; logits ``classes`` (B, C), ``nh``, ``index``, ``kt`` (B, G); ``pooled`` (B,
        W).
        """
        tokens, summary = token_features(bins, reference, self.config.n_frequencies)
        x = torch.cat([self.embed_summary(summary)[:, None], self.embed(tokens)], 1)
        always = torch.ones_like(bins["valid"][:, :1])
        mask = torch.cat([always, bins["valid"]], 1)[:, None, None, :]  # (B, 1, 1, 1 + T)
        for block in self.blocks[:-1]:
            x = block(x, mask)
        x = self.blocks[-1](x, mask, kept=1)  # of the last block only the summary is read
        pooled = self.norm(x[:, 0])  # (B, W)
        mean, chol = self._gaussian(self.latent(pooled))
        logits = {name: getattr(self, name)(pooled) for name in ("classes", *HEADS)}
        return {"mean": mean, "precision_chol": chol, "pooled": pooled, **logits}

    def _gaussian(self, raw):
        d = self.config.n_latent
        flat = raw.new_zeros(raw.shape[0], d * d)
        chol = flat.index_copy(1, self.tril, raw[:, d:]).view(-1, d, d)
        scale = torch.exp(torch.diagonal(chol, dim1=1, dim2=2).clamp(-3, 7))
        return raw[:, :d], torch.tril(chol, -1) + torch.diag_embed(scale)
