# Licensed under a 3-clause BSD style license - see LICENSE
"""Scores of classes with evidence beside the spectrum, on fields that were not seen."""

from dataclasses import replace

import numpy as np

from astro_xlatent.evaluate import scores
from astro_xlatent.evaluate.scores import auc, balanced_accuracy, calibration_error
from astro_xlatent.train.evidence import fit_exponents

__all__ = ["COMPACT", "class_scores", "cross_probability", "evidence_scores"]

#: Stellar-mass compact objects and accreting white dwarfs, against AGN.
COMPACT = ("LMXB", "HMXB", "CV", "NS")
_BOOTSTRAP = 200
_TINY = 1e-9


def cross_probability(model, spectrum, factors, label, fold):
    """Probabilities (n, classes) for equal priors from cross-fitted factors, and exponents likewise."""
    choice = "all" if len(factors) > 1 else next(iter(factors))
    result = np.zeros_like(spectrum)
    for number in np.unique(fold):
        others, rows = fold != number, fold == number
        powers = fit_exponents(spectrum[others], {k: f[others] for k, f in factors.items()}, label[others])
        fitted = replace(model, exponents=model.exponents | {choice: powers})
        result[rows] = fitted.combine(spectrum[rows], {k: f[rows] for k, f in factors.items()})
    return result


def class_scores(probability, label, field, classes, seed=1) -> dict:
    """
    Of probabilities for equal priors: balanced accuracy and AUC of AGN against compact objects, "+-" from
    resampled fields, log loss and calibration error, for the rows' own frequencies and equal ones ("flat").
    """
    number = np.bincount(label, minlength=len(classes))
    field = np.unique(field, return_inverse=True)[1]
    drawn = scores.bootstrap_weights(field, np.random.default_rng(seed), _BOOTSTRAP)
    best = probability.argmax(axis=1)
    confusion = scores.confusion_by_group(label, best, len(classes), field)
    accuracy = float(balanced_accuracy(confusion.sum(axis=0)))
    repeats = balanced_accuracy(np.tensordot(drawn, confusion, axes=1))
    found = {"balanced accuracy": accuracy, "+-": float(np.nanstd(repeats))}
    if {"AGN", *COMPACT} <= set(classes):
        found |= _agn_auc(probability, label, classes, drawn[:, field])
    natural = probability * number
    natural = natural / natural.sum(axis=1, keepdims=True)
    rows, equal = np.arange(len(label)), 1 / number[label]
    loss = -np.log(np.maximum(probability[rows, label], _TINY))
    draw = np.random.default_rng(seed).choice(len(label), 20 * len(label), p=equal / equal.sum())
    return found | {
        "log loss": float(-np.log(np.maximum(natural[rows, label], _TINY)).mean()),
        "log loss flat": float((equal * loss).sum() / equal.sum()),
        "ECE": calibration_error(natural.max(axis=1), natural.argmax(axis=1) == label)[0],
        "ECE flat": calibration_error(probability.max(axis=1)[draw], (best == label)[draw])[0]}


def _agn_auc(probability, label, classes, drawn):
    index = [classes.index(name) for name in COMPACT]
    agn = classes.index("AGN")
    part = np.isin(label, [agn, *index])
    score = np.log(np.maximum(probability[:, index].sum(axis=1), _TINY)) - np.log(
        np.maximum(probability[:, agn], _TINY))
    compact = label[part] != agn
    repeats = auc(compact, score[part], drawn[:, part])
    return {"AUC": float(auc(compact, score[part])), "AUC +-": float(np.nanstd(repeats))}


def evidence_scores(model, factors, spectrum, label, field, seed=1, fold=None) -> dict:
    """Scores by choice: the spectrum alone, each piece with it, and all; as `class_scores`."""
    found = {"spectrum": class_scores(spectrum, label, field, model.classes, seed)}
    choices = {name: [name] for name in factors} | ({"all": list(factors)} if len(factors) > 1 else {})
    for choice, names in choices.items():
        some = {name: factors[name] for name in names}
        probability = (model.combine(spectrum, some) if fold is None else
                       cross_probability(model, spectrum, some, label, fold))
        found[choice] = class_scores(probability, label, field, model.classes, seed)
    return {choice: {key: round(value, 4) for key, value in values.items()}
            for choice, values in found.items()}
