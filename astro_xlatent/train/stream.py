# Licensed under a 3-clause BSD style license - see LICENSE
"""
Endless batches of simulated observations, deterministic by counter.
"""

from dataclasses import dataclass, replace

import numpy as np

from astro_xlatent.simulate.observe import (
    merge_randomly,
    observe_csc_bands,
    observe_erosita_bands,
    observe_spectra,
)
from astro_xlatent.simulate.populations import CLASSES, draw_sources

__all__ = ["PLAN", "Part", "draw_training_sources", "observe_full", "training_batch"]


@dataclass(frozen=True)
class Part:
    """Rows of one kind in every batch: mode, number, and largest number of tokens."""

    mode: str
    rows: int
    max_tokens: int = 3


#: Every batch holds every mission, bands and spectra, coarse and fine.
PLAN = (
    Part("csc bands", 96, 3),
    Part("erosita bands", 48, 5),
    Part("spectra", 96, 32),
    Part("spectra", 32, 146),
)
# How often each mission is drawn where the mode leaves it open.
MISSION_SHARE = {"csc": 0.5, "erosita": 0.25, "xmm": 0.25}
CSC_RECIPES = ("energy flux", "energy flux", "photon flux", "aperture counts")
# Rows that share one response, so that folding is one matrix product.
CHUNK = 16
# Sources of no class, spread widely over all emission models.
GENERIC_SHARE = 0.15


def training_batch(seed, counter, instruments, plan=PLAN, see=None):
    """
    Draw one batch.

    Parameters
    ----------
    seed, counter : int
        The same pair gives the same batch.
    instruments : list of `~astro_xlatent.simulate.instruments.Instrument`
        Responses to draw from.
    plan : tuple of Part, optional
        What a batch holds.
    see : callable, optional
        ``see(spectra, instrument)`` gives the spectra that really fall on the
        detector whose response the reader is told: the place of
        `astro_xlatent.simulate.imperfections`. The targets stay those of the
        sources.

    Returns
    -------
    parts : list of tuple
        ``(bins, sources)`` for every part of the plan.
    """
    rng = np.random.default_rng([seed, counter])
    return [_draw_part(part, instruments, rng, see) for part in plan]


def draw_training_sources(n, rng):
    """Sources with all classes alike, and a share of generic ones without a class."""
    index = rng.integers(len(CLASSES), size=n)
    return draw_sources(np.where(rng.random(n) < GENERIC_SHARE, -1, index), rng)


def _draw_part(part, instruments, rng, see):
    sources = draw_training_sources(part.rows, rng)
    chunks = [
        _observe(part, sources.spectrum[start:start + CHUNK], instruments, rng, see)
        for start in range(0, part.rows, CHUNK)
    ]
    bins = type(chunks[0]).concatenate(chunks)
    if part.mode == "spectra":
        bins = merge_randomly(bins, rng, part.max_tokens)
    return bins, sources


def _observe(part, spectra, instruments, rng, see):
    if part.mode == "spectra":
        mission = rng.choice(list(MISSION_SHARE), p=list(MISSION_SHARE.values()))
        instrument = _draw_instrument(instruments, mission, rng)
        return observe_spectra(_seen(spectra, instrument, see), instrument, rng)[0]
    if part.mode == "csc bands":
        instrument = _draw_instrument(instruments, "csc", rng)
        recipe = CSC_RECIPES[rng.integers(len(CSC_RECIPES))]
        return observe_csc_bands(_seen(spectra, instrument, see), instrument, rng, recipe)[0]
    instrument = _draw_instrument(instruments, "erosita", rng)
    return observe_erosita_bands(_seen(spectra, instrument, see), instrument, rng)[0]


def _seen(spectra, instrument, see):
    return spectra if see is None else see(spectra, instrument)


def observe_full(mode, spectra, instruments, rng, folding=True, see=None):
    """
    Observe every source with an instrument of its own chunk, unmerged.

    Parameters
    ----------
    mode : {'bands', 'spectra'}
        Catalogue bands of Chandra (two of three chunks) and eROSITA, or
        spectra of all missions on the fine grid.
    spectra : ndarray, shape (rows, n_energy)
        Incident spectra.
    instruments : list of Instrument
        To draw from.
    rng : `numpy.random.Generator`
        Of everything.
    folding : bool, optional
        Make the folding matrices of spectra, 0.7 MB a row.
    see : callable, optional
        See `training_batch`.

    Returns
    -------
    bins : EnergyBins
    matrices : ndarray of float32, shape (rows, N_FINE, n_energy), or None
        Folding matrices in cm2 s, for spectra.
    missions : list of str
        Mission of every row.
    """
    pieces, matrices, missions = [], [], []
    for start in range(0, len(spectra), CHUNK):
        chunk = spectra[start:start + CHUNK]
        if mode == "spectra":
            mission = rng.choice(list(MISSION_SHARE), p=list(MISSION_SHARE.values()))
            instrument = _draw_instrument(instruments, mission, rng)
            bins, truth = observe_spectra(_seen(chunk, instrument, see), instrument, rng)
            if folding:
                matrices.append(instrument.matrix * truth["seconds"][:, None, None].astype(np.float32))
        else:
            mission = "csc" if rng.random() < 2 / 3 else "erosita"
            bins = _observe(Part(f"{mission} bands", len(chunk)), chunk, instruments, rng, see)
        pieces.append(bins)
        missions += [str(mission)] * len(chunk)
    bins = type(pieces[0]).concatenate(pieces)
    return bins, np.concatenate(matrices) if matrices else None, missions


def _draw_instrument(instruments, mission, rng):
    """One instrument of the mission, or a blend of two with the same bins."""
    own = [i for i in instruments if i.mission == mission]
    first, second = (own[rng.integers(len(own))] for _ in range(2))
    if rng.random() < 0.5 or not np.array_equal(first.e_lo, second.e_lo):
        return first
    weight = rng.random()

    def blend(name):
        return (weight * getattr(first, name) + (1 - weight) * getattr(second, name)).astype(
            getattr(first, name).dtype)

    return replace(first, **{n: blend(n) for n in ("matrix", "area", "resolution", "band_matrix")})
