# Licensed under a 3-clause BSD style license - see LICENSE
"""
Classifying labeled rows: clusters, supervised probes, the model itself.

All predictions are out of fold. Scores come with bootstrap intervals over groups of rows (sky fields);
differences are paired, from the same repeats.
"""

from dataclasses import dataclass

import numpy as np

from astro_xlatent.evaluate import scores
from astro_xlatent.evaluate.results import Number
from astro_xlatent.evaluate.scores import auc, confusion_by_group, interval

__all__ = ["Prediction", "cluster_predictions", "difference_numbers", "probe", "probes", "recall_numbers",
           "score_predictions"]

_NEIGHBORS = 25


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
    """Scores of one prediction on one subset by name: value, and bootstrap repeats."""
    confusion = confusion_by_group(label, prediction.index, n_classes, group)
    resampled = (weights @ confusion.reshape(len(confusion), -1)).reshape(-1, n_classes, n_classes)
    found = {"balanced accuracy": scores.balanced_accuracy, "macro F1": scores.macro_f1}
    found = {name: (score(confusion.sum(axis=0)), score(resampled)) for name, score in found.items()}
    columns = (0,) if n_classes == 2 else range(n_classes)
    present = [k for k in columns if 0 < np.sum(label == k) < len(label)]
    ranks = [(label == k, prediction.probability[:, k]) for k in present]
    if ranks:
        found["AUC"] = (np.mean([auc(*rank) for rank in ranks]),
                        np.nanmean([auc(*rank, weights[:, group]) for rank in ranks], axis=0))
    return found


def score_predictions(section, predictions, label, classes, group, subsets, rng, n_boot=300):
    """
    Score predictions on subsets of rows (name to mask), groups being resampled as a whole; also value and
    repeats by subset, method and score, for `difference_numbers`. The AUC of two classes is that of the
    first, of more the mean over classes of one against the rest.
    """
    numbers, scored = [], {}
    for subset, where in subsets.items():
        if np.unique(label[where]).size < 2:
            continue
        index = np.unique(group[where], return_inverse=True)[1]
        weights = scores.bootstrap_weights(index, rng, n_boot)
        for prediction in predictions:
            part = Prediction(prediction.name, prediction.probability[where])
            found = _score(part, label[where], index, weights, len(classes))
            scored[subset, prediction.name] = found
            of = (prediction.name, subset, where.sum())
            numbers += [Number.of(section, name, *of, value, interval(repeats))
                        for name, (value, repeats) in found.items()]
    return numbers, scored


def difference_numbers(section, scored, pairs, subsets, quantity, n_rows):
    """Paired differences of methods to baselines (pairs of names) in one score of `score_predictions`."""
    numbers = []
    for subset in subsets:
        for ours, other in pairs:
            a, b = (scored.get((subset, name), {}).get(quantity) for name in (ours, other))
            if a is not None and b is not None:
                numbers.append(Number.of(section, f"difference in {quantity}", f"{ours} - {other}", subset,
                                         n_rows[subset], a[0] - b[0], interval(a[1] - b[1])))
    return numbers


def recall_numbers(section, prediction, label, classes, subset, where):
    """Recall of every class with Wilson's 90 % intervals, and confusions, true classes in rows."""
    from scipy.stats import binomtest

    confusion = confusion_by_group(label[where], prediction.index[where], len(classes),
                                   np.zeros(where.sum(), int))[0]
    numbers = []
    for name, row, hits in zip(classes, confusion, np.diagonal(confusion), strict=True):
        if row.sum():
            limits = binomtest(int(hits), int(row.sum())).proportion_ci(0.90, method="wilson")
            numbers.append(Number.of(section, f"recall of {name}", prediction.name, subset, row.sum(),
                                     hits / row.sum(), (limits.low, limits.high)))
    return numbers, confusion.astype(int).tolist()
