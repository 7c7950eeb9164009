# Licensed under a 3-clause BSD style license - see LICENSE
"""
Column densities beside the catalog's own fits.

CSC's fits are power laws with photoelectric absorption in the abundances of
Anders & Grevesse; they are converted to this package's convention first.
"""

import numpy as np

from astro_xlatent.core.numbers import plain_floats
from astro_xlatent.evaluate.results import Number
from astro_xlatent.evaluate.scores import bootstrap_weights, interval
from astro_xlatent.physics.absorption import convert_nh

__all__ = ["FIT_CLASSES", "NH_MIN", "catalog_fits", "fit_numbers", "residual_numbers"]

#: A star's power-law column is no truth: only classes whose spectra are power-law-like.
FIT_CLASSES = ("AGN", "CV", "HMXB", "LMXB", "NS")
#: Fits below, in 1/cm2, are mostly limits.
NH_MIN = 1e21


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


def fit_numbers(table, label, group, subsets, rng, n_boot=300):
    """
    Differences between ``xl_nh`` and the catalog's fits on subsets of rows (by name), groups being resampled
    as a whole; empty without fits. Standardized residuals include the fit's error.
    """
    log_nh, log_error = catalog_fits(table)
    if log_nh is None:
        return []
    with np.errstate(invalid="ignore", divide="ignore"):
        ours, low, high, limit = (
            np.log10(plain_floats(table[f"xl_nh{suffix}"])) for suffix in ("", "_lolim", "_hilim", "_ul90")
        )
    difference = ours - log_nh
    error = np.hypot(0.5 * (high - low), log_error)
    fitted = np.isfinite(difference) & np.isin(label, FIT_CLASSES)
    threshold = np.log10(NH_MIN)
    numbers = []
    for subset, where in subsets.items():
        above, below = where & fitted & (log_nh > threshold), where & fitted & (log_nh <= threshold)
        numbers += residual_numbers(difference, error, above, group, f"{subset}, fits > 1e21", rng, n_boot)
        if below.any():
            held = (limit[below] > log_nh[below]).astype(float)
            weights = _row_weights(group[below], rng, n_boot)
            numbers.append(
                Number.of(_SECTION, "share of 90 % upper limits above the fit", "xl_nh_ul90",
                          f"{subset}, fits < 1e21", below.sum(), held.mean(), interval(weights @ held))
            )
    first, everything = next(iter(subsets.items()))
    for name in FIT_CLASSES:
        chosen = everything & fitted & (label == name) & (log_nh > threshold)
        words = f"{first}, fits > 1e21, {name}"
        numbers += residual_numbers(difference, error, chosen, group, words, rng, n_boot)
    return numbers


_SECTION = "N_H against the catalog's fits"


def _row_weights(group, rng, n_boot):
    """Weights of rows in bootstrap repeats over groups, each repeat's sum being one."""
    index = np.unique(group, return_inverse=True)[1]
    weights = bootstrap_weights(index, rng, n_boot)[:, index]
    return weights / np.maximum(weights.sum(axis=1, keepdims=True), 1e-9)


def residual_numbers(difference, error, where, group, subset, rng, n_boot):
    """
    What differences of log N_H (n,) in dex are on average, and beside the stated errors, which may be NaN,
    on the rows ``where``; groups are resampled as a whole. Empty for fewer than two rows.
    """
    if where.sum() < 2:
        return []
    weights = _row_weights(group[where], rng, n_boot)
    d, s = difference[where], difference[where] / error[where]
    known = np.isfinite(s)
    numbers = [
        Number.of(_SECTION, "mean |difference|, dex", "xl_nh", subset, d.size, np.abs(d).mean(),
                  interval(weights @ np.abs(d))),
        Number.of(_SECTION, "mean difference, dex", "xl_nh", subset, d.size, d.mean(), interval(weights @ d)),
        Number.of(_SECTION, "median |difference|, dex", "xl_nh", subset, d.size, np.median(np.abs(d))),
    ]
    if known.sum() > 1:
        # Of a normal deviate of known error; 68 % widths of skewed intervals make it approximate.
        expected = np.sqrt(2 / np.pi) * error[where][known].mean()
        numbers.append(
            Number.of(_SECTION, "the same as expected of both stated errors", "xl_nh", subset, known.sum(),
                      expected)
        )
        s = np.where(known, s, 0.0)
        share = weights * known
        share /= np.maximum(share.sum(axis=1, keepdims=True), 1e-9)
        repeats = share @ s**2 - (share @ s) ** 2
        numbers.append(
            Number.of(_SECTION, "variance of standardized residuals", "xl_nh", subset, known.sum(),
                      np.var(s[known]), interval(repeats))
        )
    return numbers
