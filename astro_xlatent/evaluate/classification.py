# Licensed under a 3-clause BSD style license - see LICENSE
"""
Classifying labeled rows: clusters, supervised probes, the model itself.

All predictions are out of fold. Scores come with bootstrap intervals over
groups of rows (sky fields); differences are paired, from the same repeats.
"""

from dataclasses import dataclass

import numpy as np

from astro_xlatent.evaluate.results import Number
from astro_xlatent.evaluate.scores import (
    auc,
    balanced_accuracy,
    bootstrap_weights,
    confusion_by_group,
    interval,
    macro_f1,
)

__all__ = [
    "Prediction",
    "cluster_predictions",
    "difference_numbers",
    "probe",
    "probes",
    "recall_numbers",
    "score_predictions",
]


@dataclass
class Prediction:
    """
    Class probabilities of one method.

    Attributes
    ----------
    name : str
        Features and method.
    probability : ndarray, shape (n, classes)
        Rows need not sum to one: scores by which classes are ranked.
    """

    name: str
    probability: np.ndarray

    @property
    def index(self):
        """Most probable class of every row."""
        return self.probability.argmax(axis=1)


def probes(seed=0, trees=300):
    """
    The supervised classifiers; all weigh classes alike.

    Parameters
    ----------
    seed, trees : int, optional
        Of random forests.

    Returns
    -------
    probes : dict
        Name to scikit-learn estimator.
    """
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


def _balanced_neighbors(n_neighbors=25):
    """k-NN whose votes are divided by how frequent each class is."""
    from sklearn.neighbors import KNeighborsClassifier

    class BalancedNeighbors(KNeighborsClassifier):
        def fit(self, x, y):
            self.n_neighbors = min(n_neighbors, len(x))
            return super().fit(x, y)

        def predict_proba(self, x):
            votes = super().predict_proba(x) / np.bincount(self._y)
            return votes / votes.sum(axis=1, keepdims=True)

    return BalancedNeighbors(n_neighbors, weights="distance")


def probe(classifier, features, label, fold, n_classes):
    """
    Out-of-fold probabilities of a classifier.

    Parameters
    ----------
    classifier : scikit-learn estimator
    features : ndarray, shape (n, k)
    label, fold : ndarray of int, shape (n,)
    n_classes : int

    Returns
    -------
    probability : ndarray, shape (n, n_classes)
        Zero for classes that a training part lacks.
    """
    probability = np.zeros((len(label), n_classes))
    for k in np.unique(fold):
        test = fold == k
        classifier.fit(features[~test], label[~test])
        probability[np.ix_(test, classifier.classes_)] = classifier.predict_proba(features[test])
    return probability


def cluster_predictions(latent, label, fold, n_classes, n_clusters=(8, 16, 32), seed=0):
    """
    Clusters in latent space, named by the labels of the other folds.

    Parameters
    ----------
    latent : ndarray, shape (n, d)
    label, fold : ndarray of int, shape (n,)
    n_classes : int
    n_clusters : sequence of int, optional
    seed : int, optional

    Returns
    -------
    predictions : list of Prediction
        K-means and Gaussian mixtures; a cluster gets the class with most
        members ("majority"), or with the largest share of its own members
        there ("prevalence-normalized").
    """
    from sklearn.cluster import KMeans
    from sklearn.mixture import GaussianMixture
    from sklearn.preprocessing import StandardScaler

    x = StandardScaler().fit_transform(latent)
    predictions = []
    for k in (k for k in n_clusters if k < len(x) / 2):
        for name, clusters in (
            ("k-means", KMeans(k, n_init=3, random_state=seed)),
            ("Gaussian mixture", GaussianMixture(k, reg_covar=1e-3, random_state=seed)),
        ):
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


@dataclass
class _Scored:
    """Scores of one prediction on one subset, with their bootstrap repeats."""

    value: dict
    repeats: dict


