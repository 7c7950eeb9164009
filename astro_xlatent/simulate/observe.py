# Licensed under a 3-clause BSD style license - see LICENSE
"""
Observations of simulated sources: spectra and catalog bands.

Every function takes incident spectra and gives `EnergyBins`: of spectra with the
very lines of the OGIP reader, of bands by publishing catalog columns and
reading them (see `astro_xlatent.simulate.published`). Conditions are drawn as
`astro_xlatent.simulate.conditions` says, counts log-uniform.
"""

import numpy as np

from astro_xlatent.physics.grid import ENERGY_WIDTH
from astro_xlatent.simulate.apertures import Apertures
from astro_xlatent.simulate.background import background_shape
from astro_xlatent.simulate.conditions import (
    ENERGY_STARTS,
    ENERGY_STOPS,
    LITERATURE,
    condition,
    draw_background,
    draw_geometry,
    draw_off_axis,
    log_uniform,
)
from astro_xlatent.simulate.published import draw_recipes, read_published
from astro_xlatent.spectra.binning import observed_fields
from astro_xlatent.spectra.bins import EnergyBins

__all__ = ["draw_apertures", "merge_randomly", "observe_bands", "observe_spectra", "usual_counts"]


def usual_counts(mode):
    """Expected source counts between which a mission's rows or ``"spectra"`` are drawn log-uniformly."""
    return condition(mode, "counts_low"), condition(mode, "counts_high")


def _expected(spectra, matrix, n_source):
    """Expected counts in bins, and the seconds-like factor that gives them."""
    rate = spectra @ matrix.T  # (rows, bins)
    seconds = n_source / np.maximum(rate.sum(axis=1), 1e-300)
    return rate * seconds[:, None], seconds


def observe_spectra(spectra, instrument, rng, counts_range=None):
    """
    Observe incident spectra with one instrument, background included.

    Parameters
    ----------
    spectra : ndarray, shape (rows, n_energy)
        Photons/cm2/s per grid bin as they reach the detector (an area that
        differs from the one that the reader is told is a factor here); only the
        shape matters.
    instrument : `~astro_xlatent.simulate.instruments.Instrument`
        Response that the reader is told, and mission.
    rng : `numpy.random.Generator`
        Draws counts, background and noise.
    counts_range : tuple of float, optional
        Expected source counts, log-uniform between these.

    Returns
    -------
    bins : EnergyBins
        On the fine grid.
    truth : dict of ndarray
        ``counts`` (expected source counts), ``background_counts``, and
        ``expected_background`` (rows, bins), what the reader cannot know.
    """
    c, rows = {name: value[0] for name, value in LITERATURE["spectra"].items()}, len(spectra)
    n_source = log_uniform(rng, *(counts_range or usual_counts("spectra")), rows)
    source, seconds = _expected(spectra, instrument.matrix, n_source)
    valid = instrument.valid
    shape = np.zeros(valid.size)
    shape[valid] = background_shape(instrument.mission, instrument.matrix[valid], instrument.e_lo[valid],
                                    instrument.e_hi[valid], rng)
    level = n_source * log_uniform(rng, c["background_low"], c["background_high"], rows)
    background = shape * level[:, None]
    scale = log_uniform(rng, c["ratio_low"], c["ratio_high"], rows)[:, None]
    off = rng.poisson(background / scale)
    fields = observed_fields(instrument, rng.poisson(source + background), seconds[:, None], off, scale)
    known = rng.random((rows, 1)) > c["unknown_background"]
    fields |= {name: np.where(known, fields[name], 0.0) for name in ("background", "background_error")}
    fields["valid"] = _random_range(instrument, rows, rng)
    truth = {"counts": n_source, "background_counts": background.sum(axis=1),
             "expected_background": background, "seconds": seconds}
    return EnergyBins(**fields), truth


