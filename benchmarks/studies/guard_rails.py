# Licensed under a 3-clause BSD style license - see LICENSE
"""
Do the guard rails hold: is what the model does not know called odd?

Every kind of `benchmarks.studies.oddities` is observed with 1,000 counts and more, and counted where a
statistic falls beyond the threshold that 5 % of ordinary simulations of the same counts pass. Only
spectra with a measured background are judged, as the package does.
"""

from dataclasses import replace

import numpy as np

from astro_xlatent.core.errors import ParameterError
from astro_xlatent.core.numbers import random_stream
from astro_xlatent.evaluate.results import Number, Results
from astro_xlatent.model import checks
from astro_xlatent.model.checks import CHECKS, check_spectra
from astro_xlatent.spectra.bins import EnergyBins
from benchmarks.studies.oddities import TESTED, TUNING, Oddity, shift_gain

__all__ = ["detection_numbers", "evaluate_guard_rails", "gain_numbers", "lines_of_known_continuum",
           "observe_oddity", "optimal_power", "optimal_separation", "real_hrc_numbers", "share_of"]

FALSE_ALARMS = 0.05
SECTION = "guard rails: detected at 5 % false alarms"
#: Expected source counts, log-uniform within each range.
COUNTS_RANGES = ((1000.0, 3000.0), (3000.0, 10000.0))
GAIN_RANGES = ((100.0, 300.0), (300.0, 1000.0), *COUNTS_RANGES, (10000.0, 20000.0))
GAIN = 1.03
# Rows that share one response.
CHUNK = 4
# Far from the seeds of training, calibration and the other tests.


def observe_oddity(oddity, n, instruments, rng, counts_range):
    """
    Observe odd sources, or ordinary ones oddly.

    Parameters
    ----------
    oddity : `~benchmarks.studies.oddities.Oddity`, or None
        None for ordinary observations.
    n : int
        Number of rows.
    instruments : list of `~astro_xlatent.simulate.instruments.Instrument`
    rng : `numpy.random.Generator`
    counts_range : tuple of float
        Expected source counts.

    Returns
    -------
    bins : EnergyBins
        On the fine grid; rows with a measured background only, nearly ``n``.
    matrices : ndarray of float32, shape (rows, N_FINE, n_energy)
        What the model is told.
    expected : ndarray, shape (2, rows, N_FINE)
        Expected counts of the ordinary source through the told response, at the
        true number of source counts, and in truth.
    """
    from astro_xlatent.simulate.conditions import MISSION_SHARE
    from astro_xlatent.train.stream import draw_training_sources

    ordinary = spectra = draw_training_sources(n, rng).spectrum
    if oddity is not None and oddity.spectra is not None:
        spectra = oddity.spectra(spectra, rng)
    missions = sorted({i.mission for i in instruments} & set(MISSION_SHARE))
    share = np.array([MISSION_SHARE[m] for m in missions])
    parts = []
    for start in range(0, n, CHUNK):
        mission = rng.choice(missions, p=share / share.sum())
        mission = getattr(oddity, "mission", None) or str(mission)
        own = [i for i in instruments if i.mission == mission]
        if not own:
            msg = f"instruments hold none of mission {mission!r}, which this oddity needs"
            raise ParameterError(msg)
        chunk = slice(start, start + CHUNK)
        parts.append(_observe_chunk(oddity, ordinary[chunk], spectra[chunk], own[rng.integers(len(own))], rng,
                                    counts_range))
    bins = EnergyBins.concatenate([part[0] for part in parts])
    known = bins.background_known
    matrices = np.concatenate([part[1] for part in parts])[known]
    return bins[known], matrices, np.concatenate([part[2] for part in parts], axis=1)[:, known]


def _observe_chunk(oddity, ordinary, spectra, instrument, rng, counts_range):
    from astro_xlatent.simulate.observe import observe_spectra

    used = instrument
    if oddity is not None and oddity.response is not None:
        used = replace(instrument, matrix=oddity.response(instrument, rng).astype(np.float32))
    bins, truth = observe_spectra(spectra, used, rng, counts_range)
    seconds, background = truth["seconds"][:, None], truth["expected_background"]
    null, source = ordinary @ instrument.matrix.T, spectra @ used.matrix.T * seconds
    null = null * (source.sum(axis=1) / null.sum(axis=1))[:, None]
    expected = np.stack([null, source]) + background
    if oddity is not None and oddity.counts is not None:
        bins = oddity.counts(bins, rng)
    return bins, instrument.matrix * seconds[..., None].astype(np.float32), expected


