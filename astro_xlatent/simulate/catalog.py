# Licensed under a 3-clause BSD style license - see LICENSE
"""
Simulated catalogs in memory, by row number: batches of bins, and tables.

A row depends on seed, number and arguments alone: chunks of `CHUNK` rows are drawn whole by (seed, chunk).
Bands are sums over the channels of the spectra. Expected counts are drawn anew from N(>N), with their noise,
until a row stands out of its background, which reproduces the upward bias of faint catalog sources.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import chain

import numpy as np

from astro_xlatent.core.errors import MissionError, ParameterError
from astro_xlatent.missions.base import get_mission
from astro_xlatent.simulate.background import background_shape
from astro_xlatent.simulate.conditions import CONDITIONS, MISSION_SHARE, Pointings, arf_area, draw_pointings
from astro_xlatent.simulate.instruments import Detector, load_detector
from astro_xlatent.simulate.populations import CLASSES, Sources, draw_sources
from astro_xlatent.simulate.rows import make_table, truth_columns
from astro_xlatent.simulate.rows_csc import csc_columns
from astro_xlatent.simulate.rows_erosita import erosita_columns
from astro_xlatent.simulate.rows_xmm import xmm_columns
from astro_xlatent.spectra.binning import observed_fields
from astro_xlatent.spectra.bins import N_FINE, EnergyBins

__all__ = ["MODES", "batch", "simulate_catalog"]

MODES = ("bands", "spectra")
_COLUMNS = {"csc": csc_columns, "erosita": erosita_columns, "xmm": xmm_columns}
#: Rows drawn together.
CHUNK = 256
#: Largest number of expected source counts.
_MOST_COUNTS = 3e4
# measured energies in keV between which there is background (event thresholds)
_BACKGROUND_RANGE = (0.25, 11.0)


@dataclass
class Observed:
    """
    Rows of a chunk that one detector observed; arrays of shape (rows, ...).

    ``sources`` are normalized to what was observed; ``area`` in cm2 on the incident grid includes the
    aperture; ``counts`` and ``off_counts`` are per channel; ``background_shape`` has sum 1 in the detection
    band, in which ``expected`` source counts are. ``dice`` seeds what a catalog adds, ``likelihood`` is -ln
    of the probability that background alone gives as many counts.
    """

    row: np.ndarray
    mission: str
    detector: Detector
    pointings: Pointings
    sources: Sources
    area: np.ndarray
    counts: np.ndarray
    off_counts: np.ndarray
    background_shape: np.ndarray
    expected: np.ndarray
    dice: int
    likelihood: np.ndarray

    def __len__(self):
        return len(self.row)

    def generator(self):
        """A generator of `dice`, the same at every call."""
        return np.random.default_rng(self.dice)


def _check_arguments(seed, n, start, missions):
    for name, value in (("seed", seed), ("n", n), ("start", start)):
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 0:
            raise ParameterError(f"{name} is {value!r}; it must be an integer, 0 or more")
    for mission in missions:
        if mission not in CONDITIONS:
            raise MissionError(f"mission is {mission!r}; allowed: {', '.join(CONDITIONS)}")


def class_weights(classes):
    """Probabilities of `CLASSES`, sum 1: all alike (None), names alike, or by relative frequencies."""
    classes = CLASSES if classes is None else [classes] if isinstance(classes, str) else classes
    given = dict(classes) if isinstance(classes, Mapping) else dict.fromkeys(classes, 1.0)
    unknown = [str(name) for name in given if name not in CLASSES]
    if unknown or not given:
        raise ParameterError(f"classes names {', '.join(unknown) or 'none'}; allowed: {', '.join(CLASSES)}")
    weights = np.array([float(given.get(name, 0.0)) for name in CLASSES])
    if not np.all(np.isfinite(weights)) or np.any(weights < 0) or weights.sum() == 0:
        msg = f"classes has the weights {given}; they must be finite, 0 or more, and not all 0"
        raise ParameterError(msg)
    return weights / weights.sum()


def observed_chunks(seed, n, *, start=0, missions=MISSION_SHARE, classes=None):
    """
    Observe the chunks that hold rows ``start`` to ``start + n``: an iterator of lists of `Observed`, whole,
    at least one, for matrix products of fewer rows may round differently. ``missions`` gives shares.
    """
    _check_arguments(seed, n, start, missions)
    weights = class_weights(classes)
    numbers = range(start // CHUNK, max(start + n - 1, start) // CHUNK + 1)
    return (_draw_chunk(seed, chunk, missions, weights) for chunk in numbers)


def _draw_chunk(seed, chunk, missions, weights):
    rng = np.random.default_rng([seed, chunk])
    rows = chunk * CHUNK + np.arange(CHUNK, dtype=np.int64)
    sources = draw_sources(rng.choice(len(CLASSES), CHUNK, p=weights), rng)
    share = np.array(list(missions.values()))
    which = rng.choice(len(share), CHUNK, p=share / share.sum())
    parts = []
    for number, mission in enumerate(missions):
        mine = np.flatnonzero(which == number)
        if mine.size:
            pointings = draw_pointings(mission, rows[mine], rng)
            for curve in sorted(set(pointings.curve.tolist())):
                k = pointings.curve == curve
                parts.append(_observe(mission, rows[mine[k]], sources[mine[k]], pointings[k], rng))
    return parts


def _observe(mission, row, sources, pointings, rng):
    """Observe sources with one detector."""
    conditions = CONDITIONS[mission]
    detector = load_detector(str(pointings.curve[0]))
    area = np.stack([arf_area(str(label), conditions.aperture_fraction) for label in pointings.arf])
    rate = ((sources.spectrum * area) @ detector.matrix.T).astype(float)
    low, high = conditions.band
    band = (detector.center > low) & (detector.center < high)
    rate /= np.maximum(rate[:, band].sum(axis=1, keepdims=True), 1e-300)
    shape = _background(detector, area, band, rng)
    expected, source, background, likelihood = _detections(conditions, pointings.background, rng)
    counts = _scatter(rate, expected, source, band, rng) + _scatter(
        np.broadcast_to(shape, rate.shape), pointings.background, background, band, rng)
    off = rng.poisson(shape * (pointings.background / pointings.scale)[:, None])
    dice = int(rng.integers(2**63))
    sources = _normalize(sources, area, detector, band, expected, pointings)
    return Observed(row, mission, detector, pointings, sources, area, counts, off.astype(float), shape,
                    expected, dice, likelihood)


def _background(detector, area, band, rng):
    """Expected background per channel, sum 1 in the detection band."""
    low, high = _BACKGROUND_RANGE
    inside = np.flatnonzero((detector.center > low) & (detector.center < high))
    edges = detector.response.channel_e_lo[inside], detector.response.channel_e_hi[inside]
    shape = np.zeros(detector.center.size)
    folding = detector.matrix[inside] * area.mean(axis=0)
    shape[inside] = background_shape(detector.mission, folding, *edges, rng)
    return shape / shape[band].sum()


def _detections(conditions, background, rng):
    """Expected counts, source and background counts, and likelihood, all of them detected."""
    from scipy.special import gammainc

    expected, likelihood = np.zeros(background.size), np.zeros(background.size)
    source, noise = np.zeros(background.size, np.int64), np.zeros(background.size, np.int64)
    todo = np.arange(background.size)
    while todo.size:
        drawn = conditions.faintest * rng.random(todo.size) ** (-1.0 / conditions.slope)
        drawn = np.where(drawn < _MOST_COUNTS, drawn, 0.0)
        expected[todo], source[todo] = drawn, rng.poisson(drawn)
        noise[todo] = rng.poisson(background[todo])
        total = source[todo] + noise[todo]
        chance = gammainc(np.maximum(total, 1), np.maximum(background[todo], 1e-12))
        likelihood[todo] = np.where(total > 0, -np.log(np.maximum(chance, 1e-300)), 0.0)
        todo = todo[(likelihood[todo] <= conditions.likelihood) | (drawn == 0.0)]
    return expected, source, noise, likelihood


def _scatter(shape, expected, drawn, band, rng):
    """Spread counts drawn for the band over its channels, and draw those outside."""
    counts = np.zeros(shape.shape)
    inside = shape[:, band]
    inside = inside / np.maximum(inside.sum(axis=1, keepdims=True), 1e-300)
    counts[:, band] = rng.multinomial(drawn, inside)
    counts[:, ~band] = rng.poisson(shape[:, ~band] * expected[:, None])
    return counts


def _normalize(sources, area, detector, band, expected, pointings):
    """Scale spectra and fluxes to the expected counts."""
    weight = area * detector.matrix[band].sum(axis=0)
    factor = expected / np.maximum((sources.spectrum * weight).sum(axis=1) * pointings.exposure, 1e-300)
    truth = {name: values * factor if name.startswith("flux_") else values
             for name, values in sources.truth.items()}
    spectrum = (sources.spectrum * factor[:, None]).astype(np.float32)
    return Sources(spectrum, sources.class_index, truth)


def batch(seed, n, *, start=0, mission=None, mode=None, classes=None):
    """
    Simulate observed sources with the truth about them.

    Parameters
    ----------
    seed, n : int
        0 or more; ``n`` is the number of rows.
    start : int, optional
        Number of the first row.
    mission : {'csc', 'erosita', 'xmm'}, optional
        By default half of the rows are Chandra's, a quarter each of the others.
    mode : {'spectra', 'bands'}, optional
        On the fine grid (default), or as read out of catalog rows: the same observations with a ``mission``.
    classes : sequence of str, or mapping of str to float, optional
        Classes to draw, or their relative frequencies; default all nine alike.

    Returns
    -------
    bins : `~astro_xlatent.spectra.bins.EnergyBins`
        With a measured background. On other machines sums may round differently.
    truth : `~astropy.table.Table`
        What the rows are, see its column descriptions.

    Raises
    ------
    ParameterError, MissionError
        With the allowed values.

    Examples
    --------
    >>> from astro_xlatent.simulate import batch
    >>> bins, truth = batch(1, 3, mission="csc", mode="bands")
    >>> bins.counts.shape, len(truth), str(truth["mission"][0])
    ((3, 3), 3, 'csc')
    """
    if mode not in (None, *MODES):
        raise ParameterError(f"mode is {mode!r}; allowed: {', '.join(MODES)}")
    bands = mode == "bands"
    shares = MISSION_SHARE if mission is None else {mission: 1.0}
    chunks = observed_chunks(seed, n, start=start, missions=shares, classes=classes)
    width = N_FINE if not bands else max(len(get_mission(m).bands) for m in shares)
    pieces, rows = [EnergyBins.empty(0, width)], []
    for observed in chain.from_iterable(chunks):
        if bands:
            table = make_table([(observed.row, catalog_part(observed))])
            pieces.append(get_mission(observed.mission).read_bands(table).bins)
        else:
            pieces.append(fine_bins(observed))
        rows.append((observed.row, truth_columns(observed)))
    order = np.argsort(np.concatenate([row for row, _ in rows]))
    cut = slice(start % CHUNK, start % CHUNK + n)
    return EnergyBins.concatenate(pieces)[order[cut]], make_table(rows)[cut]


def simulate_catalog(seed, n, mission, *, classes=None):
    """
    Simulate a catalog in the mission's own columns: it and the truth, row by row, see `batch`.

    Positions, names and numbers are made up.

    Examples
    --------
    >>> from astro_xlatent.simulate.catalog import simulate_catalog
    >>> catalog, truth = simulate_catalog(1, 2, "erosita")
    >>> [name for name in catalog.colnames if name.endswith("_P1")][:3]
    ['APE_CTS_P1', 'APE_BKG_P1', 'APE_EXP_P1']
    """
    chunks = observed_chunks(seed, n, missions={mission: 1.0}, classes=classes)
    rows = [(o.row, catalog_part(o), truth_columns(o)) for o in chain.from_iterable(chunks)]
    return make_table([r[:2] for r in rows])[:n], make_table([r[::2] for r in rows])[:n]


def catalog_part(observed):
    """Catalog columns of observed rows, name to ``(values, unit, description)``."""
    return _COLUMNS[observed.mission](observed)


def fine_bins(observed):
    """Fine bins of observed spectra, what the OGIP reader makes of the spectra on disk."""
    detector, p = observed.detector, observed.pointings
    seconds = p.exposure[:, None]
    fine = replace(detector.unit, area=1.0)  # one square centimeter; the rows' areas differ
    counts, off = observed.counts @ detector.into_fine, observed.off_counts @ detector.into_fine
    area = detector.unit.fine_area(observed.area) * seconds
    return EnergyBins(**observed_fields(fine, counts, area, off, p.scale[:, None]))
