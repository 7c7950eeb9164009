# Licensed under a 3-clause BSD style license - see LICENSE
"""How variants are trained: all with the same budget on the same observations."""


import time
from dataclasses import dataclass

import numpy as np
import torch

from astro_xlatent.core.files import replacing
from astro_xlatent.core.numbers import random_stream
from astro_xlatent.model.build import load_modules
from astro_xlatent.model.network import Encoder
from astro_xlatent.model.pretrained import save_tensors
from astro_xlatent.physics.grid import N_ENERGY
from astro_xlatent.simulate.observe import merge_randomly
from astro_xlatent.simulate.populations import Sources
from astro_xlatent.train.batches import observation_arrays
from astro_xlatent.train.encoder import LOSS_WEIGHTS, encoder_losses
from astro_xlatent.train.stream import draw_training_sources
from astro_xlatent.train.teacher import new_decoder, train_teacher
from benchmarks.ablation.data import (
    MODES,
    flat_area,
    merged_rows,
)
from benchmarks.ablation.paper_style import PaperAutoencoder, paper_input, paper_scale
from benchmarks.ablation.plain_vae import KL_WEIGHT, cash_of_counts, divergence, draw_latents
from benchmarks.ablation.variants import VARIANTS

__all__ = ["Trained", "seen_bins", "train_variant"]


class MlpDecoder(torch.nn.Module):
    """Latents to the logarithm of the incident spectrum, without any physics."""

    def __init__(self, config):
        super().__init__()
        self.register_buffer("rotation", torch.eye(config.n_latent))
        self.register_buffer("offset", torch.zeros(config.n_latent))
        width = config.decoder_width
        self.net = torch.nn.Sequential(
            torch.nn.Linear(config.n_latent, width), torch.nn.GELU(),
            torch.nn.Linear(width, width), torch.nn.GELU(), torch.nn.Linear(width, N_ENERGY))

    def forward(self, z):
        """Photons per grid bin, shape (B, E), with arbitrary normalization."""
        return torch.exp(self.net(z @ self.rotation.T + self.offset).clamp(-30, 30))

    def in_cells(self, starts):
        """The same decoder with cells of several grid bins, see `Decoder.in_cells`."""
        return _Cells(self, starts)


class _Cells(torch.nn.Module):
    """A decoder, averaged over cells of grid bins."""

    def __init__(self, decoder, starts):
        super().__init__()
        self.decoder = decoder
        self.sizes = np.diff([*starts, N_ENERGY]).tolist()

    def forward(self, z):
        """Mean photons per grid bin in every cell, shape (B, n_cells)."""
        return torch.stack([part.mean(-1) for part in self.decoder(z).split(self.sizes, dim=-1)], -1)


@dataclass
class Trained:
    """Networks of a variant; None where it has none."""

    encoder: object = None
    decoder: object = None
    teacher: object = None
    paper: object = None


def train_variant(variant, lab):
    """Networks of a variant, ready to be judged."""
    config = lab.settings.network(variant.n_latent)
    if variant.kind == "paper":
        torch.manual_seed(variant.seed)
        trained = Trained(paper=PaperAutoencoder(config))
        _fit([trained.paper], lambda step: _paper_losses(trained.paper, lab, step), lab)
    elif variant.kind == "vae":
        torch.manual_seed(variant.seed)
        trained = Trained(Encoder(config), new_decoder(config))
        _fit([trained.encoder, trained.decoder], lambda step: _vae_losses(trained, lab, step), lab)
    else:
        teacher, decoder = _teacher(variant, config, lab)
        torch.manual_seed(variant.seed)
        trained = Trained(Encoder(config), decoder, teacher)
        _fit([trained.encoder], lambda step: _encoder_losses(trained, variant, lab, step), lab)
    for module in (trained.encoder, trained.decoder, trained.paper):
        if module is not None:
            module.requires_grad_(False).eval()
    return trained