def optimal_power(expected, valid, false_alarms=FALSE_ALARMS):
    """
    Power of the likelihood-ratio test between two known hypotheses.

    No test of the same false alarms does better (Neyman & Pearson 1933, Phil.
    Trans. A 231, 289). The ratio is taken as normal, which it nearly is for
    hundreds of counts.

    Parameters
    ----------
    expected : ndarray, shape (2, rows, bins)
        Expected counts under either hypothesis; the second's sum is set to
        the first's, for a normalization tells nothing.
    valid : ndarray of bool, shape (rows, bins)
        Bins that count.
    false_alarms : float, optional

    Returns
    -------
    power : ndarray, shape (rows,)

    Examples
    --------
    >>> import numpy as np
    >>> from benchmarks.studies.guard_rails import optimal_power
    >>> same = np.full((2, 1, 3), 50.0)
    >>> optimal_power(same, same[0] > 0).round(3)
    array([0.05])
    """
    from scipy.special import ndtr, ndtri

    difference, spread, spread_other = _likelihood_ratio(expected, valid)
    return ndtr((difference + ndtri(false_alarms) * spread) / spread_other)


def optimal_separation(expected, valid):
    """Area under the receiver's curve of the test of `optimal_power`, shape (rows,)."""
    from scipy.special import ndtr

    difference, *spreads = _likelihood_ratio(expected, valid)
    return ndtr(difference / np.hypot(*spreads))


def lines_of_known_continuum(bins, matrices, expected):
    """
    p-values of lines somewhere on expected counts (rows, N_FINE), of which but the sum is unknown.

    What no check can beat that has to find the continuum, too.
    """
    p = np.empty(len(bins))
    for row, valid in enumerate(bins.valid):
        model = np.maximum(expected[row, valid], 1e-3)
        source = np.maximum(model - bins.background[row, valid], 1e-6)
        lines = matrices[row][np.ix_(valid, checks._COLUMNS)] @ checks._SHAPES
        unused = np.zeros((model.size, len(checks.GAIN_STEPS)))
        p[row] = checks._check(
            bins.counts[row, valid] - model, model, np.zeros(model.size), source[:, None],
            np.column_stack([lines, unused]))["line"]
    return p


def _likelihood_ratio(expected, valid):
    """Difference of its means, and its deviations under either hypothesis, each (rows,)."""
    null, other = (np.where(valid, np.maximum(m, 1e-6), 0.0) for m in expected)
    other = other * (null.sum(axis=1) / other.sum(axis=1))[:, None]
    ratio = np.log(np.where(valid, other, 1.0) / np.where(valid, null, 1.0))
    difference = ((other - null) * ratio).sum(axis=1)
    return difference, *(np.sqrt((m * ratio**2).sum(axis=1)).clip(1e-9) for m in (null, other))


def _statistics(model, bins, matrices):
    """p-values by name, small if odd; NaN where the model says nothing."""
    posterior = model.infer(bins, matrices)
    fit = {name: getattr(posterior, name) for name in ("gof", "run", "distance")}
    parts = model.calibration.oddness("spectra", bins.net_counts, posterior.latent, posterior.latent_cov, fit)
    found = {"xl_outlier": posterior.outlier} | {f"its part {name}": p for name, p in parts.items()}
    checked = check_spectra(model.decode, model.best_fit(bins, posterior.latent, matrices)[0], bins, matrices)
    found |= {f"check {name}": checked[name] for name in CHECKS}
    return {name: np.where(np.isfinite(p), p, 1.0) for name, p in found.items()}


