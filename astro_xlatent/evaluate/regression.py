# Licensed under a 3-clause BSD style license - see LICENSE
"""What the latents know of measured quantities, beside hardness ratios."""

import numpy as np

from astro_xlatent.core.columns import N_LATENT
from astro_xlatent.core.numbers import plain_floats
from astro_xlatent.evaluate.features import PCA_NAME, with_pca
from astro_xlatent.evaluate.results import Number
from astro_xlatent.evaluate.scores import bootstrap_weights, grouped_folds, interval
from astro_xlatent.physics.absorption import convert_nh
from astro_xlatent.spectra.bins import N_FINE

__all__ = ["HEADS", "QUANTITIES", "correlation_numbers", "head_answers", "predict_quantity", "quantities_of",
           "regression_numbers", "regressors"]

#: Columns of measured quantities in order of preference, by name in the report; logarithms where it says so.
QUANTITIES = {
    "true log N_H (clipped at 1e20)": ("true_nh",),
    "true photon index": ("true_photon_index",),
    "true log kT": ("true_kt",),
    "true log flux 0.5-2 keV": ("true_flux_05_2",),
    "true log flux 2-7 keV": ("true_flux_2_7",),
    "log N_H of the catalog's fit": ("powlaw_nh", "powlaw_nh_mean"),
    "photon index of the catalog's fit": ("powlaw_gamma", "powlaw_gamma_mean"),
    "log kT of the catalog's fit": ("bb_kt", "brems_kt", "apec_kt"),
    "log flux 0.5-7 keV": ("flux_aper_b", "flux_aper90_ave_b", "flux_aper90_mean_b"),
}
#: Where the model's own answer is found; fluxes come from decoded latents, the rest from heads.
HEADS = {
    "log N_H": ("xl_nh",),
    "photon index": ("xl_photon_index",),
    "log kT": ("xl_kt",),
    "log flux 0.5-2 keV": ("xl_flux_05_2",),
    "log flux 2-7 keV": ("xl_flux_2_7",),
    "log flux 0.5-7 keV": ("xl_flux_05_2", "xl_flux_2_7"),
}
MIN_ROWS = 60
N_BOOT = 200
# Columns below are limits.
_NH_FLOOR = 20.0


def regressors(seed=0):
    """The regressions that are compared, as scikit-learn estimators by name."""
    from sklearn.ensemble import RandomForestRegressor
    from sklearn.linear_model import RidgeCV
    from sklearn.neighbors import KNeighborsRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return {
        "ridge": make_pipeline(StandardScaler(), RidgeCV(np.logspace(-3, 3, 13))),
        "k-NN": make_pipeline(StandardScaler(), KNeighborsRegressor(20, weights="distance")),
        "random forest": RandomForestRegressor(60, min_samples_leaf=5, max_features=0.5, random_state=seed),
    }


def predict_quantity(regressor, features, values, fold):
    """Predictions of every row by a fit to the other folds; features and values are finite."""
    from sklearn.model_selection import PredefinedSplit, cross_val_predict

    return cross_val_predict(regressor, features, values, cv=PredefinedSplit(fold))


def quantities_of(table, hardness=None, kind=""):
    """
    Quantities (n,) that a regression may predict, NaN where unknown: `QUANTITIES`, columns of CSC's fits
    (1e20 1/cm2, phabs with Anders & Grevesse) in this package's convention; hardness ratios of some kind.
    """
    found = {}
    for name, columns in QUANTITIES.items():
        column = next((c for c in columns if c in table.colnames), None)
        if column is None:
            continue
        values = plain_floats(table[column])
        if column.startswith("powlaw_nh"):
            values = np.where((values > 0) & (values < 1e6), values, np.nan)
            values = convert_nh(values * 1e20, "phabs/angr", "tbabs/wilm")
        found[name] = _scaled(name, values)
    if hardness is not None:
        found |= {f"{kind}hardness ratio HR{k + 1}": column for k, column in enumerate(hardness.T)}
    return found


def _scaled(name, values):
    """Logarithms, clipped, where a quantity's name says so; NaN where not finite."""
    with np.errstate(invalid="ignore", divide="ignore"):
        values = np.log10(values) if "log" in name.split() else values
        values = np.maximum(values, _NH_FLOOR) if "clipped" in name else values
    return np.where(np.isfinite(values), values, np.nan)


def spearman(x, y):
    """Rank correlation; NaN of a constant."""
    from scipy.stats import spearmanr

    return float(spearmanr(x, y).statistic) if np.ptp(x) and np.ptp(y) else np.nan


def head_answers(table, quantities):
    """The enriched table's own answers to quantities, ``(method, values)``, where it has the columns."""
    answers = {}
    for name in quantities:
        key = next((k for k in HEADS if k in name), None)
        if key is not None and set(HEADS[key]) <= set(table.colnames):
            values = np.sum([plain_floats(table[column]) for column in HEADS[key]], axis=0)
            kind = "decoded latents" if "flux" in key else "head"
            answers[name] = (f"{kind} ({' + '.join(HEADS[key])})", _scaled(name, values))
    return answers


