# Licensed under a 3-clause BSD style license - see LICENSE
"""
What the posterior cannot see: is there anything in the counts that no latents describe?

Score tests (Rao 1948, Proc. Camb. Phil. Soc. 44, 50) of counts against the best decoded spectrum, in
directions that the decoder lacks, less what latents (linearized, normal prior) and normalization could do
instead. The p-value is that of the largest score over a check's whole grid among predicted replicates (Meng
1994, Ann. Stat. 22, 1142), so that Poisson noise and the number of places looked at are in it.
"""

from collections.abc import Callable

import numpy as np
import torch

from astro_xlatent.model.statistics import profile_normalization
from astro_xlatent.physics.grid import ENERGY_EDGES, ENERGY_MID
from astro_xlatent.spectra.bins import FINE_EDGES, EnergyBins, floored_background

__all__ = ["CHECKS", "LEVEL", "check_spectra", "unmodeled"]

#: What is looked for, in words.
CHECKS = {"line": "a line near {energy:.2f} keV", "gain": "a shifted energy scale",
          "variance": "more scatter than Poisson's", "soft": "a soft excess"}
#: Chance that any of a row's checks calls an ordinary spectrum odd.
LEVEL = 0.01
#: Replicates of every row, and further ones where they make a p-value fall below `WORTH`.
REPLICATES, WORTH = (99, 900), 0.05
#: Relative error of a decoded spectrum in every fine bin, of the order of what calibration leaves
#: (Drake et al. 2006, Proc. SPIE 6270, 62701I).
SPECTRUM_ERROR = 0.04
#: Energies in keV within which lines are looked for, and their widths over energy.
LINE_RANGE, LINE_WIDTHS = (0.5, 8.0), (0.0, 0.05)
#: Temperatures in keV of the blackbodies that stand for soft excesses.
SOFT_KT = (0.06, 0.1, 0.15)
#: Precision of the latents' prior where they are taken out of a direction: that of simulated
#: sources is 1 on average, but no normal one.
PRIOR_PRECISION = 0.1
#: Relative shifts of the energy scale that are looked for; edges make either sign a direction of its own.
GAIN_STEPS = (0.03, -0.03)
# Finite difference of latents in units of their prior's deviation.
_STEP = 0.02
# The replicates of a row do not depend on other rows.
_SEED = 20261126

_CENTER = 0.5 * (FINE_EDGES[1:] + FINE_EDGES[:-1])  # keV
_COLUMNS = np.searchsorted(ENERGY_EDGES, _CENTER) - 1
_LINES = _CENTER[(_CENTER > LINE_RANGE[0]) & (_CENTER < LINE_RANGE[1])]
_N_LINES = len(LINE_WIDTHS) * _LINES.size
_NEAR, _WIDTH = np.abs(_CENTER[:, None] - _LINES), np.diff(FINE_EDGES)[:, None]
# Lines, then soft components, as sums of narrow lines at the fine bins' centers, (n_fine, n).
_SHAPES = np.concatenate([
    *(_WIDTH * np.exp(-0.5 * (_NEAR / (width * _LINES)) ** 2) if width else (_NEAR == 0).astype(float)
      for width in LINE_WIDTHS),
    *(_WIDTH * (_CENTER**2 / np.expm1(_CENTER / kt))[:, None] for kt in SOFT_KT)], axis=1)


def check_spectra(decode: Callable, latent: np.ndarray, bins: EnergyBins,
                  matrices: np.ndarray) -> dict[str, np.ndarray]:
    """
    p-values (rows,) by the names of `CHECKS`, and the line's ``energy`` in keV, at latents of
    `Model.best_fit`. NaN without counts, or without more bins than latents and normalization.
    """
    found = {name: np.full(len(bins), np.nan) for name in (*CHECKS, "energy")}
    for row, values in _checked(decode, latent, bins, matrices):
        for name, value in values.items():
            found[name][row] = value
    return found


def unmodeled(model, posterior, bins: EnergyBins, matrices: np.ndarray) -> np.ndarray:
    """What no latents describe, in words, (rows,) str objects, empty without a significant check."""
    best = model.best_fit(bins, posterior.latent, matrices)[0]
    checked = check_spectra(model.decode, best, bins, matrices)
    limit, reasons = LEVEL / len(CHECKS), np.full(len(bins), "", object)
    for row, energy in enumerate(checked["energy"]):
        words = [f"{text.format(energy=energy)} (p = {checked[name][row]:.2g})"
                 for name, text in CHECKS.items() if checked[name][row] <= limit]
        reasons[row] = f"not in the decoded spectrum: {', '.join(words)}" if words else ""
    return reasons


