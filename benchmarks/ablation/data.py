# Licensed under a 3-clause BSD style license - see LICENSE
"""
Simulated observations on which variants of the model are trained and judged.

All variants see the same sources through the same responses with the same
noise. Beside what an observer knows, an `Observation` keeps what only the
simulator knows: the responses and the true background, for likelihoods that
need them.
"""

from dataclasses import dataclass, replace

import numpy as np

from astro_xlatent.simulate.observe import (
    draw_apertures,
    draw_recipes,
    merge_randomly,
    observe_spectra,
    read_published,
)
from astro_xlatent.simulate.populations import Sources
from astro_xlatent.spectra.bins import EnergyBins
from astro_xlatent.train.stream import (
    CHUNK,
    MISSION_SHARE,
    draw_training_sources,
)

__all__ = ["MODES", "TRAIN_ROWS", "Observation", "draw_observation", "flat_area", "merged_rows", "observe"]

#: Rows of bands and of spectra in every training batch.
TRAIN_ROWS = {"bands": 32, "spectra": 32}
MODES = tuple(TRAIN_ROWS)
# Of the spectra, those that may have as many tokens as the fine grid has bins.
_FINE_ROWS = 4
_MOST_TOKENS = {"coarse": 32, "fine": 146}


@dataclass
class Observation:
    """
    Rows of one mode.

    Attributes
    ----------
    mode : {'bands', 'spectra'}
    bins : EnergyBins
        Catalog bands, or spectra on the fine grid.
    sources : `~astro_xlatent.simulate.populations.Sources`
    instruments : list of Instrument
        One for every `CHUNK` rows.
    mission : ndarray of str, shape (rows,)
    seconds : ndarray, shape (rows,)
        Of spectra: what the folded incident spectrum is multiplied by.
    background : ndarray, shape (rows, bins)
        Of spectra: expected background counts, as only the simulator knows them.
    """

    mode: str
    bins: EnergyBins
    sources: Sources
    instruments: list
    mission: np.ndarray
    seconds: np.ndarray
    background: np.ndarray

    def __len__(self):
        return len(self.bins)

    def chunks(self):
        """Slices of rows that share a response, with their instruments."""
        for number, instrument in enumerate(self.instruments):
            yield slice(number * CHUNK, min((number + 1) * CHUNK, len(self))), instrument


def draw_observation(mode, rows, instruments, seed, counts_range=None):
    """
    Draw sources and observe them.

    Parameters
    ----------
    mode : {'bands', 'spectra'}
    rows : int
    instruments : list of `~astro_xlatent.simulate.instruments.Instrument`
        Of all missions, unblended.
    seed : sequence of int
        The same gives the same rows.
    counts_range : tuple of float, optional
        Expected source counts, log-uniform between these; those of training
        if not given.

    Returns
    -------
    observation : Observation
    """
    sources = draw_training_sources(rows, np.random.default_rng([*seed, 0]))
    return observe(mode, sources, instruments, seed, counts_range)


def observe(mode, sources, instruments, seed, counts_range=None):
    """
    Observe given sources.

    Parameters
    ----------
    mode, instruments, seed, counts_range
        As for `draw_observation`: the same seed gives the same instruments
        whatever the counts.
    sources : `~astro_xlatent.simulate.populations.Sources`

    Returns
    -------
    observation : Observation
    """
    choices, noise = (np.random.default_rng([*seed, k]) for k in (1, 2))
    share = MISSION_SHARE
    counted = {} if counts_range is None else {"counts_range": counts_range}
    used, pieces, truths = [], [], []
    for start in range(0, len(sources), CHUNK):
        spectra = sources.spectrum[start:start + CHUNK]
        mission = str(choices.choice(list(share), p=list(share.values())))
        own = [i for i in instruments if i.mission == mission]
        used.append(own[choices.integers(len(own))])
        if mode == "spectra":
            bins, truth = observe_spectra(spectra, used[-1], noise, **counted)
            truths.append(truth)
        else:
            seen = draw_apertures(spectra, used[-1], noise, **counted)
            bins = read_published(seen, draw_recipes(mission, len(seen), noise), noise)
        pieces.append(bins)
    bins = EnergyBins.concatenate(pieces)
    full = mode == "spectra"
    return Observation(
        mode, bins, sources, used, np.repeat([i.mission for i in used], [len(p) for p in pieces]),
        np.concatenate([t["seconds"] for t in truths]) if full else np.ones(len(bins)),
        np.concatenate([t["expected_background"] for t in truths]) if full else bins.background)


def merged_rows(observation, rng):
    """
    Merge the fine bins of spectra at random, as tokens of training.

    Parameters
    ----------
    observation : Observation
        Of spectra.
    rng : `numpy.random.Generator`

    Returns
    -------
    parts : list of tuple
        ``(bins, sources)``: most rows coarse, some as fine as the grid.
    """
    first = max(len(observation) - _FINE_ROWS, 0)
    return [
        (merge_randomly(observation.bins[rows], rng, _MOST_TOKENS[kind]), _some(observation.sources, rows))
        for kind, rows in (("coarse", slice(0, first)), ("fine", slice(first, None)))
        if len(observation.bins[rows])
    ]


def _some(sources, rows):
    truth = {name: values[rows] for name, values in sources.truth.items()}
    return Sources(sources.spectrum[rows], sources.class_index[rows], truth)


def flat_area(bins):
    """
    Bins that claim the same effective area at every energy.

    What remains is what counts alone tell: the instrument's response is mixed
    with the source's spectrum. The resolution and the range of energies still
    differ between instruments.

    Parameters
    ----------
    bins : EnergyBins

    Returns
    -------
    bins : EnergyBins
    """
    return replace(bins, area=np.ones_like(bins.area))
