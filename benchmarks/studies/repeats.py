# Licensed under a 3-clause BSD style license - see LICENSE
"""
Real sources observed twice: do their latents differ more than noise allows?

Detections of one source in different Chandra observations are compared in pairs,
with bands only, where the catalog finds no change of flux. Beside them stand
simulated repeats: unchanged spectra of classes that reproduce the hardness of the
real ones, with as many net counts, the same chips, epochs, angles and recipe.

    python -m benchmarks.judge_model repeats --data DATA
"""

import numpy as np

from astro_xlatent.core.numbers import plain_floats, random_stream
from astro_xlatent.evaluate.results import Number, Results
from astro_xlatent.missions.csc import CSC
from benchmarks import judge_rows
from benchmarks.studies.guard_rails import share_of

__all__ = ["change_p_values", "chi2_numbers", "disjoint_pairs", "evaluate_repeats", "p_against",
           "repeat_numbers"]

MIN_COUNTS = 20.0
LEVELS = (0.1, 0.01)
CHUNK = 16
#: Largest probability to vary between observations.
STEADY = 0.5
#: Simulated repeats of every real one.
COPIES = 5
# Simulated rows of every class that tell the classes' shares.
MIXTURE_ROWS = 200


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
    return _combined(first, second).p_change


def _combined(first, second):
    from astropy.table import Table

    from astro_xlatent.compare.observations import combine

    return combine([Table({f"xl_{name}": one[name] for name in ("latent", "latent_cov")},
                          meta={"XLSPACE": "one"}) for one in (first, second)])


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


def _simulated(table, bins, pairs, recipe, seed):
    """Bins of both members of simulated pairs: one spectrum, counts, chips, epochs, angles of the real."""
    from astro_xlatent.missions._columns import Columns
    from astro_xlatent.missions._csc_areas import chip_of, year_of
    from astro_xlatent.simulate.observe import draw_apertures, read_published
    from astro_xlatent.simulate.populations import CLASSES, draw_sources
    from astro_xlatent.spectra.bins import EnergyBins

    rng, cols = random_stream(seed, "repeats"), Columns(table)
    years, chips, angles = year_of(cols), chip_of(cols)[0], cols.number("theta")
    made, classes = judge_rows.simulate(years, chips, angles, MIXTURE_ROWS, rng)
    real, fake = (judge_rows.features(rows, "energy flux")[0][:, 3:5] for rows in (table, made))
    shares = judge_rows.mixture(real[pairs[:, 0]], fake, classes)
    spectra = draw_sources(rng.choice(len(CLASSES), len(pairs), p=shares), rng).spectrum
    names, epochs = judge_rows.exposures(years, chips)
    members = []
    for rows in pairs.T:
        parts, order = [], []
        for name, epoch in sorted(set(zip(names[rows].tolist(), epochs[rows].tolist(), strict=True))):
            mine = np.flatnonzero((names[rows] == name) & (epochs[rows] == epoch))
            for start in range(0, len(mine), CHUNK):
                some = mine[start:start + CHUNK]
                counts = bins.net_counts[rows[some]]
                seen = draw_apertures(spectra[some], judge_rows.instrument(name, epoch), rng,
                                      (counts, counts * (1 + 1e-9)), angles[rows[some]])
                parts.append(read_published(seen, recipe, rng))
                order.append(some)
        members.append(EnergyBins.concatenate(parts)[np.argsort(np.concatenate(order))])
    return members


def _same_flux(table, pairs):
    """Whether the broad photon fluxes of both members agree within two of their errors."""
    flux, low, high = (plain_floats(table[f"photflux_aper{end}_b"])[pairs]
                       for end in ("", "_lolim", "_hilim"))
    return np.abs(flux[:, 1] - flux[:, 0]) < 2 * np.hypot(*(0.5 * (high - low)).T)


