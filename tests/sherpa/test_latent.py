# Licensed under a 3-clause BSD style license - see LICENSE
"""The decoder as a Sherpa model."""

import numpy as np
import pytest

from astro_xlatent.core.errors import ModelError
from astro_xlatent.physics.grid import ENERGY_EDGES, band_weights
from astro_xlatent.sherpa import LatentSpectrum, predict
from astro_xlatent.sherpa.latent import double_decoder


@pytest.fixture
def source(model):
    """A latent spectrum away from the origin."""
    source = LatentSpectrum("src", model)
    for i, par in enumerate(source.pars[:-1]):
        par.val = 0.3 * i - 1
    return source


def test_decoder_in_double_precision(model):
    """The same spectra as the network's, to single precision."""
    latent = np.random.default_rng(0).normal(size=(40, 8))
    found = double_decoder(model)(latent)
    expected = model.decode(latent).astype(float)
    expected /= (expected @ band_weights(0.5, 7.0)[0])[:, None]
    np.testing.assert_allclose(found, expected, rtol=2e-4)


def test_norm_is_the_photon_flux(source):
    """Photons between 0.5 and 7 keV, on any grid."""
    source.norm = 2.5e-3
    for edges in (np.linspace(0.5, 7, 14), np.geomspace(0.5, 7, 1001), np.array([0.5, 7])):
        assert source(edges[:-1], edges[1:]).sum() == pytest.approx(2.5e-3, rel=1e-9)


def test_incident_grid_is_exact(source, model):
    """On the decoder's own grid its values come out."""
    values = source(ENERGY_EDGES[:-1], ENERGY_EDGES[1:])
    z = np.array([[p.val for p in source.pars[:-1]]])
    np.testing.assert_allclose(values, source.norm.val * double_decoder(model)(z)[0], rtol=1e-9)


def test_nothing_outside(source):
    """Below 0.1 and above 12 keV there is nothing, and no error."""
    values = source(np.array([0.01, 5.0, 20.0]), np.array([0.05, 6.0, 30.0]))
    assert values[0] == 0 and values[2] == 0 and values[1] > 0


def test_step_of_an_optimizer(source):
    """A change of a latent by 1e-7 changes the spectrum smoothly."""
    lo, hi = np.array([0.5]), np.array([1.5])

    def value(step):
        source.z1 = -1 + step
        return source(lo, hi)[0]

    slope = (value(1e-3) - value(-1e-3)) / 2e-3
    assert (value(1e-7) - value(-1e-7)) / 2e-7 == pytest.approx(slope, rel=1e-3)


def test_fit_improves(loaded, model):
    """A fit by name from the prediction lowers the statistic, and errors come out."""
    from astro_xlatent.sherpa import add_models

    add_models(loaded)
    source = LatentSpectrum("src", model)
    table = predict(1, loaded, model=model)
    source.set_latent(table)
    loaded.set_source(1, source)
    loaded.guess(1, source)
    before = loaded.calc_stat(1)
    for par in source.pars[2:-1]:
        par.freeze()
    loaded.fit(1)
    assert loaded.calc_stat(1) < before
    loaded.covar()
    assert len(loaded.get_covar_results().parnames) == 3
    assert source.norm.val > 0


def test_confidence_limits_and_plot(loaded):
    """``conf`` brackets the best norm, and ``plot_fit`` draws data and model."""
    pytest.importorskip("matplotlib")
    source = LatentSpectrum("src")
    source.set_latent(predict(1, loaded))
    loaded.set_source(1, source)
    loaded.guess(1, source)
    for par in source.pars[:-1]:
        par.freeze()
    loaded.fit(1)
    loaded.conf(1, source.norm)
    result = loaded.get_conf_results()
    assert result.parmins[0] < 0 < result.parmaxes[0]
    # one parameter: a Poisson error of the counts, as the closed form has it
    counts = loaded.calc_data_sum(0.5, 7, id=1)
    assert result.parmaxes[0] / result.parvals[0] == pytest.approx(counts**-0.5, rel=0.5)
    plot = loaded.get_fit_plot(1)
    assert plot.modelplot.y.shape == plot.dataplot.y.shape
    loaded.plot_fit(1)


def test_two_missions_share_latents(session, made, absorbed, model):
    """Two data sets, one shape, two normalizations."""
    first, second = LatentSpectrum("one", model), LatentSpectrum("two", model)
    for a, b in zip(first.pars[:-1], second.pars[:-1]):
        b.link = a
    for i, (source, exposure) in enumerate(((first, 1e4), (second, 3e4)), 1):
        session.set_data(i, made(absorbed(), exposure, seed=i))
        session.notice_id(i, 0.5, 7)
        session.set_source(i, source)
        session.guess(i, source)
    for par in first.pars[1:-1]:
        par.freeze()
    session.fit(1, 2)
    assert second.z1.val == first.z1.val != 0
    assert second.norm.val == pytest.approx(first.norm.val, rel=0.2)


def test_limits_from_a_prediction(loaded, model):
    """Start values are the latents, limits five errors away."""
    table = predict(1, loaded, model=model)
    source = LatentSpectrum("src", model)
    source.set_latent(table)
    np.testing.assert_allclose([p.val for p in source.pars[:-1]], table["xl_latent"][0], rtol=1e-6)
    assert all(p.min < p.val < p.max for p in source.pars[:-1])


def test_latents_of_another_model_are_refused(loaded, model):
    """Latents mean nothing to another decoder."""
    table = predict(1, loaded, model=model)
    table["xl_model"] = ["other-9"]
    with pytest.raises(ModelError, match="other-9.*random-0"):
        LatentSpectrum("src", model).set_latent(table)
