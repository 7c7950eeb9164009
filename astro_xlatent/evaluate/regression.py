# Licensed under a 3-clause BSD style license - see LICENSE
"""
What the latents know of measured quantities, beside hardness ratios.
"""

import numpy as np

from astro_xlatent.core.columns import N_LATENT
from astro_xlatent.core.numbers import plain_floats
from astro_xlatent.evaluate.fits import catalog_fits
from astro_xlatent.evaluate.folds import grouped_folds
from astro_xlatent.evaluate.pca import PCA_NAME, with_pca
from astro_xlatent.evaluate.results import Number
from astro_xlatent.evaluate.scores import bootstrap_weights, interval
from astro_xlatent.spectra.bins import N_FINE

__all__ = [
    "HEADS",
    "QUANTITIES",
    "correlation_matrix",
    "correlation_numbers",
    "head_answers",
    "predict_quantity",
    "quantities_of",
    "regression_numbers",
    "regressors",
    "spearman",
]

#: Columns of measured quantities: name in the report, columns in order of preference, logarithmic or not.
QUANTITIES = (
    ("true log N_H (clipped at 1e20)", ("true_nh",), True),
    ("true photon index", ("true_photon_index",), False),
    ("true log kT", ("true_kt",), True),
    ("true log flux 0.5-2 keV", ("true_flux_05_2",), True),
    ("true log flux 2-7 keV", ("true_flux_2_7",), True),
    ("log N_H of the catalog's fit", ("powlaw_nh", "powlaw_nh_mean"), True),
    ("photon index of the catalog's fit", ("powlaw_gamma", "powlaw_gamma_mean"), False),
    ("log kT of the catalog's fit", ("bb_kt", "brems_kt", "apec_kt"), True),
    ("log flux 0.5-7 keV", ("flux_aper_b", "flux_aper90_ave_b", "flux_aper90_mean_b"), True),
)
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
# Columns below are limits.
_NH_FLOOR = 20.0


def regressors(seed=0):
    """
    The regressions that are compared.

    Returns
    -------
    regressors : dict
        Name to scikit-learn estimator.
    """
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
    """
    Predictions of every row by a fit to the other folds.

    Parameters
    ----------
    regressor : scikit-learn estimator
    features : ndarray, shape (n, n_features)
        Finite.
    values : ndarray, shape (n,)
        Finite.
    fold : ndarray of int, shape (n,)

    Returns
    -------
    predicted : ndarray, shape (n,)
    """
    predicted = np.empty(len(values))
    for k in np.unique(fold):
        test = fold == k
        predicted[test] = regressor.fit(features[~test], values[~test]).predict(features[test])
    return predicted


def quantities_of(table, hardness=None, kind=""):
    """
    Quantities of a table that a regression may predict.

    Parameters
    ----------
    table : `~astropy.table.Table`
    hardness : ndarray, shape (n, k), optional
        Hardness ratios, where there are band columns.
    kind : str, optional
        Of the hardness ratios.

    Returns
    -------
    quantities : dict of ndarray, shape (n,)
        NaN where unknown.
    """
    found = {}
    for name, columns, logarithmic in QUANTITIES:
        present = [c for c in columns if c in table.colnames]
        if present:
            values = plain_floats(table[present[0]])
            with np.errstate(invalid="ignore", divide="ignore"):
                values = np.log10(values) if logarithmic else values
                values = np.maximum(values, _NH_FLOOR) if "clipped" in name else values
            found[name] = np.where(np.isfinite(values), values, np.nan)
            if present[0].startswith("powlaw_nh"):
                # In this package's convention, as the model's own answer is.
                found[name] = catalog_fits(table)[0]
    if hardness is not None:
        for k in range(hardness.shape[1]):
            found[f"{kind}hardness ratio HR{k + 1}"] = hardness[:, k]
    return found


def spearman(x, y):
    """
    Rank correlation, ties averaged.

    Examples
    --------
    >>> round(spearman(np.array([1, 2, 3.0]), np.array([10, 20, 15.0])), 2)
    0.5
    """
    from scipy.stats import rankdata

    a, b = rankdata(x), rankdata(y)
    if np.ptp(a) == 0 or np.ptp(b) == 0:
        return np.nan
    return float(np.corrcoef(a, b)[0, 1])


def head_answers(table, quantities):
    """
    The model's own answers to the quantities.

    Parameters
    ----------
    table : `~astropy.table.Table`
        Enriched.
    quantities : dict
        From `quantities_of`.

    Returns
    -------
    answers : dict
        Quantity to ``(method, values)``: from the head, or for fluxes from
        decoded latents. Only those that the table has columns for.
    """
    answers = {}
    for name in quantities:
        key = next((k for k in HEADS if k in name), None)
        if key is None or any(column not in table.colnames for column in HEADS[key]):
            continue
        values = np.sum([plain_floats(table[column]) for column in HEADS[key]], axis=0)
        if key.startswith("log"):
            with np.errstate(invalid="ignore", divide="ignore"):
                values = np.log10(values)
        values = np.maximum(values, _NH_FLOOR) if "clipped" in name else values
        kind = "decoded latents" if "flux" in key else "head"
        answers[name] = (f"{kind} ({' + '.join(HEADS[key])})", np.where(np.isfinite(values), values, np.nan))
    return answers