def _changes(model, members):
    """chi2 of a common spectrum and its p-value, NaN where a member says nothing."""
    found = []
    for bins in members:
        posterior = model.infer(bins)
        covariance = posterior.latent_cov.copy()
        covariance[~posterior.detected] = np.nan
        found.append({"latent": posterior.latent, "latent_cov": covariance})
    both = _combined(*found)
    return np.where(np.isfinite(both.p_change), both.chi2, np.nan), both.p_change


def chi2_numbers(real, simulated, subset, seed=1, n_boot=300):
    """Mean chi2 of real pairs over that of simulated ones, with 90 % of bootstrap repeats over pairs."""
    real, simulated = (c[np.isfinite(c)] for c in (real, simulated))
    if min(real.size, simulated.size) < 10:
        return []
    rng = np.random.default_rng(seed)
    drawn = [np.mean(rng.choice(real, real.size)) / np.mean(rng.choice(simulated, simulated.size))
             for _ in range(n_boot)]
    limits = tuple(np.quantile(drawn, (0.05, 0.95)))
    section = "repeats: chi2 of a common spectrum"
    return [Number.of(section, "mean over that of simulated repeats", "real", subset, real.size,
                      real.mean() / simulated.mean(), limits),
            Number.of(section, "median over that of simulated repeats", "real", subset, real.size,
                      np.median(real) / np.median(simulated))]


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
                          np.mean(against < level), share_of(against < level)[1]) for level in LEVELS]
    return [*numbers,
            Number.of(section, "KS p, against simulated", "real", subset, real.size,
                      ks_2samp(real, simulated).pvalue),
            Number.of(section, "KS p, against uniform", "simulated, unchanged", subset, simulated.size,
                      kstest(simulated, "uniform").pvalue)]


def evaluate_repeats(model, path, seed=1, log=None):
    """
    Compare repeated detections, real and simulated, read from energy and from photon fluxes.

    Parameters
    ----------
    model : `~astro_xlatent.model.posterior.Model`
    path : path-like
        ``csc20_detections.csv.gz``.
    seed : int, optional
    log : callable, optional

    Returns
    -------
    results : Results
    """
    from astropy.table import Table

    log = log or (lambda line: None)
    table = Table.read(path, format="ascii.csv")
    text = {name: np.ma.filled(table[name], "") for name in ("instrument", "match_type")}
    table = table[(text["instrument"] == "ACIS") & (text["match_type"] == "u")]
    table.sort("gti_mjd_obs")
    names, steady = np.asarray(table["name"]).astype(str), plain_floats(table["var_inter_prob_b"]) < STEADY
    results = Results("Real sources observed twice", {"model": f"{model.name}-{model.version}"})
    for recipe in ("energy flux", "photon flux"):
        bins = CSC(recipes=(recipe,)).read_bands(table).bins
        pairs = disjoint_pairs(names, steady & (bins.net_counts >= MIN_COUNTS) & bins.valid.all(axis=1))
        pairs = pairs[_same_flux(table, pairs)]
        log(f"{recipe}: {len(pairs)} pairs of detections with at least {MIN_COUNTS:.0f} counts each")
        chi2, p = _changes(model, [bins[rows] for rows in pairs.T])
        members = _simulated(table, bins, np.tile(pairs, (COPIES, 1)), recipe, seed)
        expected, p_expected = _changes(model, members)
        least = bins.net_counts[pairs].min(axis=1)
        groups = {"all": least > 0, "20-100 counts": least < 100, "above 100 counts": least >= 100}
        for words, rows in groups.items():
            subset = f"{recipe}, {words}"
            theirs = np.tile(rows, COPIES)
            results.add(chi2_numbers(chi2[rows], expected[theirs], subset, seed))
            results.add(repeat_numbers(p[rows], p_expected[theirs], subset))
    results.notes.append("Sources whose probability to vary between observations (var_inter_prob_b) is "
                         f"below {STEADY}, and pairs whose broad photon fluxes agree within two errors.")
    results.notes.append("The test's own p-values are too large: of simulated repeats far fewer than a "
                         "tenth fall below 0.1. Those against simulated repeats are right by construction.")
    return results
