# Licensed under a 3-clause BSD style license - see LICENSE
"""Settings: what is refused, and that those of a run are kept."""

import json
from dataclasses import replace

import pytest

from astro_xlatent.core.errors import ParameterError
from astro_xlatent.train.settings import Settings, keep_settings, stored_settings


@pytest.mark.parametrize(("changed", "message"), [
    ({"precision": "float16"}, "precision.*float16.*bfloat16"),
    ({"without": ("gain", "weather")}, "weather.*pile-up"),
    ({"batches_per_step": 0}, "batches_per_step is 0"),
    ({"max_seconds": -1}, "max_seconds is -1"),
])
def test_impossible_settings(changed, message):
    """The setting, what it is and what is allowed are named."""
    with pytest.raises(ParameterError, match=message):
        Settings(**changed)


def test_read(tmp_path):
    """Lists of JSON are tuples; unknown names are refused."""
    path = tmp_path / "settings.json"
    path.write_text('{"without": ["gain"], "seed": 4}')
    settings = Settings.read(path)
    assert settings == Settings(without=("gain",), seed=4)
    assert "gain" not in settings.imperfections and "area" in settings.imperfections
    path.write_text('{"depth": 3}')
    with pytest.raises(ParameterError, match="depth"):
        Settings.read(path)


@pytest.mark.parametrize(("name", "new"), [
    ("seed", 5), ("learning_rate", 2e-3), ("encoder_steps", 9), ("without", ("gain",)), ("width", 8),
    ("precision", "tf32"), ("batches_per_step", 2), ("start_from", "xlatent-0.3"), ("latent_space", "other"),
])
def test_changed_settings_are_refused(tmp_path, name, new):
    """A run that goes on names what changed, from what to what, and keeps its file."""
    keep_settings(tmp_path, Settings(latent_space="own"), "abc")
    old = getattr(Settings(latent_space="own"), name)
    text = (tmp_path / "settings.json").read_text()
    with pytest.raises(ParameterError) as caught:
        keep_settings(tmp_path, replace(Settings(latent_space="own"), **{name: new}), "abc")
    assert f"{name} is {new!r}" in str(caught.value) and repr(old) in str(caught.value)
    assert (tmp_path / "settings.json").read_text() == text


def test_other_instruments_are_refused(tmp_path):
    """Responses are settings, too."""
    keep_settings(tmp_path, Settings(), "abc")
    with pytest.raises(ParameterError, match="instruments is 'def'.*'abc'"):
        keep_settings(tmp_path, Settings(), "def")


def test_what_may_change(tmp_path):
    """Machine, name and calibration; the file tells the newest, an open latent space stays the run's."""
    keep_settings(tmp_path, Settings(latent_space="own"), "abc")
    changed = Settings(workers=3, device="cuda", name="new", calibration_batches=9)
    kept = keep_settings(tmp_path, changed, "abc")
    assert kept.latent_space == "own" and kept.workers == 3
    assert stored_settings(tmp_path) == kept
    assert json.loads((tmp_path / "settings.json").read_text())["name"] == "new"
    assert stored_settings(tmp_path / "nothing") == Settings()
