# Licensed under a 3-clause BSD style license - see LICENSE
"""A small model with random weights, and rows to feed it."""

import numpy as np
import pytest
import torch

from astro_xlatent.model.calibration import Calibration
from astro_xlatent.model.network import Config, Decoder, Encoder, Teacher
from astro_xlatent.model.posterior import Model
from astro_xlatent.physics.absorption import absorption_cross_section
from astro_xlatent.physics.grid import ENERGY_MID, N_ENERGY
from astro_xlatent.spectra.bins import FINE_EDGES, N_FINE, EnergyBins


@pytest.fixture(scope="session")
def random_model():
    """Networks as they are before training."""
    torch.manual_seed(4)
    config = Config(width=32, n_layers=2)
    energy = torch.as_tensor(ENERGY_MID, dtype=torch.float32)
    sigma = torch.as_tensor(np.array(absorption_cross_section(ENERGY_MID)), dtype=torch.float32)
    info = {"name": "random", "version": "0", "latent_space": "none", "missions": ["csc"],
            "classes": ["AGN", "CV", "HM-STAR", "HMXB", "LM-STAR", "LMXB", "NS", "YSO", "other"]}
    return Model(info, Encoder(config), Decoder(config, energy, sigma), Teacher(config),
                 Calibration.identity(config))


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
