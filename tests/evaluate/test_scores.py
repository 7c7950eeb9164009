# Licensed under a 3-clause BSD style license - see LICENSE
"""Scores against scikit-learn's and closed forms."""

import numpy as np
import pytest

from astro_xlatent.evaluate.scores import (
    auc,
    balanced_accuracy,
    bootstrap_weights,
    calibration_error,
    confusion_by_group,
    interval,
    macro_f1,
)

metrics = pytest.importorskip("sklearn.metrics", reason="evaluation needs scikit-learn")


@pytest.fixture
def rows():
    """Labels, noisy predictions and groups of 500 rows."""
    rng = np.random.default_rng(1)
    truth = rng.integers(4, size=500)
    return (
        truth,
        np.where(rng.random(500) < 0.5, truth, rng.integers(4, size=500)),
        rng.integers(20, size=500),
    )


def test_confusion_scores_agree_with_sklearn(rows):
    """Summed over groups, scores are those of all rows."""
    truth, predicted, group = rows
    confusion = confusion_by_group(truth, predicted, 4, group).sum(axis=0)
    np.testing.assert_array_equal(confusion, metrics.confusion_matrix(truth, predicted))
    assert balanced_accuracy(confusion) == pytest.approx(metrics.balanced_accuracy_score(truth, predicted))
    assert macro_f1(confusion) == pytest.approx(metrics.f1_score(truth, predicted, average="macro"))


def test_classes_that_do_not_occur_are_left_out():
    """A bootstrap repeat without a class is scored on the others."""
    assert balanced_accuracy(np.array([[3.0, 1.0], [0.0, 0.0]])) == pytest.approx(0.75)


@pytest.mark.parametrize("ties", [False, True])
def test_auc_agrees_with_sklearn(ties):
    """Weighted and tied scores included."""
    rng = np.random.default_rng(2)
    positive, score = rng.random(200) < 0.3, rng.normal(size=200)
    score = np.round(score) if ties else score
    weight = rng.integers(0, 4, (3, 200)).astype(float)
    expected = [metrics.roc_auc_score(positive, score, sample_weight=w) for w in weight]
    np.testing.assert_allclose(auc(positive, score, weight), expected)
    assert np.isnan(auc(np.zeros(5, bool), np.arange(5.0)))


def test_groups_are_drawn_as_a_whole():
    """Weights of every repeat sum to the number of groups."""
    weights = bootstrap_weights(np.array([0, 0, 1, 2]), np.random.default_rng(4), 50)
    assert weights.shape == (50, 3)
    np.testing.assert_array_equal(weights.sum(axis=1), 3)


def test_calibration_error_of_an_overconfident_forecast():
    """Stating 0.9 where 0.6 come true is off by 0.3; perfect statements nearly zero."""
    rng = np.random.default_rng(5)
    stated = np.full(20000, 0.9)
    assert calibration_error(stated, rng.random(20000) < 0.6)[0] == pytest.approx(0.3, abs=0.01)
    stated = rng.random(20000)
    error, curve = calibration_error(stated, rng.random(20000) < stated)
    assert error < 0.02
    assert curve[:, 2].sum() == 20000


def test_interval_without_repeats_is_nan():
    """NaN repeats are left out."""
    assert np.isnan(interval([np.nan])).all()
    assert interval([1.0, np.nan, 1.0]) == (1.0, 1.0)
