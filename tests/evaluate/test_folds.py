# Licensed under a 3-clause BSD style license - see LICENSE
"""Folds keep groups together; classes that cannot be folded are named."""

import numpy as np
import pytest

from astro_xlatent.core.errors import ParameterError
from astro_xlatent.evaluate.scores import grouped_folds, usable_classes

pytest.importorskip("sklearn", reason="evaluation needs scikit-learn")


def test_no_group_is_on_two_sides():
    """And every fold has every class."""
    rng = np.random.default_rng(1)
    group = rng.integers(60, size=400)
    label = np.array(["a", "b", "c"])[group % 3]
    fold = grouped_folds(label, group, 5)
    assert all(np.unique(fold[group == g]).size == 1 for g in np.unique(group))
    assert all(set(label[fold == k]) == {"a", "b", "c"} for k in range(5))


def test_small_classes_are_left_out_by_name():
    """What counts is the number of groups, not of rows."""
    label = np.array(["a"] * 6 + ["b"] * 6 + [""])
    group = np.array([0, 1, 2, 3, 4, 5, 6, 6, 6, 6, 7, 7, 8])
    classes, notes = usable_classes(label, group, 5)
    assert classes == ["a"]
    assert notes == [
        "1 rows without a label: left out",
        "class b: 6 rows in 2 groups, fewer than 5 folds: left out",
    ]


def test_too_few_groups_are_refused():
    """With numbers."""
    with pytest.raises(ParameterError, match="2 groups"):
        grouped_folds(np.zeros(4), np.array([0, 0, 1, 1]), 5)