def _score(prediction, label, group, weights, n_classes, binary):
    confusion = confusion_by_group(label, prediction.index, n_classes, group)
    total = confusion.sum(axis=0)
    resampled = (weights @ confusion.reshape(len(confusion), -1)).reshape(-1, n_classes, n_classes)
    value = {"balanced accuracy": balanced_accuracy(total), "macro F1": macro_f1(total)}
    repeats = {"balanced accuracy": balanced_accuracy(resampled), "macro F1": macro_f1(resampled)}
    row_weights = weights[:, group]
    columns = (0,) if binary else range(n_classes)
    present = [k for k in columns if 0 < np.sum(label == k) < len(label)]
    if present:
        scores = prediction.probability
        value["AUC"] = np.mean([auc(label == k, scores[:, k]) for k in present])
        repeats["AUC"] = np.nanmean([auc(label == k, scores[:, k], row_weights) for k in present], axis=0)
    return _Scored(value, repeats)


def score_predictions(section, predictions, label, classes, group, subsets, rng, n_boot=300):
    """
    Score predictions on subsets of rows.

    Parameters
    ----------
    section : str
    predictions : list of Prediction
    label : ndarray of int, shape (n,)
        Index into ``classes``.
    classes : sequence of str
        With two, the AUC is that of the first against the second; with more
        the mean over classes of one against the rest.
    group : ndarray of int, shape (n,)
        Resampled as a whole.
    subsets : dict
        Name to ndarray of bool, shape (n,).
    rng : numpy.random.Generator
    n_boot : int, optional

    Returns
    -------
    numbers : list of Number
    scored : dict
        (subset, name) to scores and bootstrap repeats, for
        `difference_numbers`.
    """
    numbers, scored = [], {}
    for subset, where in subsets.items():
        if np.unique(label[where]).size < 2:
            continue
        index = np.unique(group[where], return_inverse=True)[1]
        weights = bootstrap_weights(index, rng, n_boot)
        for prediction in predictions:
            part = Prediction(prediction.name, prediction.probability[where])
            found = _score(part, label[where], index, weights, len(classes), len(classes) == 2)
            scored[subset, prediction.name] = found
            numbers += [
                Number.of(section, name, prediction.name, subset, where.sum(), value,
                          interval(found.repeats[name]))
                for name, value in found.value.items()
            ]
    return numbers, scored


def difference_numbers(section, scored, pairs, subsets, quantity, n_rows):
    """
    Paired differences of methods to baselines.

    Parameters
    ----------
    section : str
    scored : dict
        From `score_predictions`.
    pairs : list of tuple of str
        Method and baseline.
    subsets : sequence of str
    quantity : str
        Which score.
    n_rows : dict
        Subset to number of rows.

    Returns
    -------
    numbers : list of Number
    """
    numbers = []
    for subset in subsets:
        for ours, other in pairs:
            a, b = scored.get((subset, ours)), scored.get((subset, other))
            if a is None or b is None or quantity not in a.value or quantity not in b.value:
                continue
            limits = interval(a.repeats[quantity] - b.repeats[quantity])
            numbers.append(
                Number.of(section, f"difference in {quantity}", f"{ours} - {other}", subset, n_rows[subset],
                          a.value[quantity] - b.value[quantity], limits)
            )
    return numbers


def recall_numbers(section, prediction, label, classes, subset, where):
    """
    Recall of every class.

    Returns
    -------
    numbers : list of Number
        With binomial (Wilson, 90 %) intervals.
    confusion : list of list of int
        True classes in rows.
    """
    confusion = confusion_by_group(label[where], prediction.index[where], len(classes),
                                   np.zeros(where.sum(), int))[0]
    numbers = []
    for k, name in enumerate(classes):
        n = confusion[k].sum()
        if n:
            numbers.append(
                Number.of(section, f"recall of {name}", prediction.name, subset, n, confusion[k, k] / n,
                          _wilson(confusion[k, k], n))
            )
    return numbers, confusion.astype(int).tolist()


def _wilson(hits, n, z=1.645):
    center = (hits + z**2 / 2) / (n + z**2)
    half = z / (n + z**2) * np.sqrt(hits * (n - hits) / n + z**2 / 4)
    return center - half, center + half
