# Licensed under a 3-clause BSD style license - see LICENSE
"""The Cash statistic and its moments."""

import numpy as np
import pytest
from scipy.stats import poisson

from astro_xlatent.model.statistics import (
    MIN_BINS,
    RUNS,
    cash,
    cash_moments,
    fit_statistics,
    largest_run,
    merge_bins,
)
from astro_xlatent.spectra.bins import FINE_EDGES, N_FINE, EnergyBins


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
    """Three neighboring bins 3.5 sigma high: a run of their Cash statistic, not a poor sum over 60 bins."""
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


def test_moments_against_scipy():
    """Expectation and variance equal scipy's own sums over the Poisson distribution."""
    for mean in (0.02, 0.7, 4.0, 60.0):
        distribution = poisson(mean)
        first = distribution.expect(lambda n, m=mean: cash(n, m))
        second = distribution.expect(lambda n, m=mean: cash(n, m) ** 2)
        expected, variance = cash_moments(np.array(mean))
        assert expected == pytest.approx(first, rel=2e-3)
        assert variance == pytest.approx(second - first**2, rel=1e-2)


def test_cash_is_twice_the_log_likelihood_ratio():
    """Against scipy's Poisson probabilities."""
    n, m = np.array([0.0, 1.0, 7.0, 300.0]), np.array([0.4, 2.0, 7.0, 280.0])
    ratio = -2 * (poisson.logpmf(n, m) - poisson.logpmf(n, np.maximum(n, 1e-300)))
    np.testing.assert_allclose(cash(n, m), ratio, rtol=1e-9, atol=1e-9)


def test_merged_bins_are_sums_of_pairs():
    """As a loop over pairs adds them, the odd last one alone, invalid ones left out."""
    rng = np.random.default_rng(4)
    values, valid = rng.random((3, 11)), rng.random((3, 11)) > 0.3
    cube = rng.random((3, 11, 2))
    for given in (values, cube):
        found = merge_bins(given, valid)
        for row in range(3):
            for pair in range(6):
                wanted = sum(given[row, k] for k in (2 * pair, 2 * pair + 1) if k < 11 and valid[row, k])
                np.testing.assert_allclose(found[row, pair], wanted, rtol=1e-12, atol=1e-12)


def test_largest_run_against_a_loop():
    """Every run of every length, one by one."""
    rng = np.random.default_rng(8)
    model = rng.uniform(1, 20, (4, 17))
    counts, spread = rng.poisson(model).astype(float), rng.uniform(0, 3, (4, 17))
    found = largest_run(counts, model, spread)
    for row in range(4):
        best = 0.0
        for length in RUNS:
            for start in range(17 - length + 1):
                part = slice(start, start + length)
                n, m, b = (a[row, part].sum() for a in (counts, model, spread))
                best = max(best, float(cash(n, m)) / (1 + b / m))
        assert found[row] == pytest.approx(best)


def _flat_rows(counts, background=0.0, error=0.0, bins=N_FINE):
    """Rows on the fine grid whose source is the same in every bin, one incident energy each."""
    rows = len(counts)
    e_lo, e_hi = (np.broadcast_to(e, (rows, N_FINE)) for e in (FINE_EDGES[:-1], FINE_EDGES[1:]))
    found = EnergyBins(
        e_lo=e_lo, e_hi=e_hi, counts=counts, background=np.full((rows, N_FINE), background),
        background_error=np.full((rows, N_FINE), error), area=np.ones((rows, N_FINE)),
        resolution=np.full((rows, N_FINE), 0.1),
        valid=np.broadcast_to(np.arange(N_FINE) < bins, (rows, N_FINE)))
    return found, np.ones((rows, 1)), np.ones((rows, N_FINE, 1))


def test_fit_of_noise_is_standard_normal():
    """Over Poisson spectra of the right shape: mean 0 with one fitted parameter, deviation 1."""
    counts = np.random.default_rng(2).poisson(6.0, (1500, N_FINE)).astype(float)
    fit = fit_statistics(*_flat_rows(counts), n_fitted=np.ones(1500))
    assert abs(fit["gof"].mean()) < 0.1
    assert fit["gof"].std() == pytest.approx(1, abs=0.07)
    assert np.all(fit["dispersion"] >= 1)
    assert fit["dispersion"].mean() < 1.1


def test_dispersion_is_the_scatter_over_poisson():
    """Counts that scatter four times as much as Poisson's: a statistic of four times its expectation."""
    noise = np.random.default_rng(3).normal(400.0, 2 * 20.0, (300, N_FINE)).round()
    fit = fit_statistics(*_flat_rows(noise), n_fitted=np.ones(300))
    assert np.median(fit["dispersion"]) == pytest.approx(4, rel=0.05)
    assert np.all(fit["gof"] > 5)


def test_few_bins_have_no_fit():
    """Fewer than ten merged bins always fit: all is unknown."""
    counts = np.full((2, N_FINE), 5.0)
    few, enough = (fit_statistics(*_flat_rows(counts, bins=n)) for n in (2 * MIN_BINS - 2, 2 * MIN_BINS))
    assert all(np.isnan(values).all() for values in few.values())
    assert all(np.isfinite(values).all() for values in enough.values())


def test_an_uncertain_background_excuses():
    """The same excess over the background is less odd the less is known of the background."""
    counts = np.full((1, N_FINE), 20.0)
    counts[0, ::4] = 32.0
    sure, unsure = (fit_statistics(*_flat_rows(counts, 10.0, error)) for error in (0.0, 5.0))
    assert unsure["gof"][0] < sure["gof"][0]
    assert unsure["run"][0] < sure["run"][0]
