# Licensed under a 3-clause BSD style license - see LICENSE
"""
How variants of the model are judged: the same rows, probes and repeats for all.

Every score comes with its bootstrap repeats. Rows, folds and the rows drawn
in each repeat depend on the settings alone, so that differences between
variants can be taken repeat by repeat.
"""

import numpy as np
import torch
from scipy.special import softmax

from astro_xlatent.evaluate.features import band_fluxes, fluxes_of_spectra
from astro_xlatent.evaluate.regression import predict_quantity, regressors
from astro_xlatent.evaluate.scores import balanced_accuracy, confusion_by_group
from astro_xlatent.model.density import density_quantiles
from astro_xlatent.model.network import LOG_NH_RANGE, PHOTON_INDEX_RANGE
from benchmarks.studies.simulated_baselines import N_EIGHT
from benchmarks.studies.simulated_baselines import hardness_features as ratios_and_significances

__all__ = ["COUNTS", "excess_cash", "hardness_features", "head_answers", "judge"]

#: Expected source counts of the judged rows.
COUNTS = (100.0, 1000.0)
#: Columns above which log N_H is scored.
NH_MIN = 1e21
N_FOLDS = 5
N_REPEATS = 200
# Half-width of the central 68 % of a standard normal.
_HALF_WIDTH = 0.99446
# Expected counts per bin that keep empty bins from dominating, as for the teacher.
_FLOOR = 0.02


def judge(truth, class_index, answers, seed, regress=True):
    """
    Score what a variant says of some rows.

    Parameters
    ----------
    truth : dict of ndarray, shape (n,)
        ``nh`` and ``photon_index`` (NaN where there is none).
    class_index : ndarray of int, shape (n,)
        -1 for sources of no class.
    answers : dict of ndarray
        Any of ``latent`` (n, features), for the probes; ``error`` and
        ``target`` (n, features), for the coverage; ``classes`` (n, 8 or more),
        ``log_nh`` and ``photon_index`` (n,), the variant's own answers;
        ``excess`` and ``decoder_excess`` (rows,).
    seed : int
        Of folds and repeats.
    regress : bool, optional
        Fit the probes of N_H and photon index, which take the longest.

    Returns
    -------
    scores : dict
        Name to dict of ``value``, ``n`` and ``repeats``.
    """
    eight = np.flatnonzero((class_index >= 0) & (class_index < N_EIGHT))
    with np.errstate(invalid="ignore", divide="ignore"):
        log_nh = np.log10(np.maximum(truth["nh"], 1e20))
    columns = np.flatnonzero(truth["nh"] > NH_MIN)
    slopes = np.flatnonzero(np.isfinite(truth["photon_index"]))
    label, slope = class_index[eight], truth["photon_index"][slopes]
    scores = {}

    def add(name, n, statistic):
        rng = np.random.default_rng([seed, n])
        repeats = [float(statistic(rng.integers(n, size=n))) for _ in range(N_REPEATS)]
        scores[name] = {"value": float(statistic(np.arange(n))), "n": int(n), "repeats": repeats}

    def add_class(name, predicted):
        add(name, len(eight), lambda rows: _accuracy(label[rows], predicted[rows]))

    def add_nh(name, predicted):
        error = np.abs(np.maximum(predicted, 20.0) - log_nh)[columns]
        add(name, len(columns), lambda rows: np.median(error[rows]))

    def add_slope(name, predicted):
        add(name, len(slopes), lambda rows: _r_squared(slope[rows], predicted[rows]))

    if "classes" in answers:
        add_class("class, head", answers["classes"][eight][:, :N_EIGHT].argmax(axis=1))
    if "log_nh" in answers:
        add_nh("log N_H, head", answers["log_nh"])
    if "photon_index" in answers:
        add_slope("index, head", answers["photon_index"][slopes])
    if "latent" in answers:
        x = answers["latent"]
        fold = np.random.default_rng([seed, 0]).permutation(len(x)) % N_FOLDS
        for name, classifier in _classifiers().items():
            predicted = predict_quantity(classifier, x[eight], label, fold[eight])
            add_class(f"class, {name}", predicted.astype(int))
    if "latent" in answers and regress:
        forest = regressors()["random forest"]
        add_nh("log N_H, probe", predict_quantity(forest, x, log_nh, fold))
        add_slope("index, probe", predict_quantity(forest, x[slopes], slope, fold[slopes]))
    if "target" in answers:
        inside = (np.abs(answers["latent"] - answers["target"]) < _HALF_WIDTH * answers["error"]).mean(axis=1)
        add("coverage", len(inside), lambda rows: inside[rows].mean())
    for name in ("excess", "decoder_excess"):
        if name in answers:
            values = answers[name]
            add(name, len(values), lambda rows, values=values: np.median(values[rows]))
    return scores


