# Licensed under a 3-clause BSD style license - see LICENSE
"""A few instruments, and settings of a training of seconds."""

import pytest

from astro_xlatent.missions.base import get_mission
from astro_xlatent.simulate.instruments import prepare
from astro_xlatent.simulate.prepared import save_prepared
from astro_xlatent.train.settings import Settings

TINY = {"width": 16, "n_layers": 1, "pool": 64, "teacher_steps": 2, "encoder_steps": 3, "save_every": 1,
        "calibration_batches": 1, "workers": 0, "device": "cpu"}


@pytest.fixture(scope="session")
def instruments():
    """One default response per mission."""
    return [prepare(name, name, get_mission(name).default_response())
            for name in ("csc", "erosita", "xmm")]


@pytest.fixture(scope="session")
def instrument_file(instruments, tmp_path_factory):
    """The same as a file."""
    path = tmp_path_factory.mktemp("instruments") / "instruments.npz"
    save_prepared(path, instruments)
    return path


@pytest.fixture
def tiny():
    """Settings that train in seconds; keywords replace some."""
    return lambda **changed: Settings(**TINY | changed)
