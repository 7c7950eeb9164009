# Licensed under a 3-clause BSD style license - see LICENSE
"""Predictions for what a session holds, and what they respect."""

import numpy as np
import pytest
from sherpa.astro import datastack, ui
from sherpa.astro.data import DataPHA
from sherpa.astro.ui.utils import Session

from astro_xlatent.core.errors import ResponseError, SpectrumError
from astro_xlatent.sherpa import guess, predict, sample
from astro_xlatent.sherpa._session import noticed_channels, spectrum_of
from astro_xlatent.spectra.spectrum import XraySpectrum
from astro_xlatent.table.add_latents import predict_spectra

REAL = ["acisf04938_000N002_r0043_pha3.fits", "acisf07867_000N001_r0002_pha3.fits"]


def latents(*args, **kwargs):
    """Latents of a prediction."""
    return np.array(predict(*args, **kwargs)["xl_latent"])


@pytest.fixture
def real(session, stack_folder):
    """A session with the two CSC spectra of Sherpa's package as 1 and "two"."""
    for i, name in zip((1, "two"), REAL):
        session.load_pha(i, str(stack_folder / name))
    return session


def test_as_without_sherpa(real, stack_folder, model):
    """Without a filter it is what the files give, column by column."""
    found = predict([1, "two"], real, model=model)
    expected = predict_spectra([XraySpectrum.read(stack_folder / name) for name in REAL], model=model)
    assert list(found["id"]) == ["1", "two"]
    for name in ("xl_latent", "xl_class_prob", "xl_nh", "xl_flux_2_7", "xl_gof"):
        np.testing.assert_allclose(np.array(found[name]), np.array(expected[name]), rtol=2e-3, atol=1e-4)
    assert list(found["xl_flag"]) == list(expected["xl_flag"])


def test_session_is_only_looked_at(real, model, unchanged):
    """Filters, grouping, subtraction, statistic and models stay."""
    real.notice_id(1, 0.5, 7)
    real.group_counts(1, 5)
    real.subtract("two")
    before = unchanged(real)
    predict([1, "two"], real, model=model)
    sample(1, 10, real, model=model, seed=1, n_proposed=50)
    assert unchanged(real) == before


def test_ignored_channels_are_not_used(loaded, model):
    """Counts that are ignored change nothing; noticed ones do."""
    before = latents(1, loaded, model=model)
    data = loaded.get_data(1)
    mask = data.get_mask()
    counts = data.counts.copy()
    data.counts = np.where(mask, counts, 1000)
    np.testing.assert_array_equal(latents(1, loaded, model=model), before)
    data.counts = np.where(mask, 1000, counts)
    assert not np.allclose(latents(1, loaded, model=model), before)


def test_a_hole_in_the_filter(loaded, model):
    """An ignored range within is left out of counts and response alike."""
    loaded.ignore_id(1, 1.5, 2.5)
    spectrum = spectrum_of(1, loaded)
    middle = 0.5 * (spectrum.e_lo + spectrum.e_hi)
    used = spectrum.fine_groups() >= 0
    assert not np.any(used & (middle > 1.55) & (middle < 2.45))
    assert np.all(used[(middle > 0.6) & (middle < 1.4)])


def test_grouping_changes_nothing_but_the_filter(real, model):
    """A grouped data set gives what the same channels give ungrouped."""
    real.group_counts(1, 20)
    real.notice_id(1, 0.5, 7)
    grouped = latents(1, real, model=model)
    mask = real.get_data(1).get_mask()
    real.ungroup(1)
    real.get_data(1).mask = mask
    np.testing.assert_array_equal(latents(1, real, model=model), grouped)


def test_ignore_bad(loaded, model):
    """Bad channels stay out, with and without ignore_bad, grouped too."""
    data = loaded.get_data(1)
    quality = np.zeros(data.channel.size, np.int16)
    quality[100:150] = 5
    data.quality = quality
    expected = latents(1, loaded, model=model)
    data.grouping = np.where(np.arange(data.channel.size) % 5 == 0, 1, -1)
    loaded.ungroup(1)
    loaded.ignore_bad(1)
    loaded.notice_id(1, 0.5, 7)
    np.testing.assert_array_equal(latents(1, loaded, model=model), expected)
    loaded.group(1)
    spectrum = spectrum_of(1, loaded)
    assert not np.any(spectrum.fine_groups()[100:150] >= 0)
    assert np.any(spectrum.fine_groups()[160:] >= 0)


@pytest.mark.parametrize(("mask", "n"), [(True, 300), (False, 0)])
def test_no_mask(loaded, monkeypatch, mask, n):
    """Older versions of Sherpa give None for all channels, and for none."""
    data = loaded.get_data(1)
    monkeypatch.setattr(DataPHA, "get_mask", lambda self: None)
    data.mask = mask
    if n:
        assert noticed_channels(1, data).sum() == n
    else:
        with pytest.raises(SpectrumError, match="leaves no channels"):
            noticed_channels(1, data)


