# Licensed under a 3-clause BSD style license - see LICENSE
"""Coverage of N_H by cell: cells are filled evenly, and coverage is that of a closed form."""

import numpy as np
import pytest

from astro_xlatent import load_model
from astro_xlatent.model.network import LOG_NH_RANGE
from astro_xlatent.simulate.instruments import default_instruments
from benchmarks.studies.cells import CELL_RANGES, _cell, cell_numbers, simulate_cells


def test_cells_are_numbered_by_class_and_counts():
    """Rows outside the ranges belong to no cell."""
    cell = _cell(np.array([9.9, 10.0, 29.0, 30.0, 9999.0, 1e4]), np.array([0, 0, 1, 1, 2, 2]))
    n = len(CELL_RANGES)
    assert cell.tolist() == [-1, 0, n, n + 1, 2 * n + n - 1, -1]


@pytest.mark.parametrize("mode", ["bands", "spectra"])
def test_every_cell_is_filled_alike(mode):
    """As many sources as asked for in every cell, with densities that sum to one."""
    rows = simulate_cells(load_model(), default_instruments(), mode, 2, seed=3)
    held = np.bincount(rows["cell"], minlength=9 * len(CELL_RANGES))
    assert held.min() >= 2
    np.testing.assert_allclose(rows["nh_density"].sum(axis=1), 1, rtol=1e-6)
    assert np.all(np.isfinite(rows["nh"]))


def test_coverage_of_an_exact_density_is_the_level():
    """Truths drawn from the stated densities lie in the intervals as often as stated, in every cell."""
    rng = np.random.default_rng(1)
    n, n_cells = 9000, 40
    centers = np.linspace(*LOG_NH_RANGE, n_cells)
    density = rng.dirichlet(np.ones(n_cells), n)
    log_nh = centers[[rng.choice(n_cells, p=p) for p in density]]
    # Somewhere within the cell of the truth, as the density is flat there.
    log_nh = log_nh + (rng.random(n) - 0.5) * (centers[1] - centers[0])
    rows = {"nh": 10**log_nh, "nh_density": density, "net": np.full(n, 50.0),
            "class_index": rng.integers(9, size=n), "class_prob": rng.dirichlet(np.ones(9), n)}
    numbers = cell_numbers("bands", rows, rng)
    for number in numbers:
        if number.quantity == "coverage 68 %" and number.n > 900:
            assert abs(number.value - 0.68) < 0.06
    shares = [number.value for number in numbers if number.quantity.startswith("share")]
    assert min(shares) > 0.7  # of nine cells with errors of 0.015, two may be off by chance
