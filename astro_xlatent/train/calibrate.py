# Licensed under a 3-clause BSD style license - see LICENSE
"""Fitting the calibration of a trained encoder, on fresh simulations only."""

from pathlib import Path

import numpy as np
import torch
from scipy.special import log_softmax, softmax

from astro_xlatent.core.numbers import random_stream, stream_seed
from astro_xlatent.model.build import load_modules
from astro_xlatent.model.calibration import Calibration, at_counts, half_log_volume, joint_score
from astro_xlatent.model.density import probability_below_truth
from astro_xlatent.model.fluxes import FLUX_BANDS, fluxes
from astro_xlatent.model.network import HEADS
from astro_xlatent.model.posterior import Model, covariance_of
from astro_xlatent.physics.grid import sum_cells
from astro_xlatent.simulate.imperfections import misjudge_background
from astro_xlatent.simulate.prepared import load_prepared
from astro_xlatent.train.batches import draw_faults
from astro_xlatent.train.pool import in_order
from astro_xlatent.train.stream import draw_training_sources, observe_full, teacher_input

__all__ = ["LIGHT_BATCHES", "NETWORKS", "ROWS", "calibrate"]

#: File of a run with the trained networks.
NETWORKS = "networks.safetensors"

NODES = (0.2, 0.7, 1.2, 1.6, 2.0, 2.4, 2.8, 3.2, 3.6, 4.0, 4.3)
LEVELS = (0.0, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9,
          0.95, 0.98, 0.99, 0.995, 0.998, 0.999, 1.0)
TEMPERATURES = np.geomspace(0.5, 3.0, 61)
# Half the width of a node's window in log counts, and the rows that it has at least.
HALF_WIDTH, MIN_ROWS = 0.25, 200
# Limits of a flux are one-sided 84 % limits.
FLUX_LEVEL = 0.84
# Central 68.3 % of a standard normal, what a standard deviation should hold.
COVERAGE = 0.6827
# Share of sources whose conformal set of classes holds the true one.
SET_COVERAGE = 0.9
#: Sources of a batch, and batches of which only the encoder's answer is taken (few sources are named
#: HMXB) for each one that is also folded and fitted.
ROWS, LIGHT_BATCHES = 256, 4
# Sources of the prior and of the mixture of latents, and components of that.
POOL, COMPONENTS = 20000, 24


def calibrate(folder, recipe, settings, log=print):
    """
    Fit the tables of `~astro_xlatent.model.calibration.Calibration`, as plain lists, for the networks in
    ``folder`` / `NETWORKS`, on batches observed by the ``recipe`` of the training.
    """
    config = settings.network()
    teacher = load_modules(config, Path(folder) / NETWORKS, ("teacher",))[0]
    pool = draw_training_sources(POOL, random_stream(settings.seed, "calibration"))
    tables = {"nodes": list(NODES), "levels": list(LEVELS), "mixture": _mixture(teacher, pool),
              "prior": _prior(pool, config)}
    n, pieces = settings.calibration_batches, {"bands": [], "spectra": []}
    items = [(mode, counter, counter < n) for mode in pieces for counter in range(LIGHT_BATCHES * n)]
    outputs = in_order(_outputs, items, settings.n_workers, _bare_model, (str(folder), recipe, config))
    for (mode, counter, _), piece in zip(items, outputs, strict=True):
        pieces[mode].append(piece)
        if (counter + 1) % 20 == 0:
            log(f"calibration {mode}: batch {counter + 1} of {LIGHT_BATCHES * n}")
    for mode, found in pieces.items():
        tables[mode] = _fit_mode(_joined(found), _joined(found[:n]), mode, tables)
        log(f"calibration {mode}: " + ", ".join(
            f"{name.replace('_', ' ')} {' '.join(f'{v:.2f}' for v in tables[mode][name])}"
            for name in ("latent_scale", "class_temperature", "nh_temperature")))
    return tables


def _joined(pieces):
    """What all pieces hold, one behind the other."""
    return {k: np.concatenate([p[k] for p in pieces]) for k in pieces[0] if all(k in p for p in pieces)}