def share_of(odd):
    """
    Share of rows, with an interval.

    Parameters
    ----------
    odd : ndarray of bool

    Returns
    -------
    share : float
    interval : tuple of float
        90 %, of Agresti & Coull (1998, Am. Stat. 52, 119).

    Examples
    --------
    >>> share, (low, high) = share_of([True, False, False, False])
    >>> share, round(low, 2), round(high, 2)
    (0.25, 0.05, 0.65)
    """
    n, k = len(odd), int(np.count_nonzero(odd))
    middle = (k + 1.35) / (n + 2.71)
    half = 1.645 * float(np.sqrt(middle * (1 - middle) / (n + 2.71)))
    return (k / n if n else np.nan), (max(middle - half, 0.0), min(middle + half, 1.0))


def detection_numbers(name, subset, p_values, thresholds):
    """
    Shares of odd rows that are detected.

    Parameters
    ----------
    name, subset : str
        Oddity and counts.
    p_values, thresholds : dict of ndarray and of float, by statistic

    Returns
    -------
    numbers : list of Number
    """
    numbers = []
    for statistic, p in p_values.items():
        value, interval = share_of(p <= thresholds[statistic])
        numbers.append(Number.of(SECTION, name, statistic, subset, len(p), value, interval))
    return numbers


def _thresholds(p_values):
    return {name: float(np.quantile(p, FALSE_ALARMS)) for name, p in p_values.items()}


def _separation(p_odd, p_ordinary):
    """Area under the receiver's curve of two sets of p-values, ties counted half."""
    below = p_odd[:, None] < p_ordinary
    return float(below.mean() + 0.5 * (p_odd[:, None] == p_ordinary).mean())


def uniformity_numbers(p_values, subset):
    """Kolmogorov and Smirnov's p-values of the checks of ordinary rows against a uniform distribution."""
    from scipy.stats import kstest

    return [
        Number.of(
            "guard rails: are p-values uniform on ordinary simulations (KS p)",
            statistic,
            statistic,
            subset,
            len(p),
            kstest(p, "uniform").pvalue,
        )
        for statistic, p in p_values.items()
        if statistic.startswith(("check", "xl_outlier"))
    ]


def _range_name(counts_range):
    return f"{counts_range[0]:.0f}-{counts_range[1]:.0f} counts"


def gain_numbers(model, instruments, n, rng):
    """
    Detection of a gain shift against counts, beside the best that any test could do.

    Parameters
    ----------
    model : `~astro_xlatent.model.posterior.Model`
    instruments : list of Instrument
    n : int
        Rows in each range of counts.
    rng : `numpy.random.Generator`

    Returns
    -------
    numbers : list of Number
        The "oracle" knows the incident spectrum and the background, and asks
        only whether the gain is off by 3 % or not at all.
    """
    shifted = Oddity("gain", response=lambda instrument, rng: shift_gain(instrument.matrix, GAIN))
    section, numbers = f"guard rails: gain shift of {GAIN - 1:.0%}, at 5 % false alarms", []
    for counts_range in GAIN_RANGES:
        subset = _range_name(counts_range)
        ordinary, matrices, _ = observe_oddity(None, n, instruments, rng, counts_range)
        p_ordinary = _statistics(model, ordinary, matrices)
        thresholds = _thresholds(p_ordinary)
        bins, matrices, expected = observe_oddity(shifted, n, instruments, rng, counts_range)
        p_values = _statistics(model, bins, matrices)
        power = optimal_power(expected, bins.valid)
        for statistic in ("xl_outlier", "check gain"):
            value, interval = share_of(p_values[statistic] <= thresholds[statistic])
            numbers.append(Number.of(section, "detected", statistic, subset, len(bins), value, interval))
        numbers += [
            *uniformity_numbers(p_ordinary, subset),
            Number.of(section, "detected", "oracle of both hypotheses", subset, len(bins), power.mean()),
        ]
    return numbers