def _checked(decode, latent, bins, matrices):
    """Rows and what `_check` says of them, the model linearized around the best latents."""
    rows, d = latent.shape
    around = latent[:, None, :] + _STEP * np.concatenate([np.zeros((1, d)), np.eye(d)])
    spectrum = decode(around.reshape(-1, d)).reshape(rows, d + 1, -1)
    source = np.matmul(spectrum, matrices.transpose(0, 2, 1)).astype(float) * bins.valid[:, None]
    unit = source.sum(axis=2, keepdims=True).clip(1e-300)
    background = floored_background(bins.background, bins.background_error) + 1e-5
    norm = profile_normalization(*(torch.as_tensor(a) for a in (
        bins.counts, source[:, 0] / unit[:, 0], background, bins.valid))).numpy()
    source *= norm[:, None, None] / unit
    for row in range(rows):
        valid = bins.valid[row]
        if norm[row] <= 0 or valid.sum() <= d + 1:
            continue
        best = source[row, 0, valid]
        tangent = np.column_stack([(source[row, 1:, valid] - best[:, None]) / _STEP, best])
        lines = matrices[row][np.ix_(valid, _COLUMNS)] @ _SHAPES
        gain = _gain_directions(spectrum[row, 0], matrices[row])[valid]
        model = best + background[row, valid]
        yield row, _check(bins.counts[row, valid] - model + tangent[:, :d] @ latent[row], model,
                          np.hypot(bins.background_error[row, valid], SPECTRUM_ERROR * best),
                          tangent, np.column_stack([lines, gain]))


def _gain_directions(spectrum, matrix):
    """What more is seen in every bin if all measured energies are too large or small, (bins, 2)."""
    area, directions = matrix.sum(axis=0), []
    for step in GAIN_STEPS:
        position = np.interp(ENERGY_MID * (1 + step), ENERGY_MID, np.arange(ENERGY_MID.size))
        low = np.minimum(position.astype(int), ENERGY_MID.size - 2)
        seen, t = spectrum * area, position - low
        moved = (np.bincount(low, seen * (1 - t), ENERGY_MID.size)
                 + np.bincount(low + 1, seen * t, ENERGY_MID.size))
        directions.append((moved - seen) / np.maximum(area, 1e-30))
    return matrix @ np.array(directions, np.float32).T


def _check(residual, model, error, tangent, directions):
    """
    p-values of one row, and its line's energy, from ``residual``, model and error (b,) at the prior's mean,
    what latents and normalization change (b, d + 1), and directions (b, n), those of `GAIN_STEPS` last.
    """
    rng = np.random.default_rng(_SEED)
    weight = 1 / (model + error**2)
    precision = np.full(tangent.shape[1], PRIOR_PRECISION)
    precision[-1] = 1e-6  # of the normalization, which is free
    weighted = tangent * weight[:, None]
    hat = np.linalg.solve(weighted.T @ tangent + np.diag(precision), weighted.T)
    left = np.eye(weight.size) - tangent @ hat  # what a fit leaves of any residuals
    score = left.T @ (weight[:, None] * directions)
    information = np.sum(directions * score, axis=0)
    full = np.sum(weight[:, None] * directions**2, axis=0)
    # A direction that the latents span says nothing.
    score /= np.sqrt(np.maximum(information, 1e-3 * full).clip(1e-30))
    scatter = left * np.sqrt(weight)[:, None]

    observed, which = _statistics(residual[None], score, scatter)
    n, above = 0, np.zeros(len(CHECKS))
    for more in REPLICATES:
        if n and np.all((1 + above) / (1 + n) > WORTH):
            break
        drawn = (rng.poisson(model, (more, weight.size)) - model
                 + error * rng.standard_normal((more, weight.size))
                 + rng.standard_normal((more, precision.size - 1)) @ tangent[:, :-1].T)
        above += np.sum(_statistics(drawn, score, scatter)[0] >= observed, axis=0)
        n += more
    return dict(zip(CHECKS, (1 + above) / (1 + n), strict=True)) | {"energy": _LINES[which[0] % _LINES.size]}


def _statistics(residual, score, scatter):
    """Statistics of residuals (n, b) in the order of `CHECKS`, (n, 4), and the strongest line."""
    z = residual @ score
    lines = z[:, :_N_LINES]
    spread = np.sum((residual @ scatter.T) ** 2, axis=1)
    soft, gain = (part.max(axis=1) for part in np.split(z[:, _N_LINES:], [-len(GAIN_STEPS)], axis=1))
    return np.stack([lines.max(axis=1), gain, spread, soft], axis=1), lines.argmax(axis=1)