def _bare_model(folder, recipe, config):
    """State of a worker: recipe, instruments, and the networks without any calibration."""
    torch.set_num_threads(1)
    info = {"name": "", "version": "", "latent_space": "", "classes": (), "missions": ()}
    networks = load_modules(config, Path(folder) / NETWORKS, ("encoder", "decoder", "teacher"))
    return recipe, load_prepared(recipe.instruments), Model(info, *networks, Calibration.identity(config))


def _outputs(state, item):
    """
    Encoder outputs for the detected of a simulated batch, with ``net``, ``target`` (z*) and the truth; of a
    ``whole`` item also limits of the fluxes, and of spectra ``gof``, ``run`` and ``distance`` (else NaN).
    """
    (recipe, instruments, model), (mode, counter, whole) = state, item
    seed = stream_seed(recipe.seed, "calibration"), mode == "bands", counter
    rng = np.random.default_rng(seed)
    sources = draw_training_sources(ROWS, rng)
    faults, see = draw_faults(seed, recipe.imperfections)
    bins, matrices, _ = observe_full(mode, sources.spectrum, instruments, rng, folding=whole, see=see)
    bins.background = misjudge_background(bins.background, faults, recipe.imperfections)
    out = model.encode(bins, coarsen=mode == "spectra")
    with torch.no_grad():
        out["target"] = model.teacher(torch.as_tensor(teacher_input(sources.spectrum))).numpy()
    # The truth has columns of the same names.
    out |= {f"{name}_logits": out.pop(name) for name in HEADS}
    if whole:
        folding = None if matrices is None else sum_cells(matrices, mode)
        limits = fluxes(model.decode, bins, folding, out["mean"], covariance_of(out["precision_chol"]), mode)
        out |= {f"flux_{name}_limits": values for name, values in limits.items()}
    if matrices is not None:
        fit = model.best_fit(bins, out["mean"], matrices, folding)[2]
        out |= {name: np.where(bins.background_known, value, np.nan) for name, value in fit.items()}
    keep = out["detected"]
    out |= {"net": bins.net_counts, "class_index": sources.class_index, **sources.truth}
    return {k: np.asarray(v)[keep] for k, v in out.items() if k != "pooled"}


def _mixture(teacher, pool):
    """Gaussian mixture of the simulated latents."""
    from sklearn.mixture import GaussianMixture

    with torch.no_grad():
        z = teacher(torch.as_tensor(teacher_input(pool.spectrum))).numpy().astype(float)
    fit = GaussianMixture(COMPONENTS, reg_covar=1e-3, random_state=0).fit(z)
    return {"weight": fit.weights_.tolist(), "mean": fit.means_.tolist(),
            "covariance": fit.covariances_.tolist()}


def _prior(pool, config):
    """Mean density of every head's quantity over simulated sources."""
    total = {name: head.target(pool.truth[head.column], getattr(config, f"n_{name}")).numpy().sum(axis=0)
             for name, head in HEADS.items()}
    return {name: (density / density.sum()).round(7).tolist() for name, density in total.items()}


def _fit_mode(rows, whole, mode, tables):
    """Corrections of one mode at every node, by all rows and those with fluxes and fits."""
    net, covariance = rows["net"], covariance_of(rows["precision_chol"])
    score = np.abs(rows["target"] - rows["mean"]) / np.sqrt(np.diagonal(covariance, axis1=1, axis2=2))
    windows = _windows(net)
    scale = [float(np.quantile(score[w], COVERAGE) ** 2) for w in windows]
    has_class = rows["class_index"] >= 0
    label = np.eye(rows["classes"].shape[1])[rows["class_index"].clip(0)]
    fitted = {"latent_scale": scale,
              "class_temperature": [_temperature(rows["classes"][w & has_class], label[w & has_class])
                                    for w in windows]}
    for name in HEADS:
        fitted |= _fit_head(rows, name)
    fitted |= _fit_columns(rows, fitted)
    level = _level_of_truth(_class_probability(rows, fitted), rows["class_index"])
    fitted["class_level"] = [float(np.quantile(level[w & has_class], SET_COVERAGE)) for w in windows]
    scaled = covariance * at_counts(scale, NODES, net)[:, None, None]
    plain, volume = Calibration(tables).evidence(rows["mean"], scaled), half_log_volume(scaled)
    fitted["evidence_slope"] = [round(float(np.polyfit(volume[w], plain[w], 1)[0]), 4) for w in windows]
    evidence = Calibration(tables | {mode: fitted}).levelled_evidence(mode, net, rows["mean"], scaled)
    fitted["evidence"] = _quantiles(evidence, windows)
    windows = _windows(whole["net"])
    for name in FLUX_BANDS:
        fitted[f"flux_{name}"] = [_flux_scale(whole, name, w) for w in windows]
    return fitted | (_fit_oddness(whole, windows, tables | {mode: fitted}) if mode == "spectra" else {})


