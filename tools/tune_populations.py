# Licensed under a 3-clause BSD style license - see LICENSE
"""
Match the populations' parameters to real hardness ratios of the MATCH fields.

Per class, the parameters named in `CHOSEN` (at most six) are moved inside
their literature ranges until the energy distances between simulated and real
rows are smallest: of (hardness ratios, significance), and for the bright of
the photon index (and column) that the catalog fits. Simulated rows come
from physical parameters folded through real responses; real rows are only
compared with. In the distances a field of n rows of the class counts as the
square root of n, lest one rich cluster stand for the sky. HMXB, with a dozen
MATCH rows, keep their literature values.

    python tools/tune_populations.py DATA [CLASS ...]

prints the dictionary for `astro_xlatent.simulate.populations.TUNED`.
"""

import sys

import numpy as np
from scipy.spatial.distance import cdist

from astro_xlatent.physics.bestfit import power_law_fit
from astro_xlatent.simulate.populations import CLASSES, LITERATURE, draw_sources
from benchmarks.studies.discriminator import hardness_features, simulate_like
from benchmarks.studies.sample import load_sample, power_law_fits

CHOSEN = {
    "AGN": ("gamma_mean", "gamma_sd", "obscured", "soft_excess", "soft_fraction", "scattered"),
    "CV": ("kt", "magnetic", "partial_nh", "partial_mean", "nh_gal", "nh_gal_dex"),
    "HM-STAR": ("nh_gal", "nh_gal_dex", "kt_cool", "warm_ratio", "hard", "hard_ratio"),
    "LM-STAR": ("kt_hot", "hot_ratio", "hot_ratio_dex", "active", "nh_gal", "nh_gal_dex"),
    "LMXB": ("bright", "quiescent", "spider", "nh_gal", "nh_gal_dex", "disk_kt"),
    "NS": ("thermal", "nh_gal", "nh_gal_dex", "nh_thermal", "kt", "tail_ratio"),
    "YSO": ("kt_hot", "kt_hot_dex", "hot_ratio", "nh_gal", "nh_gal_dex", "embedded"),
}
# hardness spans 2, log significance about 1: weights of the axes in the distance
SCALE = np.array([1.0, 1.0, 0.5])
# pull towards the literature's initial values, per squared fraction of the range and per
# effective real row: the noise of the distance falls as one over their number
RIDGE = 0.5
# weight of the fitted parameters, and their axes: index / 2, log column
FIT_WEIGHT, FIT_SCALE = 0.5, np.array([0.5, 1.0])
# columns are compared only where the catalog gives one for most fits
COLUMN_SHARE = 0.8
GENERATIONS, POPULATION, ELITE, SIMULATED = 8, 20, 6, 1000


def to_unit(label, name, value):
    """Position of a value in its literature range, 0 to 1, logarithmic where the range is wide."""
    _, low, high, _, _ = LITERATURE[label][name]
    if low > 0 and high / low > 4:
        low, high, value = np.log(low), np.log(high), np.log(value)
    return (value - low) / (high - low)


def from_unit(label, name, position):
    """Inverse of `to_unit`, rounded to three digits and kept inside the range."""
    _, low, high, _, _ = LITERATURE[label][name]
    if low > 0 and high / low > 4:
        value = low * (high / low) ** position
    else:
        value = low + (high - low) * position
    return float(np.clip(float(f"{value:.3g}"), low, high))


def field_weights(field):
    """Weights of rows, such that a field of n rows counts as the square root of n; sum 1."""
    _, index, number = np.unique(field, return_inverse=True, return_counts=True)
    weight = number[index] ** -0.5
    return weight / weight.sum()


def energy_distance(real, weight, simulated):
    """Squared energy distance of a weighted and a plain sample; zero if they are alike."""
    within = weight @ cdist(real, real) @ weight + cdist(simulated, simulated).mean()
    return 2 * weight @ cdist(real, simulated).mean(axis=1) - within


class FitDistance:
    """Distance of a class's fitted power laws from those of the catalog."""

    def __init__(self, label, fits, field):
        """``fits``: photon index, its error, log column; NaN where the catalog has none."""
        self.label = label
        used = np.isfinite(fits[:, 0])
        with_column = used & np.isfinite(fits[:, 2])
        self.columns = [0]
        if used.any() and with_column.sum() >= COLUMN_SHARE * used.sum():
            self.columns, used = [0, 1], with_column
        fits = fits[used]
        self.weight = field_weights(field[used])
        self.scatter = np.nanmedian(fits[:, 1]) if len(fits) else 0.0
        self.real = self._scaled(fits[:, 0], fits[:, 2])

    def _scaled(self, index, log_nh):
        both = np.stack([np.clip(index, -1, 6), np.clip(log_nh, 20.5, 24)], axis=1) * FIT_SCALE
        return both[:, self.columns]

    def __call__(self, values, rng):
        if len(self.real) < 6:
            return 0.0
        index = np.full(600, CLASSES.index(self.label))
        sources = draw_sources(index, rng, tuned=False, parameters={self.label: values})
        nh, gamma = power_law_fit(sources.spectrum)
        gamma += self.scatter * rng.standard_normal(gamma.size)
        fitted = self._scaled(gamma, np.log10(nh + 1e19))
        return FIT_WEIGHT * energy_distance(self.real, self.weight, fitted)


def tune(label, real, fits, field, instruments, log=print):
    """Cross-entropy search over one class's chosen parameters."""
    names = CHOSEN[label]
    start = np.array([to_unit(label, name, LITERATURE[label][name][0]) for name in names])
    fit_distance = FitDistance(label, fits, field)
    weight = field_weights(field)
    ridge = RIDGE * np.sum(weight**2)

    def cost(position, seed=0):
        values = {name: from_unit(label, name, x) for name, x in zip(names, position, strict=True)}
        rng = np.random.default_rng(seed)
        options = {"tuned": False, "parameters": {label: values}}
        rows = simulate_like(label, real, SIMULATED, instruments, rng, **options)
        hardness = energy_distance(real * SCALE, weight, rows * SCALE)
        return hardness + fit_distance(values, rng) + ridge * np.sum((position - start) ** 2)

    rng = np.random.default_rng(1)
    mean, width = start.copy(), np.full(start.size, 0.25)
    best, best_cost = start, cost(start)
    first = best_cost
    for _ in range(GENERATIONS):
        trial = np.clip(mean + width * rng.standard_normal((POPULATION, start.size)), 0, 1)
        costs = np.array([cost(position) for position in trial])
        order = np.argsort(costs)[:ELITE]
        if costs[order[0]] < best_cost:
            best, best_cost = trial[order[0]], costs[order[0]]
        mean, width = trial[order].mean(axis=0), np.maximum(0.02, trial[order].std(axis=0))
    # the elite's mean is less of a lucky draw than the best trial
    chosen = min((mean, best), key=lambda position: cost(position, 5))
    log(f"# {label}: {len(real)} rows, distance {first:.4f} -> {best_cost:.4f}; "
        f"other noise {cost(start, 5):.4f} -> {cost(chosen, 5):.4f}")
    return {name: from_unit(label, name, x) for name, x in zip(names, chosen, strict=True)}


def main(data, *labels):
    sample = load_sample(data)
    features = hardness_features(sample.rows.flux, sample.rows.error)
    fits = power_law_fits(sample.labeled)
    for label in labels or CHOSEN:
        mine = (sample.rows.label == label) & (sample.split == "MATCH")
        found = tune(label, features[mine], fits[mine], sample.field[mine], sample.instruments)
        print(f'    "{label}": {found},', flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
