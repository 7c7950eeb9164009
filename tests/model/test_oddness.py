# Licensed under a 3-clause BSD style license - see LICENSE
"""The p-value of an outlier: joint over its parts, uniform where they are."""

import numpy as np
import pytest

from astro_xlatent.model.calibration import Calibration, joint_score
from astro_xlatent.model.network import Config

LEVELS = np.linspace(0, 1, 501)
FIT = ("gof", "run", "distance")


@pytest.fixture(scope="module")
def tables():
    """Calibration whose fit statistics are uniform over simulations, latents standard normal."""
    tables = Calibration.identity(Config()).tables
    rng = np.random.default_rng(1)
    evidence = np.quantile(Calibration(tables).evidence(rng.normal(size=(20000, 8)), _narrow(20000)), LEVELS)
    mode = tables["spectra"] | {name: [LEVELS.tolist()] for name in FIT} | {"evidence": [evidence.tolist()]}
    tables |= {"levels": LEVELS.tolist(), "bands": mode, "spectra": mode}
    n = 100_000
    p = Calibration(tables).oddness("spectra", np.full(n, 1000.0), rng.normal(size=(n, 8)), _narrow(n),
                                    {name: rng.random(n) for name in FIT})
    return tables | {"spectra": mode | {"odd": [np.quantile(joint_score(p), LEVELS).tolist()]}}


def _narrow(n):
    return np.broadcast_to(1e-6 * np.eye(8), (n, 8, 8))


def _outlier(tables, mode="spectra", n=20000):
    rng = np.random.default_rng(2)
    fit = {name: rng.random(n) for name in FIT}
    return Calibration(tables).outlier(mode, np.full(n, 1000.0), rng.normal(size=(n, 8)), _narrow(n), fit)


@pytest.mark.parametrize("mode", ["bands", "spectra"])
def test_false_alarms_are_what_the_p_value_says(tables, mode):
    """Independent, uniform parts give a uniform joint p-value."""
    p = _outlier(tables, mode)
    for level in (0.02, 0.05, 0.2):
        assert np.mean(p < level) == pytest.approx(level, rel=0.1, abs=0.004)


def test_either_part_alone_is_enough(tables):
    """A run, a poor or far-fetched fit, latents far from all simulations: each alone is odd."""
    calibration, net = Calibration(tables), np.full(4, 1000.0)
    mean = np.zeros((4, 8))
    mean[3] = 5.0
    fit = {name: np.where(np.arange(4) == k, 1.2, 0.5) for k, name in enumerate(FIT)}
    p = calibration.outlier("spectra", net, mean, _narrow(4), fit)
    assert np.all(p < 0.02)
    ordinary = calibration.outlier("spectra", net, 0 * mean, _narrow(4), dict.fromkeys(FIT, np.full(4, 0.5)))
    assert np.all(ordinary > 0.3)


def test_unknown_fit_leaves_the_latents(tables):
    """Without a goodness of fit (few bins) the evidence of the latents decides alone."""
    rng = np.random.default_rng(4)
    mean, nothing = rng.normal(size=(50, 8)), np.full(50, np.nan)
    arguments = np.full(50, 300.0), mean, _narrow(50)
    unknown = dict.fromkeys(FIT, nothing)
    alone = Calibration(tables).outlier("spectra", *arguments, unknown | {"run": np.full(50, 99.0)})
    np.testing.assert_array_equal(alone, Calibration(tables).outlier("bands", *arguments, unknown))
