# Licensed under a 3-clause BSD style license - see LICENSE
"""Rows to feed a model."""

import numpy as np
import pytest

from astro_xlatent.physics.grid import N_ENERGY
from astro_xlatent.spectra.bins import FINE_EDGES, N_FINE, EnergyBins


@pytest.fixture(scope="session")
def fine_rows():
    """Rows on the fine grid with folding matrices without redistribution."""
    rng = np.random.default_rng(11)
    rows = 24
    e_lo, e_hi = (np.broadcast_to(e, (rows, N_FINE)) for e in (FINE_EDGES[:-1], FINE_EDGES[1:]))
    area = 10 ** rng.uniform(5, 8, (rows, 1)) * np.exp(-0.5 * (np.log(e_lo / 1.5)) ** 2)
    flux = 1e-5 * e_lo ** -rng.uniform(0, 3, (rows, 1))
    background = rng.uniform(0.01, 1, (rows, 1)) * np.ones(N_FINE)
    bins = EnergyBins(
        e_lo=e_lo, e_hi=e_hi, counts=rng.poisson(area * flux * (e_hi - e_lo) + background),
        background=background, background_error=0.3 * background, area=area,
        resolution=np.full((rows, N_FINE), 0.12), valid=np.broadcast_to(e_lo > 0.4, (rows, N_FINE)))
    matrices = bins.unfolded_weights()
    assert matrices.shape == (rows, N_FINE, N_ENERGY)
    return bins, matrices
