# Licensed under a 3-clause BSD style license - see LICENSE
"""Reconstruction: the statistic, the oracle and the other methods against closed forms and brute force."""

import numpy as np
import pytest

from astro_xlatent.simulate.instruments import default_instruments
from astro_xlatent.spectra.bins import FINE_EDGES, N_FINE, EnergyBins
from benchmarks.studies.reconstruction import (
    CountsComponents,
    _family_spectrum,
    _observe,
    evaluate_reconstruction,
    fit_statistic_of,
    gof_numbers,
    oracle_fit,
)


@pytest.fixture(scope="module")
def instruments():
    """A few shipped responses."""
    return default_instruments(years=(2005,))


def _bins(counts):
    shape = counts.shape
    low, high = (np.broadcast_to(e, shape) for e in (FINE_EDGES[:-1], FINE_EDGES[1:]))
    return EnergyBins(e_lo=low, e_hi=high, counts=counts, background=np.zeros(shape),
                      background_error=np.zeros(shape), area=np.ones(shape), resolution=np.full(shape, 0.1),
                      valid=np.ones(shape, bool))


def test_statistic_without_background():
    """The normalization is the ratio of the sums; pairs of bins; each bin adds 2 (m - n + n log(n / m))."""
    rng = np.random.default_rng(1)
    source = rng.uniform(2, 9, (3, N_FINE))
    counts = rng.poisson(4 * source).astype(float)
    n, m = (np.add.reduceat(a, np.arange(0, N_FINE, 2), axis=1) for a in (counts, source))
    m = m * (n.sum(axis=1) / m.sum(axis=1))[:, None]
    wanted = (2 * (m - n + n * np.log(n / m))).sum(axis=1)
    statistic, expectation = fit_statistic_of(_bins(counts), source)
    np.testing.assert_allclose(statistic, wanted, rtol=1e-5)
    np.testing.assert_allclose(expectation, n.shape[1], rtol=0.05)


@pytest.mark.parametrize(("family", "parameter"), [("absorbed power law", 1.8), ("absorbed black body", 0.5)])
def test_oracle_finds_the_minimum(instruments, family, parameter):
    """As low as the best of a grid of both parameters, to within a tenth."""
    spectrum = _family_spectrum(family, parameter, 5e21)
    bins, matrices, rows = _observe(np.repeat(spectrum, 4, axis=0), instruments[:1], np.random.default_rng(2),
                                    (300.0, 300.1))
    assert len(rows) > 0
    found = oracle_fit(family, bins[:1], matrices[0], parameter, 5e21)
    trial, nh = np.meshgrid(parameter * np.linspace(0.6, 1.5, 30), np.linspace(0, 1.6e22, 30))
    grid = _family_spectrum(family, trial.ravel(), nh.ravel()) @ matrices[0].T
    many = bins[np.zeros(len(grid), int)]
    assert found == pytest.approx(fit_statistic_of(many, grid)[0].min(), abs=0.3)
    assert found <= fit_statistic_of(bins[:1], spectrum @ matrices[0].T)[0][0]


def test_moments_of_known_numbers():
    """Means and widths come out; ranges with few rows and unknown values are left out."""
    rng = np.random.default_rng(3)
    gof, net = rng.normal(0.2, 1.1, 4000), np.full(4000, 500.0)
    gof[:100], net[100:105] = np.nan, 50.0
    numbers = gof_numbers(gof, net)
    assert {n.subset for n in numbers} == {"300-1000 counts"}
    found = {n.quantity: n.value for n in numbers}
    assert found["mean"] == pytest.approx(0.2, abs=0.06)
    assert found["standard deviation"] == pytest.approx(1.1, abs=0.05)
    assert found["half width of the central 68 %"] == pytest.approx(1.1, abs=0.07)


def test_components_reproduce_what_they_span():
    """Spectra that are mixtures of three shapes come back; noise does not."""
    rng = np.random.default_rng(4)
    shapes = rng.uniform(1, 50, (3, N_FINE))
    smooth = rng.uniform(0, 1, (60, 3)) @ shapes
    components = CountsComponents(_bins(smooth))
    np.testing.assert_allclose(components.reconstruct(_bins(smooth)), smooth, rtol=0.02, atol=0.5)
    noisy = rng.poisson(smooth).astype(float)
    assert np.abs(components.reconstruct(_bins(noisy)) - noisy).mean() > 1


def test_whole_run(random_model, instruments):
    """Goodness of fit, bright spectra, oracle and other methods, with an untrained model that fits badly."""
    results = evaluate_reconstruction(random_model, instruments, 80, paper_steps=1)
    section = "reconstruction: C minus that of an oracle, 300 counts"
    excess = {n.method: n.value for n in results.find(section, "mean", subset="all")}
    assert 0 <= excess["the true spectrum"] < 6
    section = "reconstruction: C over its expectation"
    ratio = results.find(section, "median", "the true spectrum", "10,000 counts")
    assert ratio[0].value == pytest.approx(1, abs=0.15)
    methods = {n.method for n in results.find("reconstruction: C per bin at 0.5-8 keV, 300 counts")}
    assert methods == {"model", "PCA-8 of counts", "autoencoder of raw counts"}
