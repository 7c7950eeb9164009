# Licensed under a 3-clause BSD style license - see LICENSE
"""
What the model is compared with on simulated rows.

Below: classifiers of hardness ratios. Above: a classifier of the latents
without noise.
"""

import numpy as np

from astro_xlatent.evaluate.features import hardness_ratios
from astro_xlatent.simulate.populations import CLASSES

__all__ = ["N_EIGHT", "hardness_features", "hardness_predictions", "latent_predictions"]

#: Number of classes without "other".
N_EIGHT = len(CLASSES) - 1


def hardness_features(fluxes, bands=None):
    """
    Ratios of `hardness_ratios`, then log10 of flux over error of every band, at least log10(0.03).

    Either is padded with NaN to ``bands`` columns, where that is given.
    """
    ratios = hardness_ratios(fluxes.flux)
    with np.errstate(invalid="ignore", divide="ignore"):
        significance = np.log10(np.maximum(fluxes.flux / fluxes.error, 0.03))
    missing = 0 if bands is None else bands - ratios.shape[1]
    return np.concatenate([np.pad(a, ((0, 0), (0, missing)), constant_values=np.nan)
                           for a in (ratios, significance)], axis=1)


def _kinds(rows, mode):
    """What may share one classifier: the same bands, and the same kind of flux."""
    if mode == "spectra":
        return np.full(len(rows["net"]), "photon-flux")
    kind = np.where(rows["energy"], "energy-flux", "photon-flux")
    return np.char.add(np.char.add(rows["mission"], " "), kind)


def _classifiers(seed):
    from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier

    return {
        "random forest": RandomForestClassifier(200, min_samples_leaf=5, random_state=seed),
        "gradient boosting": HistGradientBoostingClassifier(max_iter=150, max_leaf_nodes=12,
                                                            learning_rate=0.06, random_state=seed),
    }


def hardness_predictions(mode, train, test, seed):
    """
    Classes from hardness ratios, learned on other simulated rows.

    Parameters
    ----------
    mode : {'bands', 'spectra'}
    train, test : dict of ndarray
        From `~benchmarks.studies.simulated.simulate`, with other seeds.
    seed : int

    Returns
    -------
    predictions : dict of ndarray of int, shape (n,)
        Class index of every test row, by the name of the baseline.
    """
    kinds, own = _kinds(train, mode), _kinds(test, mode)
    half = train["hardness"].shape[1] // 2
    found = {}
    for features, columns in (("hardness ratios", slice(half)), ("hardness ratios + S/N", slice(None))):
        for name, classifier in _classifiers(seed).items():
            predicted = np.full(len(own), -1)
            for kind in np.unique(own):
                rows = (kinds == kind) & (train["class_index"] >= 0) & (train["class_index"] < N_EIGHT)
                # Columns without any value say nothing, and trees warn of them.
                x = train["hardness"][rows][:, columns]
                used = np.isfinite(x).any(axis=0)
                classifier.fit(x[:, used], train["class_index"][rows])
                predicted[own == kind] = classifier.predict(
                    test["hardness"][own == kind][:, columns][:, used]
                )
            found[f"{features}, {name}"] = predicted
    return found


def latent_predictions(rows, seed):
    """
    Classes from latents alone, trained on the other folds of the same rows.

    Those of the noise-free latents bound what any observation can tell.

    Parameters
    ----------
    rows : dict of ndarray
        From `~benchmarks.studies.simulated.simulate`.
    seed : int

    Returns
    -------
    predictions : dict of ndarray of int, shape (n,)
        -1 for rows of none of the eight classes.
    """
    rng = np.random.default_rng(seed)
    eight = np.flatnonzero((rows["class_index"] >= 0) & (rows["class_index"] < N_EIGHT))
    fold = rng.permutation(eight.size) % 5
    net = np.log10(np.maximum(rows["net"], 1.0))[:, None]
    found = {}
    for name, features in (
        ("latents alone, random forest", np.concatenate([rows["latent"], net], axis=1)),
        ("noise-free latents, random forest", rows["target"]),
    ):
        predicted = np.full(len(net), -1)
        for k in range(5):
            train, test = eight[fold != k], eight[fold == k]
            forest = _classifiers(seed)["random forest"]
            predicted[test] = forest.fit(features[train], rows["class_index"][train]).predict(features[test])
        found[name] = predicted
    return found