def real_hrc_numbers(model, data):
    """
    A real HRC spectrum, its pulse heights taken for those of ACIS.

    Parameters
    ----------
    model : `~astro_xlatent.model.posterior.Model`
    data : path-like
        Folder that holds the spectrum of HRC-I observation 24564 of the CSC
        somewhere below ``spectra``. The package refuses it by name.

    Returns
    -------
    numbers : list of Number
        p-values of the one row; nothing if the file is not there.
    """
    from pathlib import Path

    from astropy.io import fits

    from astro_xlatent.missions.responses import default_response
    from astro_xlatent.spectra.binning import bins_from_spectra
    from astro_xlatent.spectra.spectrum import XraySpectrum

    paths = sorted((Path(data) / "spectra").rglob("hrcf24564_000N030_r0001_pha3.fits*"))
    if not paths:
        return []
    with fits.open(paths[0]) as hdus:
        on, off = (hdu for hdu in hdus if hdu.name == "SPECTRUM")
        background, spectrum = (
            XraySpectrum(counts=np.asarray(hdu.data["COUNTS"], float),
                         channel=np.asarray(hdu.data["CHANNEL"], np.int64), exposure=hdu.header["EXPOSURE"],
                         backscale=hdu.header["BACKSCAL"]) for hdu in (off, on))
    spectrum.background, spectrum.response = background, default_response("csc", "ACIS-S", year=2021.7)
    bins, matrices = bins_from_spectra([spectrum])
    return [Number.of("guard rails: a real HRC-I spectrum (AR Lac) read as ACIS", "p-value", statistic,
                      f"{bins.net_counts[0]:.0f} counts", 1, p[0])
            for statistic, p in _statistics(model, bins, matrices).items()]


def evaluate_guard_rails(model, instruments, n=250, seed=1, *, tuning=False, data=None, log=None):
    """
    Measure how often oddities are detected.

    Parameters
    ----------
    model, instruments, seed, log
        As for `~benchmarks.studies.simulated.evaluate_simulated`.
    n : int, optional
        Rows of each oddity and range of counts; four times as many ordinary ones.
    tuning : bool, optional
        The other oddities, on which statistics may be chosen, instead.
    data : path-like, optional
        Folder with real spectra, for one of the HRC.

    Returns
    -------
    results : Results
    """
    log = log or (lambda line: None)
    rng = random_stream(seed, "guard rails", tuning)
    results = Results("Guard rails", {"model": f"{model.name}-{model.version}", "rows": f"{n} of each kind"})
    detected = {}
    for counts_range in COUNTS_RANGES:
        subset = _range_name(counts_range)
        log(f"ordinary observations, {subset}")
        bins, matrices, expected = observe_oddity(None, 4 * n, instruments, rng, counts_range)
        ordinary = _statistics(model, bins, matrices)
        told = slice(0, n)
        ordinary_lines = lines_of_known_continuum(bins[told], matrices[told], expected[1, told])
        thresholds = _thresholds(ordinary)
        value, interval = share_of(ordinary["xl_outlier"] < FALSE_ALARMS)
        results.add([Number.of("guard rails: false alarms", "share with xl_outlier < 0.05", "xl_outlier",
                               subset, len(ordinary["xl_outlier"]), value, interval)])
        for name, oddity in (TUNING if tuning else TESTED).items():
            log(f"{name}, {subset}")
            bins, matrices, expected = observe_oddity(oddity, n, instruments, rng, counts_range)
            p_values = _statistics(model, bins, matrices)
            results.add(detection_numbers(name, subset, p_values, thresholds))
            apart = {statistic: _separation(p, ordinary[statistic]) for statistic, p in p_values.items()
                     if not statistic.startswith("its part")}
            detected.setdefault(name, []).append(p_values["xl_outlier"] <= thresholds["xl_outlier"])
            if oddity.line:
                p = lines_of_known_continuum(bins, matrices, expected[0])
                apart["oracle of the continuum, not of the energy"] = _separation(p, ordinary_lines)
            if oddity.oracle:
                apart["oracle of both hypotheses"] = optimal_separation(expected, bins.valid).mean()
                power = optimal_power(expected, bins.valid)
                results.add([Number.of(SECTION, name, "oracle of both hypotheses", subset, power.size,
                                       power.mean())])
            results.add([Number.of("guard rails: separation from ordinary rows (AUC)", name, method, subset,
                                   len(bins), value) for method, value in apart.items()])
    for name, parts in detected.items():
        value, interval = share_of(np.concatenate(parts))
        results.add([Number.of(f"{SECTION}, 1000-10000 counts", name, "xl_outlier", "all",
                               sum(map(len, parts)), value, interval)])
    if not tuning:
        log("gain shift against counts")
        results.add(gain_numbers(model, instruments, n, rng))
        results.add([] if data is None else real_hrc_numbers(model, data))
    return results
