# Licensed under a 3-clause BSD style license - see LICENSE
"""
Real sources observed twice: do their latents differ more than noise allows?

Detections of one source in different Chandra observations (compact objects of
the CSC) are compared in pairs, with bands only. Beside them stand simulated
repeats: a source of the same class with an unchanged spectrum, as many net
counts, the same epochs and the same recipe of the catalog.
"""

import numpy as np

from astro_xlatent.core.numbers import random_stream
from astro_xlatent.evaluate.results import Number, Results
from benchmarks.studies.guard_rails import share_of

__all__ = ["change_p_values", "disjoint_pairs", "evaluate_repeats", "p_against", "repeat_numbers"]

MIN_COUNTS = 20.0
LEVELS = (0.1, 0.01, 0.001)
CHUNK = 16
# Years between the epochs of the shipped response that simulated repeats are observed with.
EPOCH_STEP = 3


def change_p_values(first, second):
    """
    Probability of latents as different as these if the spectra's shapes are the same.

    Parameters
    ----------
    first, second : dict
        ``latent`` (n, 8) and ``latent_cov`` (n, 8, 8).

    Returns
    -------
    p : ndarray, shape (n,)
        See `astro_xlatent.compare.observations`; NaN where either says nothing.
    """
    from astropy.table import Table

    from astro_xlatent.compare.observations import combine

    tables = [Table({"xl_latent": a["latent"], "xl_latent_cov": a["latent_cov"]}, meta={"XLSPACE": "one"})
              for a in (first, second)]
    return combine(tables).p_change


def disjoint_pairs(names, usable):
    """
    Pairs of successive rows of the same source, no row in two pairs.

    Parameters
    ----------
    names : sequence of str, shape (n,)
    usable : ndarray of bool, shape (n,)
        Others are passed over.

    Returns
    -------
    pairs : ndarray of int, shape (n_pairs, 2)

    Examples
    --------
    >>> import numpy as np
    >>> disjoint_pairs(["a", "b", "a", "a", "a", "b"], np.array([1, 1, 1, 0, 1, 1], bool)).tolist()
    [[0, 2], [1, 5]]
    """
    waiting, pairs = {}, []
    for row in np.flatnonzero(usable):
        other = waiting.pop(names[row], None)
        if other is None:
            waiting[names[row]] = row
        else:
            pairs.append((other, row))
    return np.array(sorted(pairs), int).reshape(-1, 2)


def _simulated(bins, pairs, labels, years, recipe, seed):
    """Bins of both members of simulated pairs: one spectrum, counts and epochs of the real ones."""
    from astro_xlatent.missions.responses import default_response
    from astro_xlatent.simulate.instruments import CHIPS, prepare
    from astro_xlatent.simulate.observe import observe_bands
    from astro_xlatent.simulate.populations import CLASSES, draw_sources
    from astro_xlatent.spectra.bins import EnergyBins

    rng = random_stream(seed, "repeats")
    epoch = (EPOCH_STEP * np.round(years / EPOCH_STEP)).astype(int)
    instruments = {
        year: [prepare(chip, "csc", default_response("csc", chip, year), year, CHIPS[chip]) for chip in CHIPS]
        for year in np.unique(epoch[pairs]).tolist()
    }
    spectra = draw_sources([CLASSES.index(name) for name in labels[pairs[:, 0]]], rng).spectrum
    members = []
    for rows in pairs.T:
        parts, order = [], []
        for year, chips in instruments.items():
            mine = np.flatnonzero(epoch[rows] == year)
            for start in range(0, len(mine), CHUNK):
                some = mine[start:start + CHUNK]
                counts = bins.net_counts[rows[some]]
                parts.append(observe_bands(spectra[some], chips[rng.integers(len(chips))], rng, recipe,
                                               (counts, counts * (1 + 1e-9)))[0])
                order.append(some)
        members.append(EnergyBins.concatenate(parts)[np.argsort(np.concatenate(order))])
    return members


def _inferred(model, bins):
    posterior = model.infer(bins)
    covariance = posterior.latent_cov.copy()
    covariance[~posterior.detected] = np.nan  # what says nothing is not compared
    return {"latent": posterior.latent, "latent_cov": covariance}


