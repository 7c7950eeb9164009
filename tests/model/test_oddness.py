# Licensed under a 3-clause BSD style license - see LICENSE
"""The p-value of an outlier: joint over its parts, uniform where they are, and of older models."""

import numpy as np
import pytest

from astro_xlatent.model.calibration import WEIGHTS, Calibration, joint_score
from astro_xlatent.model.network import Config

LEVELS = np.linspace(0, 1, 501)


@pytest.fixture(scope="module")
def tables():
    """Calibration whose fit statistics are uniform over simulations, latents standard normal."""
    tables = Calibration.identity(Config()).tables
    rng = np.random.default_rng(1)
    evidence = np.quantile(Calibration(tables).evidence(rng.normal(size=(20000, 8)), _narrow(20000)), LEVELS)
    p = {name: rng.random(200_000) for name in WEIGHTS}
    mode = tables["spectra"] | {"gof": [LEVELS.tolist()], "run": [LEVELS.tolist()],
                                "odd": [np.quantile(joint_score(p), LEVELS).tolist()]}
    return tables | {"levels": LEVELS.tolist(), "bands": mode | {"evidence": [evidence.tolist()]},
                     "spectra": mode | {"evidence": [evidence.tolist()]}}


def _narrow(n):
    return np.broadcast_to(1e-6 * np.eye(8), (n, 8, 8))


def _outlier(tables, mode="spectra", n=20000):
    rng = np.random.default_rng(2)
    return Calibration(tables).outlier(mode, np.full(n, 1000.0), rng.normal(size=(n, 8)), _narrow(n),
                                       rng.random(n), rng.random(n))


@pytest.mark.parametrize("mode", ["bands", "spectra"])
def test_false_alarms_are_what_the_p_value_says(tables, mode):
    """Independent, uniform parts give a uniform joint p-value."""
    p = _outlier(tables, mode)
    for level in (0.02, 0.05, 0.2):
        assert np.mean(p < level) == pytest.approx(level, rel=0.1, abs=0.004)


def test_either_part_alone_is_enough(tables):
    """A run, a poor fit or latents far from all simulations are called odd, whatever the others say."""
    calibration, net = Calibration(tables), np.full(3, 1000.0)
    mean = np.array([np.zeros(8), np.zeros(8), np.full(8, 5.0)])
    p = calibration.outlier("spectra", net, mean, _narrow(3), np.array([0.5, 1.2, 0.5]),
                            np.array([1.2, 0.5, 0.5]))
    assert np.all(p < 0.02)
    ordinary = calibration.outlier("spectra", net, 0.3 * mean, _narrow(3), np.full(3, 0.5), np.full(3, 0.5))
    assert np.all(ordinary[:2] > 0.3)


def test_unknown_fit_leaves_the_latents(tables):
    """Without a goodness of fit (few bins, no background) the evidence of the latents decides alone."""
    rng = np.random.default_rng(4)
    mean, nothing = rng.normal(size=(50, 8)), np.full(50, np.nan)
    arguments = np.full(50, 300.0), mean, _narrow(50)
    alone = Calibration(tables).outlier("spectra", *arguments, nothing, np.full(50, 99.0))
    np.testing.assert_array_equal(alone, Calibration(tables).outlier("bands", *arguments, nothing, nothing))


def test_older_models_are_judged_cautiously(tables):
    """Without tables of runs and of the joint p-value no more false alarms are raised than stated."""
    old = {name: value for name, value in tables["spectra"].items() if name not in ("run", "odd")}
    p = _outlier(tables | {"spectra": old})
    assert 0.02 < np.mean(p < 0.05) < 0.053