def _windows(net):
    return [_window(net, node) for node in NODES]


def _quantiles(values, windows, digits=4):
    """Quantiles at the `LEVELS` in every window."""
    return [np.quantile(values[w], LEVELS).round(digits).tolist() for w in windows]


def _fit_oddness(rows, windows, tables):
    """Quantiles of what can be odd of the best fit, then of the joint score with the evidence."""
    scale = Calibration(tables).at("spectra", "latent_scale", rows["net"])
    covariance = covariance_of(rows["precision_chol"]) * scale[:, None, None]
    fit = {name: rows[name] for name in ("gof", "run", "distance")}
    windows = [w & np.isfinite(rows["gof"]) for w in windows]
    fitted = {name: _quantiles(value, windows) for name, value in fit.items()}
    calibration = Calibration(tables | {"spectra": tables["spectra"] | fitted})
    joint = joint_score(calibration.oddness("spectra", rows["net"], rows["mean"], covariance, fit))
    return fitted | {"odd": _quantiles(joint, windows, 5)}


def _fit_head(rows, name):
    """Temperature of a head's density, then the distribution function at the truth, at every node."""
    head, logits = HEADS[name], f"{name}_logits"
    # A photon index is known of power laws only, a temperature of thermal sources.
    known = np.isfinite(rows[head.column])
    rows = {key: rows[key][known] for key in ("net", head.column, logits)}
    windows = _windows(rows["net"])
    target = head.target(rows[head.column], rows[logits].shape[1]).numpy()
    fitted = {f"{name}_temperature": [_temperature(rows[logits][w], target[w]) for w in windows]}
    below = _below_truth(rows, name, fitted)
    return fitted | {f"{name}_below": [[0.0, *q[1:-1], 1.0] for q in _quantiles(below, windows, 5)]}


def _below_truth(rows, name, fitted):
    """The distribution function of a head's density at the truth, shape (n,)."""
    head, divisor = HEADS[name], at_counts(fitted[f"{name}_temperature"], NODES, rows["net"])
    density = softmax(rows[f"{name}_logits"] / divisor[:, None], axis=1)
    value = rows[head.column]
    value = np.log10(np.maximum(value, 1e-9)) if head.logarithmic else value
    return probability_below_truth(density, head.limits, value, np.random.default_rng(0))


def _class_probability(rows, fitted):
    divisor = at_counts(fitted["class_temperature"], NODES, rows["net"])
    return softmax(rows["classes"] / divisor[:, None], axis=1)


def _fit_columns(rows, fitted):
    """Distribution of the distribution function of N_H at the truth, by class, at every node."""
    has_class = rows["class_index"] >= 0
    rows = {k: v[has_class] for k, v in rows.items()}
    below = _below_truth(rows, "nh", fitted)
    order = np.argsort(below)
    below, likely, net = below[order], _class_probability(rows, fitted)[order], rows["net"][order]
    share = np.empty((len(NODES), likely.shape[1], len(LEVELS)))
    for i, k in np.ndindex(share.shape[:2]):
        window = _window(net, NODES[i], likely[:, k])
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


def _window(net, node, weight=None):
    """Rows with counts near a node; where there are few, by their weights, the nearest ones."""
    distance = np.abs(np.log10(np.maximum(net, 1e-3)) - node)
    order = np.argsort(distance)
    rows = np.arange(1, len(net) + 1) if weight is None else np.cumsum(weight[order])
    nearest = distance[order[np.searchsorted(rows, min(MIN_ROWS, rows[-1]))]]
    return distance <= max(HALF_WIDTH, nearest)


def _temperature(logits, target):
    """Divisor of the logits with the smallest cross entropy."""
    if not len(logits):
        return 1.0
    losses = [-(target * log_softmax(logits / t, axis=1)).sum(axis=1).mean() for t in TEMPERATURES]
    return float(TEMPERATURES[int(np.argmin(losses))])
