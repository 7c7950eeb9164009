# Licensed under a 3-clause BSD style license - see LICENSE
"""Training of the teacher and the decoder, which define a latent space."""

import numpy as np
import torch
from torch.nn import functional

from astro_xlatent.model.network import HEADS, Decoder, Teacher, mlp
from astro_xlatent.physics.absorption import absorption_cross_section
from astro_xlatent.physics.grid import ENERGY_MID
from astro_xlatent.train.stream import teacher_input

__all__ = ["new_decoder", "train_teacher"]

# Counts a source is imagined to have, and the background per bin that keeps bins without any source
# counts from dominating.
N_COUNTS, FLOOR = 1000.0, 0.02
# Finite difference of latents.
STEP = 0.05
#: Weight of every term of the loss.
LOSS_WEIGHTS = {"cash": 1.0, "classes": 8.0, "nh": 8.0, "index": 8.0, "kt": 8.0, "moments": 20.0}


def new_decoder(config):
    """Decoder on the incident grid, with the shipped cross section."""
    energy = torch.as_tensor(ENERGY_MID, dtype=torch.float32)
    sigma = torch.as_tensor(np.array(absorption_cross_section(ENERGY_MID)), dtype=torch.float32)
    return Decoder(config, energy, sigma)


def expected_cash(decoded, true, matrix):
    """Expected Cash excess (B,), 2 sum(m - t + t log(t / m)), of decoded over true spectra (B, E)."""
    t, m = _counts(true, matrix), _counts(decoded, matrix)
    return 2 * (m - t + t * torch.log(t / m)).sum(-1)


def _counts(spectrum, matrix):
    """Expected counts on the floor (B, bins), for `N_COUNTS` of the source."""
    m = spectrum @ matrix.T
    return N_COUNTS * m / m.sum(-1, keepdim=True).clamp(min=1e-30) + FLOOR


def train_teacher(config, pool, matrices, n_steps, log=print, seed=0, batch=512, decoder=None):
    """
    Train teacher and decoder, new or given (with buffers ``rotation`` and ``offset``), on noise-free spectra
    seen through responses (bins, n_energy). Latents come out whitened, ordered by the Cash they explain.
    """
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    teacher = Teacher(config)
    decoder = new_decoder(config) if decoder is None else decoder
    # A scaffold: it makes the latents carry both quantities and is not kept.
    slopes = mlp(config.n_latent, config.decoder_width, config.n_index + config.n_kt)
    parameters = [*teacher.parameters(), *decoder.parameters(), *slopes.parameters()]
    optimizer = torch.optim.AdamW(parameters, lr=2e-3, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, n_steps, pct_start=0.05)
    folds = [torch.as_tensor(m, dtype=torch.float32) for m in matrices]
    average = {}
    for step in range(n_steps):
        rows = rng.integers(len(pool.spectrum), size=batch)
        losses = _losses(teacher, decoder, slopes, pool, rows, folds[rng.integers(len(folds))])
        loss = sum(weight * losses[name] for name, weight in LOSS_WEIGHTS.items())
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 10.0)
        optimizer.step()
        schedule.step()
        for name, value in losses.items():
            average[name] = 0.98 * average.get(name, value.item()) + 0.02 * value.item()
        if step % 200 == 0 or step == n_steps - 1:
            text = "  ".join(f"{k} {v:.4g}" for k, v in average.items())
            log(f"teacher step {step}: {text}")
    _whiten(teacher, decoder, pool, folds)
    return teacher, decoder


def _losses(teacher, decoder, slopes, pool, rows, fold):
    true = torch.as_tensor(pool.spectrum[rows])
    true = true / true.sum(-1, keepdim=True)
    u = teacher.net(torch.as_tensor(teacher_input(pool.spectrum[rows])))
    # Noise makes neighbors in the latent space alike, so that a Gaussian posterior there means something.
    noisy = u + 0.05 * torch.randn_like(u)
    cash = expected_cash(decoder(noisy), true, fold)
    config, label = teacher.config, torch.as_tensor(pool.class_index[rows])
    classes, nh = teacher.head(noisy).split([config.n_classes, config.n_nh], dim=1)
    index, kt = slopes(noisy).split([config.n_index, config.n_kt], dim=1)
    centered = u - u.mean(0)
    covariance = centered.T @ centered / len(u)
    return {
        # Rare spectra far from all others must not rule the mean.
        "cash": (20 * torch.log1p(cash / 20)).mean(),
        "median": cash.detach().median(),
        "classes": functional.cross_entropy(classes, label, ignore_index=-1),
        **{name: functional.cross_entropy(logits, HEADS[name].target(
            pool.truth[HEADS[name].column][rows], logits.shape[1]))
           for name, logits in (("nh", nh), ("index", index), ("kt", kt))},
        "moments": u.mean(0).square().sum() + (covariance - torch.eye(u.shape[1])).square().sum(),
    }


@torch.no_grad()
def _whiten(teacher, decoder, pool, folds):
    """Fix origin, scale, rotation and signs of the latents."""
    x = torch.as_tensor(teacher_input(pool.spectrum[:20000]))
    u = teacher.net(x).double()
    mean = u.mean(0)
    values, vectors = torch.linalg.eigh(torch.cov(u.T))
    whiten = vectors @ torch.diag(values.rsqrt()) @ vectors.T
    back = torch.linalg.inv(whiten)
    information = _fisher(decoder, u[:2000], back, folds)
    rotation = torch.linalg.eigh(information)[1].flip(1)  # columns by decreasing information
    z = (u - mean) @ whiten @ rotation
    spectrum = pool.spectrum[: len(z)].astype(float)
    hardness = torch.as_tensor(spectrum @ np.log(ENERGY_MID) / spectrum.sum(1))
    sign = torch.sign(((hardness - hardness.mean())[:, None] * z).mean(0))
    rotation = rotation * torch.where(sign == 0, 1.0, sign)
    teacher.rotation.copy_((rotation.T @ whiten).float())
    teacher.offset.copy_(mean.float())
    decoder.rotation.copy_((back @ rotation).float())
    decoder.offset.copy_(mean.float())


def _fisher(decoder, u, back, folds):
    """Mean information on whitened latents, of `N_COUNTS` counts, (D, D)."""
    total = torch.zeros(u.shape[1], u.shape[1], dtype=torch.float64)
    around = [decoder((u + sign * STEP * d).float()) for d in back for sign in (1, -1)]
    for fold in folds[:: max(1, len(folds) // 4)]:
        roots = torch.stack([2 * torch.sqrt(_counts(m, fold)).double() for m in around], -1)
        jacobian = (roots[..., ::2] - roots[..., 1::2]) / (2 * STEP)  # (B, bins, D)
        total += torch.einsum("bni,bnj->ij", jacobian, jacobian) / len(u)
    return total