def _leaks(name, label):
    """Whether features hold the very column that is to be predicted, or say nothing of it."""
    if "hardness ratio" in name:
        return "hardness" in label or "+ flux" in label
    return name.startswith("log flux") and "+ flux" in label


def regression_numbers(quantities, features, field, seed=0, quick=False, answers=None, grouping="sky field"):
    """
    R2, mean absolute error and Spearman correlation of predictions from sets of features (n, k) by name, and
    notes on quantities left out. Those named after the principal components begin with a spectrum; fields
    (n,) stay together; `head_answers` are scored on the same rows, with the gap to the best of the latents.
    """
    numbers, notes = [], []
    tools = regressors(seed)
    tools = {name: tools[name] for name in ("ridge", "k-NN")} if quick else tools
    section = f"regression, folds by {grouping}"
    for name, values in quantities.items():
        used = {label: x for label, x in features.items() if not _leaks(name, label)}
        rows = np.isfinite(values) & np.all([np.isfinite(x).all(axis=1) for x in used.values()], axis=0)
        if rows.sum() < MIN_ROWS or np.ptp(values[rows]) == 0 or np.unique(field[rows]).size < 5:
            notes.append(f"{name}: {rows.sum()} rows, too few or constant: left out of the regression")
            continue
        fold = grouped_folds(np.zeros(rows.sum()), field[rows], 5, seed)
        predicted = {}
        for label, x in used.items():
            for tool, regressor in tools.items():
                if label.startswith(PCA_NAME):
                    regressor = with_pca(regressor, N_FINE)
                predicted[f"{label}, {tool}"] = predict_quantity(regressor, x[rows], values[rows], fold)
        for method, found in predicted.items():
            numbers += _scores(section, name, method, values[rows], found, field[rows], seed)
        if answers and name in answers:
            numbers += _gap(name, answers[name], values, predicted, rows, field, seed, section)
    return numbers, notes


def _gap(name, answer, values, predicted, rows, field, seed, section):
    """Scores of the model's own answer, and how much better it is than the latents alone."""
    method, own = answer
    there = np.isfinite(own[rows])
    if there.sum() < MIN_ROWS:
        return []
    truth, own, group = values[rows][there], own[rows][there], field[rows][there]
    found = {m: p[there] for m, p in predicted.items() if m.startswith("latents,")}
    best = min(found, key=lambda m: np.mean((found[m] - truth) ** 2))
    gap = np.abs(own - truth) - np.abs(found[best] - truth)
    of = (f"{method} - {best}", "all", truth.size)
    return _scores(section, name, method, truth, own, group, seed) + [
        Number.of("gap between heads and latents", f"difference in mean |error| of {name}", *of,
                  gap.mean(), interval(_row_weights(group, seed) @ gap)),
        Number.of("gap between heads and latents", f"difference in Spearman of {name}", *of,
                  spearman(truth, own) - spearman(truth, found[best]))]


def _row_weights(field, seed):
    """Shares of the rows in bootstrap repeats over fields."""
    group = np.unique(field, return_inverse=True)[1]
    weights = bootstrap_weights(group, np.random.default_rng(seed), N_BOOT)[:, group]
    return weights / weights.sum(axis=1, keepdims=True)


def _scores(section, name, method, values, predicted, field, seed):
    weights = _row_weights(field, seed)
    squared, absolute = (values - predicted) ** 2, np.abs(values - predicted)
    variance = weights @ values**2 - (weights @ values) ** 2
    scores = {
        "R2": (1 - squared.mean() / values.var(), interval(1 - weights @ squared / variance)),
        "mean |error|": (absolute.mean(), interval(weights @ absolute)),
        "Spearman": (spearman(values, predicted), (np.nan, np.nan)),
    }
    return [Number.of(section, f"{quantity} of {name}", method, "all", values.size, value, limits)
            for quantity, (value, limits) in scores.items()]


def correlation_numbers(quantities, latent):
    """
    Spearman correlation of latents with quantities, with approximate 90 % intervals (Fisher's z, factor 1.06
    for ranks: Fieller, Hartley & Pearson 1957, Biometrika 44, 470); and the values as lists for a figure.
    """
    numbers, matrix = [], {"quantities": [], "values": []}
    for name, values in quantities.items():
        known = np.isfinite(values)
        if known.sum() < MIN_ROWS:
            continue
        found = np.array([spearman(latent[known, k], values[known]) for k in range(N_LATENT)])
        half = 1.645 * np.sqrt(1.06 / (known.sum() - 3)) * np.array([[-1], [1]])
        limits = np.tanh(np.arctanh(np.clip(found, -0.999999, 0.999999)) + half)
        numbers += [Number.of("correlation of latents with quantities", f"Spearman with {name}",
                              f"latent {k}", "all", known.sum(), found[k], limits[:, k])
                    for k in range(N_LATENT)]
        matrix["quantities"].append(name)
        matrix["values"].append(found.round(3).tolist())
    return numbers, matrix
