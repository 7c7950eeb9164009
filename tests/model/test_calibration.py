# Licensed under a 3-clause BSD style license - see LICENSE
"""Corrections against independent implementations, and densities on cells."""

import numpy as np
import pytest
from scipy.stats import multivariate_normal, norm, rv_histogram

from astro_xlatent import load_model
from astro_xlatent.model.calibration import Calibration, half_log_volume
from astro_xlatent.model.density import (
    density_below,
    density_quantiles,
    probability_below_truth,
    recalibrated_density,
)
from astro_xlatent.model.network import Config
from astro_xlatent.model.priors import apply_prior, prior_weights

LIMITS = (0.0, 9.0)


@pytest.fixture(scope="module")
def calibration():
    """Of the released model."""
    return load_model().calibration


def _gaussians(n, seed=3):
    rng = np.random.default_rng(seed)
    root = rng.normal(size=(n, 8, 8))
    return rng.normal(size=(n, 8)), root @ root.transpose(0, 2, 1) / 20 + 0.05 * np.eye(8)


def test_evidence_against_scipy(calibration):
    """The mixture's density of every posterior mean, by scipy, over that at its own center."""
    mean, covariance = _gaussians(20)
    mixture = calibration.tables["mixture"]
    wanted = [
        np.log(sum(w * multivariate_normal(m, c + np.array(s)).pdf(x) for w, m, s in zip(
            mixture["weight"], mixture["mean"], mixture["covariance"], strict=True)))
        - multivariate_normal(x, c).logpdf(x) for x, c in zip(mean, covariance, strict=True)]
    np.testing.assert_allclose(calibration.evidence(mean, covariance), wanted, rtol=1e-6)


def test_volume_against_eigenvalues():
    """Half the log determinant is the sum of the logarithms of the axes."""
    _, covariance = _gaussians(10)
    np.testing.assert_allclose(half_log_volume(covariance),
                               0.5 * np.log(np.linalg.eigvalsh(covariance)).sum(axis=1), rtol=1e-9)


def test_levelled_evidence(calibration):
    """Without a slope it is the evidence; with one, as many times the volume is taken away."""
    mean, covariance = _gaussians(12)
    net = np.geomspace(1, 1e5, 12)
    plain = Calibration.identity(Config()).tables
    np.testing.assert_array_equal(Calibration(plain).levelled_evidence("bands", net, mean, covariance),
                                  Calibration(plain).evidence(mean, covariance))
    steep = Calibration(plain | {"bands": plain["bands"] | {"evidence_slope": [2.0]}})
    np.testing.assert_allclose(steep.levelled_evidence("bands", net, mean, covariance),
                               steep.evidence(mean, covariance) - 2 * half_log_volume(covariance))
    assert "evidence_slope" in calibration.tables["bands"]


def test_corrections_end_with_the_nodes(calibration):
    """Below the first and above the last node the nearest holds; between them it is linear in log counts."""
    nodes = 10**calibration.nodes
    at = calibration.at("bands", "latent_scale", nodes)
    np.testing.assert_allclose(at, calibration.tables["bands"]["latent_scale"])
    beyond = calibration.at("bands", "latent_scale", nodes[[0, -1]] * [1e-3, 1e4])
    np.testing.assert_allclose(beyond, at[[0, -1]], rtol=1e-12)
    middle = 10 ** (0.5 * (calibration.nodes[1:] + calibration.nodes[:-1]))
    np.testing.assert_allclose(calibration.at("bands", "latent_scale", middle), 0.5 * (at[1:] + at[:-1]))


def test_density_of_n_h_by_class():
    """Each class has its own correction; between classes it is mixed, and without a table there is none."""
    tables = Calibration.identity(Config()).tables | {"levels": [0.0, 0.5, 1.0]}
    share = np.tile([0.0, 0.5, 1.0], (1, 9, 1))
    share[0, 2] = 0.0, 0.8, 1.0  # of class 2, four truths in five lie below the median
    below = {f"{head}_below": [tables["levels"]] for head in ("nh", "index", "kt")}
    older = Calibration(tables | {"bands": tables["bands"] | below})
    newer = Calibration(tables | {"bands": tables["bands"] | below | {"nh_share": share.tolist()}})
    net, logits = np.full(3, 100.0), np.zeros((3, 10))
    alike = np.zeros((3, 9))
    alike[0, 0] = alike[1, 2] = 1.0
    alike[2, [0, 2]] = 0.5
    found = newer.density("nh", "bands", net, logits, alike)
    np.testing.assert_allclose(found.sum(axis=1), 1)
    np.testing.assert_allclose(found[:, :5].sum(axis=1), [0.5, 0.8, 0.65])
    for head, one in (("nh", older), ("index", newer)):
        np.testing.assert_allclose(one.density(head, "bands", net, logits, alike), 0.1)


def test_class_sets_against_a_loop(calibration):
    """Classes are taken from the most probable until the next would exceed the level; at least one."""
    rng = np.random.default_rng(5)
    probability, net = rng.dirichlet(np.full(9, 0.4), 200), 10 ** rng.uniform(0, 5, 200)
    level = np.interp(np.log10(net), calibration.nodes, calibration.tables["spectra"]["class_level"])
    for row, needed, found in zip(probability, level, calibration.class_set("spectra", net, probability),
                                  strict=True):
        wanted, total = [], 0.0
        for k in sorted(range(9), key=lambda k: -row[k]):
            total += row[k]
            if wanted and total > needed:
                break
            wanted.append(k)
        assert list(found) == wanted


