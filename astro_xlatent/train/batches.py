# Licensed under a 3-clause BSD style license - see LICENSE
"""Batches of simulated observations as plain arrays for the encoder; workers make them without torch."""

from dataclasses import dataclass
from functools import partial

import numpy as np

from astro_xlatent.model.tokens import token_arrays
from astro_xlatent.simulate.imperfections import imperfect, misjudge_background
from astro_xlatent.simulate.prepared import load_prepared
from astro_xlatent.spectra.bins import N_FINE
from astro_xlatent.train.pool import in_order
from astro_xlatent.train.stream import teacher_input, training_batch

__all__ = ["TRUTHS", "Recipe", "draw_faults", "observation_arrays", "step_arrays", "steps"]

#: Columns of the truth that the heads learn.
TRUTHS = ("nh", "photon_index", "kt")
# Parts are padded to the smallest of these numbers of tokens and joined: a GPU wants few
# large arrays of few shapes. Invalid tokens change nothing.
_WIDTHS = (8, 32, N_FINE)
# Last part of the seed of imperfections, behind that of the batch.
_FAULTS = 1


@dataclass(frozen=True)
class Recipe:
    """What determines a step's observations, beside its number; ``instruments`` is a file of them."""

    instruments: str
    seed: int
    batches_per_step: int = 1
    imperfections: tuple = ()


def steps(recipe, numbers, workers=0):
    """Yield the groups of `step_arrays` of every step, which do not depend on the number of workers."""
    return in_order(step_arrays, numbers, workers, _load, (recipe,))


def _load(recipe):
    return recipe, load_prepared(recipe.instruments)


def step_arrays(state, number):
    """Arrays of one step, given a recipe and its instruments; rows of like width together."""
    recipe, instruments = state
    groups = {}
    first = number * recipe.batches_per_step
    for counter in range(first, first + recipe.batches_per_step):
        faults, see = draw_faults((recipe.seed, counter), recipe.imperfections)
        for bins, sources in training_batch(recipe.seed, counter, instruments, see=see):
            bins.background = misjudge_background(bins.background, faults, recipe.imperfections)
            width = next((w for w in _WIDTHS if w >= bins.n_bins), bins.n_bins)
            groups.setdefault(width, []).append(observation_arrays(bins, sources, width))
    return [{name: np.concatenate([part[name] for part in groups[width]]) for name in groups[width][0]}
            for width in sorted(groups)]


def draw_faults(seed, imperfections):
    """What makes a batch imperfect: random numbers for `misjudge_background`, and ``see`` or None."""
    rng = np.random.default_rng([*seed, _FAULTS])
    return rng, partial(imperfect, rng=rng, pieces=imperfections) if imperfections else None


def observation_arrays(bins, sources, width=None):
    """What losses need: `token_arrays`, ``teacher_input``, ``class_index``, `TRUTHS`; ``width`` tokens."""
    missing = (width or bins.n_bins) - bins.n_bins
    arrays = {name: np.pad(a, ((0, 0), (0, missing))) if a.ndim == 2 else a
              for name, a in token_arrays(bins).items()}
    return arrays | {"teacher_input": teacher_input(sources.spectrum), "class_index": sources.class_index,
                     **{name: np.asarray(sources.truth[name], float) for name in TRUTHS}}
