# Licensed under a 3-clause BSD style license - see LICENSE
"""
The final tests on real rows: calibration, baselines, priors, columns.

All functions take `~astro_xlatent.evaluate.rows.LabeledRows` of one side of
the sky split (JUDGE for the numbers that count). Classifiers and calibrations
are cross-fitted by sky field, `FOLD_SEEDS` times with other folds, and their
probabilities averaged; intervals are bootstrapped over fields, differences
paired.
"""

from dataclasses import replace

import numpy as np

from astro_xlatent.core.columns import CLASSES
from astro_xlatent.core.numbers import plain_floats
from astro_xlatent.evaluate.classification import (
    Prediction,
    difference_numbers,
    probe,
    probes,
    score_predictions,
)
from astro_xlatent.evaluate.results import Number
from astro_xlatent.evaluate.scores import auc, bootstrap_weights, grouped_folds, interval
from benchmarks.studies.fits import fit_numbers
from benchmarks.studies.real_calibration import cross_fitted, reliability_numbers, with_frequencies

__all__ = [
    "COLUMN_SETS",
    "COMPACT",
    "class_numbers",
    "column_numbers",
    "compact_score",
    "moved_to_plane",
    "prior_numbers",
    "probabilities",
]

#: Against AGN: compact objects of stellar mass.
COMPACT = ("LMXB", "HMXB", "CV", "NS")
#: What the classifiers beside the calibrated model are given.
COLUMN_SETS = {
    "hardness": (),
    "hardness + flux": ("flux",),
    "hardness + flux + nh_gal + latitude": ("flux", "nh_gal", "latitude"),
}
N_FOLDS, FOLD_SEEDS, _TREES = 5, (1, 2, 3), 100
# Gradient boosting was never the best of the three on MATCH fields, and is slow.
_METHODS = ("random forest", "logistic")
# Two-sided 90 % interval above zero in four of five samples: (1.645 + 0.84) standard errors.
_POWER = (1.645 + 0.842) / (2 * 1.645)
PLANE = 5.0


def probabilities(rows):
    """The model's probabilities of the eight classes, shape (n, 8)."""
    return plain_floats(rows.table["xl_class_prob"])


def _binary(probability):
    agn = probability[:, CLASSES.index("AGN")]
    compact = probability[:, [CLASSES.index(name) for name in COMPACT]].sum(axis=1)
    both = np.stack([agn, compact], axis=1)
    return both / np.maximum(both.sum(axis=1, keepdims=True), 1e-12)


def compact_score(probability):
    """
    Probability of a compact object where only AGN stand against them.

    Parameters
    ----------
    probability : ndarray, shape (n, 8)

    Returns
    -------
    score : ndarray, shape (n,)
    """
    return _binary(probability)[:, 1]


def _parts(rows):
    """The tasks: name, rows, labels, classes, model's probabilities, and the score that counts."""
    p = probabilities(rows)
    yield ("8 classes", rows, np.array([CLASSES.index(k) for k in rows.label]), CLASSES, p,
           "balanced accuracy")
    chosen = np.isin(rows.label, ("AGN", *COMPACT))
    part = rows[chosen]
    yield ("AGN against compact objects", part, (part.label != "AGN").astype(int), ("AGN", "compact"),
           _binary(p[chosen]), "AUC")


def _subsets(rows, name):
    largest = np.bincount(rows.field).argmax()
    return {name: np.ones(len(rows), bool), f"{name} without its largest field": rows.field != largest}


def _averaged(folds, predict):
    return np.mean([predict(fold, seed) for fold, seed in zip(folds, FOLD_SEEDS, strict=True)], axis=0)


def _predictions(rows, label, probability, folds, log):
    """All methods: name to `Prediction`, and which belong to each set of columns."""
    n_classes = probability.shape[1]
    found, ours, theirs = {"model, zero-shot": probability}, {}, {}
    for name, extra in COLUMN_SETS.items():
        log(f"  {name}")
        columns = rows.joined(*extra) if extra else None
        features = rows.joined("hardness", *extra)
        theirs[name] = [f"{name}, {method}" for method in _METHODS]
        for key, method in zip(theirs[name], _METHODS, strict=True):
            found[key] = _averaged(folds, lambda fold, seed, m=method, x=features: probe(
                probes(seed, _TREES)[m], x, label, fold, n_classes))
        ours[name] = [name.replace("hardness", "model") + end for end in (", calibrated", ", random forest")]
        found[ours[name][0]] = _averaged(
            folds, lambda fold, seed, x=columns: cross_fitted(probability, label, fold, x))
        # A forest can do with columns what a linear calibration cannot.
        log_p = np.log(np.maximum(probability, 1e-4))
        features = log_p if columns is None else np.concatenate([log_p, columns], axis=1)
        found[ours[name][1]] = _averaged(folds, lambda fold, seed, x=features: probe(
            probes(seed, _TREES)["random forest"], x, label, fold, n_classes))
    return [Prediction(key, values) for key, values in found.items()], ours, theirs


