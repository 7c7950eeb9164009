# Licensed under a 3-clause BSD style license - see LICENSE
"""Draws: the statistic, the target, fluxes, and what is refused."""

import warnings

import numpy as np
import pytest

from astro_xlatent.core.errors import ParameterError, SpectrumError, XlatentWarning
from astro_xlatent.model import refined as importance
from astro_xlatent.physics.grid import ENERGY_EDGES, ENERGY_MID, KEV_TO_ERG
from astro_xlatent.sherpa import LatentSpectrum, XLPowerlaw, sample, sampling
from astro_xlatent.sherpa._session import likelihood_of
from astro_xlatent.sherpa.latent import double_decoder


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Fewer proposals while adapting."""
    monkeypatch.setattr(importance, "ADAPTING", 400)
    monkeypatch.setattr(importance, "MAX_ROUNDS", 8)


@pytest.fixture
def faint(session, made, absorbed):
    """A source of some tens of counts without background."""
    session.set_data(1, made(absorbed(norm=3e-5)))
    session.notice_id(1, 0.5, 7)
    return session


@pytest.fixture
def few(faint, model):
    """Draws for it."""
    return sample(1, 400, faint, model=model, seed=5, n_proposed=1000)


def session_statistic(session, model, pars):
    """Sherpa's own cstat of a latent spectrum."""
    source = LatentSpectrum("check", model)
    for par, value in zip(source.pars, pars):
        par.val = value
    session.set_source(1, source)
    return session.calc_stat(1)


@pytest.mark.parametrize("grouped", [False, True])
def test_statistic_is_sherpas(faint, model, grouped):
    """Without background it is Sherpa's cstat, grouped or not."""
    if grouped:
        faint.group_counts(1, 4)
        faint.notice_id(1, 0.6, 6)
    draws = sample(1, 50, faint, model=model, seed=2, n_proposed=200)
    for i in range(3):
        expected = session_statistic(faint, model, draws.pars[i])
        assert draws.statistic[i] == pytest.approx(expected, rel=2e-4, abs=0.02)
    assert draws.n_bins == faint.get_data(1).get_dep(filter=True).size


def test_background_is_in_the_model(loaded, model):
    """The sum of the background in the aperture, from off-source counts."""
    likelihood = likelihood_of(1, loaded)
    data = loaded.get_data(1)
    off = data.get_background(1).counts[data.get_mask()].sum() / 10
    assert likelihood.background.sum() == pytest.approx(off, rel=0.1)
    assert likelihood.counts.sum() == data.counts[data.get_mask()].sum()


def test_background_model_is_used(loaded, made):
    """A background model of the session replaces the off-source counts."""
    level = XLPowerlaw("level")
    level.norm = 1e-4
    data = loaded.get_data(1)
    data.get_background(1).set_response(*data.get_response())
    loaded.set_bkg_source(1, level)
    likelihood = likelihood_of(1, loaded)
    # Of a region ten times as large.
    expected = loaded.calc_model_sum(0.5, 7, id=1, bkg_id=1) / 10
    assert likelihood.background.sum() == pytest.approx(expected, rel=1e-6)


def test_without_information_the_prior_returns(loaded, model):
    """A single bin fixes the norm and says nothing of the latents: they are standard normal."""
    loaded.get_data(1).grouping = np.where(np.arange(300) == 0, 1, -1)
    loaded.group(1)
    draws = sample(1, 4000, loaded, model=model, seed=3, n_proposed=20000)
    assert draws.n_bins == 1
    assert np.abs(draws.latent.mean(axis=0)).max() < 0.12
    np.testing.assert_allclose(draws.latent.std(axis=0), 1.0, atol=0.1)


def test_norm_alone(faint, model):
    """Counts in the band scatter as a gamma distribution of N + 1."""
    faint.get_data(1).grouping = np.where(np.arange(300) == 0, 1, -1)
    faint.group(1)
    likelihood = likelihood_of(1, faint)
    draws = sample(1, 4000, faint, model=model, seed=3, n_proposed=20000)
    counts = (double_decoder(model)(draws.latent) @ likelihood.matrix[0].astype(float)) * draws.norm
    n = likelihood.counts.sum()
    assert counts.mean() == pytest.approx(n + 1, rel=0.03)
    assert counts.std() == pytest.approx(np.sqrt(n + 1), rel=0.1)


