# Licensed under a 3-clause BSD style license - see LICENSE
"""Folds that keep groups of rows together, and what cannot be folded."""

import numpy as np

from astro_xlatent.core.errors import ParameterError

__all__ = ["grouped_folds", "usable_classes"]


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
