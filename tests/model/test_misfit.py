# Licensed under a 3-clause BSD style license - see LICENSE
"""Rows that the model does not describe: told, odd, and no longer sharp."""

import numpy as np
import pytest
from scipy.stats import entropy

from astro_xlatent import load_model
from astro_xlatent.model.calibration import FOREIGN_LEVEL
from astro_xlatent.model.posterior import temper_densities, temper_latents
from astro_xlatent.physics.grid import N_ENERGY
from astro_xlatent.spectra.bins import FINE_EDGES, N_FINE, EnergyBins


def _rows(comb, counts, measured, seed=6):
    """A power law, or a comb of lines that no source has, without redistribution."""
    rng = np.random.default_rng(seed)
    e_lo, e_hi = (np.broadcast_to(e, (1, N_FINE)) for e in (FINE_EDGES[:-1], FINE_EDGES[1:]))
    area = 1e6 * np.exp(-0.5 * np.log(e_lo / 1.5) ** 2)
    shape = area * e_lo**-1.7 * (e_hi - e_lo) * (1 + comb * np.sin(np.arange(N_FINE) * 0.8))
    valid = e_lo > 0.4
    shape = shape * counts / shape[valid].sum()
    bins = EnergyBins(
        e_lo=e_lo, e_hi=e_hi, counts=rng.poisson(shape + 0.01).astype(float),
        background=np.full((1, N_FINE), 0.01 * measured),
        background_error=np.full((1, N_FINE), 0.003 * measured),
        area=area * counts / 1000, resolution=np.full((1, N_FINE), 0.12), valid=valid)
    matrices = bins.unfolded_weights()
    assert matrices.shape == (1, N_FINE, N_ENERGY)
    return bins, matrices


@pytest.mark.parametrize("measured", [True, False])
@pytest.mark.parametrize("counts", [3e3, 2e4, 1e6])
def test_a_bad_fit_is_an_outlier(counts, measured):
    """With and without a measured background, within the trained counts and above."""
    posterior = load_model().infer(*_rows(0.9, counts, measured))
    assert posterior.gof[0] > 20
    assert posterior.outlier[0] <= FOREIGN_LEVEL
    assert posterior.not_this_model[0] and posterior.poor_fit[0]
    assert posterior.class_prob[0].max() < 0.6


@pytest.mark.parametrize("measured", [True, False])
def test_a_good_fit_is_none(measured):
    """The same power law without the comb is ordinary."""
    posterior = load_model().infer(*_rows(0.0, 3e3, measured))
    assert posterior.outlier[0] > 0.02
    assert not posterior.not_this_model[0]


def test_worse_fits_say_less():
    """The stronger the comb, the flatter the classes and the wider the latents, up to the prior."""
    plain, poor, worse = (load_model().infer(*_rows(comb, 2e4, True)) for comb in (0.0, 0.4, 0.9))
    assert [bool(p.not_this_model[0]) for p in (plain, poor, worse)] == [False, True, True]
    flatness = [entropy(p.class_prob[0]) for p in (plain, poor, worse)]
    assert flatness[0] < flatness[1] < flatness[2] < np.log(9)
    volume = [np.linalg.slogdet(p.latent_cov[0])[1] for p in (plain, poor, worse)]
    assert volume[0] < volume[1] < volume[2] < 0
    widths = [np.diff(np.log10(p.nh_quantiles([0.16, 0.84])[0]))[0] for p in (plain, poor, worse)]
    assert min(widths[1:]) > 3 * widths[0]


def test_tempering_by_one_changes_nothing():
    """A fit as good as expected leaves everything as it is."""
    rng = np.random.default_rng(1)
    p, prior, one = rng.dirichlet(np.ones(9), 4), rng.dirichlet(np.ones(9)), np.ones(4)
    np.testing.assert_allclose(temper_densities(p, np.ones(9), one), p, rtol=1e-9)
    np.testing.assert_allclose(temper_densities(p, prior, one), p, rtol=1e-9)
    mean, covariance = rng.normal(size=(4, 8)), np.broadcast_to(0.2 * np.eye(8), (4, 8, 8))
    for found, wanted in zip(temper_latents(mean, covariance, one), (mean, covariance), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-9)


def test_a_hopeless_fit_leaves_the_prior():
    """For an endless misfit: flat classes, the prior's density, N(0, 1)."""
    rng = np.random.default_rng(2)
    p, prior, much = rng.dirichlet(np.ones(9), 4), rng.dirichlet(np.ones(9)), np.full(4, 1e9)
    np.testing.assert_allclose(temper_densities(p, np.ones(9), much), 1 / 9, rtol=1e-6)
    np.testing.assert_allclose(temper_densities(p, prior, much), np.broadcast_to(prior, (4, 9)), rtol=1e-6)
    mean, covariance = temper_latents(np.ones((4, 8)), np.broadcast_to(0.01 * np.eye(8), (4, 8, 8)), much)
    np.testing.assert_allclose(mean, 0, atol=1e-6)
    np.testing.assert_allclose(covariance, np.broadcast_to(np.eye(8), (4, 8, 8)), atol=1e-6)


def test_tempered_gaussian_is_the_weakened_likelihood():
    """Prior times likelihood to the power 1/s, integrated on a grid."""
    mean, variance, s = 1.2, 0.1, 5.0
    x = np.linspace(-6, 6, 20001)
    likelihood = np.exp(-0.5 * (x - mean) ** 2 / variance + 0.5 * x**2)
    density = np.exp(-0.5 * x**2) * likelihood ** (1 / s)
    density /= density.sum()
    expected = (density * x).sum()
    found, covariance = temper_latents(np.full((1, 8), mean), variance * np.eye(8)[None], np.array([s]))
    assert found[0, 0] == pytest.approx(expected, rel=1e-6)
    assert covariance[0, 0, 0] == pytest.approx((density * (x - expected) ** 2).sum(), rel=1e-6)
