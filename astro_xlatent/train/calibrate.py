# Licensed under a 3-clause BSD style license - see LICENSE
"""
Fitting the calibration of a trained encoder, on fresh simulations only.
"""

from pathlib import Path

import numpy as np
import torch
from scipy.special import log_softmax, softmax

from astro_xlatent.core.numbers import random_stream, stream_seed
from astro_xlatent.model.build import load_modules
from astro_xlatent.model.calibration import Calibration, half_log_volume, joint_score
from astro_xlatent.model.density import probability_below_truth
from astro_xlatent.model.fluxes import FLUX_BANDS, fluxes
from astro_xlatent.model.network import LOG_KT_RANGE, LOG_NH_RANGE, PHOTON_INDEX_RANGE
from astro_xlatent.model.posterior import Model, covariance_of
from astro_xlatent.physics.grid import sum_cells
from astro_xlatent.simulate.imperfections import misjudge_background
from astro_xlatent.simulate.prepared import load_prepared
from astro_xlatent.train.batches import draw_faults
from astro_xlatent.train.pool import in_order
from astro_xlatent.train.reference import teacher_input
from astro_xlatent.train.stream import draw_training_sources, observe_full
from astro_xlatent.train.targets import density_target

__all__ = ["NETWORKS", "calibrate", "simulate_outputs"]

#: File of a run with the trained networks.
NETWORKS = "networks.safetensors"

NODES = (0.2, 0.7, 1.2, 1.6, 2.0, 2.4, 2.8, 3.2, 3.6, 4.0, 4.3)
LEVELS = (0.0, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9,
          0.95, 0.98, 0.99, 0.995, 0.998, 0.999, 1.0)
TEMPERATURES = np.geomspace(0.5, 3.0, 61)
#: Heads of the encoder: column of the truth, range, whether it is logarithmic.
HEADS = {
    "nh": ("nh", LOG_NH_RANGE, True),
    "index": ("photon_index", PHOTON_INDEX_RANGE, False),
    "kt": ("kt", LOG_KT_RANGE, True),
}
# Limits of a flux are one-sided 84 % limits.
FLUX_LEVEL = 0.84
# Central 68.3 % of a standard normal, what a standard deviation should hold.
COVERAGE = 0.6827
# Share of sources whose conformal set of classes holds the true one.
SET_COVERAGE = 0.9
#: Batches of encoder outputs for each one that is also folded and fitted; few sources are named HMXB.
LIGHT_BATCHES = 4
# Sources of the prior and of the mixture of latents.
POOL = 20000


def calibrate(folder, recipe, settings, log=print):
    """
    Fit all corrections of `~astro_xlatent.model.calibration.Calibration`, as plain lists.

    ``folder`` is that of the run, with the trained networks in `NETWORKS`; ``recipe`` that of the
    training. ``settings.calibration_batches`` batches of 256 rows are drawn for each mode, and
    `LIGHT_BATCHES` times as many (with these) of which only the encoder's answer is taken.
    """
    config = settings.network()
    teacher = load_modules(config, Path(folder) / NETWORKS, ("teacher",))[0]
    pool = draw_training_sources(POOL, random_stream(settings.seed, "calibration"))
    tables = {"nodes": list(NODES), "levels": list(LEVELS), "mixture": _mixture(teacher, pool),
              "prior": _prior(pool, config)}
    modes, n, most = ("bands", "spectra"), settings.calibration_batches, LIGHT_BATCHES
    items = [(mode, counter, counter < n) for mode in modes for counter in range(most * n)]
    pieces = {mode: [] for mode in modes}
    outputs = in_order(_outputs, items, settings.n_workers, _bare_model, (str(folder), recipe, config))
    for (mode, counter, _), piece in zip(items, outputs, strict=True):
        pieces[mode].append(piece)
        if (counter + 1) % 20 == 0:
            log(f"calibration {mode}: batch {counter + 1} of {most * n}")
    for mode in modes:
        tables[mode] = _fit_mode(_joined(pieces[mode]), _joined(pieces[mode][:n]), mode, tables)
        log(f"calibration {mode}: latent scale {_short(tables[mode]['latent_scale'])}, class temperature "
            f"{_short(tables[mode]['class_temperature'])}, N_H {_short(tables[mode]['nh_temperature'])}")
    return tables


def _joined(pieces):
    """What all pieces hold, one behind the other."""
    return {k: np.concatenate([p[k] for p in pieces]) for k in pieces[0] if all(k in p for p in pieces)}


def _short(values):
    return " ".join(f"{v:.2f}" for v in values)


def _bare_model(folder, recipe, config):
    """State of a worker: recipe, instruments, and the networks without any calibration."""
    torch.set_num_threads(1)
    info = {"name": "", "version": "", "latent_space": "", "classes": (), "missions": ()}
    networks = load_modules(config, Path(folder) / NETWORKS, ("encoder", "decoder", "teacher"))
    return recipe, load_prepared(recipe.instruments), Model(info, *networks, Calibration.identity(config))


