# Licensed under a 3-clause BSD style license - see LICENSE
"""
Observations of simulated sources: spectra and catalog bands.

Incident spectra become `EnergyBins` in training and in mock catalogs alike: spectra by the lines of the
OGIP reader, bands by a mission's maker of columns (`BAND_COLUMNS`) and the mission's own reader.
Conditions are drawn as `astro_xlatent.simulate.conditions` says, counts log-uniform.
"""

import numpy as np
from astropy.table import Table

from astro_xlatent.missions.base import get_mission
from astro_xlatent.missions.csc import CSC, RICHEST_FIRST
from astro_xlatent.simulate import conditions
from astro_xlatent.simulate.background import background_shape
from astro_xlatent.simulate.conditions import LITERATURE, condition, log_uniform
from astro_xlatent.simulate.rows import Apertures
from astro_xlatent.simulate.rows_csc import csc_band_columns
from astro_xlatent.simulate.rows_erosita import erosita_band_columns
from astro_xlatent.simulate.rows_xmm import xmm_band_columns
from astro_xlatent.spectra.binning import observed_fields
from astro_xlatent.spectra.bins import EnergyBins

__all__ = ["BAND_COLUMNS", "RECIPES", "draw_apertures", "draw_recipes", "merge_randomly", "observe_spectra",
           "read_published"]

#: Makers of a mission's band columns: apertures and a generator to ``{name: (values, unit, text)}``.
BAND_COLUMNS = {"csc": csc_band_columns, "erosita": erosita_band_columns, "xmm": xmm_band_columns}
#: mission -> what a row publishes -> its share in training; ``""`` is everything.
RECIPES = {
    "csc": {recipe: 0.5 if recipe == "energy flux" else 0.25 for recipe in RICHEST_FIRST},
    "erosita": {"aperture counts": 1.0 - condition("erosita", "fitted"),
                "PSF-fitted counts": condition("erosita", "fitted")},
    "xmm": {"": 1.0},
}
# Beginnings of the names of the columns that each is read from; "" is every column.
_CHIP_AND_DATE = ("detector", "gti_mjd_obs", "theta")
_COLUMNS = {
    ("csc", "energy flux"): ("flux_aper",), ("csc", "photon flux"): ("photflux_aper", *_CHIP_AND_DATE),
    ("csc", "aperture counts"): ("cnts_", "area_", "psf_frac", "src_cnts", "photflux_aper", *_CHIP_AND_DATE),
    ("erosita", "aperture counts"): ("APE_",), ("erosita", "PSF-fitted counts"): ("ML_",),
}
_AREAS = ("area_aper", "psf_frac_aper_s", "psf_frac_aper_m", "psf_frac_aper_h")