def _classifiers():
    from sklearn.linear_model import LogisticRegression
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return {
        "logistic": make_pipeline(StandardScaler(), LogisticRegression(max_iter=500)),
        "k-NN": make_pipeline(StandardScaler(), KNeighborsClassifier(20, weights="distance")),
    }


def _accuracy(truth, predicted):
    return balanced_accuracy(confusion_by_group(truth, predicted, N_EIGHT, np.zeros(len(truth), int))[0])


def _r_squared(values, predicted):
    return 1 - np.sum((values - predicted) ** 2) / np.sum((values - values.mean()) ** 2)


def head_answers(out):
    """
    Answers of the heads.

    Parameters
    ----------
    out : dict of ndarray
        From `~astro_xlatent.model.posterior.Model.encode`.

    Returns
    -------
    answers : dict of ndarray
        Logits ``classes``; medians ``log_nh`` and ``photon_index``.
    """
    def median(name, limits):
        return density_quantiles(softmax(out[name], axis=1), limits, [0.5])[:, 0]

    return {"classes": out["classes"], "log_nh": median("nh", LOG_NH_RANGE),
            "photon_index": median("index", PHOTON_INDEX_RANGE)}


def hardness_features(observation):
    """
    Hardness ratios and significances of the bands, as a user of a catalog has them.

    Parameters
    ----------
    observation : `~benchmarks.ablation.data.Observation`
        Spectra are summed in the bands of the Chandra Source Catalog.

    Returns
    -------
    features : ndarray, shape (n, features)
        Finite: unknown ratios are 0. Of bands, the ratios of every mission
        and kind of flux have columns of their own.
    """
    spectra = observation.mode == "spectra"
    fluxes = fluxes_of_spectra(observation.bins) if spectra else band_fluxes(observation.bins)
    features = np.nan_to_num(ratios_and_significances(fluxes))
    if spectra:
        return features
    kind = np.char.add(observation.mission.astype("<U8"), np.where(fluxes.energy, " energy", " photon"))
    own = kind[:, None] == np.array(["csc energy", "csc photon", "erosita photon"])
    return np.concatenate([own, (features[:, None, :] * own[..., None]).reshape(len(kind), -1)], axis=1)


@torch.no_grad()
def excess_cash(observation, model_counts, n_counts=None):
    """
    Expected Cash statistic of a description above that of the truth, between 0.5 and 8 keV.

    Parameters
    ----------
    observation : `~benchmarks.ablation.data.Observation`
        Of spectra.
    model_counts : callable
        Takes a slice of rows and their instrument, and gives expected counts
        in the fine bins (rows, N_FINE) in any normalization; source counts
        alone if it returns a second value True, else background included.
    n_counts : float, optional
        Imagine that many source counts and no background, instead of the
        observation's own.

    Returns
    -------
    excess : ndarray, shape (rows,)
        2 sum(m - t + t ln(t / m)). A fit of p parameters to Poisson counts of
        the true family has about p on average.
    """
    excess = np.zeros(len(observation))
    for rows, instrument in observation.chunks():
        bins = observation.bins[rows]
        used = bins.valid & (bins.e_lo >= 0.5 - 1e-9) & (bins.e_hi <= 8 + 1e-9)
        source = np.where(used, observation.sources.spectrum[rows] @ instrument.matrix.T, 0.0)
        seconds = observation.seconds[rows][:, None]
        background = np.where(used, observation.background[rows], 0.0)
        if n_counts is not None:
            seconds, background = n_counts / np.maximum(source.sum(axis=1, keepdims=True), 1e-300), 0.0
        model, source_only = model_counts(rows, instrument)
        model = np.where(used, model, 0.0)
        known = background if source_only else 0.0
        true = source * seconds + background
        wanted = (true - known).sum(axis=1, keepdims=True)
        model = model * wanted / np.maximum(model.sum(axis=1, keepdims=True), 1e-300) + known
        t, m = true + _FLOOR, np.maximum(model, 0.0) + _FLOOR
        excess[rows] = 2 * np.where(used, m - t + t * np.log(t / m), 0.0).sum(axis=1)
    return excess