def _random_range(instrument, rows, rng):
    """Energy ranges as analysts choose them; half of the rows keep everything."""
    low, high = rng.choice(ENERGY_STARTS, (rows, 1)), rng.choice(ENERGY_STOPS, (rows, 1))
    return instrument.valid & (instrument.e_lo >= low) & (instrument.e_hi <= high)


def merge_randomly(bins, rng, max_tokens):
    """
    Merge the fine bins of every row into a random number of tokens.

    Parameters
    ----------
    bins : EnergyBins
        On the fine grid.
    rng : `numpy.random.Generator`
        Draws the number of tokens (log-uniform from 3) and the widths.
    max_tokens : int
        Largest number of tokens.

    Returns
    -------
    merged : EnergyBins
        With ``max_tokens`` bins a row, those not used invalid.
    """
    rows, n_fine = bins.counts.shape
    n_tokens = np.floor(log_uniform(rng, 3, max_tokens + 1, rows)).clip(3, max_tokens)
    # Uneven widths for half of the rows, nearly even ones for the others.
    spread = np.where(rng.random((rows, 1)) < 0.5, 1.0, 20.0)
    width = rng.gamma(spread, 1.0, (rows, n_fine))
    position = np.cumsum(width, axis=1) / np.sum(width, axis=1, keepdims=True)
    index = np.floor(position * n_tokens[:, None] * (1 - 1e-12)).astype(int)
    return bins._merge_by_index(np.where(bins.valid, index, -1), max_tokens)


def draw_apertures(spectra, instrument, rng, counts_range=None, off_axis=None):
    """
    Observe incident spectra in source and background apertures of a catalog.

    Parameters
    ----------
    spectra, instrument, rng, counts_range
        See `observe_spectra`.
    off_axis : ndarray, shape (rows,), optional
        Angles in arcmin; drawn for Chandra if not given, and zero where the shipped
        curves know no vignetting.

    Returns
    -------
    apertures : Apertures
    """
    rows, mission, edges = len(spectra), instrument.mission, instrument.band_edges
    n_source = log_uniform(rng, *(counts_range or usual_counts(mission)), rows)
    off_axis = draw_off_axis(mission, rows, rng) if off_axis is None else off_axis
    seen, mono = instrument.off_axis_factors(off_axis)
    source, seconds = _expected(spectra * seen, instrument.band_matrix, n_source)
    shape = background_shape(mission, instrument.band_matrix, edges[:-1], edges[1:], rng)
    level = draw_background(mission, n_source, off_axis, rng)
    background = shape * level[:, None]
    ratio, fraction = draw_geometry(mission, n_source, off_axis, rng)
    # What the aperture misses of the source lies in the background region.
    beside = source * (1.0 / fraction - 1.0)[:, None] if mission == "csc" else 0.0
    area = (seen * ENERGY_WIDTH) @ instrument.band_matrix.T / np.diff(edges)
    return Apertures(
        mission, edges, counts=rng.poisson(source + background).astype(float),
        off=rng.poisson(background / ratio[:, None] + beside).astype(float), background=background,
        scale=ratio, area=area * seconds[:, None], mono=mono * seconds[:, None], fraction=fraction,
        exposure=seconds, off_axis=off_axis, epoch=np.full(rows, instrument.epoch),
        detector=np.full(rows, instrument.detector, "<U16"))


def observe_bands(spectra, instrument, rng, recipe=None, counts_range=None):
    """
    Catalog rows, as the mission's reader turns them into bins.

    Parameters
    ----------
    spectra, instrument, rng, counts_range
        See `observe_spectra`.
    recipe : str, optional
        What the rows publish, of `~astro_xlatent.simulate.published.RECIPES`;
        drawn row by row if not given.

    Returns
    -------
    bins : EnergyBins
        Bands of the mission's reader.
    apertures : Apertures
        What the rows were published from.
    """
    apertures = draw_apertures(spectra, instrument, rng, counts_range)
    recipes = draw_recipes(instrument.mission, len(spectra), rng) if recipe is None else recipe
    return read_published(apertures, recipes, rng), apertures
