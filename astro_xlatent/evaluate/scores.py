# Licensed under a 3-clause BSD style license - see LICENSE
"""
Folds that keep groups of rows together, and scores with bootstrap intervals over groups. Confusion counts are
kept per group (a sky field, or a single row), so that a bootstrap repeat is one matrix product.
"""

import numpy as np

from astro_xlatent.core.errors import ParameterError

__all__ = ["INTERVAL", "auc", "balanced_accuracy", "bootstrap_weights", "calibration_error",
           "confusion_by_group", "grouped_folds", "interval", "macro_f1", "usable_classes"]

#: Quantiles of the interval that goes with every number.
INTERVAL = (0.05, 0.95)


def usable_classes(label, group, n_folds):
    """Classes (sorted) with members in at least ``n_folds`` groups, and notes on what is left out."""
    classes, notes = [], []
    for name in np.unique(label):
        members = label == name
        n_groups = np.unique(group[members]).size
        if name == "":
            notes.append(f"{members.sum()} rows without a label: left out")
        elif n_groups < n_folds:
            notes.append(f"class {name}: {members.sum()} rows in {n_groups} groups, fewer than {n_folds} "
                         "folds: left out")
        else:
            classes.append(str(name))
    return classes, notes


def grouped_folds(label, group, n_folds=5, seed=0):
    """Fold (n,) of every row, groups being dealt as a whole, classes as evenly as they allow."""
    from sklearn.model_selection import StratifiedGroupKFold

    n_groups = np.unique(group).size
    if n_groups < n_folds:
        msg = f"{n_groups} groups of rows cannot be dealt to {n_folds} folds; give more rows or other groups"
        raise ParameterError(msg)
    fold = np.empty(len(label), int)
    dealer = StratifiedGroupKFold(n_folds, shuffle=True, random_state=seed)
    for number, (_, test) in enumerate(dealer.split(np.zeros(len(label)), label, group)):
        fold[test] = number
    return fold


def interval(repeats):
    """The 90 % interval of bootstrap repeats, NaN repeats left out."""
    repeats = np.asarray(repeats, float)
    repeats = repeats[np.isfinite(repeats)]
    return tuple(np.quantile(repeats, INTERVAL)) if repeats.size else (np.nan, np.nan)


def bootstrap_weights(group, rng, n_boot):
    """How often each group is drawn (n_boot, n_groups); ``group`` (n,) numbers them from 0."""
    n_groups = int(group.max()) + 1
    return rng.multinomial(n_groups, np.full(n_groups, 1 / n_groups), n_boot).astype(float)


def confusion_by_group(truth, predicted, n_classes, group):
    """Confusion counts (n_groups, n_classes, n_classes), true classes in rows, predicted ones in columns."""
    n_groups = int(group.max()) + 1
    index = (group * n_classes + truth) * n_classes + predicted
    counts = np.bincount(index, minlength=n_groups * n_classes**2).astype(float)
    return counts.reshape(n_groups, n_classes, n_classes)


def balanced_accuracy(confusion):
    """Mean over occurring classes of the fraction recognized, of confusions (..., classes, classes)."""
    total = confusion.sum(axis=-1)
    hits = np.diagonal(confusion, axis1=-2, axis2=-1)
    recall = np.where(total > 0, hits / np.where(total > 0, total, 1), np.nan)
    return np.nanmean(recall, axis=-1)


def macro_f1(confusion):
    """Mean over occurring classes of the F1 score; as for `balanced_accuracy`."""
    total = confusion.sum(axis=-1)
    both = total + confusion.sum(axis=-2)
    hits = np.diagonal(confusion, axis1=-2, axis2=-1)
    return np.nanmean(np.where(total > 0, 2 * hits / np.where(both > 0, both, 1), np.nan), axis=-1)


def auc(positive, score, weight=None):
    """
    Area under the ROC curve, ties counted half; NaN without rows of either kind. ``weight``, (n,) or
    (n_boot, n), says how often each row counts: a bootstrap at once, which scikit-learn does one by one.
    """
    weight = np.ones(len(score)) if weight is None else np.asarray(weight, float)
    _, level = np.unique(score, return_inverse=True)
    order = np.argsort(level, kind="stable")
    starts = np.flatnonzero(np.diff(level[order], prepend=-1))
    hits = np.add.reduceat((weight * positive)[..., order], starts, axis=-1)
    misses = np.add.reduceat((weight * ~positive)[..., order], starts, axis=-1)
    below = np.cumsum(misses, axis=-1) - misses
    total = hits.sum(-1) * misses.sum(-1)
    return np.where(total > 0, (hits * (below + misses / 2)).sum(-1) / np.where(total > 0, total, 1), np.nan)


def calibration_error(probability, correct, n_bins=15):
    """
    Expected calibration error of stated probabilities of being right, in bins of equally many rows (positive
    by chance even for perfect ones), and (n_bins, 3) mean stated, fraction right, and number of rows.
    """
    parts = np.array_split(np.argsort(probability, kind="stable"), min(n_bins, len(probability)))
    curve = np.array([[probability[p].mean(), np.mean(correct[p]), len(p)] for p in parts])
    weight = curve[:, 2] / curve[:, 2].sum()
    return float(np.sum(weight * np.abs(curve[:, 1] - curve[:, 0]))), curve
