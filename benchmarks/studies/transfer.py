# Licensed under a 3-clause BSD style license - see LICENSE
"""
Does a classifier trained on simulated rows work on real ones?

Random forests on hardness ratios are trained once on simulated rows and once
on real MATCH rows, and both are tested on the same real JUDGE rows.
"""

import numpy as np

from benchmarks.studies.discriminator import hardness_features, simulate_like

__all__ = ["balanced_accuracy", "transfer"]

_FOREST = {"n_estimators": 300, "min_samples_leaf": 5, "class_weight": "balanced"}


def balanced_accuracy(truth, predicted, weight=None):
    """
    Mean over classes of the fraction recognized.

    Parameters
    ----------
    truth, predicted : ndarray of str, shape (n,)
    weight : ndarray, shape (n,), optional
        How often each row counts (bootstrap).

    Returns
    -------
    accuracy : float
        Over the classes that occur with positive weight.

    Examples
    --------
    >>> import numpy as np
    >>> from benchmarks.studies.transfer import balanced_accuracy
    >>> balanced_accuracy(np.array(["a", "a", "b"]), np.array(["a", "b", "b"]))
    0.75
    """
    weight = np.ones(len(truth)) if weight is None else weight
    hits = [
        np.sum(weight * (truth == label) * (predicted == label)) / np.sum(weight * (truth == label))
        for label in np.unique(truth)
        if np.sum(weight * (truth == label)) > 0
    ]
    return float(np.mean(hits))


def transfer(match, judge, judge_field, instruments, *, seed=0, per_class=1500, n_boot=500, **options):
    """
    Compare training on simulated with training on real rows.

    Parameters
    ----------
    match, judge : Rows
        Real rows for training, and for the test.
    judge_field : ndarray of int, shape (len(judge),)
        Sky fields, resampled for the interval.
    instruments : list of Instrument
    seed, per_class, n_boot : int, optional
        Seed, simulated rows per class, bootstrap repeats.
    **options
        For `~astro_xlatent.simulate.populations.draw_sources`.

    Returns
    -------
    result : dict
        ``simulated`` and ``real`` (balanced accuracy on ``judge``), ``difference``
        (simulated minus real) and ``interval`` (its 90 % interval over fields).
    """
    labels = np.unique(match.label)
    features = hardness_features(match.flux, match.error)
    rng = np.random.default_rng(seed)
    mock = [
        simulate_like(label, features[match.label == label], per_class, instruments, rng, **options)
        for label in labels
    ]
    mock_label = np.repeat(labels, [len(rows) for rows in mock])
    tested = hardness_features(judge.flux, judge.error)[:, :2]
    by_mock = _predict(np.concatenate(mock)[:, :2], mock_label, tested, seed)
    by_real = _predict(features[:, :2], match.label, tested, seed)
    return _paired(judge.label, by_mock, by_real, judge_field, rng, n_boot)


def _predict(features, label, tested, seed):
    from sklearn.ensemble import RandomForestClassifier

    return RandomForestClassifier(random_state=seed, **_FOREST).fit(features, label).predict(tested)


def _paired(truth, by_mock, by_real, field, rng, n_boot):
    fields, index = np.unique(field, return_inverse=True)
    differences = []
    for _ in range(n_boot):
        weight = rng.multinomial(fields.size, np.full(fields.size, 1 / fields.size))[index]
        both = [balanced_accuracy(truth, predicted, weight) for predicted in (by_mock, by_real)]
        differences.append(both[0] - both[1])
    simulated, real = balanced_accuracy(truth, by_mock), balanced_accuracy(truth, by_real)
    interval = tuple(float(edge) for edge in np.quantile(differences, [0.05, 0.95]))
    return {"simulated": simulated, "real": real, "difference": simulated - real, "interval": interval}
