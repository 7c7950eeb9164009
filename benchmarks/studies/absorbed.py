# Licensed under a 3-clause BSD style license - see LICENSE
"""
Absorbed AGN in three bands: how many can be named, by anyone?

Behind 1e22 cm-2 next to nothing arrives below 1 keV, and what the other bands
hold fits binaries, magnetic white dwarfs and neutron stars as well. Gradient
boosting trained on simulated bands, of all classes alike and with the same
imperfections, says what any classifier can do with a flat prior.
"""

import numpy as np

from astro_xlatent.core.numbers import random_stream, stream_seed
from astro_xlatent.evaluate.results import Number, Results
from astro_xlatent.simulate.imperfections import PIECES
from astro_xlatent.simulate.populations import CLASSES, draw_sources
from astro_xlatent.spectra.bins import EnergyBins
from benchmarks.studies.coverage import mean_with_interval

__all__ = ["band_features", "evaluate_absorbed", "recall_numbers", "simulate_bands"]

#: Least log10 of the column (1/cm2) of an absorbed AGN.
LEAST_COLUMN = 22.0
SECTION = f"AGN with log N_H > {LEAST_COLUMN:.0f} in three bands"
#: Ranges of net counts.
RANGES = ((10.0, 30.0), (30.0, 100.0), (100.0, 300.0), (300.0, 1000.0), (1000.0, 1e5))
AGN = CLASSES.index("AGN")
BATCH = 256


def simulate_bands(instruments, class_index, seed):
    """
    Bands of Chandra as the catalog publishes them and the package reads them.

    Parameters
    ----------
    instruments : list of `~astro_xlatent.simulate.instruments.Instrument`
    class_index : ndarray of int, shape (n,)
        Into `~astro_xlatent.simulate.populations.CLASSES`.
    seed : int

    Returns
    -------
    bins : EnergyBins
    nh : ndarray, shape (n,)
        True columns in 1/cm2.
    """
    from astro_xlatent.train.batches import draw_faults
    from astro_xlatent.train.stream import observe_full

    parts, nh = [], []
    for start in range(0, len(class_index), BATCH):
        rng = np.random.default_rng([seed, start])
        sources = draw_sources(class_index[start:start + BATCH], rng)
        see = draw_faults((seed, start), PIECES)[1]
        parts.append(observe_full("bands", sources.spectrum, instruments, rng, see=see, mission="csc")[0])
        nh.append(sources.truth["nh"])
    return EnergyBins.concatenate(parts), np.concatenate(nh)


def band_features(bins):
    """What a classifier is told of every band: counts, background and area, as logarithms, (rows, 9)."""
    return np.concatenate([np.log(np.where(bins.valid, values, 0.0).clip(least)) for values, least in (
        (bins.counts + 1, 1.0), (bins.background + 0.1, 0.1), (bins.area, 1.0))], axis=1)


def recall_numbers(method, net, probability, sets, rng):
    """
    How often absorbed AGN are called AGN.

    Parameters
    ----------
    method : str
    net : ndarray, shape (n,)
        Net counts of absorbed AGN.
    probability : ndarray, shape (n, 9)
        For equal priors.
    sets : sequence of tuple of int, or None
        Conformal sets of classes.
    rng : `numpy.random.Generator`
        Of the bootstrap.

    Returns
    -------
    numbers : list of Number
    """
    numbers = []
    told = {"share called AGN": probability.argmax(axis=1) == AGN,
            "mean probability of AGN": probability[:, AGN]}
    if sets is not None:
        told["share with AGN in the conformal set"] = np.array([AGN in row for row in sets])
    for low, high in RANGES:
        rows = (net >= low) & (net < high)
        for quantity, values in told.items():
            value, interval = mean_with_interval(values[rows].astype(float), rng)
            numbers.append(Number.of(SECTION, quantity, method, f"{low:.0f}-{high:.0f} counts",
                                     int(rows.sum()), value, interval))
    return numbers


def evaluate_absorbed(model, instruments, n=40000, seed=1, log=None):
    """
    Absorbed AGN by the model, and by boosting trained on simulated bands.

    Parameters
    ----------
    model, instruments, seed, log
        As for `~benchmarks.studies.simulated.evaluate_simulated`.
    n : int, optional
        Sources of all classes that boosting learns from; a quarter as many AGN are judged.

    Returns
    -------
    results : Results
    """
    from sklearn.ensemble import HistGradientBoostingClassifier

    log = log or (lambda line: None)
    seed, rng = stream_seed(seed, "absorbed"), random_stream(seed, "absorbed")
    log(f"absorbed AGN: {n} sources of all classes")
    label = rng.integers(len(CLASSES), size=n)
    learned, _ = simulate_bands(instruments, label, seed)
    boosting = HistGradientBoostingClassifier(max_iter=150, learning_rate=0.06, max_leaf_nodes=16,
                                              min_samples_leaf=40, l2_regularization=1.0, random_state=0)
    boosting.fit(band_features(learned), label)
    log("absorbed AGN: AGN")
    judged, nh = simulate_bands(instruments, np.full(n // 4, AGN), seed + 1)
    posterior = model.infer(judged)
    rows = np.flatnonzero((np.log10(nh) > LEAST_COLUMN) & posterior.detected)
    judged, posterior = judged[rows], posterior[rows]
    results = Results("Absorbed AGN", {"model": f"{model.name}-{model.version}", "sources": f"{n}"})
    results.add(recall_numbers("model", judged.net_counts, posterior.class_prob, posterior.class_set, rng))
    results.add(recall_numbers("boosting trained on simulated bands", judged.net_counts,
                               boosting.predict_proba(band_features(judged)), None, rng))
    return results
