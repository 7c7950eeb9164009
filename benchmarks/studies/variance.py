# Licensed under a 3-clause BSD style license - see LICENSE
"""
How much of a quantity the latents alone explain, on simulated rows.
"""

import numpy as np

from astro_xlatent.evaluate.regression import predict_quantity, regressors
from astro_xlatent.evaluate.results import Number
from astro_xlatent.evaluate.scores import interval
from benchmarks.studies.coverage import mean_with_interval

__all__ = ["explained_variance"]

#: Rows used at most for one regression.
MAX_ROWS = 2500


def explained_variance(mode, rows, ranges, seed=0):
    """
    R2 of log N_H, photon index and log kT from simulated posterior means, and from heads.

    Parameters
    ----------
    mode : str
        For the section's name.
    rows : dict of ndarray
        From `~benchmarks.studies.simulated.simulate`.
    ranges : sequence of tuple
        Ranges of net counts.
    seed : int, optional
        Of folds and forests.

    Returns
    -------
    numbers : list of Number
    """
    section = f"simulated {mode}: variance explained by latents"
    rng = np.random.default_rng(seed)
    numbers = []
    for low, high in ranges:
        counted = (rows["net"] >= low) & (rows["net"] < high)
        for name, (values, head) in _quantities(rows).items():
            chosen = np.flatnonzero(counted & np.isfinite(values))[:MAX_ROWS]
            if chosen.size < 100:
                continue
            fold = rng.permutation(chosen.size) % 5
            predicted = {"head, not latents": head[chosen]}
            for method, regressor in regressors(seed).items():
                predicted[method] = predict_quantity(regressor, rows["latent"][chosen], values[chosen], fold)
            subset = f"{low}-{high} counts"
            for method, found in predicted.items():
                score = _r_squared(values[chosen], found, rng)
                numbers.append(Number.of(section, f"R2 of {name}", method, subset, chosen.size, *score))
            numbers.append(_gap(section, name, values[chosen], predicted, subset, rng))
    return numbers


def _quantities(rows):
    """True values, NaN where there are none, and the medians of the heads."""
    with np.errstate(invalid="ignore", divide="ignore"):
        nh = np.log10(np.maximum(rows["nh"], 1e20))
        median = np.maximum(rows["nh_quantiles"][:, 2], 20.0)
        found = {
            "log N_H (clipped at 1e20)": (nh, median),
            "log N_H > 21": (np.where(rows["nh"] > 1e21, nh, np.nan), median),
            "photon index": (rows["photon_index"], rows["index_median"]),
            # Generic sources often hide the power law whose index is asked for.
            "photon index, classes only": (
                np.where(rows["class_index"] >= 0, rows["photon_index"], np.nan), rows["index_median"]),
        }
        if "kt" in rows:
            found["log kT"] = (np.log10(rows["kt"]), rows["log_kt_median"])
    return found


def _gap(section, name, values, predicted, subset, rng):
    """How much smaller the head's error is than that of the best regression of the latents."""
    head = predicted.pop("head, not latents")
    best = min(predicted, key=lambda method: np.mean((predicted[method] - values) ** 2))
    difference = np.abs(head - values) - np.abs(predicted[best] - values)
    value, limits = mean_with_interval(difference, rng)
    quantity = f"mean |error| of {name}, head - best of latents"
    return Number.of(section, quantity, best, subset, values.size, value, limits)


def _r_squared(values, predicted, rng, n_boot=200):
    """R2 with its bootstrap interval over rows."""

    def score(index):
        rest = np.sum((values[index] - predicted[index]) ** 2)
        return 1 - rest / np.sum((values[index] - values[index].mean()) ** 2)

    everything = np.arange(len(values))
    repeats = [score(rng.choice(everything, everything.size)) for _ in range(n_boot)]
    return score(everything), interval(repeats)
