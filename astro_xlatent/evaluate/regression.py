# Licensed under a 3-clause BSD style license - see LICENSE
"""
What the latents know of measured quantities, beside hardness ratios.
"""

import numpy as np

from astro_xlatent.columns import N_LATENT
from astro_xlatent.evaluate.baselines import plain_column
from astro_xlatent.evaluate.folds import grouped_folds
from astro_xlatent.evaluate.results import Number
from astro_xlatent.evaluate.scores import bootstrap_weights, interval
from astro_xlatent.evaluate.variance import predict_quantity, regressors

__all__ = ["QUANTITIES", "correlation_numbers", "quantities_of", "regression_numbers", "spearman"]

#: Columns of measured quantities: name in the report, columns in order of preference, logarithmic or not.
QUANTITIES = (
    ("log N_H of the catalogue's fit", ("powlaw_nh", "powlaw_nh_mean"), True),
    ("photon index of the catalogue's fit", ("powlaw_gamma", "powlaw_gamma_mean"), False),
    ("log kT of the catalogue's fit", ("bb_kt", "brems_kt", "apec_kt"), True),
    ("log flux 0.5-7 keV", ("flux_aper_b", "flux_aper90_ave_b", "flux_aper90_mean_b"), True),
)
MIN_ROWS = 60


def quantities_of(table, features, kind=""):
    """
    Quantities of a table that a regression may predict.

    Parameters
    ----------
    table : `~astropy.table.Table`
    features : dict of ndarray
        With ``"hardness"`` where there are band columns.
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
            values = plain_column(table, present[0])
            with np.errstate(invalid="ignore", divide="ignore"):
                values = np.log10(values) if logarithmic else values
            found[name] = np.where(np.isfinite(values), values, np.nan)
    hardness = features.get("hardness")
    if hardness is not None:
        for k in range(hardness.shape[1]):
            found[f"{kind}hardness ratio {k}"] = hardness[:, k]
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


def regression_numbers(quantities, features, field, seed=0, quick=False, n_boot=200):
    """
    R2, mean absolute error and Spearman correlation of predictions.

    Parameters
    ----------
    quantities : dict of ndarray, shape (n,)
        From `quantities_of`.
    features : dict of ndarray, shape (n, k)
        Sets of features by name.
    field : ndarray of int, shape (n,)
        Kept together in folds, and resampled as a whole.
    seed : int, optional
    quick : bool, optional
        No random forests.
    n_boot : int, optional

    Returns
    -------
    numbers : list of Number
    notes : list of str
        Quantities left out.
    """
    numbers, notes = [], []
    tools = regressors(seed)
    tools = {name: tools[name] for name in ("ridge", "k-NN")} if quick else tools
    for name, values in quantities.items():
        known = np.isfinite(values)
        rows = known & np.all([np.isfinite(x).all(axis=1) for x in features.values()], axis=0)
        if rows.sum() < MIN_ROWS or np.ptp(values[rows]) == 0 or np.unique(field[rows]).size < 5:
            notes.append(f"{name}: {rows.sum()} rows, too few or constant: left out of the regression")
            continue
        fold = grouped_folds(np.zeros(rows.sum()), field[rows], 5, seed)
        for label, x in features.items():
            if "hardness ratio" in name and "hardness" in label:
                continue
            for tool, regressor in tools.items():
                predicted = predict_quantity(regressor, x[rows], values[rows], fold)
                numbers += _scores(
                    name, f"{label}, {tool}", values[rows], predicted, field[rows], seed, n_boot
                )
    return numbers, notes


def _scores(name, method, values, predicted, field, seed, n_boot):
    group = np.unique(field, return_inverse=True)[1]
    weights = bootstrap_weights(group, np.random.default_rng(seed), n_boot)[:, group]
    squared, absolute = (values - predicted) ** 2, np.abs(values - predicted)
    total = weights.sum(axis=1)
    mean = weights @ values / total
    variance = weights @ values**2 / total - mean**2
    section = "regression, folds by sky field"
    return [
        Number.of(
            section,
            f"R2 of {name}",
            method,
            "all",
            values.size,
            1 - squared.mean() / values.var(),
            interval(1 - weights @ squared / total / variance),
        ),
        Number.of(
            section,
            f"mean |error| of {name}",
            method,
            "all",
            values.size,
            absolute.mean(),
            interval(weights @ absolute / total),
        ),
        Number.of(section, f"Spearman of {name}", method, "all", values.size, spearman(values, predicted)),
    ]


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
                Number.of(
                    "correlation of latents with quantities",
                    f"Spearman with {name}",
                    f"latent {k}",
                    "all",
                    known.sum(),
                    r,
                    limits,
                )
            )
    return numbers
