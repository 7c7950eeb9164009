# Licensed under a 3-clause BSD style license - see LICENSE
"""
Classifying labeled rows: clusters, supervised probes, the model itself, also with evidence; all out of fold.
Intervals are from a bootstrap over groups of rows (sky fields), differences paired, from the same repeats.
"""

from dataclasses import dataclass, replace

import numpy as np

from astro_xlatent.evaluate import scores
from astro_xlatent.evaluate.results import Number
from astro_xlatent.evaluate.scores import auc, balanced_accuracy, confusion_by_group, interval
from astro_xlatent.train.evidence import fit_exponents

__all__ = ["COMPACT", "Prediction", "class_scores", "cluster_predictions", "cross_probabilities",
           "cross_probability", "difference_numbers", "evidence_scores", "probe", "probes", "recall_numbers",
           "score_predictions"]

#: Stellar-mass compact objects and accreting white dwarfs, against AGN.
COMPACT = ("LMXB", "HMXB", "CV", "NS")
_NEIGHBORS = 25
_BOOTSTRAP = 200
_TINY = 1e-9


@dataclass
class Prediction:
    """Class probabilities of one method (n, classes), or scores by which classes are ranked."""

    name: str
    probability: np.ndarray

    @property
    def index(self):
        """Most probable class of every row."""
        return self.probability.argmax(axis=1)


def probes(seed=0, trees=300):
    """The supervised classifiers by name, as scikit-learn estimators; all weigh classes alike."""
    from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    prepared = (SimpleImputer(strategy="median", keep_empty_features=True), StandardScaler())
    return {
        "random forest": RandomForestClassifier(trees, min_samples_leaf=5, class_weight="balanced",
                                                random_state=seed),
        "logistic": make_pipeline(*prepared, LogisticRegression(class_weight="balanced", max_iter=2000)),
        "k-NN": make_pipeline(*prepared, _balanced_neighbors()),
        "gradient boosting": HistGradientBoostingClassifier(max_iter=80, max_leaf_nodes=8, learning_rate=0.08,
                                                            min_samples_leaf=15, l2_regularization=1.0,
                                                            class_weight="balanced", random_state=seed),
    }


def _balanced_neighbors():
    """k-NN whose votes are divided by how frequent each class is."""
    from sklearn.neighbors import KNeighborsClassifier

    class BalancedNeighbors(KNeighborsClassifier):
        def fit(self, x, y):
            self.n_neighbors = min(_NEIGHBORS, len(x))
            return super().fit(x, y)

        def predict_proba(self, x):
            votes = super().predict_proba(x) / np.bincount(self._y)
            return votes / votes.sum(axis=1, keepdims=True)

    return BalancedNeighbors(_NEIGHBORS, weights="distance")


def probe(classifier, features, label, fold, n_classes):
    """Out-of-fold probabilities (n, n_classes); zero for classes that a training part lacks."""
    probability = np.zeros((len(label), n_classes))
    for k in np.unique(fold):
        test = fold == k
        classifier.fit(features[~test], label[~test])
        probability[np.ix_(test, classifier.classes_)] = classifier.predict_proba(features[test])
    return probability


def cluster_predictions(latent, label, fold, n_classes, n_clusters=(8, 16, 32), seed=0):
    """
    K-means and Gaussian mixtures in latent space (n, d), whose clusters get the class with most members in
    the other folds ("majority"), or with the largest share of its own there ("prevalence-normalized").
    """
    from sklearn.cluster import KMeans
    from sklearn.mixture import GaussianMixture
    from sklearn.preprocessing import StandardScaler

    x = StandardScaler().fit_transform(latent)
    predictions = []
    for k in (k for k in n_clusters if k < len(x) / 2):
        for name, clusters in (("k-means", KMeans(k, n_init=3, random_state=seed)),
                               ("Gaussian mixture", GaussianMixture(k, reg_covar=1e-3, random_state=seed))):
            member = clusters.fit_predict(x)
            for rule in ("majority", "prevalence-normalized"):
                votes = _cluster_votes(member, label, fold, k, n_classes, rule)
                predictions.append(Prediction(f"{name}, {k} clusters, {rule}", votes))
    return predictions


def _cluster_votes(member, label, fold, n_clusters, n_classes, rule):
    votes = np.zeros((len(label), n_classes))
    for number in np.unique(fold):
        train = fold != number
        counts = np.zeros((n_clusters, n_classes))
        np.add.at(counts, (member[train], label[train]), 1)
        if rule != "majority":
            counts /= np.maximum(counts.sum(axis=0), 1)
        # An empty cluster falls back on all rows together.
        counts = np.where(counts.sum(axis=1, keepdims=True) > 0, counts, counts.sum(axis=0))
        shares = counts / counts.sum(axis=1, keepdims=True)
        votes[~train] = shares[member[~train]]
    return votes