def _outputs(state, item):
    """`simulate_outputs` of one batch, by a worker."""
    (recipe, instruments, model), (mode, counter, whole) = state, item
    seed = stream_seed(recipe.seed, "calibration"), mode == "bands", counter
    return simulate_outputs(model, instruments, mode, seed, imperfections=recipe.imperfections, whole=whole)


def simulate_outputs(model, instruments, mode, seed, rows=256, imperfections=(), whole=True):
    """
    Encoder outputs for fresh simulated observations that are detected, with the truth, rows first.

    With ``net``, ``target`` (z*) and ``class_index``; if ``whole``, also what needs decoded spectra
    and takes most of the time: limits of the fluxes, and of spectra ``gof``, ``run`` and
    ``distance`` (NaN without a measured background). ``mode`` is 'bands' or 'spectra'; ``seed``, a
    sequence of int, is that of sources, noise and ``imperfections``.
    """
    rng = np.random.default_rng(seed)
    sources = draw_training_sources(rows, rng)
    faults, see = draw_faults(seed, imperfections)
    bins, matrices, _ = observe_full(mode, sources.spectrum, instruments, rng, folding=whole, see=see)
    bins.background = misjudge_background(bins.background, faults, imperfections)
    out = model.encode(bins, coarsen=mode == "spectra")
    with torch.no_grad():
        out["target"] = model.teacher(torch.as_tensor(teacher_input(sources.spectrum))).numpy()
        folding = None if matrices is None else sum_cells(matrices, mode)
        limits = fluxes(model.decode, bins, folding, out["mean"], covariance_of(out["precision_chol"]),
                        mode) if whole else {}
    if matrices is not None:
        fit = model.best_fit(bins, out["mean"], matrices, folding)[2]
        out |= {name: np.where(bins.background_known, value, np.nan) for name, value in fit.items()}
    # The truth has columns of the same names.
    out |= {f"{name}_logits": out.pop(name) for name in HEADS}
    out |= {f"flux_{name}_limits": values for name, values in limits.items()}
    keep = out["detected"]
    out |= {"net": bins.net_counts, "class_index": sources.class_index, **sources.truth}
    return {k: np.asarray(v)[keep] for k, v in out.items() if k != "pooled"}


def _mixture(teacher, pool, n_components=24):
    """Gaussian mixture of the simulated latents."""
    from sklearn.mixture import GaussianMixture

    with torch.no_grad():
        z = teacher(torch.as_tensor(teacher_input(pool.spectrum))).numpy().astype(float)
    fit = GaussianMixture(n_components, reg_covar=1e-3, random_state=0).fit(z)
    return {"weight": fit.weights_.tolist(), "mean": fit.means_.tolist(),
            "covariance": fit.covariances_.tolist()}


def _prior(pool, config):
    """Mean density of every head's quantity over simulated sources."""
    result = {}
    for name, (column, limits, logarithmic) in HEADS.items():
        cells = getattr(config, f"n_{name}")
        density = density_target(pool.truth[column], limits, cells, logarithmic).numpy().sum(axis=0)
        result[name] = (density / density.sum()).round(7).tolist()
    return result


def _fit_mode(rows, whole, mode, tables):
    """Corrections of one mode at every node, by all rows and those with fluxes and fits."""
    covariance = covariance_of(rows["precision_chol"])
    error = np.sqrt(np.diagonal(covariance, axis1=1, axis2=2))
    score = np.abs(rows["target"] - rows["mean"]) / error
    windows = [_window(rows["net"], node) for node in NODES]
    scale = [float(np.quantile(score[w], COVERAGE) ** 2) for w in windows]
    has_class = rows["class_index"] >= 0
    label = np.eye(rows["classes"].shape[1])[rows["class_index"].clip(0)]
    fitted = {
        "latent_scale": scale,
        "class_temperature": [_temperature(rows["classes"][w & has_class], label[w & has_class])
                              for w in windows],
    }
    for name in HEADS:
        fitted |= _fit_head(rows, name)
    fitted |= _fit_columns(rows, fitted)
    temperature = np.interp(np.log10(rows["net"].clip(1e-3)), NODES, fitted["class_temperature"])
    level = _level_of_truth(softmax(rows["classes"] / temperature[:, None], axis=1), rows["class_index"])
    fitted["class_level"] = [float(np.quantile(level[w & has_class], SET_COVERAGE)) for w in windows]
    scaled = covariance * np.interp(np.log10(rows["net"].clip(1e-3)), NODES, scale)[:, None, None]
    plain, volume = Calibration(tables).evidence(rows["mean"], scaled), half_log_volume(scaled)
    fitted["evidence_slope"] = [round(float(np.polyfit(volume[w], plain[w], 1)[0]), 4) for w in windows]
    evidence = Calibration(tables | {mode: fitted}).levelled_evidence(mode, rows["net"], rows["mean"], scaled)
    fitted["evidence"] = [np.quantile(evidence[w], LEVELS).round(4).tolist() for w in windows]
    windows = [_window(whole["net"], node) for node in NODES]
    for name in FLUX_BANDS:
        fitted[f"flux_{name}"] = [_flux_scale(whole, name, w) for w in windows]
    if mode == "spectra":
        fitted |= _fit_oddness(whole, windows, tables | {mode: fitted})
    return fitted


