# Licensed under a 3-clause BSD style license - see LICENSE
"""Regression from latents on quantities with a known share of noise."""

import numpy as np
import pytest
from astropy.table import Table

from astro_xlatent.evaluate.regression import (
    correlation_numbers,
    head_answers,
    quantities_of,
    regression_numbers,
)
from astro_xlatent.physics.absorption import convert_nh

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


def test_quantities_and_correlations(latent):
    """Columns are found under their names, logarithms taken, columns converted, zeros unknown."""
    nh = 10 ** (1.5 + 0.3 * latent[:, 2])
    table = Table({"powlaw_nh": nh, "powlaw_gamma": latent[:, 3], "bb_kt": np.zeros(600),
                   "true_nh": np.full(600, 1e18)})
    found = quantities_of(table, latent[:, 4:6], "photon-flux ")
    converted = np.log10(convert_nh(nh * 1e20, "phabs/angr", "tbabs/wilm"))
    np.testing.assert_allclose(found["log N_H of the catalog's fit"], converted)
    assert np.isnan(found["log kT of the catalog's fit"]).all()
    assert (found["true log N_H (clipped at 1e20)"] == 20).all()
    assert "photon-flux hardness ratio HR2" in found
    numbers, matrix = correlation_numbers({"q": found["photon index of the catalog's fit"]}, latent)
    assert max(numbers, key=lambda n: n.value).method == "latent 3"
    assert matrix["quantities"] == ["q"]
    assert matrix["values"][0][3] == 1


def test_gap_of_the_head_is_measured(latent):
    """A head without error beats latents that know half of the variance, on the rows where it answers."""
    truth = latent[:, 0] + np.random.default_rng(3).normal(size=600)
    table = Table({"xl_nh": 10 ** np.where(np.arange(600) < 500, truth + 25, np.nan)})
    values = {"true log N_H (clipped at 1e20)": truth + 25}
    answers = head_answers(table, values)
    numbers, _ = regression_numbers(values, {"latents": latent}, np.arange(600), quick=True, answers=answers)
    own = [n for n in numbers if n.method == "head (xl_nh)"]
    assert [n.n for n in own] == [500] * 3
    assert own[0].value == pytest.approx(1)
    gap = next(n for n in numbers if n.quantity.startswith("difference in mean |error|"))
    assert gap.value == pytest.approx(-np.sqrt(2 / np.pi), abs=0.1)
    assert gap.low < gap.value < gap.high < 0


def test_features_that_hold_the_answer_are_left_out(latent):
    """No hardness ratio is predicted from hardness ratios, no flux from the same flux."""
    values = {"energy-flux hardness ratio HR1": latent[:, 0], "log flux 0.5-7 keV": latent[:, 1]}
    features = {"latents": latent, "energy-flux hardness": latent[:, :2],
                "energy-flux hardness + flux": latent[:, :2]}
    numbers, _ = regression_numbers(values, features, np.arange(600), quick=True)
    found = {(n.quantity, n.method.split(",")[0]) for n in numbers if n.quantity.startswith("R2")}
    assert found == {("R2 of energy-flux hardness ratio HR1", "latents"),
                     ("R2 of log flux 0.5-7 keV", "latents"),
                     ("R2 of log flux 0.5-7 keV", "energy-flux hardness")}