def _score(prediction, label, group, weights, n_classes):
    """Scores of one prediction on one subset by name, for every row of weights of groups."""
    confusion = confusion_by_group(label, prediction.index, n_classes, group)
    confusion = (weights @ confusion.reshape(len(confusion), -1)).reshape(-1, n_classes, n_classes)
    found = {"balanced accuracy": balanced_accuracy(confusion), "macro F1": scores.macro_f1(confusion)}
    columns = (0,) if n_classes == 2 else range(n_classes)
    present = [k for k in columns if 0 < np.sum(label == k) < len(label)]
    if present:
        found["AUC"] = np.nanmean([auc(label == k, prediction.probability[:, k], weights[:, group])
                                   for k in present], axis=0)
    return found


def score_predictions(section, predictions, label, classes, group, subsets, rng, n_boot=300):
    """
    Score predictions on subsets of rows (name to mask), groups being resampled as a whole; also arrays of the
    value and its repeats by subset, method and score, for `difference_numbers`. The AUC of two classes is
    that of the first, of more the mean over classes of one against the rest.
    """
    numbers, scored = [], {}
    for subset, where in subsets.items():
        if np.unique(label[where]).size < 2:
            continue
        index = np.unique(group[where], return_inverse=True)[1]
        weights = scores.bootstrap_weights(index, rng, n_boot)
        weights = np.concatenate([np.ones_like(weights[:1]), weights])
        for prediction in predictions:
            part = Prediction(prediction.name, prediction.probability[where])
            found = _score(part, label[where], index, weights, len(classes))
            scored[subset, prediction.name] = found
            of = (prediction.name, subset, where.sum())
            numbers += [Number.of(section, name, *of, values[0], interval(values[1:]))
                        for name, values in found.items()]
    return numbers, scored


def difference_numbers(section, scored, pairs, subsets, quantity, n_rows):
    """Paired differences of methods to baselines (pairs of names) in one score of `score_predictions`."""
    numbers = []
    for subset in subsets:
        for ours, other in pairs:
            a, b = (scored.get((subset, name), {}).get(quantity) for name in (ours, other))
            if a is not None and b is not None:
                numbers.append(Number.of(section, f"difference in {quantity}", f"{ours} - {other}", subset,
                                         n_rows[subset], (a - b)[0], interval((a - b)[1:])))
    return numbers


def recall_numbers(section, prediction, label, classes):
    """Recall of every class with Wilson's 90 % intervals, and confusions, true classes in rows."""
    from scipy.stats import binomtest

    confusion = confusion_by_group(label, prediction.index, len(classes), np.zeros_like(label))[0]
    numbers = []
    for name, row, hits in zip(classes, confusion, np.diagonal(confusion), strict=True):
        if row.sum():
            limits = binomtest(int(hits), int(row.sum())).proportion_ci(0.90, method="wilson")
            numbers.append(Number.of(section, f"recall of {name}", prediction.name, "all", row.sum(),
                                     hits / row.sum(), (limits.low, limits.high)))
    return numbers, confusion.astype(int).tolist()


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
    confusion = confusion_by_group(label, best, len(classes), field)
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
        "ECE": scores.calibration_error(natural.max(axis=1), natural.argmax(axis=1) == label)[0],
        "ECE flat": scores.calibration_error(probability.max(axis=1)[draw], (best == label)[draw])[0]}


def _agn_auc(probability, label, classes, drawn):
    index = [classes.index(name) for name in COMPACT]
    agn = classes.index("AGN")
    part = np.isin(label, [agn, *index])
    score = np.log(np.maximum(probability[:, index].sum(axis=1), _TINY)) - np.log(
        np.maximum(probability[:, agn], _TINY))
    compact = label[part] != agn
    repeats = auc(compact, score[part], drawn[:, part])
    return {"AUC": float(auc(compact, score[part])), "AUC +-": float(np.nanstd(repeats))}


def cross_probabilities(model, spectrum, factors, label, fold):
    """As `cross_probability` by choice: with each piece of evidence, and with all."""
    choices = {name: {name: factor} for name, factor in factors.items()}
    choices |= {"all": factors} if len(factors) > 1 else {}
    return {choice: cross_probability(model, spectrum, some, label, fold) for choice, some in choices.items()}


def evidence_scores(model, factors, spectrum, label, field, fold, seed=1) -> dict:
    """`class_scores` of the spectrum alone, and of `cross_probabilities`."""
    found = {"spectrum": spectrum} | cross_probabilities(model, spectrum, factors, label, fold)
    return {choice: {key: round(value, 4) for key, value in
                     class_scores(probability, label, field, model.classes, seed).items()}
            for choice, probability in found.items()}
