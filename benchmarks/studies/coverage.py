# Licensed under a 3-clause BSD style license - see LICENSE
"""
Do stated intervals hold the truth as often as they say?
"""

import numpy as np

from astro_xlatent.core.columns import CLASSES, N_LATENT
from astro_xlatent.evaluate.results import Number
from astro_xlatent.evaluate.scores import interval
from astro_xlatent.model.density import probability_below_truth
from astro_xlatent.model.network import LOG_NH_RANGE

__all__ = ["coverage_numbers", "latent_coverage", "mean_with_interval", "nh_coverage"]

# Half-widths of the central 68 and 90 % of a standard normal.
_HALF_WIDTH = {"68 %": 0.99446, "90 %": 1.64485}
_LEVEL = {"68 %": (1, 3), "90 %": (0, 4)}
#: Columns above which log N_H is scored.
NH_MIN = 1e21


def mean_with_interval(values, rng, n_boot=300, statistic=np.mean):
    """
    A statistic of independent rows with its bootstrap interval, NaN without rows; ``statistic`` takes an
    array and ``axis``.
    """
    values = np.asarray(values, float)
    if not values.size:
        return np.nan, (np.nan, np.nan)
    repeats = statistic(rng.choice(values, (n_boot, values.size)), axis=1)
    return float(statistic(values, axis=0)), interval(repeats)


def coverage_numbers(mode, rows, ranges, rng):
    """
    Coverage of all limits, bias of latents, errors of N_H, goodness of fit.

    Parameters
    ----------
    mode : str
        For the section's name.
    rows : dict of ndarray
        From `~benchmarks.studies.simulated.simulate`.
    ranges : sequence of tuple
        Ranges of net counts.
    rng : numpy.random.Generator
        Of the bootstrap.

    Returns
    -------
    numbers : list of Number
    """
    subsets = {f"{low}-{high} counts": (rows["net"] >= low) & (rows["net"] < high) for low, high in ranges}
    section = f"simulated {mode}: "
    numbers = []
    for mission in np.unique(rows["mission"]):
        numbers += latent_coverage(section + "latents", rows, rows["mission"] == mission, str(mission), rng)
    for name, where in subsets.items():
        numbers += latent_coverage(section + "latents", rows, where, name, rng)
    numbers += _latent_bias(section + "latents", rows, rng)
    classes = {f"class {label}": rows["class_index"] == k for k, label in enumerate(CLASSES)}
    for name, where in {**subsets, **classes}.items():
        numbers += nh_coverage(section + "N_H", rows, where, name, rng)
        numbers += limits_coverage(section + "other quantities", rows, where, name, rng)
    for name, where in subsets.items():
        numbers += _nh_errors(section + "N_H", rows, where, name, rng)
        if mode == "spectra":
            numbers += _goodness(section + "goodness of fit", rows, where, name, rng)
    return numbers


def _scores(rows):
    """(mu - z*) / s of every row and latent."""
    error = np.sqrt(np.diagonal(rows["latent_cov"], axis1=1, axis2=2))
    return (rows["latent"] - rows["target"]) / error


def latent_coverage(section, rows, where, subset, rng):
    """
    Share of true latents within their 68 and 90 % intervals.

    Parameters
    ----------
    section, subset : str
        Names.
    rows : dict of ndarray
        ``latent``, ``latent_cov`` and ``target``.
    where : ndarray of bool, shape (n,)
        Which rows.
    rng : numpy.random.Generator

    Returns
    -------
    numbers : list of Number
        Mean over the latents, and the latent that is farthest off.
    """
    score = np.abs(_scores(rows)[where])
    numbers = []
    for level, half_width in _HALF_WIDTH.items() if len(score) else ():
        inside = score < half_width
        value, limits = mean_with_interval(inside.mean(axis=1), rng)
        per_latent = inside.mean(axis=0)
        worst = int(np.argmax(np.abs(per_latent - float(level[:2]) / 100)))
        numbers += [
            Number.of(section, f"coverage {level}", "mean of latents", subset, len(score), value, limits),
            Number.of(section, f"coverage {level}", f"worst, latent {worst}", subset, len(score),
                      *mean_with_interval(inside[:, worst], rng)),
        ]
    return numbers