def _draw_counts(mode, counts_range, rows, rng):
    """Expected source counts, log-uniform, by default as is usual for a mission's rows or ``"spectra"``."""
    usual = condition(mode, "counts_low"), condition(mode, "counts_high")
    return log_uniform(rng, *(counts_range or usual), rows)


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
        Photons/cm2/s per grid bin as they reach the detector; only the shape matters.
    instrument : `~astro_xlatent.simulate.instruments.Instrument`
        Mission, and the response that the reader is told.
    counts_range : tuple of float, optional
        Expected source counts, log-uniform between these.

    Returns
    -------
    bins : EnergyBins
        On the fine grid.
    truth : dict of ndarray
        Expected ``counts`` and ``background_counts``, the ``seconds`` that they take, and
        ``expected_background`` (rows, bins), what the reader cannot know.
    """
    c, rows = {name: value[0] for name, value in LITERATURE["spectra"].items()}, len(spectra)
    n_source = _draw_counts("spectra", counts_range, rows, rng)
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
    # energy ranges as analysts choose them; half of the rows keep everything
    low, high = (rng.choice(ends, (rows, 1)) for ends in (conditions.ENERGY_STARTS, conditions.ENERGY_STOPS))
    fields["valid"] = instrument.valid & (instrument.e_lo >= low) & (instrument.e_hi <= high)
    truth = {"counts": n_source, "background_counts": background.sum(axis=1),
             "expected_background": background, "seconds": seconds}
    return EnergyBins(**fields), truth


def merge_randomly(bins, rng, max_tokens):
    """Merge fine bins into a random number of tokens a row, log-uniform from 3 to ``max_tokens``."""
    rows, n_fine = bins.counts.shape
    n_tokens = np.floor(log_uniform(rng, 3, max_tokens + 1, rows)).clip(3, max_tokens)
    # Uneven widths for half of the rows, nearly even ones for the others.
    spread = np.where(rng.random((rows, 1)) < 0.5, 1.0, 20.0)
    width = rng.gamma(spread, 1.0, (rows, n_fine))
    position = np.cumsum(width, axis=1) / np.sum(width, axis=1, keepdims=True)
    index = np.floor(position * n_tokens[:, None] * (1 - 1e-12)).astype(int)
    return bins.merge_by_index(np.where(bins.valid, index, -1), max_tokens)


def draw_apertures(spectra, instrument, rng, counts_range=None, off_axis=None):
    """As `observe_spectra`, in apertures of a catalog; angles ``off_axis``, (rows,), in arcmin or drawn."""
    rows, mission, edges = len(spectra), instrument.mission, instrument.band_edges
    n_source = _draw_counts(mission, counts_range, rows, rng)
    off_axis = conditions.draw_off_axis(mission, rows, rng) if off_axis is None else off_axis
    seen, mono = instrument.off_axis_factors(off_axis)
    source, seconds = _expected(spectra * seen, instrument.band_matrix, n_source)
    shape = background_shape(mission, instrument.band_matrix, edges[:-1], edges[1:], rng)
    level = conditions.draw_background(mission, n_source, off_axis, rng)
    background = shape * level[:, None]
    ratio, fraction = conditions.draw_geometry(mission, n_source, off_axis, rng)
    # What the aperture misses of the source lies in the background region.
    beside = source * (1.0 / fraction - 1.0)[:, None] if mission == "csc" else 0.0
    return Apertures(
        mission, edges, counts=rng.poisson(source + background).astype(float),
        off=rng.poisson(background / ratio[:, None] + beside).astype(float), background=background,
        scale=ratio, area=instrument.band_area(seen) * seconds[:, None], mono=mono * seconds[:, None],
        fraction=fraction, exposure=seconds, off_axis=off_axis, epoch=np.full(rows, instrument.epoch),
        detector=np.full(rows, instrument.detector, "<U16"))


def draw_recipes(mission, n, rng):
    """Draw what n rows of a mission publish, as an array of str."""
    return rng.choice(list(RECIPES[mission]), n, p=list(RECIPES[mission].values()))


def read_published(apertures, recipes, rng):
    """Publish rows as the mission's catalog does, of `RECIPES`, and read them as the package does."""
    recipes = np.broadcast_to(recipes, len(apertures))
    columns = {name: column[0] for name, column in BAND_COLUMNS[apertures.mission](apertures, rng).items()}
    if apertures.mission == "csc":
        bare = rng.random(len(apertures)) < condition("csc", "no_areas")
        columns |= {name: np.where(bare, np.nan, columns[name]) for name in _AREAS}
    pieces, order = [], []
    for recipe in np.unique(recipes).tolist():
        rows = np.flatnonzero(recipes == recipe)
        wanted = _COLUMNS.get((apertures.mission, recipe), "")
        table = Table({name: values[rows] for name, values in columns.items() if name.startswith(wanted)},
                      copy=False)
        mission = CSC(recipes=(recipe,)) if apertures.mission == "csc" else get_mission(apertures.mission)
        pieces.append(mission.read_bands(table).bins)
        order.append(rows)
    return EnergyBins.concatenate(pieces)[np.argsort(np.concatenate(order), kind="stable")]