def test_class_sets_are_conformal():
    """Where the truth is drawn from the probabilities, sets calibrated on some hold 90 % of others."""
    rng = np.random.default_rng(6)
    probability = rng.dirichlet(np.full(9, 0.3), 20000)
    truth = np.array([rng.choice(9, p=row) for row in probability])
    of_truth = probability[np.arange(20000), truth]
    score = np.where(probability >= of_truth[:, None], probability, 0).sum(axis=1)
    tables = Calibration.identity(Config()).tables
    mode = tables["bands"] | {"class_level": [float(np.quantile(score[:10000], 0.9))]}
    calibration, net = Calibration(tables | {"bands": mode}), np.full(10000, 100.0)
    sets = calibration.class_set("bands", net, probability[10000:])
    held = np.mean([k in row for k, row in zip(truth[10000:], sets, strict=True)])
    assert held == pytest.approx(0.9, abs=0.02)


def test_flux_limits_scale_about_the_median():
    """Factors widen each side by itself, and nothing falls below zero."""
    tables = Calibration.identity(Config()).tables
    mode = tables["bands"] | {"flux_2_7": [[3.0, 0.5]]}
    found = Calibration(tables | {"bands": mode}).flux_limits("2_7", "bands", np.full(2, 50.0),
                                                             np.array([[1.0, 2.0, 4.0], [9.0, 10.0, 12.0]]))
    np.testing.assert_allclose(found, [[0.0, 2.0, 3.0], [7.0, 10.0, 11.0]])


def test_poor_fits(calibration):
    """By the quantiles of simulations: 1 % are poorer; unknown is not poor, nor foreign."""
    levels = np.array(calibration.tables["levels"])
    at = np.array(calibration.tables["spectra"]["gof"])[3]
    net = np.full(3, 10**calibration.nodes[3])
    gof = np.interp([0.98, 0.995, 0.5], levels, at)
    gof[2] = np.nan
    np.testing.assert_array_equal(calibration.poor_fit(net, gof), [False, True, False])
    fit = {"gof": np.array([at[-1], 500.0, np.nan]), "run": np.array([8.0, 8.0, np.nan])}
    assert list(calibration.not_this_model(net, fit))[1:] == [True, False]
    assert list(calibration.not_this_model(net, {"gof": np.zeros(3), "run": np.full(3, 900.0)})) == [True] * 3


def test_density_against_a_histogram():
    """Quantiles and probabilities are those of scipy's histogram distribution."""
    density = np.random.default_rng(2).dirichlet(np.ones(10), 6)
    edges = np.arange(11) - 0.5
    p = np.array([0.05, 0.3, 0.5, 0.9])
    for row, quantiles, below in zip(density, density_quantiles(density, LIMITS, p),
                                     density_below(density, LIMITS, 4.2), strict=True):
        histogram = rv_histogram((row, edges), density=False)
        np.testing.assert_allclose(quantiles, histogram.ppf(p), atol=1e-4)
        assert below == pytest.approx(histogram.cdf(4.2))


def test_truth_drawn_from_densities_is_uniform():
    """The distribution function at truths drawn from the densities has the quantiles of a uniform one."""
    rng = np.random.default_rng(3)
    density = rng.dirichlet(np.ones(10), 8000)
    truth = np.array([rng.choice(10, p=row) for row in density]) + rng.uniform(-0.5, 0.5, 8000)
    below = probability_below_truth(density, LIMITS, truth, rng)
    np.testing.assert_allclose(np.quantile(below, [0.1, 0.5, 0.9]), [0.1, 0.5, 0.9], atol=0.02)


def test_recalibration_makes_a_biased_density_right():
    """Normal densities that are too narrow by half: after recalibration 68 % intervals hold 68 %."""
    rng = np.random.default_rng(4)
    center, edges = rng.uniform(3, 6, 6000), np.arange(91) * 0.1 - 0.05 + 0.0
    density = np.diff(norm.cdf(edges[None], center[:, None], 0.5), axis=1)
    limits = (0.0, 8.9)
    truth = center + rng.normal(0, 1.0, 6000)
    inside = np.clip(truth, 0.0, 8.9)
    levels = np.linspace(0, 1, 101)
    below = probability_below_truth(density[:3000], limits, inside[:3000], rng)
    quantiles = np.broadcast_to(np.r_[0.0, np.quantile(below, levels)[1:-1], 1.0], (3000, 101))
    right = recalibrated_density(density[3000:], quantiles, levels)
    low, high = density_quantiles(right, limits, [0.16, 0.84]).T
    assert np.mean((inside[3000:] > low) & (inside[3000:] < high)) == pytest.approx(0.68, abs=0.04)
    narrow = density_quantiles(density[3000:], limits, [0.16, 0.84])
    assert np.mean((inside[3000:] > narrow[:, 0]) & (inside[3000:] < narrow[:, 1])) < 0.5


def test_prior_is_bayes():
    """Posterior odds are odds for equal priors times prior odds; excluded classes stay excluded."""
    rng = np.random.default_rng(7)
    probability = rng.dirichlet(np.ones(9), 5)
    weights = prior_weights({"AGN": 4, "YSO": 1}, 5)
    found = apply_prior(probability, weights)
    np.testing.assert_allclose(found[:, 0] / found[:, 7], 4 * probability[:, 0] / probability[:, 7])
    np.testing.assert_allclose(found.sum(axis=1), 1)
    assert np.all(found[:, 1:7] == 0)