def test_two_proposals_agree(faint, model):
    """The target does not depend on the first proposal or the seed."""
    first = sample(1, 2000, faint, model=model, seed=1, n_proposed=20000)
    likelihood = likelihood_of(1, faint)
    shifted = model.infer(likelihood.bins, likelihood.fine_matrix).latent[0] + 0.7
    other = importance.importance_draws(model, likelihood, shifted, 2 * np.eye(8), 20000,
                                        np.random.default_rng(9), decode=model.decode, enough=200)
    second = other.weight @ other.latent
    assert np.abs(first.latent.mean(axis=0) - second).max() < 0.15
    assert first.ess > 500 and other.ess > 500


def test_arrays(few, model):
    """Shapes, positivity, and parameters in the order of the model."""
    assert few.latent.shape == (400, 8) and few.pars.shape == (400, 9)
    assert [p.name for p in LatentSpectrum("m", model).pars][-1] == "norm"
    np.testing.assert_array_equal(few.pars[:, -1], few.norm)
    assert few.norm.min() > 0 and np.all((few.nh > 1e18) & (few.nh < 1e26))
    assert 1 < few.ess <= few.n_proposed and "effective sample size" in repr(few)


def test_flux_is_that_of_the_model(few, faint, model):
    """Sherpa's calc_energy_flux of the same parameters."""
    flux = few.flux(0.5, 2.0)
    for i in range(2):
        session_statistic(faint, model, few.pars[i])
        assert flux[i] == pytest.approx(faint.calc_energy_flux(0.5, 2.0, id=1), rel=0.01)


def test_spectra_add_up(few):
    """The norm is the photon flux in 0.5-7 keV, the flux its energy."""
    spectra = few.spectra()
    band = (ENERGY_MID > 0.5) & (ENERGY_MID < 7)
    np.testing.assert_allclose(spectra[:, band].sum(axis=1), few.norm, rtol=1e-9)
    np.testing.assert_allclose(few.flux(), spectra[:, band] @ ENERGY_MID[band] * KEV_TO_ERG, rtol=1e-6)
    assert spectra.shape[1] == ENERGY_EDGES.size - 1


def test_unabsorbed_is_more(few):
    """Taking the column away adds flux, by at most the largest correction."""
    ratio = few.flux(0.5, 2, unabsorbed=True) / few.flux(0.5, 2)
    assert np.all((ratio >= 1) & (ratio <= sampling.MAX_CORRECTION))
    thick = few.nh > 1e21
    assert thick.all() or ratio[thick].mean() > ratio[~thick].mean()


def test_seed(faint, model):
    """The same seed gives the same draws, another does not."""
    a, b, c = (sample(1, 20, faint, model=model, seed=s, n_proposed=200).latent for s in (1, 1, 2))
    np.testing.assert_array_equal(a, b)
    assert not np.array_equal(a, c)


def test_session_statistic_does_not_matter(faint, model):
    """Draws use the C-statistic whatever the session is set to."""
    first, second = [], []
    for found, statistic in ((first, "cstat"), (second, "chi2gehrels")):
        faint.set_stat(statistic)
        found.append(sample(1, 20, faint, model=model, seed=1, n_proposed=200).latent)
    np.testing.assert_array_equal(first, second)


def test_no_source(session, made, model):
    """Without counts above background there is nothing to draw."""
    data = made(None, background=500)
    data.counts = np.zeros_like(data.counts)
    session.set_data(1, data)
    session.notice_id(1, 0.5, 7)
    with pytest.raises(SpectrumError, match="data set 1 has no counts above its background"):
        sample(1, session=session, model=model)


def test_too_few_draws_count(faint, model, monkeypatch):
    """A proposal that misses is reported."""
    monkeypatch.setattr(sampling, "TOO_FEW", 1e9)
    with pytest.warns(XlatentWarning, match="raise n_proposed"):
        sample(1, 20, faint, model=model, seed=1, n_proposed=200)
    monkeypatch.setattr(sampling, "TOO_FEW", 0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        sample(1, 20, faint, model=model, seed=1, n_proposed=200)


@pytest.mark.parametrize("n", [0, -1, 2.5, "many"])
def test_number_of_draws(faint, model, n):
    """A positive integer."""
    with pytest.raises(ParameterError, match="positive integer"):
        sample(1, n, faint, model=model)


def test_one_data_set_at_a_time(faint, model):
    """Two ids are refused."""
    faint.copy_data(1, 2)
    with pytest.raises(ParameterError, match="one data set at a time"):
        sample([1, 2], 10, faint, model=model)


def test_band(few):
    """Bands rise and lie within the incident grid."""
    for band in ((2, 1), (0.05, 1), (1, 13)):
        with pytest.raises(ParameterError, match="0.1 to 12"):
            few.flux(*band)
