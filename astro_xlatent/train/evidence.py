# Licensed under a 3-clause BSD style license - see LICENSE
"""Training evidence models on labeled rows, cross-fitted over fields of the sky."""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.special import log_softmax

from astro_xlatent.core.errors import ParameterError
from astro_xlatent.model.evidence import PIECES, EvidenceModel, Inputs, Piece, design, guarded

__all__ = ["CrossFit", "cross_fit", "fit_exponents", "train_evidence"]

#: Penalty on squared standardized coefficients, in units of one row's log loss; chosen by cross-validation
#: over the fields of the labeled sources (``python -m benchmarks.judge_evidence``).
PENALTY = 12.0
#: The spectrum's exponent under which the piece "xray" is fitted, so that it adds to what that says; other
#: pieces are fitted alone.
SPECTRUM_EXPONENT = 0.5
#: Exponent to which all are drawn, and how strongly: a few rare rows would else decide.
COMMON_EXPONENT, SHRINKAGE = 0.7, 0.3
_MOST_STEPS = 400


def _fit_piece(inputs, groups, label, offset, penalty):
    """Fit a piece, for equal frequencies of classes, on rows with all and with half of their groups known."""
    features = {name: list(inputs.groups[name].names) for name in groups}
    forget = np.random.default_rng(1).random((len(inputs), len(groups))) < 0.5
    x = np.concatenate([design(inputs, features),
                        design(inputs.only(tuple(groups), ~forget), features)])
    twice, offset = np.concatenate([label, label]), np.concatenate([offset, offset])
    weight = np.repeat([2 / 3, 1 / 3], len(label))
    mean, scale = x.mean(axis=0), x.std(axis=0) + 1e-3
    coefficient, intercept = _logistic((x - mean) / scale, twice, offset, weight, penalty)
    intercept -= np.log(np.maximum(np.bincount(label, minlength=len(intercept)), 1))
    return Piece(features, mean, scale, coefficient, intercept - intercept.mean())


def _logistic(x, label, offset, weight, penalty):
    """Multinomial logistic regression with offsets (n, classes), penalized; coefficients and intercepts."""
    n_features, n_classes, rows = x.shape[1], offset.shape[1], np.arange(len(label))
    truth = np.eye(n_classes)[label]

    def loss(parameters):
        """Penalized log loss and its gradient."""
        intercept, coefficient = parameters[:n_classes], parameters[n_classes:].reshape(n_classes, n_features)
        log_p = log_softmax(x @ coefficient.T + intercept + offset, axis=1)
        residual = (np.exp(log_p) - truth) * weight[:, None]
        # A trace of penalty on intercepts keeps the sum of all, which nothing fixes, at zero.
        value = (-(weight * log_p[rows, label]).sum() + 0.5 * penalty * (coefficient**2).sum()
                 + 5e-5 * (intercept**2).sum())
        gradient = residual.T @ x + penalty * coefficient
        return value, np.concatenate([residual.sum(axis=0) + 1e-4 * intercept, gradient.ravel()])

    start = np.zeros(n_classes * (1 + n_features))
    found = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": _MOST_STEPS}).x
    return found[n_classes:].reshape(n_classes, n_features), found[:n_classes]


@dataclass
class CrossFit:
    """Pieces by fold (n,), each fitted without the rows of its fold."""

    fold: np.ndarray
    pieces: list

    def log_factors(self, inputs: Inputs) -> dict:
        """Factors of the rows (the same, whatever their inputs are now) from pieces that never saw them."""
        found: dict = {}
        for number, pieces in enumerate(self.pieces):
            rows = self.fold == number
            for name, piece in pieces.items():
                values = guarded(piece.log_factor(inputs[rows]), inputs[rows], name)
                found.setdefault(name, np.zeros((len(rows), values.shape[1])))[rows] = values
        return found


def cross_fit(inputs: Inputs, label: np.ndarray, fold: np.ndarray, spectrum: np.ndarray,
              pieces: dict = PIECES, penalty: float = PENALTY) -> CrossFit:
    """Fit all pieces once for every fold, on the rows of the others; arguments as for `train_evidence`."""
    return CrossFit(fold, [
        _fit_pieces(inputs[rows], label[rows], spectrum[rows], pieces, penalty)
        for rows in (fold != number for number in range(fold.max() + 1))])


def _fit_pieces(inputs, label, spectrum, pieces, penalty):
    offset = {"xray": SPECTRUM_EXPONENT * np.log(np.maximum(spectrum, 1e-6))}
    return {name: _fit_piece(inputs, groups, label, offset.get(name, np.zeros_like(spectrum)), penalty)
            for name, groups in pieces.items()}


def fit_exponents(spectrum: np.ndarray, factors: dict, label: np.ndarray) -> dict:
    """
    Exponents of the spectrum (n, classes) and of factors of pieces that did not see the rows, by log losses
    for equal frequencies of the classes and for the rows' own, and a penalty.
    """
    names = ["spectrum", *factors]
    logs = np.stack([np.log(np.maximum(spectrum, 1e-6)), *factors.values()])
    number = np.bincount(label, minlength=spectrum.shape[1])
    present = number > 0
    frequency = np.log(np.maximum(number, 0.5) / len(label))
    rows = np.arange(len(label))
    balanced = 1 / (present.sum() * number[label])

    def loss(powers):
        """Both log losses and the penalty."""
        total = np.tensordot(powers, logs, axes=1)
        flat = -(balanced * log_softmax(total, axis=1)[rows, label]).sum()
        natural = -log_softmax(total + frequency, axis=1)[rows, label].mean()
        return flat + natural + SHRINKAGE * ((powers - COMMON_EXPONENT) ** 2).sum()

    found = minimize(loss, np.full(len(names), COMMON_EXPONENT), bounds=[(0.05, 1.5)] * len(names)).x
    return {name: round(float(value), 3) for name, value in zip(names, found, strict=True)}


def train_evidence(inputs: Inputs, label: np.ndarray, classes: tuple, fold: np.ndarray,
                   spectrum: np.ndarray, pieces: dict = PIECES, name: str = "evidence",
                   penalty: float = PENALTY) -> tuple:
    """
    Train a model on all rows, and its exponents by cross-fitting; gives it and the `CrossFit`. Rows of one
    field of the sky share a ``fold``, in two of which every class needs rows; ``spectrum`` (n, classes) has
    the spectrum's probabilities, equal ones for classes not its own.
    """
    for number, known in enumerate(classes):
        if np.unique(fold[label == number]).size < 2:
            msg = (f"class {known} has rows in fewer than two fields of the sky; leave it out, or give more "
                   "rows of it")
            raise ParameterError(msg)
    cross = cross_fit(inputs, label, fold, spectrum, pieces, penalty)
    factors = cross.log_factors(inputs)
    members = {piece: [piece] for piece in pieces} | {"all": list(pieces)}
    exponents = {choice: fit_exponents(spectrum, {n: factors[n] for n in names}, label)
                 for choice, names in members.items()}
    fitted = _fit_pieces(inputs, label, spectrum, pieces, penalty)
    return EvidenceModel(name, tuple(classes), fitted, exponents), cross