def _latent_bias(section, rows, rng):
    score = _scores(rows)
    return [
        Number.of(section, "mean of (mu - z*) / s", f"latent {k}", "all", len(score),
                  *mean_with_interval(score[:, k], rng))
        for k in range(N_LATENT)
    ]


def nh_coverage(section, rows, where, subset, rng):
    """
    Share of true N_H within their 68 and 90 % intervals.

    Parameters
    ----------
    section, rows, where, subset, rng
        As for `latent_coverage`; ``rows`` holds ``nh`` and ``nh_density``.

    Returns
    -------
    numbers : list of Number
        By the probability below the truth; truths below the density's range
        are placed at random within its first cell.
    """
    where = where & np.isfinite(rows["nh"])
    if not where.any():
        return []
    log_nh = np.log10(np.maximum(rows["nh"][where], 1.0))
    below = probability_below_truth(rows["nh_density"][where], LOG_NH_RANGE, log_nh, rng)
    numbers = []
    for level in _HALF_WIDTH:
        tail = 0.5 - float(level[:2]) / 200
        inside = (below > tail) & (below < 1 - tail)
        numbers.append(
            Number.of(section, f"coverage {level}", "model", subset, inside.size,
                      *mean_with_interval(inside, rng))
        )
    return numbers


def limits_coverage(section, rows, where, subset, rng):
    """
    Share of true photon indices, temperatures and fluxes within their 68 % limits.

    Parameters
    ----------
    section, rows, where, subset, rng
        As for `latent_coverage`; every ``<quantity>_limits`` of ``rows`` (n, 3)
        is compared with ``<quantity>``. Rows whose truth is NaN, or whose
        background was not measured, are left out.

    Returns
    -------
    numbers : list of Number
    """
    numbers = []
    for name in sorted(rows):
        if not name.endswith("_limits"):
            continue
        quantity = name.removesuffix("_limits")
        truth, (lower, _, upper) = rows[quantity], rows[name].T
        chosen = where & np.isfinite(truth) & rows["background_known"]
        if chosen.any():
            inside = ((truth > lower) & (truth < upper))[chosen]
            numbers.append(Number.of(section, f"coverage 68 % of {quantity}", "model", subset, inside.size,
                                     *mean_with_interval(inside, rng)))
    return numbers


def _nh_errors(section, rows, where, subset, rng):
    """Median |error| and bias of log N_H above `NH_MIN`, and the width of the interval."""
    where = where & (rows["nh"] > NH_MIN)
    if not where.any():
        return []
    quantiles = rows["nh_quantiles"][where]
    error = quantiles[:, 2] - np.log10(rows["nh"][where])
    values = {
        "median |error| of log N_H": np.abs(error),
        "median error of log N_H": error,
        "median width of the 68 % interval": quantiles[:, 3] - quantiles[:, 1],
    }
    return [
        Number.of(section, name, "model", f"{subset}, N_H > 1e21", error.size,
                  *mean_with_interval(value, rng, statistic=np.median))
        for name, value in values.items()
    ]


def _goodness(section, rows, where, subset, rng):
    gof = rows["gof"][where & np.isfinite(rows["gof"])]
    if not gof.size:
        return []
    # One repeat of all rows a time: bright sources with lines make the tail heavy.
    draws = rng.choice(gof, (300, gof.size))
    return [
        Number.of(section, "mean of xl_gof", "model", subset, gof.size, gof.mean(),
                  interval(draws.mean(axis=1))),
        Number.of(section, "standard deviation of xl_gof", "model", subset, gof.size, gof.std(),
                  interval(draws.std(axis=1))),
    ]
