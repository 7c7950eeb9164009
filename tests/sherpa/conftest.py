# Licensed under a 3-clause BSD style license - see LICENSE
"""Sherpa sessions with real and made data, and a model without training."""

import logging
import sys
import types

import numpy as np
import pytest
from sherpa.astro import datastack
from sherpa.astro.data import DataARF, DataPHA, DataRMF
from sherpa.astro.ui.utils import Session

N_CHANNELS = 300
CHANNEL_EDGES = np.linspace(0.2, 9.2, N_CHANNELS + 1)


@pytest.fixture(scope="session", autouse=True)
def quiet():
    """Sherpa reports on the logger; keep it to warnings."""
    logging.getLogger("sherpa").setLevel(logging.WARNING)


@pytest.fixture(scope="session")
def model(random_model):
    """Networks as they are before training."""
    return random_model


@pytest.fixture(autouse=True)
def clean_main(monkeypatch):
    """Sherpa puts component names into ``__main__``; give it one of our own."""
    monkeypatch.setitem(sys.modules, "__main__", types.ModuleType("__main__"))


@pytest.fixture
def session():
    """An empty session of its own, not that of `sherpa.astro.ui`."""
    session = Session()
    session.set_stat("cstat")
    session.set_method("levmar")
    return session


@pytest.fixture(scope="session")
def stack_folder():
    """Folder of the two real CSC spectra that come with Sherpa."""
    from pathlib import Path

    return Path(datastack.__file__).parent / "tests" / "data"


def make_data(source, exposure=1e4, *, seed=1, background=None, response=True):
    """
    A Poisson realization of a source through a made CCD.

    ``source`` is a Sherpa model or None; ``background`` the counts expected in the aperture
    over all channels, measured in a region ten times as large.
    """
    rng = np.random.default_rng(seed)
    lo, hi = np.arange(0.1, 10.0, 0.02), np.arange(0.12, 10.02, 0.02)
    middle = 0.5 * (lo + hi)
    arf = DataARF("made.arf", lo, hi, 600 * np.exp(-0.5 * (np.log(middle / 1.5) / 0.8) ** 2))
    center = 0.5 * (CHANNEL_EDGES[1:] + CHANNEL_EDGES[:-1])
    line = np.exp(-0.5 * ((center - middle[:, None]) / 0.05) ** 2)
    line /= np.maximum(line.sum(axis=1, keepdims=True), 1.0)
    ones = np.ones(lo.size, int)
    rmf = DataRMF("made.rmf", N_CHANNELS, lo, hi, ones, ones, ones * N_CHANNELS, line.ravel(), offset=1,
                  e_min=CHANNEL_EDGES[:-1], e_max=CHANNEL_EDGES[1:])
    channel = np.arange(1, N_CHANNELS + 1)
    expected = np.zeros(N_CHANNELS)
    if source is not None:
        expected = (source(lo, hi) * arf.specresp) @ line * exposure
    header = {"TELESCOP": "CHANDRA", "INSTRUME": "ACIS"}
    off = None
    if background is not None:
        rate = background / N_CHANNELS
        expected = expected + rate
        off = DataPHA("off", channel, rng.poisson(10 * rate, N_CHANNELS), exposure=exposure, backscal=1.0,
                      areascal=1.0)
    data = DataPHA("made", channel, rng.poisson(expected), exposure=exposure, backscal=0.1, areascal=1.0,
                   header=header)
    if response:
        data.set_response(arf, rmf)
    if off is not None:
        data.set_background(off)
    data.units = "energy" if response else "channel"
    return data


@pytest.fixture
def made():
    """The function that makes data."""
    return make_data


@pytest.fixture
def absorbed():
    """A function that makes absorbed power laws."""
    from astro_xlatent.sherpa import XLPowerlaw, XLTbabs

    def build(nh=0.5, index=1.8, norm=2e-3):
        absorber, power = XLTbabs("true_abs"), XLPowerlaw("true_pl")
        absorber.nH, power.PhoIndex, power.norm = nh, index, norm
        return absorber * power

    return build


@pytest.fixture
def loaded(session, made, absorbed):
    """A session whose data set 1 is an absorbed power law with background."""
    session.set_data(1, made(absorbed(), background=60))
    session.notice_id(1, 0.5, 7)
    return session


def state(session):
    """What must not change when a session is only looked at."""
    parts = [session.get_stat_name(), session.get_method_name(), session.list_data_ids(),
             session.list_model_ids(), session.list_model_components()]
    for i in session.list_data_ids():
        data = session.get_data(i)
        mask = data.get_mask()
        parts += [None if mask is None else mask.tobytes(), data.counts.tobytes(), data.subtracted,
                  data.grouped, data.units, None if data.quality is None else data.quality.tobytes()]
    return parts


@pytest.fixture
def unchanged():
    """The function that describes a session."""
    return state