def p_against(real, simulated):
    """
    Share of simulated repeats that are as different as each real one.

    Parameters
    ----------
    real, simulated : ndarray
        p-values of `change_p_values`, whose own scale does not matter here.

    Returns
    -------
    p : ndarray
        Of every real pair, at least 1 / (simulated + 1).

    Examples
    --------
    >>> import numpy as np
    >>> p_against(np.array([0.05, 0.5]), np.array([0.1, 0.2, 0.9]))
    array([0.25, 0.75])
    """
    below = np.searchsorted(np.sort(simulated), real, side="right")
    return (1 + below) / (1 + len(simulated))


def repeat_numbers(real, simulated, subset):
    """
    Real beside simulated p-values.

    Parameters
    ----------
    real, simulated : ndarray
        Of pairs; NaN is left out.
    subset : str

    Returns
    -------
    numbers : list of Number
    """
    from scipy.stats import ks_2samp, kstest

    section = "repeats: p-value of a change"
    real, simulated = (p[np.isfinite(p)] for p in (real, simulated))
    if min(real.size, simulated.size) < 5:
        return []
    numbers = [Number.of(section, f"share with p < {level}", name, subset, p.size, np.mean(p < level),
                         share_of(p < level)[1])
               for name, p in (("real", real), ("simulated, unchanged", simulated)) for level in LEVELS]
    against = p_against(real, simulated)
    numbers += [Number.of(section, f"share with p < {level} against simulated", "real", subset, real.size,
                          np.mean(against < level), share_of(against < level)[1]) for level in LEVELS[:2]]
    return [*numbers,
            Number.of(section, "KS p, against simulated", "real", subset, real.size,
                      ks_2samp(real, simulated).pvalue),
            Number.of(section, "KS p, against uniform", "simulated, unchanged", subset, simulated.size,
                      kstest(simulated, "uniform").pvalue)]


def evaluate_repeats(model, path, seed=1, log=None):
    """
    Compare repeated detections, real and simulated.

    Parameters
    ----------
    model : `~astro_xlatent.model.posterior.Model`
    path : path-like
        ``csc2_labelled_detections.csv.gz``.
    seed : int, optional
    log : callable, optional

    Returns
    -------
    results : Results
    """
    from astropy.time import Time

    from astro_xlatent.missions.base import get_mission
    from benchmarks.labels import load_detections

    log = log or (lambda line: None)
    table = load_detections(path).table
    table.sort("gti_obs")
    measured = get_mission("csc").read_bands(table)
    bins, recipes = measured.bins, np.asarray(measured.recipe).astype(str)
    label = np.asarray(table["xl_label"]).astype(str)
    usable = (bins.net_counts >= MIN_COUNTS) & bins.valid.all(axis=1) & (recipes == "energy flux")
    pairs = disjoint_pairs(np.asarray(table["name"]).astype(str), usable)
    log(f"{len(pairs)} pairs of detections with at least {MIN_COUNTS:.0f} counts each")
    years = Time(np.asarray(table["gti_obs"]).astype(str)).decimalyear
    members = _simulated(bins, pairs, label, years, "energy flux", seed)
    simulated = change_p_values(*(_inferred(model, b) for b in members))
    real = change_p_values(*(_inferred(model, bins[rows]) for rows in pairs.T))
    results = Results("Real sources observed twice", {"model": f"{model.name}-{model.version}",
                                                      "pairs": str(len(pairs))})
    least = bins.net_counts[pairs].min(axis=1)
    groups = {"all": least > 0, "20-100 counts": least < 100, "above 100 counts": least >= 100}
    groups |= {f"class {name}": label[pairs[:, 0]] == name for name in sorted(set(label[pairs[:, 0]]))}
    for name, rows in groups.items():
        results.add(repeat_numbers(real[rows], simulated[rows], name))
    results.notes.append("The test's own p-values are too large: of simulated repeats far fewer than a "
                         "tenth fall below 0.1. Those against simulated repeats are right by construction.")
    results.notes.append("Binaries and pulsars vary, so more small p-values than simulated are expected; "
                         "only a deficit, or an excess as large in classes that do not vary, would speak "
                         "against the errors of the latents.")
    return results
