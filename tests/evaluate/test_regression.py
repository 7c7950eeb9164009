# Licensed under a 3-clause BSD style license - see LICENSE
"""Regression from latents on quantities with a known share of noise."""

import numpy as np
import pytest
from astropy.table import Table

from astro_xlatent.evaluate.regression import (
    correlation_numbers,
    quantities_of,
    regression_numbers,
    spearman,
)

pytest.importorskip("sklearn", reason="evaluation needs scikit-learn")


@pytest.fixture
def latent():
    """Normal latents of 600 rows."""
    return np.random.default_rng(1).normal(size=(600, 8))


def test_share_of_variance(latent):
    """Signal and noise of equal variance: half is explained, by latents and not by noise."""
    rng = np.random.default_rng(2)
    noise = rng.normal(size=600)
    values = {"x": latent[:, 0] + noise, "constant": np.ones(600), "few": np.full(600, np.nan)}
    features = {"latents": latent, "noise": rng.normal(size=(600, 3))}
    numbers, notes = regression_numbers(values, features, np.arange(600) // 3, quick=True)
    found = {(n.quantity, n.method): n for n in numbers}
    best = 1 - np.mean(noise**2) / np.var(values["x"])
    assert found["R2 of x", "latents, ridge"].value == pytest.approx(best, abs=0.04)
    assert found["R2 of x", "latents, ridge"].low < best < found["R2 of x", "latents, ridge"].high
    assert found["R2 of x", "noise, ridge"].value < 0.05
    assert [note.split(":")[0] for note in notes] == ["constant", "few"]


def test_spearman_agrees_with_scipy(latent):
    """Ties included."""
    from scipy.stats import spearmanr

    x, y = np.round(latent[:, 0]), latent[:, 0] + latent[:, 1]
    assert spearman(x, y) == pytest.approx(spearmanr(x, y).statistic)
    assert np.isnan(spearman(np.ones(5), np.arange(5)))


def test_quantities_and_correlations(latent):
    """Columns are found under their names, logarithms taken, zeros unknown."""
    table = Table({"powlaw_nh": 10 ** latent[:, 2], "powlaw_gamma": latent[:, 3], "bb_kt": np.zeros(600)})
    found = quantities_of(table, {"hardness": latent[:, 4:6]}, "photon-flux ")
    np.testing.assert_allclose(found["log N_H of the catalogue's fit"], latent[:, 2])
    assert np.isnan(found["log kT of the catalogue's fit"]).all()
    assert "photon-flux hardness ratio 1" in found
    strongest = max(correlation_numbers({"q": found["photon index of the catalogue's fit"]}, latent),
                    key=lambda n: n.value)
    assert strongest.method == "latent 3"