def _teacher(variant, config, lab):
    """Teacher and decoder; those of the reference are kept for the variants that share them."""
    path = lab.folder / f"teacher-{variant.teacher_key}.safetensors"
    if path.exists():
        return load_modules(config, path, ("teacher", "decoder"))
    settings = lab.settings
    pool = draw_training_sources(settings.pool, random_stream(variant.seed, "teacher"))
    pool = _without_labels(pool, variant.teacher_off)
    torch.manual_seed(variant.seed)
    own = {"decoder": MlpDecoder(config)} if variant.decoder == "mlp" else {}
    teacher, decoder = train_teacher(
        config, pool, [i.matrix for i in lab.instruments], settings.teacher_steps, lab.log, variant.seed,
        batch=settings.teacher_batch, **own)
    for module in (teacher, decoder):
        module.requires_grad_(False).eval()
    if variant.teacher_key == VARIANTS[0].teacher_key:
        with replacing(path) as temporary:
            save_tensors(temporary, {"teacher": teacher, "decoder": decoder})
    return teacher, decoder


def _without_labels(pool, names):
    """Sources of which the named labels say nothing: all of one class, values unknown."""
    truth = {k: np.array(v) for k, v in pool.truth.items()}
    for name, column in (("nh", "nh"), ("index", "photon_index"), ("kt", "kt")):
        if name in names:
            truth[column] = np.full(len(pool), np.nan)
    index = np.zeros_like(pool.class_index) if "classes" in names else pool.class_index
    return Sources(pool.spectrum, index, truth)


def _fit(modules, losses, lab):
    """Minimize: ``losses(step)`` yields what is added up in one step."""
    settings = lab.settings
    parameters = [p for module in modules for p in module.parameters()]
    optimizer = torch.optim.AdamW(parameters, lr=settings.rate, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, settings.rate, settings.steps, pct_start=0.15)
    began, average = time.monotonic(), np.nan
    for step in range(settings.steps):
        optimizer.zero_grad()
        total = 0.0
        for loss in losses(step):
            loss.backward()
            total += loss.item()
        torch.nn.utils.clip_grad_norm_(parameters, 2.0)
        optimizer.step()
        schedule.step()
        # Of a part without any labeled source the cross entropy is NaN, its gradient zero.
        if np.isfinite(total):
            average = 0.98 * average + 0.02 * total if np.isfinite(average) else total
        if step % 100 == 0 or step == settings.steps - 1:
            lab.log(f"  step {step}: loss {average:.4f} [{time.monotonic() - began:.0f} s]")


def _encoder_losses(trained, variant, lab, step):
    """Loss of the encoder on every part of a batch, as `train.encoder` has it."""
    bands, spectra = lab.batch(step)
    parts = [(bands.bins, bands.sources)]
    parts += (merged_rows(spectra, np.random.default_rng([variant.seed, step])) if variant.merges
              else [(spectra.bins, spectra.sources)])
    total = len(bands) + len(spectra)
    for bins, sources in parts:
        arrays = observation_arrays(seen_bins(variant, bins), sources)
        terms = encoder_losses(trained.encoder, trained.teacher, arrays)
        weighted = sum(LOSS_WEIGHTS[k] * v for k, v in terms.items() if k not in variant.off)
        yield len(bins) / total * weighted


def seen_bins(variant, bins):
    return bins if variant.area else flat_area(bins)


class _Listener:
    """An encoder that remembers its last output."""

    def __init__(self, encoder):
        self.encoder, self.config, self.out = encoder, encoder.config, None

    def __call__(self, *tensors):
        self.out = self.encoder(*tensors)
        return self.out


def _vae_losses(trained, lab, step):
    """Loss without a teacher: likelihood of the counts, divergence, and the heads as ever."""
    rng = np.random.default_rng([1, step])
    listener = _Listener(trained.encoder)
    batch = lab.batch(step)
    total = sum(len(observation) for observation in batch)
    for observation in batch:
        bins = observation.bins
        if observation.mode == "spectra":
            bins = merge_randomly(bins, rng, 146 if rng.random() < 0.2 else 32)
        terms = encoder_losses(listener, lambda x: torch.zeros(len(x), trained.encoder.config.n_latent),
                               observation_arrays(bins, observation.sources))
        mean, chol = listener.out["mean"], listener.out["precision_chol"]
        spectrum = trained.decoder(draw_latents(mean, chol))
        terms["latent"] = (0.5 * cash_of_counts(spectrum, observation)
                           + KL_WEIGHT * divergence(mean, chol)).mean()
        yield len(bins) / total * sum(LOSS_WEIGHTS[k] * v for k, v in terms.items())


def _paper_losses(paper, lab, step):
    spectra = lab.batch(step)[MODES.index("spectra")]
    counts = paper_input(spectra.bins, np.random.default_rng([1, step]))
    yield paper.loss(torch.as_tensor(paper_scale(counts)[0]))