def _fit_oddness(rows, windows, tables):
    """Quantiles of what can be odd of the best fit, then of the joint score with the evidence."""
    scale = Calibration(tables).latent_scale("spectra", rows["net"])
    covariance = covariance_of(rows["precision_chol"]) * scale[:, None, None]
    known = np.isfinite(rows["gof"])
    fit = {name: rows[name] for name in ("gof", "run", "distance")}
    fitted = {name: [np.quantile(value[w & known], LEVELS).round(4).tolist() for w in windows]
              for name, value in fit.items()}
    calibration = Calibration(tables | {"spectra": tables["spectra"] | fitted})
    joint = joint_score(calibration.oddness("spectra", rows["net"], rows["mean"], covariance, fit))
    return fitted | {"odd": [np.quantile(joint[w & known], LEVELS).round(5).tolist() for w in windows]}


def _fit_head(rows, name):
    """Temperature of a head's density, then the distribution function at the truth, at every node."""
    column, limits, logarithmic = HEADS[name]
    # A photon index is known of power laws only, a temperature of thermal sources.
    known = np.isfinite(rows[column])
    logits, truth, net = rows[f"{name}_logits"][known], rows[column][known], rows["net"][known]
    windows = [_window(net, node) for node in NODES]
    target = density_target(truth, limits, logits.shape[1], logarithmic).numpy()
    temperatures = [_temperature(logits[w], target[w]) for w in windows]
    divisor = np.interp(np.log10(net.clip(1e-3)), NODES, temperatures)
    below = _below_truth({column: truth, f"{name}_logits": logits}, name, divisor)
    quantiles = [np.quantile(below[w], LEVELS) for w in windows]
    return {f"{name}_temperature": temperatures,
            f"{name}_below": [[0.0, *q[1:-1].round(5).tolist(), 1.0] for q in quantiles]}


def _below_truth(rows, name, divisor):
    """The distribution function of a head's density at the truth, shape (n,)."""
    column, limits, logarithmic = HEADS[name]
    density = softmax(rows[f"{name}_logits"] / divisor[:, None], axis=1)
    value = np.log10(np.maximum(rows[column], 1e-9)) if logarithmic else rows[column]
    return probability_below_truth(density, limits, value, np.random.default_rng(0))


def _fit_columns(rows, fitted):
    """Distribution of the distribution function of N_H at the truth, by class, at every node."""
    has_class = rows["class_index"] >= 0
    rows = {k: v[has_class] for k, v in rows.items()}
    x = np.log10(rows["net"].clip(1e-3))
    likely = softmax(rows["classes"] / np.interp(x, NODES, fitted["class_temperature"])[:, None], axis=1)
    below = _below_truth(rows, "nh", np.interp(x, NODES, fitted["nh_temperature"]))
    order = np.argsort(below)
    below, likely, net = below[order], likely[order], rows["net"][order]
    share = np.empty((len(NODES), likely.shape[1], len(LEVELS)))
    for i, k in np.ndindex(share.shape[:2]):
        window = _window(net, NODES[i], weight=likely[:, k])
        up_to = np.cumsum(likely[window, k])
        share[i, k] = np.interp(LEVELS, below[window], up_to / up_to[-1])
    share[..., 0], share[..., -1] = 0.0, 1.0
    return {"nh_share": share.round(5).tolist()}


def _flux_scale(rows, name, window):
    """Factors on the distances of lower and upper limit from the median that give them their level."""
    lower, median, upper = rows[f"flux_{name}_limits"][window].T
    offset = rows[f"flux_{name}"][window] - median
    ratio = [offset / np.minimum(lower - median, -1e-30), offset / np.maximum(upper - median, 1e-30)]
    return [round(max(float(np.quantile(r, FLUX_LEVEL)), 0.1), 4) for r in ratio]


def _level_of_truth(probability, truth):
    """Sum of probabilities of the classes at least as probable as the true one, shape (n,)."""
    of_truth = np.take_along_axis(probability, truth.clip(0)[:, None], axis=1)
    return np.where(probability >= of_truth, probability, 0.0).sum(axis=1)


def _window(net, node, half_width=0.25, min_rows=200, weight=None):
    """Rows with counts near a node; where there are few, by their weights, the nearest ones."""
    distance = np.abs(np.log10(np.maximum(net, 1e-3)) - node)
    order = np.argsort(distance)
    rows = np.arange(1, len(net) + 1) if weight is None else np.cumsum(weight[order])
    nearest = distance[order[np.searchsorted(rows, min(min_rows, rows[-1]))]]
    return distance <= max(half_width, nearest)


def _temperature(logits, target):
    """Divisor of the logits with the smallest cross entropy."""
    if not len(logits):
        return 1.0
    losses = [-(target * log_softmax(logits / t, axis=1)).sum(axis=1).mean() for t in TEMPERATURES]
    return float(TEMPERATURES[int(np.argmin(losses))])
