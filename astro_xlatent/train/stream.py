# Licensed under a 3-clause BSD style license - see LICENSE
"""Endless batches of simulated observations, deterministic by counter."""

from dataclasses import dataclass

import numpy as np

from astro_xlatent.physics.grid import band_weights
from astro_xlatent.simulate.conditions import MISSION_SHARE
from astro_xlatent.simulate.instruments import draw_instrument
from astro_xlatent.simulate.observe import (
    draw_apertures,
    draw_recipes,
    merge_randomly,
    observe_spectra,
    read_published,
)
from astro_xlatent.simulate.populations import CLASSES, draw_sources
from astro_xlatent.simulate.rows import Apertures
from astro_xlatent.spectra.bins import FINE_EDGES, EnergyBins

__all__ = ["PLAN", "Part", "draw_training_sources", "observe_full", "teacher_input", "training_batch"]


@dataclass(frozen=True)
class Part:
    """Rows of one kind in every batch: mode, number, and largest number of tokens."""

    mode: str
    rows: int
    max_tokens: int = 5


#: Every batch holds every mission, bands and spectra, coarse and fine.
PLAN = (Part("csc bands", 96), Part("erosita bands", 48), Part("xmm bands", 48),
        Part("spectra", 96, 32), Part("spectra", 32, 146))
# Rows that share one response, so that folding is one matrix product.
CHUNK = 32
# Sources of no class, spread widely over all emission models.
GENERIC_SHARE = 0.15
_CENTER = np.sqrt(FINE_EDGES[:-1] * FINE_EDGES[1:])
_WEIGHTS = band_weights(FINE_EDGES[:-1], FINE_EDGES[1:]).T.astype(np.float32)
# Two log-normal areas, one like eROSITA's and one like ACIS's late in the
# mission, so that neither the soft nor the hard end hides the other.
_AREAS = np.stack([np.exp(-0.5 * (np.log(_CENTER / peak) / width) ** 2)
                   for peak, width in ((0.8, 0.6), (2.5, 0.8))]).astype(np.float32)


def training_batch(seed, counter, instruments, plan=PLAN, see=None):
    """
    ``(bins, sources)`` for every part of the plan, by seed and counter alone. ``see(spectra, instrument)``
    gives what really falls on the detector (`astro_xlatent.simulate.imperfections`); ``sources`` stay the
    true ones.
    """
    rng = np.random.default_rng([seed, counter])
    return [_draw_part(part, instruments, rng, see) for part in plan]


def draw_training_sources(n, rng):
    """Sources with all classes alike, and a share of generic ones without a class."""
    index = rng.integers(len(CLASSES), size=n)
    return draw_sources(np.where(rng.random(n) < GENERIC_SHARE, -1, index), rng)


def _draw_part(part, instruments, rng, see):
    sources = draw_training_sources(part.rows, rng)
    mission, mode = (None, "spectra") if part.mode == "spectra" else part.mode.split()
    bins = observe_full(mode, sources.spectrum, instruments, rng, folding=False, see=see, mission=mission)[0]
    if mode == "spectra":
        bins = merge_randomly(bins, rng, part.max_tokens)
    return bins, sources


def observe_full(mode, spectra, instruments, rng, folding=True, see=None, mission=None):
    """
    Observe sources (rows, n_energy), an instrument a chunk, as catalogs' 'bands' or unmerged 'spectra': bins,
    for spectra, if ``folding``, matrices (rows, N_FINE, n_energy) in cm2 s, 0.7 MB a row, and all missions.
    """
    pieces, matrices, missions = [], [], []
    for start in range(0, len(spectra), CHUNK):
        drawn = mission or str(rng.choice(list(MISSION_SHARE), p=list(MISSION_SHARE.values())))
        instrument = draw_instrument(instruments, drawn, rng)
        seen = spectra[start:start + CHUNK]
        seen = seen if see is None else see(seen, instrument)
        if mode == "spectra":
            bins, truth = observe_spectra(seen, instrument, rng)
            if folding:
                matrices.append(instrument.matrix * truth["seconds"][:, None, None].astype(np.float32))
            pieces.append(bins)
        else:
            pieces.append(draw_apertures(seen, instrument, rng))
        missions += [drawn] * len(seen)
    bins = EnergyBins.concatenate(pieces) if mode == "spectra" else _read(pieces, missions, rng)
    return bins, np.concatenate(matrices) if matrices else None, missions


def _read(pieces, missions, rng):
    """Read the bands of several chunks, one table a mission."""
    bins, order = [], []
    for mission in sorted(set(missions)):
        apertures = Apertures.concatenate([piece for piece in pieces if piece.mission == mission])
        bins.append(read_published(apertures, draw_recipes(mission, len(apertures), rng), rng))
        order.append(np.flatnonzero(np.array(missions) == mission))
    return EnergyBins.concatenate(bins)[np.argsort(np.concatenate(order))]


def teacher_input(spectrum):
    """Square roots of 100 expected counts through two reference areas, float32 (rows, 2 * N_FINE)."""
    flux = np.asarray(spectrum, np.float32)
    flux = (flux / flux.sum(axis=1, keepdims=True)) @ _WEIGHTS  # (rows, N_FINE)
    counts = flux[:, None, :] * _AREAS
    counts = 100 * counts / np.maximum(counts.sum(axis=2, keepdims=True), 1e-30)
    return np.sqrt(counts).reshape(len(flux), -1)
