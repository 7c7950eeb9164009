# Licensed under a 3-clause BSD style license - see LICENSE
"""Simulated backgrounds: normalization, lines, refusals."""

import numpy as np
import pytest

from astro_xlatent.core.errors import MissionError
from astro_xlatent.physics.grid import N_ENERGY
from astro_xlatent.simulate.background import LINES, background_shape

EDGES = np.arange(0.3, 10.0, 0.05)


def _shape(mission, seed):
    matrix = np.ones((EDGES.size - 1, N_ENERGY))
    return background_shape(mission, matrix, EDGES[:-1], EDGES[1:], np.random.default_rng(seed))


@pytest.mark.parametrize("mission", ["csc", "erosita", "xmm"])
def test_shapes_are_normalized(mission):
    """Every shape is positive, sums to one, and differs between draws."""
    first, again, other = (_shape(mission, seed) for seed in (0, 0, 1))
    assert first.sum() == pytest.approx(1.0)
    assert np.all(first > 0)
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 1e-4


@pytest.mark.parametrize(("mission", "energy"), [("csc", 9.70), ("csc", 2.16), ("xmm", 1.49), ("xmm", 8.04),
                                                 ("erosita", 6.40)])
def test_fluorescence_lines_stand_out(mission, energy):
    """The laboratory lines of the detectors are above the continuum beside them."""
    mean = np.mean([_shape(mission, seed) for seed in range(50)], axis=0)
    center = 0.5 * (EDGES[:-1] + EDGES[1:])
    assert any(line == energy for line, _ in LINES[mission])
    inside = mean[np.argmin(np.abs(center - energy))]
    beside = mean[[np.argmin(np.abs(center - energy - shift)) for shift in (-0.25, 0.25)]]
    assert inside > 1.1 * beside.mean()


def test_particles_are_not_folded():
    """Where the mirrors have no area there is background all the same."""
    matrix = np.zeros((EDGES.size - 1, N_ENERGY))
    matrix[:50] = 1.0
    shape = background_shape("csc", matrix, EDGES[:-1], EDGES[1:], np.random.default_rng(2))
    assert np.all(shape[60:] > 0)


def test_unknown_mission_is_refused():
    """The message lists the missions with a background."""
    with pytest.raises(MissionError, match="csc, erosita, xmm"):
        _shape("rosat", 0)