def test_subtracted_or_not(real, model):
    """Background enters the same way."""
    plain = latents(1, real, model=model)
    real.subtract(1)
    np.testing.assert_array_equal(latents(1, real, model=model), plain)


def test_two_responses_add_up(loaded, model):
    """The same response twice means half the flux."""
    arf, rmf = loaded.get_data(1).get_response()
    single = predict(1, loaded, model=model)
    loaded.get_data(1).set_response(arf, rmf, 2)
    double = predict(1, loaded, model=model)
    np.testing.assert_allclose(double["xl_flux_05_2"], single["xl_flux_05_2"] / 2, rtol=2e-2)


def test_two_backgrounds_are_pooled(loaded):
    """The same background twice says the same with more certainty."""
    data = loaded.get_data(1)
    single = spectrum_of(1, loaded)
    data.set_background(data.get_background(1), 2)
    double = spectrum_of(1, loaded)
    assert double.background.counts.sum() == 2 * single.background.counts.sum()
    assert double.background_scale == pytest.approx(single.background_scale / 2)


def test_global_session_is_another(real, model):
    """A given session has nothing to do with that of sherpa.astro.ui, which is the default."""
    ui.clean()
    ui.set_data("global", real.get_data(1))
    assert predict("global", model=model)["id"][0] == "global"
    assert predict("global", ui, model=model)["id"][0] == "global"
    with pytest.raises(SpectrumError, match="no data for 'global'"):
        predict("global", real, model=model)
    ui.clean()


def test_datastack(stack_folder, model):
    """Every member of a stack gets a row."""
    stack = datastack.DataStack()
    for name in REAL:
        stack.load_pha(str(stack_folder / name))
    found = predict(stack, model=model)
    assert len(found) == 2 and list(found["id"]) == [str(i) for i in stack.ids]
    stack.clear_stack()
    ui.clean()


@pytest.mark.parametrize("function", [predict, guess, sample])
class TestBadInput:
    """Every function says the same, and leaves the session as it was."""

    def test_no_data(self, function, session, model):
        """An empty session."""
        expected = r"no data for 1; read a spectrum with load_pha.*Loaded: none"
        with pytest.raises(SpectrumError, match=expected):
            function(session=session, model=model)

    def test_unknown_id(self, function, loaded, model):
        """The ids that are there are named."""
        with pytest.raises(SpectrumError, match="no data for 'x'.*Loaded: 1"):
            function("x", session=loaded, model=model)

    def test_no_response(self, function, session, made, model, unchanged):
        """The remedy is load_rmf."""
        session.set_data(1, made(None, background=100, response=False))
        before = unchanged(session)
        with pytest.raises(ResponseError, match=r"data set 1 has no RMF.*load_rmf\(1"):
            function(1, session=session, model=model)
        assert unchanged(session) == before

    def test_empty_filter(self, function, loaded, model, unchanged):
        """Everything ignored, grouped or not."""
        loaded.ignore_id(1)
        before = unchanged(loaded)
        with pytest.raises(SpectrumError, match=r"filter of data set 1 leaves no channels; use notice_id\(1"):
            function(1, session=loaded, model=model)
        assert unchanged(loaded) == before

    def test_filter_outside_the_range(self, function, loaded, model):
        """Channels below 0.3 keV alone."""
        loaded.ignore_id(1)
        loaded.notice_id(1, 0.2, 0.26)
        with pytest.raises(SpectrumError, match="no noticed channel of data set 1 lies in 0.3-10 keV"):
            function(1, session=loaded, model=model)

    def test_net_spectrum(self, function, session, made, absorbed, model):
        """A spectrum that was subtracted before it was written holds no counts."""
        data = made(absorbed())
        data.header["HDUCLAS2"] = "NET"
        session.set_data(1, data)
        with pytest.raises(SpectrumError, match="NET spectrum"):
            function(1, session=session, model=model)

    def test_no_spectrum(self, function, session, model):
        """Other data than PHA."""
        session.load_arrays(1, np.arange(3), np.arange(3))
        with pytest.raises(SpectrumError, match="Data1D, not an X-ray spectrum"):
            function(1, session=session, model=model)

    def test_no_exposure(self, function, session, made, absorbed, model):
        """Sherpa allows None."""
        data = made(absorbed())
        data.exposure = None
        session.set_data(1, data)
        with pytest.raises(SpectrumError, match="exposure"):
            function(1, session=session, model=model)

    def test_no_session(self, function, model):
        """A Sherpa module of another kind."""
        with pytest.raises(SpectrumError, match="give a sherpa.astro.ui.utils.Session"):
            function(1, session=3, model=model)


def test_no_ids(loaded, model):
    """An empty list is a mistake."""
    with pytest.raises(SpectrumError, match="empty list"):
        predict([], loaded, model=model)


def test_data_is_pha_of_a_subclass(model, made, absorbed):
    """Sessions hold DataPHA; so does the copy that is made of it."""
    session = Session()
    session.set_data(1, made(absorbed()))
    assert isinstance(session.get_data(1), DataPHA)
    assert len(predict(session=session, model=model)) == 1