def class_numbers(rows, name="JUDGE", seed=1, n_boot=300, log=None):
    """
    Model and classifiers on the same rows, folds and columns.

    Parameters
    ----------
    rows : LabeledRows
        Of one side of the split.
    name : str, optional
        Which side.
    seed : int, optional
    n_boot : int, optional
    log : callable, optional

    Returns
    -------
    numbers : list of Number
        Scores, paired differences to the best classifier given the same
        columns (the best on these very rows, in its favor), the differences
        that such a sample finds in four of five cases, and the reliability of
        the probabilities.
    """
    log = log or (lambda line: None)
    numbers = []
    for task, part, label, classes, probability, quantity in _parts(rows):
        log(task)
        folds = [grouped_folds(label, part.field, N_FOLDS, s) for s in FOLD_SEEDS]
        predictions, ours, theirs = _predictions(part, label, probability, folds, log)
        subsets = _subsets(part, name)
        rng = np.random.default_rng(seed)
        found, scored = score_predictions(task, predictions, label, classes, part.field, subsets, rng, n_boot)
        numbers += [n for n in found if n.quantity == quantity]
        sizes = {key: int(where.sum()) for key, where in subsets.items()}
        for key in COLUMN_SETS:
            best = max(theirs[key], key=lambda method: scored[name, method][quantity][0])
            methods = [*ours[key], *(["model, zero-shot"] if key == "hardness" else [])]
            numbers += _with_power(difference_numbers(
                f"{task}: differences to the best classifier given the same columns", scored,
                [(method, best) for method in methods], list(subsets), quantity, sizes))
        if len(classes) > 2:
            numbers += _reliability(part, label, probability, folds, subsets, rng)
    return numbers


def _with_power(differences):
    for n in differences:
        yield n
        yield Number.of(n.section, "difference found in four of five such samples", n.method, n.subset, n.n,
                        _POWER * (n.high - n.low))


def _reliability(rows, label, probability, folds, subsets, rng):
    """Before and after calibration, for the frequencies of the sample."""
    columns = rows.joined(*COLUMN_SETS["hardness + flux + nh_gal + latitude"])
    stated = {
        "model, zero-shot": lambda fold, seed: probability,
        "model, calibrated": lambda fold, seed: cross_fitted(probability, label, fold),
        "model + flux + nh_gal + latitude, calibrated":
            lambda fold, seed: cross_fitted(probability, label, fold, columns),
    }
    numbers = []
    for method, predict in stated.items():
        posterior = _averaged(
            folds, lambda fold, seed, p=predict: with_frequencies(p(fold, seed), label, fold))
        numbers += reliability_numbers("reliability of class probabilities", method, posterior, label,
                                       rows.field, subsets, rng)
    return numbers


def prior_numbers(rows, weights, section, subset, seed=1, n_boot=500):
    """
    What class priors do: scores and recall of AGN in the Galactic plane.

    Parameters
    ----------
    rows : LabeledRows
    weights : dict
        Name of a prior to weights of the eight classes, shape (n, 8).
    section, subset : str
        For the numbers.
    seed, n_boot : int, optional

    Returns
    -------
    numbers : list of Number
    """
    numbers = []
    label = np.array([CLASSES.index(k) for k in rows.label])
    groups = np.unique(rows.field, return_inverse=True)[1]
    repeats = bootstrap_weights(groups, np.random.default_rng(seed), n_boot)[:, groups]
    agn, compact = rows.label == "AGN", np.isin(rows.label, COMPACT)
    plane = rows.features["latitude"][:, 0] < PLANE
    for name, weight in weights.items():
        p = probabilities(rows) * weight
        right = (p.argmax(axis=1) == label).astype(float)
        kind = np.isin(p.argmax(axis=1), [CLASSES.index(k) for k in COMPACT]).astype(float)
        two = agn | compact
        score = compact_score(p[two])
        value, spread = auc(compact[two], score), auc(compact[two], score, repeats[:, two])
        numbers.append(Number.of(section, "AUC, AGN against compact", name, subset, two.sum(), value,
                                 interval(spread)))
        recalls = [_share(right, rows.label == k, repeats) for k in np.unique(rows.label)]
        value, spread = (np.nanmean([r[i] for r in recalls], axis=0) for i in (0, 1))
        numbers.append(Number.of(section, "balanced accuracy", name, subset, len(rows), value,
                                 interval(spread)))
        for quantity, hit, where in (
            ("recall of AGN", right, agn), ("recall of AGN at |b| < 5", right, agn & plane),
            ("recall of AGN at |b| > 5", right, agn & ~plane),
            ("compact objects at |b| < 5 called compact", kind, compact & plane),
            ("AGN at |b| < 5 called compact", kind, agn & plane),
        ):
            if where.any():
                value, spread = _share(hit, where, repeats)
                numbers.append(Number.of(section, quantity, name, subset, where.sum(), value,
                                         interval(spread)))
    return numbers


