# Licensed under a 3-clause BSD style license - see LICENSE
"""
Coverage of N_H in every cell of class and counts, thousands of sources each.

Intervals are conformal for sources of like counts and class, as far as the model
tells the class. Within one true class they cannot come out where the observation
does not tell it. The same coverage is therefore shown by the class that the model
names, which an observer knows, and by the probability that it gave the true one.
Observations are as imperfect as those of the calibration.
"""

import numpy as np
from scipy.special import softmax

from astro_xlatent.core.numbers import stream_seed
from astro_xlatent.evaluate.results import Number, Results
from astro_xlatent.simulate.imperfections import PIECES, misjudge_background
from astro_xlatent.simulate.populations import CLASSES, draw_sources
from benchmarks.studies.coverage import nh_coverage

__all__ = ["CELL_RANGES", "PER_CELL", "cell_numbers", "evaluate_cells", "simulate_cells"]

#: Ranges of net counts.
CELL_RANGES = ((10, 30), (30, 100), (100, 300), (300, 1000), (1000, 10000))
PER_CELL = 3000
#: How far a coverage may be from its level.
TOLERANCE = 0.05
#: Probabilities that the model gave the true class.
CLASS_PROBABILITY = ((0.0, 0.3), (0.3, 0.6), (0.6, 0.9), (0.9, 1.01))
# Far from the seeds of training, calibration and the other tests.
BATCH = 256
# A cell can stay empty for a model of few counts: no more batches than this times the need.
_PATIENCE = 4


def _cell(net, class_index):
    """Number of the cell of every row, -1 outside the ranges."""
    edges = np.array([low for low, _ in CELL_RANGES] + [CELL_RANGES[-1][1]])
    counts = np.searchsorted(edges, net, "right") - 1
    inside = (counts >= 0) & (counts < len(CELL_RANGES))
    return np.where(inside, class_index * len(CELL_RANGES) + counts, -1)


def simulate_cells(model, instruments, mode, per_cell, seed):
    """
    Draw observations until every cell is full; what comes later is left out.

    Parameters
    ----------
    model : `~astro_xlatent.model.posterior.Model`
        Only the encoder and the calibration of its heads are used.
    instruments : list of `~astro_xlatent.simulate.instruments.Instrument`
    mode : {'bands', 'spectra'}
    per_cell : int
        Sources in each cell of class and counts.
    seed : int

    Returns
    -------
    rows : dict of ndarray, rows first
        ``nh`` (1/cm2, the truth), ``nh_density``, ``class_prob`` and
        ``class_index`` (nine classes), ``net`` counts and ``cell``.
    """
    from astro_xlatent.train.batches import draw_faults
    from astro_xlatent.train.stream import observe_full

    n_cells = len(CLASSES) * len(CELL_RANGES)
    full, pieces = np.zeros(n_cells, int), []
    # Counts are log-uniform, so that cells fill at nearly the same pace.
    for counter in range(_PATIENCE * (-(-n_cells * per_cell // BATCH) + 1)):
        stream = [seed, mode == "bands", counter]
        rng, (faults, see) = np.random.default_rng(stream), draw_faults(stream, PIECES)
        sources = draw_sources(rng.integers(len(CLASSES), size=BATCH), rng)
        bins, _, _ = observe_full(mode, sources.spectrum, instruments, rng, folding=False, see=see)
        bins.background = misjudge_background(bins.background, faults, PIECES)
        cell = _cell(bins.net_counts, sources.class_index)
        wanted = np.flatnonzero((cell >= 0) & (full[cell] < per_cell))
        if wanted.size:
            truth = {"nh": sources.truth["nh"], "class_index": sources.class_index, "cell": cell}
            pieces.append(_answers(model, bins[wanted], mode)
                          | {name: values[wanted] for name, values in truth.items()})
            full += np.bincount(cell[wanted], minlength=n_cells)
        if full.min() >= per_cell:
            break
    return {name: np.concatenate([p[name] for p in pieces]) for name in pieces[0]}


def _answers(model, bins, mode):
    out, net, calibration = model.encode(bins, coarsen=mode == "spectra"), bins.net_counts, model.calibration
    class_prob = softmax(out["classes"] / calibration.at(mode, "class_temperature", net)[:, None], axis=1)
    return {"net": net, "nh_density": calibration.density("nh", mode, net, out["nh"], class_prob),
            "class_prob": class_prob}


def cell_numbers(mode, rows, rng):
    """
    Coverage by cell, by class and by what the model says of the class.

    Parameters
    ----------
    mode : str
        For the sections' names.
    rows : dict of ndarray
        From `simulate_cells`.
    rng : numpy.random.Generator
        Of the bootstrap.

    Returns
    -------
    numbers : list of Number
        68 and 90 % intervals each, and the share of cells within `TOLERANCE`.
    """
    section = f"N_H in {mode}: "
    label, likeliest = rows["class_index"], rows["class_prob"].argmax(axis=1)
    of_truth = rows["class_prob"][np.arange(len(label)), label]
    numbers = []
    for low, high in CELL_RANGES:
        where = (rows["net"] >= low) & (rows["net"] < high)
        numbers += nh_coverage(f"{section}by counts", rows, where, f"{low}-{high} counts", rng)
    for low, high in CLASS_PROBABILITY:
        where = (of_truth >= low) & (of_truth < high)
        subset = f"given {low:g}-{min(high, 1):g} to the true class"
        for k, name in enumerate(CLASSES):
            numbers += nh_coverage(f"{section}by true class and the probability given to it", rows,
                                   where & (label == k), f"{name}, {subset}", rng)
    for title, index in (("by true class", label), ("by most probable class", likeliest)):
        for k, name in enumerate(CLASSES):
            numbers += nh_coverage(f"{section}{title}", rows, index == k, name, rng)
        cells = []
        for k, name in enumerate(CLASSES):
            for low, high in CELL_RANGES:
                where = (index == k) & (rows["net"] >= low) & (rows["net"] < high)
                cells += nh_coverage(f"{section}{title} and counts", rows, where,
                                     f"{name}, {low}-{high} counts", rng)
        numbers += cells + _shares(f"{section}{title}: cells of class and counts", cells)
    return numbers


def _shares(section, cells):
    """Share of cells whose coverage is as stated."""
    numbers = []
    for level in ("68 %", "90 %"):
        value = np.array([n.value for n in cells if n.quantity == f"coverage {level}"])
        near = np.abs(value - float(level[:2]) / 100) <= TOLERANCE
        numbers.append(Number.of(section, f"share with coverage {level} within {TOLERANCE:g}", "model", "all",
                                 near.size, near.mean()))
    return numbers


def evaluate_cells(model, instruments, per_cell=PER_CELL, seed=1, log=None):
    """
    Coverage of N_H with the same number of sources in every cell.

    Parameters
    ----------
    model, instruments, seed, log
        As for `~benchmarks.studies.simulated.evaluate_simulated`.
    per_cell : int, optional

    Returns
    -------
    results : Results
    """
    log = log or (lambda line: None)
    results = Results("Coverage of N_H by class and counts",
                      {"model": f"{model.name}-{model.version}", "sources": f"{per_cell} a cell and mode"})
    for mode in ("spectra", "bands"):
        log(f"coverage of N_H, {mode}")
        rows = simulate_cells(model, instruments, mode, per_cell, stream_seed(seed, "cells"))
        results.add(cell_numbers(mode, rows, np.random.default_rng([seed, mode == "bands"])))
    return results
