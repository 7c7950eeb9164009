# Licensed under a 3-clause BSD style license - see LICENSE
"""Probes, clusters and paired differences on made-up rows."""

import numpy as np
import pytest

from astro_xlatent.evaluate.classification import (
    Prediction,
    cluster_predictions,
    difference_numbers,
    probe,
    probes,
    recall_numbers,
    score_predictions,
)

pytest.importorskip("sklearn", reason="evaluation needs scikit-learn")


@pytest.fixture
def rows():
    """Three classes of very different size, told apart by the first of two features."""
    rng = np.random.default_rng(1)
    label = rng.choice(3, 400, p=[0.8, 0.15, 0.05])
    features = rng.normal(size=(400, 2))
    features[:, 0] += 5 * label
    return features, label, rng.integers(5, size=400), rng.integers(40, size=400)


@pytest.mark.parametrize("name", ["random forest", "logistic", "k-NN", "gradient boosting"])
def test_probes_weigh_classes_alike(rows, name):
    """The rare class is found, too, and missing values do no harm where they are allowed."""
    features, label, fold, _ = rows
    probability = probe(probes(trees=40)[name], features, label, fold, 3)
    recall = [np.mean(probability.argmax(axis=1)[label == k] == k) for k in range(3)]
    assert min(recall) > 0.7
    if name != "k-NN":
        holes = np.where(np.random.default_rng(2).random(features.shape) < 0.1, np.nan, features)
        assert np.isfinite(probe(probes(trees=20)[name], holes, label, fold, 3)).all()


def test_labels_of_the_tested_fold_are_not_seen(rows):
    """Random labels are not learned, whatever the number of clusters."""
    features, _, fold, _ = rows
    label = np.random.default_rng(3).integers(2, size=len(fold))
    for prediction in cluster_predictions(features, label, fold, 2, (100,)):
        assert np.mean(prediction.index == label) == pytest.approx(0.5, abs=0.1)
    forest = probe(probes(trees=30)["random forest"], features, label, fold, 2)
    assert np.mean(forest.argmax(axis=1) == label) == pytest.approx(0.5, abs=0.1)


def test_rule_of_cluster_labels_matters(rows):
    """Only the prevalence-normalized rule names a cluster after a rare class among many others."""
    features, label, fold, _ = rows
    features = features * [0.35, 1]
    predictions = cluster_predictions(features, label, fold, 3, (4,))
    found = {p.name: np.mean(p.index[label == 2] == 2) for p in predictions}
    assert found["k-means, 4 clusters, prevalence-normalized"] > found["k-means, 4 clusters, majority"]


def test_paired_difference_is_narrower_than_its_parts(rows):
    """Two methods that err on the same rows differ by little."""
    _, label, _, group = rows
    rng = np.random.default_rng(4)
    first = np.eye(3)[np.where(rng.random(400) < 0.6, label, rng.integers(3, size=400))]
    second = first.copy()
    second[:4] = np.eye(3)[label[:4]]
    subsets = {"all": np.ones(400, bool)}
    predictions = [Prediction("a", second), Prediction("b", first)]
    numbers, scored = score_predictions("s", predictions, label, list("xyz"), group, subsets, rng)
    difference = difference_numbers("s", scored, [("a", "b"), ("a", "missing")], subsets, "balanced accuracy",
                                    {"all": 400})
    assert len(difference) == 1
    whole = next(n for n in numbers if n.quantity == "balanced accuracy")
    assert difference[0].value >= 0
    assert difference[0].high - difference[0].low < 0.5 * (whole.high - whole.low)


def test_recall_interval_is_wilsons(rows):
    """Five hits of ten: 0.5 with the 90 % interval of Wilson's formula."""
    label = np.repeat([0, 1], 10)
    probability = np.eye(2)[np.r_[np.zeros(5), np.ones(15)].astype(int)]
    prediction = Prediction("a", probability)
    numbers, confusion = recall_numbers("s", prediction, label, ("x", "y"))
    assert confusion == [[5, 5], [0, 10]]
    assert (numbers[0].low, numbers[0].high) == pytest.approx((0.2693, 0.7307), abs=1e-3)
    assert numbers[1].value == 1
    assert numbers[1].low == pytest.approx(0.787, abs=1e-3)
