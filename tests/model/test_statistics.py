# Licensed under a 3-clause BSD style license - see LICENSE
"""The Cash statistic and its moments."""

import numpy as np
import pytest

from astro_xlatent.model.statistics import cash, cash_moments


@pytest.mark.parametrize("mean", [0.01, 0.3, 2.0, 30.0, 5000.0])
def test_moments_against_sampling(mean):
    """Exact sums agree with a large Poisson sample."""
    sample = cash(np.random.default_rng(5).poisson(mean, 400_000), mean)
    expected, variance = cash_moments(np.array(mean))
    assert abs(sample.mean() - expected) < 5 * np.sqrt(variance / sample.size) + 1e-3 * expected
    assert abs(sample.var() / variance - 1) < 0.05


def test_cash_against_sherpa():
    """Sherpa's cstat is the same sum."""
    stats = pytest.importorskip("sherpa.stats")
    data = pytest.importorskip("sherpa.data")
    models = pytest.importorskip("sherpa.models.basic")
    n = np.array([0.0, 1.0, 5.0, 40.0])
    level = models.Const1D()
    level.c0 = 4.2
    value = stats.CStat().calc_stat(data.Data1D("counts", np.arange(4.0), n), level)[0]
    assert cash(n, 4.2).sum() == pytest.approx(value, rel=1e-10)
