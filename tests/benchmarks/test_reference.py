# Licensed under a 3-clause BSD style license - see LICENSE
"""Reference fits against Sherpa's statistic and spectra of known parameters."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from astro_xlatent.core.errors import SpectrumError
from astro_xlatent.missions.base import get_mission
from astro_xlatent.physics.absorption import transmission
from astro_xlatent.physics.emission import blackbody, powerlaw
from astro_xlatent.spectra.spectrum import XraySpectrum
from benchmarks.studies import reference
from benchmarks.studies.reference import LOG_NH, MODELS, OnOff, best_reference_fit, fit_reference

POWER_LAW, BLACK_BODY, _, _, TWO, _ = MODELS


def observed(spectrum, counts, off=0.0, scale=0.1):
    """Noise-free counts of an incident spectrum, with a background region flat in energy."""
    response = get_mission("csc").default_response(year=2005)
    rate = response.on_grid().fold(spectrum)
    middle = 0.5 * (response.channel_e_lo + response.channel_e_hi)
    inside = (middle > 0.5) & (middle < 7.0)
    width = response.channel_e_hi - response.channel_e_lo
    level = off * width / width[inside].sum()
    background = None
    if off:
        background = XraySpectrum(counts=level, exposure=1e4, backscale=1.0, response=response)
    return XraySpectrum(counts=rate * counts / rate[inside].sum() + level * scale, exposure=1e4,
                        backscale=scale, response=response, background=background)


def wstat(on, source, off, scale):
    """Sherpa's W statistic of source and background regions."""
    from sherpa.astro.data import DataPHA
    from sherpa.models.model import ArithmeticModel
    from sherpa.models.parameter import Parameter
    from sherpa.stats import WStat

    class Fixed(ArithmeticModel):
        def __init__(self):
            self.norm = Parameter("fixed", "norm", 1)
            super().__init__("fixed", (self.norm,))

        def calc(self, pars, *args, **kwargs):
            return source

    channel = np.arange(1, on.size + 1)
    data = DataPHA("on", channel, on, exposure=1.0, backscal=1.0, areascal=1.0)
    data.set_background(DataPHA("off", channel, off, exposure=1.0, backscal=1 / scale, areascal=1.0))
    return WStat().calc_stat(data, Fixed())[0]


def test_statistic_is_sherpas_wstat(monkeypatch):
    """With a background value for every bin the statistic is that of Sherpa."""
    monkeypatch.setattr(reference, "BLOCK_COUNTS", 0)
    data = OnOff(observed(powerlaw(1.7) * transmission(3e21), 300, off=4000))
    rng = np.random.default_rng(3)
    data.counts, data.off = rng.poisson(data.counts).astype(float), rng.poisson(data.off) + 1.0
    scale = data.width / data.exposure
    for total in (250.0, 330.0):
        source = total / data.counts.size * np.linspace(0.5, 1.5, data.counts.size)
        assert_allclose(data.statistic(source), wstat(data.counts, source, data.off, scale), rtol=1e-5)


def test_blocks_hold_enough_counts():
    """Blocks of the background hold the wanted counts, and all of them."""
    data = OnOff(observed(powerlaw(1.7), 300, off=60))
    assert 3 <= data.off.size <= 6
    assert data.off.min() >= reference.BLOCK_COUNTS
    assert_allclose(data.off.sum(), 60, rtol=0.02)
    assert_allclose(data.net_counts, 300, rtol=0.02)


@pytest.mark.parametrize("off", [0, 2000])
def test_truth_of_noise_free_counts(off):
    """Index, column and counts come back from expected counts; the profile crosses at 1 and 2.7."""
    data = OnOff(observed(powerlaw(1.9) * transmission(6e21), 800, off=off))
    fit = fit_reference(data, POWER_LAW)
    assert_allclose(fit.log_nh, np.log10(6e21), atol=0.01)
    assert_allclose(fit.shape, [1.9], atol=0.02)
    assert_allclose(np.exp(fit.log_norm), 800, rtol=0.02)
    assert 0 <= fit.statistic < 0.5
    fit.add_intervals(data)
    for rise, limits in ((1.0, fit.interval68), (2.706, fit.interval90)):
        assert limits[0] < fit.log_nh < limits[1]
        assert_allclose([fit.profile(data, limit) for limit in limits], rise, atol=0.1)


def test_upper_limit_without_absorption():
    """Without absorption the interval reaches down to nothing."""
    data = OnOff(observed(powerlaw(1.9), 300))
    fit = fit_reference(data, POWER_LAW)
    fit.add_intervals(data)
    assert fit.interval90[0] == LOG_NH[0]
    assert 19.5 < fit.interval90[1] < 21.8


def test_simplest_family_that_describes():
    """A second component is taken where the counts demand it, and not where they do not."""
    hard = powerlaw(1.2) / powerlaw(1.2).sum()
    soft = blackbody(0.12) / blackbody(0.12).sum()
    mixed = (hard + soft) * transmission(5e20)
    for counts, wanted in ((20, POWER_LAW), (3000, TWO)):
        data = OnOff(observed(mixed, counts))
        fits = [fit_reference(data, model, n_starts=2) for model in (POWER_LAW, TWO)]
        assert fits[1].statistic <= fits[0].statistic + 0.1
        assert min(fits, key=lambda fit: fit.criterion).model is wanted


def test_best_family():
    """The family that made the counts wins, and gets intervals."""
    data = OnOff(observed(blackbody(0.3) * transmission(5e21), 500))
    best, fits = best_reference_fit(data, (POWER_LAW, BLACK_BODY))
    assert best.model is BLACK_BODY
    assert len(fits) == 2
    assert best.interval90[0] < best.interval68[0] < np.log10(5e21) < best.interval68[1] < best.interval90[1]


def test_band_without_channels():
    """A band that no channel covers is an error that says so."""
    with pytest.raises(SpectrumError, match="no channel in 30-40 keV"):
        OnOff(observed(powerlaw(1.7), 100), band=(30, 40))
