# Licensed under a 3-clause BSD style license - see LICENSE
"""The Cash statistic and its moments."""

import numpy as np
import pytest

from astro_xlatent.model.statistics import cash, cash_moments, largest_run


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


def test_run_finds_a_line_that_the_sum_hides():
    """Three neighbouring bins 3.5 sigma high: a run of their Cash statistic, not a poor sum over 60 bins."""
    model = np.full((1, 60), 40.0)
    counts = model.copy()
    counts[0, 20:23] += 22
    run = largest_run(counts, model, np.zeros_like(model))[0]
    assert run == pytest.approx(cash(186.0, 120.0), rel=1e-12)
    assert run > 25


def test_run_allows_for_the_background_and_skips_unused_bins():
    """An uncertain background explains an excess; bins that are all zero add nothing."""
    model = np.where(np.arange(40) < 30, 10.0, 0.0)[None]
    counts = np.where(np.arange(40) == 12, 25.0, model)
    none, all_of_it = (largest_run(counts, model, share * model)[0] for share in (0.0, 5.0))
    assert none == pytest.approx(cash(25.0, 10.0))
    assert all_of_it == pytest.approx(none / 6)
    assert largest_run(model, model, 0 * model)[0] < 1e-4


def test_run_of_poisson_noise():
    """By chance the largest of some 200 chi-squares: median 6 to 8, beyond 20 in less than 1 % of spectra."""
    rng = np.random.default_rng(3)
    model = np.broadcast_to(np.geomspace(50, 2, 60), (2000, 60))
    run = largest_run(rng.poisson(model).astype(float), model, np.zeros(model.shape))
    assert 5 < np.median(run) < 9
    assert np.mean(run > 20) < 0.01
