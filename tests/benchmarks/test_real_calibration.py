# Licensed under a 3-clause BSD style license - see LICENSE
"""Calibration on labels: known distortions are undone, frequencies do not enter."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.special import log_softmax, softmax

from benchmarks.studies.real_calibration import (
    ClassCalibration,
    cross_fitted,
    reliability_numbers,
    set_numbers,
    with_frequencies,
)


def sample(n=6000, frequency=(1, 1, 1), seed=1):
    """Classes with Gaussian evidence: true probabilities for equal priors, and labels."""
    rng = np.random.default_rng(seed)
    label = rng.choice(3, n, p=np.array(frequency) / np.sum(frequency))
    center = np.array([[0, 0], [1.5, 0], [0, 1.5]])
    x = center[label] + rng.normal(size=(n, 2))
    return softmax(-0.5 * ((x[:, None] - center) ** 2).sum(axis=2), axis=1), label


def distorted(p, sharpness=2.0, bias=(0.5, 0.0, -0.5)):
    """Probabilities that are too sure, and biased."""
    return np.exp(log_softmax(sharpness * np.log(p) + np.array(bias), axis=1))


def test_distortion_is_undone():
    """Temperature and biases come back, whatever the frequencies of the sample."""
    for frequency in ((1, 1, 1), (8, 1, 1)):
        p, label = sample(frequency=frequency)
        calibration = ClassCalibration.fit(distorted(p), label)
        assert calibration.sharpness == pytest.approx(0.5, abs=0.05)
        assert_allclose(calibration.apply(distorted(p)), p, atol=0.06)


def test_further_columns_help():
    """A column that knows the class enters; an unknown value is as good as none."""
    p, label = sample(2000)
    column = np.where(label == 2, 2.0, 0.0)[:, None] + np.random.default_rng(2).normal(size=(2000, 1))
    calibration = ClassCalibration.fit(p, label, column)
    before, after = (np.mean(q.argmax(axis=1) == label) for q in (p, calibration.apply(p, column)))
    assert after > before + 0.05
    unknown = np.full((2000, 1), np.nan)
    known = np.full((2000, 1), column.mean())
    assert_allclose(calibration.apply(p, unknown), calibration.apply(p, known))


def test_cross_fitting_sees_other_folds_only():
    """Labels of a fold do not change its own calibration."""
    p, label = sample(300)
    fold = np.arange(300) % 3
    first = cross_fitted(distorted(p), label, fold)
    label[fold == 1] = (label[fold == 1] + 1) % 3
    second = cross_fitted(distorted(p), label, fold)
    assert_allclose(first[fold == 1], second[fold == 1])
    assert np.abs(first - second)[fold == 0].max() > 0.01


def test_reliability_before_and_after():
    """Calibrated posteriors for the sample's frequencies come true, distorted ones do not."""
    p, label = sample(4000, (6, 1, 1))
    fold = np.arange(4000) % 4
    field = np.arange(4000) // 4
    subsets = {"all": np.ones(4000, bool)}
    errors = {}
    for name, q in (("before", distorted(p)), ("after", cross_fitted(distorted(p), label, fold))):
        numbers = reliability_numbers("s", name, with_frequencies(q, label, fold), label, field, subsets,
                                      np.random.default_rng(1), 50)
        errors[name] = {n.quantity: n for n in numbers}
    chance = errors["after"]["the same by chance for perfect probabilities"].high
    assert errors["after"]["expected calibration error"].value < 2 * chance
    assert errors["before"]["expected calibration error"].value > 2 * chance
    assert abs(errors["after"]["stated minus actual accuracy"].value) < 0.02


def test_sets():
    """Coverage, size and the share of "other", per class."""
    sets = [("AGN", "other"), ("AGN",), ("YSO", "AGN", "CV"), ("CV",)]
    label = np.array(["AGN", "AGN", "YSO", "YSO"])
    numbers = set_numbers(sets, label, np.arange(4), np.random.default_rng(1))
    found = {(n.quantity, n.method): n.value for n in numbers}
    assert found["coverage", "all classes"] == 0.75
    assert found["coverage", "YSO"] == 0.5
    assert found["coverage", "mean of the classes"] == 0.75
    assert found["mean size, of nine", "AGN"] == 1.5
    assert found["share that holds \"other\"", "AGN"] == 0.5
