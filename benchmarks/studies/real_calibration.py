# Licensed under a 3-clause BSD style license - see LICENSE
"""
Calibrating class probabilities on real labels, cross-fitted by sky field.

The calibration is a temperature for the model's log probabilities, a bias for
every class, and terms linear in further columns, all drawn towards "change
nothing". Every class weighs alike, so that the frequencies of the labeled
sample do not enter; where they are wanted (to compare stated with actual
probabilities on that sample), they come from the other folds. Strengths were
chosen on MATCH fields.

References
----------
Guo et al. 2017, arXiv:1706.04599 (temperature and vector scaling).
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import log_softmax

from astro_xlatent.evaluate.results import Number
from astro_xlatent.evaluate.scores import bootstrap_weights, calibration_error, interval

__all__ = [
    "ClassCalibration",
    "cross_fitted",
    "reliability_numbers",
    "set_numbers",
    "with_frequencies",
]

#: Prior strength of the log temperature, the biases, and the columns' weights.
STRENGTH = (0.1, 10.0, 10.0)
_SMALLEST = 1e-4


@dataclass
class ClassCalibration:
    """
    Calibration fitted on labeled rows.

    Attributes
    ----------
    sharpness : float
        Factor on log probabilities: the inverse temperature.
    bias : ndarray, shape (classes,)
    weight : ndarray, shape (classes, k)
        Of the standardized columns.
    center, scale : ndarray, shape (k,)
        Mean and standard deviation of the columns.
    """

    sharpness: float
    bias: np.ndarray
    weight: np.ndarray
    center: np.ndarray
    scale: np.ndarray

    @classmethod
    def fit(cls, probability, label, columns=None):
        """
        Fit by penalized likelihood.

        Parameters
        ----------
        probability : ndarray, shape (n, classes)
            For equal priors.
        label : ndarray of int, shape (n,)
        columns : ndarray, shape (n, k), optional
            Further columns, NaN where unknown.

        Returns
        -------
        calibration : ClassCalibration
        """
        from scipy.optimize import minimize

        columns = np.zeros((len(label), 0)) if columns is None else columns
        center, scale = np.nanmean(columns, axis=0), np.maximum(np.nanstd(columns, axis=0), 1e-12)
        log_p, x = _log(probability), _standard(columns, center, scale)
        n_classes = probability.shape[1]
        members = np.bincount(label, minlength=n_classes)
        weight = len(label) / (n_classes * np.maximum(members, 1))[label]
        truth = np.eye(n_classes)[label]

        def loss(values):
            sharpness, bias, matrix = _split(values, n_classes)
            found = log_softmax(sharpness * log_p + bias + x @ matrix.T, axis=1)
            slope = weight[:, None] * (np.exp(found) - truth)
            penalty = [s * np.sum(v**2) for s, v in zip(STRENGTH, (values[0], bias, matrix), strict=True)]
            gradient = (np.sum(slope * log_p) * sharpness + 2 * STRENGTH[0] * values[0],
                        slope.sum(axis=0) + 2 * STRENGTH[1] * bias,
                        (slope.T @ x + 2 * STRENGTH[2] * matrix).ravel())
            return -np.sum(weight * found[np.arange(len(label)), label]) + sum(penalty), np.hstack(gradient)

        size = 1 + n_classes * (1 + columns.shape[1])
        best = minimize(loss, np.zeros(size), jac=True, method="L-BFGS-B")
        return cls(*_split(best.x, n_classes), center, scale)

    def apply(self, probability, columns=None):
        """
        Calibrated probabilities for equal priors.

        Parameters
        ----------
        probability : ndarray, shape (n, classes)
        columns : ndarray, shape (n, k), optional
            The same columns as in `fit`.

        Returns
        -------
        calibrated : ndarray, shape (n, classes)
        """
        columns = np.zeros((len(probability), 0)) if columns is None else columns
        x = _standard(columns, self.center, self.scale)
        logits = self.sharpness * _log(probability) + self.bias + x @ self.weight.T
        return np.exp(log_softmax(logits, axis=1))


def _split(values, n_classes):
    return np.exp(values[0]), values[1:1 + n_classes], values[1 + n_classes:].reshape(n_classes, -1)


def _log(probability):
    return np.log(np.maximum(probability, _SMALLEST))


def _standard(columns, center, scale):
    """Columns of mean 0 and deviation 1, the mean where unknown."""
    return np.nan_to_num((columns - center) / scale)


def cross_fitted(probability, label, fold, columns=None):
    """
    Probabilities calibrated on the other folds.

    Parameters
    ----------
    probability : ndarray, shape (n, classes)
    label, fold : ndarray of int, shape (n,)
    columns : ndarray, shape (n, k), optional

    Returns
    -------
    calibrated : ndarray, shape (n, classes)
        For equal priors.
    """
    calibrated = np.empty_like(probability)
    for number in np.unique(fold):
        test = fold == number
        parts = [None if columns is None else columns[rows] for rows in (~test, test)]
        fitted = ClassCalibration.fit(probability[~test], label[~test], parts[0])
        calibrated[test] = fitted.apply(probability[test], parts[1])
    return calibrated


def with_frequencies(probability, label, fold):
    """
    Posterior for a sample's own class frequencies, those of the other folds.

    Parameters
    ----------
    probability : ndarray, shape (n, classes)
        For equal priors.
    label, fold : ndarray of int, shape (n,)

    Returns
    -------
    posterior : ndarray, shape (n, classes)
    """
    n_classes = probability.shape[1]
    posterior = np.empty_like(probability)
    for number in np.unique(fold):
        test = fold == number
        frequency = np.bincount(label[~test], minlength=n_classes) + 1.0
        posterior[test] = probability[test] * frequency / frequency.sum()
    return posterior / posterior.sum(axis=1, keepdims=True)


def reliability_numbers(section, name, posterior, label, field, subsets, rng, n_boot=200):
    """
    Expected calibration error of the most probable class.

    Parameters
    ----------
    section, name : str
    posterior : ndarray, shape (n, classes)
    label, field : ndarray of int, shape (n,)
    subsets : dict
        Name to ndarray of bool, shape (n,).
    rng : numpy.random.Generator
    n_boot : int, optional
        Bootstrap repeats over fields.

    Returns
    -------
    numbers : list of Number
        The error, what chance gives perfect probabilities, and stated minus
        actual accuracy.
    """
    stated, right = posterior.max(axis=1), posterior.argmax(axis=1) == label
    numbers = []
    for subset, where in subsets.items():
        p, hit = stated[where], right[where]
        groups = np.unique(field[where], return_inverse=True)[1]
        errors, excess = [], []
        for weights in bootstrap_weights(groups, rng, n_boot):
            rows = np.repeat(np.arange(p.size), weights[groups].astype(int))
            errors.append(calibration_error(p[rows], hit[rows])[0])
            excess.append(p[rows].mean() - hit[rows].mean())
        chance = [calibration_error(p, rng.random(p.size) < p)[0] for _ in range(n_boot)]
        for quantity, value, repeats in (
            ("expected calibration error", calibration_error(p, hit)[0], errors),
            ("the same by chance for perfect probabilities", np.mean(chance), chance),
            ("stated minus actual accuracy", p.mean() - hit.mean(), excess),
        ):
            numbers.append(Number.of(section, quantity, name, subset, p.size, value, interval(repeats)))
    return numbers


def set_numbers(sets, label, field, rng, subset="JUDGE", n_boot=300):
    """
    Coverage and size of conformal sets, per class.

    Parameters
    ----------
    sets : sequence of collection of str
    label : ndarray of str, shape (n,)
    field : ndarray of int, shape (n,)
    rng : numpy.random.Generator
    subset : str, optional
        Name of the rows.
    n_boot : int, optional

    Returns
    -------
    numbers : list of Number
    """
    section = "conformal sets of classes, nominal 90 %"
    held = np.array([name in chosen for name, chosen in zip(label, sets, strict=True)], float)
    size = np.array([len(chosen) for chosen in sets], float)
    other = np.array(["other" in chosen for chosen in sets], float)
    groups = np.unique(field, return_inverse=True)[1]
    weights = bootstrap_weights(groups, rng, n_boot)[:, groups]
    numbers = []
    for name in ("all classes", "mean of the classes", *np.unique(label)):
        if name == "mean of the classes":
            share = 1.0 / np.unique(label, return_inverse=True, return_counts=True)[2]
            share = share[np.unique(label, return_inverse=True)[1]]
        else:
            share = np.ones(len(label)) if name == "all classes" else (label == name).astype(float)
        total = np.maximum(weights @ share, 1e-12)
        count = np.count_nonzero(share)
        for quantity, values in (("coverage", held), ("mean size, of nine", size),
                                 ("share that holds \"other\"", other)):
            value = np.sum(share * values) / share.sum()
            repeats = weights @ (share * values) / total
            numbers.append(Number.of(section, quantity, name, subset, count, value, interval(repeats)))
    return numbers
