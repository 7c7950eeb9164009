# Licensed under a 3-clause BSD style license - see LICENSE
"""Training: batches by counter, and a run that was cut goes on bit for bit."""

import numpy as np
import pytest
import torch

from astro_xlatent.core.errors import ParameterError
from astro_xlatent.missions.base import get_mission
from astro_xlatent.model.network import Config, Teacher
from astro_xlatent.simulate.instruments import prepare
from astro_xlatent.train.encoder import train_encoder
from astro_xlatent.train.run import Settings, train
from astro_xlatent.train.stream import PLAN, training_batch


@pytest.fixture(scope="module")
def instruments():
    """One default response per mission."""
    return [prepare(name, name, get_mission(name).default_response())
            for name in ("csc", "erosita", "xmm")]


def test_batches_depend_on_seed_and_counter(instruments):
    """The same pair gives the same batch, another counter another one."""
    first, again, other = (training_batch(3, counter, instruments) for counter in (5, 5, 6))
    assert [len(bins) for bins, _ in first] == [part.rows for part in PLAN]
    for (bins, sources), (same, same_sources), (new, _) in zip(first, again, other, strict=True):
        np.testing.assert_array_equal(bins.counts, same.counts)
        np.testing.assert_array_equal(sources.spectrum, same_sources.spectrum)
        assert not np.array_equal(bins.counts, new.counts)


def test_resumed_run_is_the_same(instruments, tmp_path):
    """Two steps and two more equal four steps at once."""
    torch.manual_seed(0)
    config = Config(width=16, n_layers=1, n_heads=2)
    teacher = Teacher(config)
    for name in ("whole", "cut"):
        (tmp_path / name).mkdir()

    def run(name, n_steps, resume=False):
        return train_encoder(config, teacher, instruments, tmp_path / name, n_steps, save_every=2,
                             resume=resume, log=lambda line: None).state_dict()

    whole = run("whole", 4)
    half = run("cut", 2)
    rest = run("cut", 4, resume=True)
    assert any(not torch.equal(half[key], whole[key]) for key in whole)
    assert all(torch.equal(rest[key], whole[key]) for key in whole)


def test_a_run_is_not_overwritten(tmp_path):
    """A folder with a run needs a word from the user; unknown settings are named."""
    (tmp_path / "train.log").write_text("begun\n")
    with pytest.raises(ParameterError, match="--resume"):
        train(None, tmp_path)
    settings = tmp_path / "settings.json"
    settings.write_text('{"depth": 3}')
    with pytest.raises(ParameterError, match="depth"):
        Settings.read(settings)


def test_every_teacher_names_a_space(tmp_path, monkeypatch):
    """Runs with different teachers never share a latent space by default."""
    import astro_xlatent.train.run as run

    names = []
    monkeypatch.setattr(run, "calibrate", lambda *args: {})
    monkeypatch.setattr(run, "export_model",
                        lambda folder, settings, *args: names.append(settings.latent_space))
    for seed in (1, 2, 1):
        settings = Settings(seed=seed, pool=64, teacher_steps=2, encoder_steps=0, width=16, n_layers=1)
        train(None, tmp_path / str(len(names)), settings)
    assert names[0].startswith("xl8-") and names[0] == names[2] != names[1]
