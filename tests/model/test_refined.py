# Licensed under a 3-clause BSD style license - see LICENSE
"""Posteriors corrected by the likelihood."""

import numpy as np
import pytest

from astro_xlatent import load_model
from astro_xlatent.model import refined as importance
from astro_xlatent.model.refined import (
    column_density,
    importance_draws,
    index_density,
    likelihood_of_row,
    refine_posterior,
)
from astro_xlatent.physics.absorption import bin_cross_section
from astro_xlatent.physics.grid import ENERGY_MID, ENERGY_WIDTH
from astro_xlatent.spectra.bins import EnergyBins


def bands(counts):
    """Rows of three bands without background."""
    counts = np.atleast_2d(np.asarray(counts, float))
    full = np.ones_like(counts)
    return EnergyBins(
        e_lo=np.array([0.5, 1.2, 2.0]) * full,
        e_hi=np.array([1.2, 2.0, 7.0]) * full,
        counts=counts,
        background=0 * full,
        background_error=0 * full,
        area=3e6 * full,
        resolution=0.1 * full,
        valid=full > 0,
    )


def test_weights_do_not_depend_on_the_first_guess():
    """Two proposals, one posterior mean, within its error."""
    model = load_model()
    likelihood = likelihood_of_row(bands([60, 50, 40]), 0, None)
    means = []
    for shift, scale in ((0.0, 1.0), (0.6, 2.0)):
        draws = importance_draws(model, likelihood, np.full(8, shift), scale * np.eye(8), 12000,
                                 np.random.default_rng(1), decode=model.decode, enough=300)
        means.append(draws.weight @ draws.latent)
        assert draws.ess > 100 and draws.weight.sum() == pytest.approx(1)
    assert np.abs(means[0] - means[1]).max() < 0.25


def test_refined_rows():
    """Hard counts are absorbed, soft ones are not; other rows do not matter; nothing detected stays."""
    model, rows = load_model(), bands([[2, 30, 300], [200, 60, 20], [0, 0, 0]])
    posterior = model.infer(rows)
    refined = refine_posterior(model, posterior, rows)
    nh = refined.nh_quantiles([0.5])[:, 0]
    assert nh[0] > 1e22 > nh[1]
    assert refined.ess[0] > 20 and refined.ess[2] == 0
    np.testing.assert_array_equal(refined.latent[2], posterior.latent[2])
    alone = refine_posterior(model, posterior[1:2], rows[1:2])
    np.testing.assert_allclose(alone.latent[0], refined.latent[1], atol=1e-6)
    assert np.all(np.diff(refined.flux["2_7"][:2], axis=1) > 0)


def test_index_of_power_laws():
    """Two weighted power laws, whatever absorbs them."""
    spectra = np.stack(
        [ENERGY_MID**-g * ENERGY_WIDTH * np.exp(-3e21 * bin_cross_section()) for g in (1.5, 2.5)]
    )
    density = index_density(spectra, np.array([0.25, 0.75]), 46)
    assert density[15] == pytest.approx(0.25) and density[25] == pytest.approx(0.75)


def test_systematic_draws_follow_the_weights():
    """As often as their weight says, to one."""
    drawn = importance.systematic(np.array([0.1, 0.6, 0.3]), 1000, np.random.default_rng(2))
    assert np.abs(np.bincount(drawn) - [100, 600, 300]).max() <= 1


def test_refined_is_the_weighted_prior():
    """Of few counts, whose posterior is nearly the prior, draws of that weighted by the likelihood agree."""
    model, rows, rng = load_model(), bands([[9, 5, 4]]), np.random.default_rng(3)
    likelihood, n = likelihood_of_row(rows, 0, None), 12000
    mixture = {name: np.array(values) for name, values in model.calibration.tables["mixture"].items()}
    root = np.linalg.cholesky(mixture["covariance"] + importance.SMOOTHING * np.eye(8))
    which = rng.choice(len(root), n, p=mixture["weight"] / mixture["weight"].sum())
    latent = mixture["mean"][which] + np.einsum("nij,nj->ni", root[which], rng.standard_normal((n, 8)))
    spectrum = model.decode(latent)
    shape = likelihood.fine_fold(spectrum)
    shape /= shape.sum(axis=1, keepdims=True)
    # Without background the likelihood integrates over the source's counts by itself.
    weight = np.exp(np.log(shape) @ likelihood.counts)
    weight /= weight.sum()
    assert 1 / np.sum(weight**2) > 2000
    refined = refine_posterior(model, model.infer(rows), rows)
    for found, wanted in ((refined.nh_density[0], weight @ column_density(model, latent)),
                          (refined.index_density[0], index_density(spectrum, weight, model.config.n_index))):
        assert np.abs(np.cumsum(found / found.sum() - wanted)).max() < 0.05