def _leaks(name, label):
    """Whether features hold the very column that is to be predicted, or say nothing of it."""
    if "hardness ratio" in name:
        return "hardness" in label or "+ flux" in label
    return name.startswith("log flux") and "+ flux" in label


def regression_numbers(quantities, features, field, seed=0, quick=False, n_boot=200, answers=None,
                       grouping="sky field"):
    """
    R2, mean absolute error and Spearman correlation of predictions.

    Parameters
    ----------
    quantities : dict of ndarray, shape (n,)
        From `quantities_of`.
    features : dict of ndarray, shape (n, k)
        Sets of features by name. In one whose name begins with that of the
        principal components, the leading `~astro_xlatent.spectra.bins.N_FINE`
        columns are a spectrum.
    field : ndarray of int, shape (n,)
        Kept together in folds, and resampled as a whole.
    seed : int, optional
    quick : bool, optional
        No random forests.
    n_boot : int, optional
    answers : dict, optional
        From `head_answers`: scored on the same rows, with the gap to the best
        regression of the latents.
    grouping : str, optional
        What ``field`` numbers.

    Returns
    -------
    numbers : list of Number
    notes : list of str
        Quantities left out.
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
            numbers += _scores(section, name, method, values[rows], found, field[rows], seed, n_boot)
        if answers and name in answers:
            numbers += _gap(name, answers[name], values, predicted, rows, field, seed, n_boot, section)
    return numbers, notes


def _gap(name, answer, values, predicted, rows, field, seed, n_boot, section):
    """Scores of the model's own answer, and how much better it is than the latents alone."""
    method, own = answer
    there = np.isfinite(own[rows])
    if there.sum() < MIN_ROWS:
        return []
    truth, own, group = values[rows][there], own[rows][there], field[rows][there]
    found = {m: p[there] for m, p in predicted.items() if m.startswith("latents,")}
    best = min(found, key=lambda m: np.mean((found[m] - truth) ** 2))
    index = np.unique(group, return_inverse=True)[1]
    weights = bootstrap_weights(index, np.random.default_rng(seed), n_boot)[:, index]
    errors = np.stack([np.abs(own - truth), np.abs(found[best] - truth)])
    repeats = weights @ (errors[0] - errors[1]) / weights.sum(axis=1)
    return _scores(section, name, method, truth, own, group, seed, n_boot) + [
        Number.of("gap between heads and latents", f"difference in mean |error| of {name}",
                  f"{method} - {best}", "all", truth.size, (errors[0] - errors[1]).mean(), interval(repeats)),
        Number.of("gap between heads and latents", f"difference in Spearman of {name}", f"{method} - {best}",
                  "all", truth.size, spearman(truth, own) - spearman(truth, found[best])),
    ]


def _scores(section, name, method, values, predicted, field, seed, n_boot):
    group = np.unique(field, return_inverse=True)[1]
    weights = bootstrap_weights(group, np.random.default_rng(seed), n_boot)[:, group]
    squared, absolute = (values - predicted) ** 2, np.abs(values - predicted)
    total = weights.sum(axis=1)
    mean = weights @ values / total
    variance = weights @ values**2 / total - mean**2
    scores = {
        "R2": (1 - squared.mean() / values.var(), interval(1 - weights @ squared / total / variance)),
        "mean |error|": (absolute.mean(), interval(weights @ absolute / total)),
        "Spearman": (spearman(values, predicted), (np.nan, np.nan)),
    }
    return [
        Number.of(section, f"{quantity} of {name}", method, "all", values.size, value, limits)
        for quantity, (value, limits) in scores.items()
    ]


def correlation_matrix(numbers):
    """
    Correlations as a matrix, for a figure.

    Parameters
    ----------
    numbers : list of Number
        From `correlation_numbers`.

    Returns
    -------
    matrix : dict
        ``quantities`` (list of str) and ``values``, one list of `N_LATENT` each.
    """
    values = {}
    for number in numbers:
        values.setdefault(number.quantity.removeprefix("Spearman with "), []).append(number.value)
    return {"quantities": list(values), "values": [[round(v, 3) for v in row] for row in values.values()]}


def correlation_numbers(quantities, latent):
    """
    Spearman correlation of each latent with each quantity.

    Returns
    -------
    numbers : list of Number
        With approximate 90 % intervals (Fisher's z, factor 1.06 for ranks).
    """
    numbers = []
    for name, values in quantities.items():
        known = np.isfinite(values)
        if known.sum() < MIN_ROWS:
            continue
        for k in range(N_LATENT):
            r = spearman(latent[known, k], values[known])
            half = 1.645 * np.sqrt(1.06 / (known.sum() - 3))
            limits = np.tanh(np.arctanh(np.clip(r, -0.999999, 0.999999)) + np.array([-half, half]))
            numbers.append(
                Number.of("correlation of latents with quantities", f"Spearman with {name}", f"latent {k}",
                          "all", known.sum(), r, limits)
            )
    return numbers