def moved_to_plane(rows, weights, section, subset, seed=1, n_boot=300):
    """
    Recall of AGN as if they lay in the Galactic plane.

    Parameters
    ----------
    rows : LabeledRows
    weights : dict
        Name of a prior to a callable from row numbers and Galactic longitude
        and latitude in degrees to weights of the eight classes.
    section, subset : str
        For the numbers.
    seed, n_boot : int, optional

    Returns
    -------
    numbers : list of Number
        For positions drawn from the rows at |b| < 5 degrees. Hardly any AGN
        there has a class in the literature; what this leaves out is the
        Galaxy's absorption.
    """
    from astropy.coordinates import SkyCoord

    rng = np.random.default_rng(seed)
    sky = SkyCoord(*(plain_floats(rows.table[name]) for name in ("ra", "dec")), unit="deg").galactic
    agn = np.flatnonzero(rows.label == "AGN")
    there = rng.choice(np.flatnonzero(np.abs(sky.b.deg) < PLANE), agn.size)
    groups = np.unique(rows.field[agn], return_inverse=True)[1]
    repeats = bootstrap_weights(groups, rng, n_boot)[:, groups]
    numbers = []
    for name, weight in weights.items():
        posterior = probabilities(rows)[agn] * weight(agn, sky.l.deg[there], sky.b.deg[there])
        right = (posterior.argmax(axis=1) == CLASSES.index("AGN")).astype(float)
        value, spread = _share(right, np.ones(agn.size, bool), repeats)
        numbers.append(Number.of(section, "recall of AGN moved to |b| < 5", name, subset, agn.size, value,
                                 interval(spread)))
    return numbers


def _share(hit, where, repeats):
    total = repeats @ where
    with np.errstate(invalid="ignore", divide="ignore"):
        return hit[where].mean(), (repeats @ (hit * where)) / total


def column_numbers(rows, section, name="JUDGE", seed=1):
    """
    N_H beside the catalog's power-law fits, and what the stated errors expect.

    Parameters
    ----------
    rows : LabeledRows
    section : str
        For the numbers.
    name : str, optional
        Of the rows.
    seed : int, optional

    Returns
    -------
    numbers : list of Number
        As `~benchmarks.studies.fits.fit_numbers`; also for fits whose
        index is that of a power law, and by the 68 % width of ``xl_nh``.
    """
    everything = np.ones(len(rows), bool)
    subsets = {name: everything}
    index = next((c for c in ("powlaw_gamma", "powlaw_gamma_mean") if c in rows.table.colnames), None)
    if index is not None:
        values = plain_floats(rows.table[index])
        subsets[f"{name}, index of the fit 1-2.6"] = (values > 1) & (values < 2.6)
    with np.errstate(invalid="ignore", divide="ignore"):
        width = np.log10(plain_floats(rows.table["xl_nh_hilim"]) / plain_floats(rows.table["xl_nh_lolim"]))
    for low, high in ((0.0, 0.4), (0.4, 0.8), (0.8, 9.0)):
        words = f"{low:g}-{high:g}" if high < 9 else f"> {low:g}"
        subsets[f"{name}, 68 % width {words} dex"] = (width >= low) & (width < high)
    numbers = fit_numbers(rows.table, rows.label, rows.field, subsets, np.random.default_rng(seed))
    return [replace(n, section=section) for n in numbers]
