# Licensed under a 3-clause BSD style license - see LICENSE
"""
What the latents know of measured quantities, beside hardness ratios.
"""

import numpy as np

from astro_xlatent.core.columns import N_LATENT
from astro_xlatent.core.numbers import plain_floats
from astro_xlatent.evaluate.folds import grouped_folds
from astro_xlatent.evaluate.pca import PCA_NAME, with_pca
from astro_xlatent.evaluate.results import Number
from astro_xlatent.evaluate.scores import bootstrap_weights, interval
from astro_xlatent.physics.absorption import convert_nh
from astro_xlatent.spectra.bins import N_FINE

__all__ = [
    "HEADS",
    "QUANTITIES",
    "catalog_fits",
    "correlation_matrix",
    "correlation_numbers",
    "head_answers",
    "predict_quantity",
    "quantities_of",
    "regression_numbers",
    "regressors",
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


def catalog_fits(table):
    """
    Columns of the power-law fits and their errors, log10 in this package's convention.

    CSC's fits have photoelectric absorption in the abundances of Anders & Grevesse.

    From ``powlaw_nh`` (and ``powlaw_nh_lolim``, ``powlaw_nh_hilim``) or ``powlaw_nh_mean``
    (and ``e_powlaw_nh_mean``) in 1e20 1/cm2; NaN where there is no fit, None without
    such a column.
    """
    names = [n for n in ("powlaw_nh", "powlaw_nh_mean") if n in table.colnames]
    if not names:
        return None, None
    name = names[0]
    value = plain_floats(table[name])
    if f"{name}_hilim" in table.colnames and f"{name}_lolim" in table.colnames:
        error = 0.5 * (plain_floats(table[f"{name}_hilim"]) - plain_floats(table[f"{name}_lolim"]))
    elif f"e_{name}" in table.colnames:
        error = plain_floats(table[f"e_{name}"])
    else:
        error = np.full(len(table), np.nan)
    value = np.where((value > 0) & (value < 1e6), value, np.nan)
    with np.errstate(invalid="ignore"):
        log_nh = np.log10(convert_nh(value * 1e20, "phabs/angr", "tbabs/wilm"))
        return log_nh, error / value / np.log(10)


def quantities_of(table, hardness=None, kind=""):
    """
    Quantities of a table that a regression may predict, (n,) each, NaN where unknown; hardness ratios (n, k)
    of some kind among them, where given.
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
    """Rank correlation; NaN of a constant."""
    from scipy.stats import spearmanr

    return float(spearmanr(x, y).statistic) if np.ptp(x) and np.ptp(y) else np.nan


def head_answers(table, quantities):
    """
    The model's own answers to the quantities of an enriched table: ``(method, values)``, from the head, or
    for fluxes from decoded latents. Only those that the table has columns for.
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


def regression_numbers(quantities, features, field, seed=0, quick=False, answers=None,
                       grouping="sky field"):
    """
    R2, mean absolute error and Spearman correlation of predictions, and notes on quantities left out.

    ``features`` are sets (n, k) by name; in one whose name begins with that of the
    principal components, the leading `~astro_xlatent.spectra.bins.N_FINE` columns are
    a spectrum. ``field`` (n,) is kept together in folds, and resampled as a whole.
    ``answers`` of `head_answers` are scored on the same rows, with the gap to the best
    regression of the latents. ``quick`` leaves out random forests.
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
    index = np.unique(group, return_inverse=True)[1]
    weights = bootstrap_weights(index, np.random.default_rng(seed), N_BOOT)[:, index]
    errors = np.stack([np.abs(own - truth), np.abs(found[best] - truth)])
    repeats = weights @ (errors[0] - errors[1]) / weights.sum(axis=1)
    return _scores(section, name, method, truth, own, group, seed) + [
        Number.of("gap between heads and latents", f"difference in mean |error| of {name}",
                  f"{method} - {best}", "all", truth.size, (errors[0] - errors[1]).mean(), interval(repeats)),
        Number.of("gap between heads and latents", f"difference in Spearman of {name}", f"{method} - {best}",
                  "all", truth.size, spearman(truth, own) - spearman(truth, found[best])),
    ]


def _scores(section, name, method, values, predicted, field, seed):
    group = np.unique(field, return_inverse=True)[1]
    weights = bootstrap_weights(group, np.random.default_rng(seed), N_BOOT)[:, group]
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
    The values of `correlation_numbers` as nested lists, for a figure: ``quantities``, and one list of
    `N_LATENT` ``values`` each.
    """
    values = {}
    for number in numbers:
        values.setdefault(number.quantity.removeprefix("Spearman with "), []).append(number.value)
    return {"quantities": list(values), "values": [[round(v, 3) for v in row] for row in values.values()]}


def correlation_numbers(quantities, latent):
    """
    Spearman correlation of each latent with each quantity, with approximate 90 % intervals (Fisher's z,
    factor 1.06 for ranks).
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
