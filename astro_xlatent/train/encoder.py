# Licensed under a 3-clause BSD style license - see LICENSE
"""
Training of the encoder on simulated observations.
"""

import math
import os
import time
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch.nn import functional

from astro_xlatent.model.network import (
    LOG_KT_RANGE,
    LOG_NH_RANGE,
    PHOTON_INDEX_RANGE,
    Encoder,
)
from astro_xlatent.train.reference import teacher_input
from astro_xlatent.model.tokens import to_tensors
from astro_xlatent.train.stream import training_batch
from astro_xlatent.train.targets import density_target

__all__ = ["LOSS_WEIGHTS", "encoder_losses", "train_encoder"]

#: Weight of every term beside the log score of the latents.
LOSS_WEIGHTS = {"latent": 1.0, "classes": 1.0, "nh": 0.5, "index": 0.2, "kt": 0.2}
AVERAGING = 0.999


def encoder_losses(encoder, teacher, bins, sources):
    """
    Terms of the loss, each a mean over rows.

    ``latent`` is minus the log density of the teacher's latents, up to a
    constant; the others are cross entropies of the heads. Rows without a
    class (-1), photon index or temperature (NaN) add nothing to theirs.
    """
    config = encoder.config
    out = encoder(*to_tensors(bins))
    with torch.no_grad():
        target = teacher(torch.as_tensor(teacher_input(sources.spectrum)))
    whitened = torch.einsum("bij,bi->bj", out["precision_chol"], target - out["mean"])
    log_det = torch.diagonal(out["precision_chol"], dim1=1, dim2=2).log().sum(1)
    losses = {
        "latent": (0.5 * whitened.square().sum(1).clamp(max=400) - log_det).mean(),
        "classes": functional.cross_entropy(
            out["classes"], torch.as_tensor(sources.class_index), ignore_index=-1),
    }
    truth = sources.truth
    for name, values, limits, cells, logarithmic in (
        ("nh", truth["nh"], LOG_NH_RANGE, config.n_nh, True),
        ("index", truth["photon_index"], PHOTON_INDEX_RANGE, config.n_index, False),
        ("kt", truth["kt"], LOG_KT_RANGE, config.n_kt, True),
    ):
        wanted = density_target(values, limits, cells, logarithmic)
        losses[name] = functional.cross_entropy(out[name], wanted)
    return losses


def train_encoder(config, teacher, instruments, folder, n_steps, *, seed=0, rate=1e-3,
                  log=print, save_every=200, resume=False, initial=None):
    """
    Train the encoder, with atomic checkpoints.

    Parameters
    ----------
    config : `~astro_xlatent.model.network.Config`
        Sizes.
    teacher : Teacher
        Frozen; gives the targets.
    instruments : list of Instrument
        Responses to observe through.
    folder : path-like
        Where ``encoder.safetensors`` (state of the run) is kept.
    n_steps : int
        Stop after this step.
    seed : int, optional
        Of initial weights and all batches.
    rate : float, optional
        Largest learning rate.
    log : callable, optional
        Receives progress lines.
    save_every : int, optional
        Steps between checkpoints.
    resume : bool, optional
        Continue from the checkpoint in ``folder`` if there is one.
    initial : dict of Tensor, optional
        Weights to begin with, by name; the rest are random.

    Returns
    -------
    encoder : Encoder
        With the running average of the weights.
    """
    torch.manual_seed(seed)
    encoder = Encoder(config)
    encoder.load_state_dict(encoder.state_dict() | (initial or {}))
    optimiser = torch.optim.AdamW(encoder.parameters(), lr=rate, weight_decay=1e-2)
    average = {k: v.clone() for k, v in encoder.state_dict().items()}
    path = Path(folder) / "encoder.safetensors"
    start = _restore(path, encoder, optimiser, average) if resume and path.exists() else 0
    began, running = time.monotonic(), {}
    for step in range(start, n_steps):
        for group in optimiser.param_groups:
            group["lr"] = rate * _schedule(step, n_steps)
        losses = _step(encoder, teacher, optimiser, training_batch(seed, step, instruments))
        _update_average(average, encoder, step)
        for name, value in losses.items():
            running[name] = 0.98 * running.get(name, value) + 0.02 * value
        if step % 50 == 0:
            text = "  ".join(f"{k} {v:.4f}" for k, v in running.items())
            log(f"encoder step {step}: {text}  [{time.monotonic() - began:.0f} s]")
        if (step + 1) % save_every == 0 or step + 1 == n_steps:
            _save(path, encoder, optimiser, average, step + 1)
    encoder.load_state_dict(average)
    return encoder


def _schedule(step, n_steps, warm_up=200):
    """Linear warm-up, then a cosine down to 1 %."""
    if step < warm_up:
        return (step + 1) / warm_up
    progress = (step - warm_up) / max(1, n_steps - warm_up)
    return 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(progress, 1.0)))


def _step(encoder, teacher, optimiser, parts):
    """One optimiser step over all parts of a batch; mean losses by name."""
    optimiser.zero_grad()
    rows = sum(len(bins) for bins, _ in parts)
    report = {}
    for bins, sources in parts:
        losses = encoder_losses(encoder, teacher, bins, sources)
        share = len(bins) / rows
        (share * sum(LOSS_WEIGHTS[k] * v for k, v in losses.items())).backward()
        for name, value in losses.items():
            report[name] = report.get(name, 0.0) + share * value.item()
    torch.nn.utils.clip_grad_norm_(encoder.parameters(), 2.0)
    optimiser.step()
    return report


@torch.no_grad()
def _update_average(average, encoder, step):
    decay = min(AVERAGING, (1 + step) / (10 + step))
    for name, value in encoder.state_dict().items():
        if value.dtype.is_floating_point:
            average[name].lerp_(value, 1 - decay)


def _save(path, encoder, optimiser, average, step):
    """Write the state of the run whole or not at all."""
    tensors = {f"encoder.{k}": v for k, v in encoder.state_dict().items()}
    tensors |= {f"average.{k}": v for k, v in average.items()}
    for index, state in optimiser.state_dict()["state"].items():
        tensors |= {f"optimiser.{index}.{k}": v for k, v in state.items()}
    temporary = path.with_suffix(".tmp")
    contiguous = {k: v.contiguous().clone() for k, v in tensors.items()}
    save_file(contiguous, temporary, metadata={"step": str(step)})
    os.replace(temporary, path)


def _restore(path, encoder, optimiser, average):
    """Load the state of a run; the step to go on with."""
    tensors = load_file(path)
    encoder.load_state_dict({k[8:]: v for k, v in tensors.items() if k.startswith("encoder.")})
    average.update({k[8:]: v for k, v in tensors.items() if k.startswith("average.")})
    state = {}
    for key, value in tensors.items():
        if key.startswith("optimiser."):
            _, index, name = key.split(".")
            state.setdefault(int(index), {})[name] = value
    groups = optimiser.state_dict()["param_groups"]
    optimiser.load_state_dict({"state": state, "param_groups": groups})
    with safe_open(path, "pt") as file:
        return int(file.metadata()["step"])
