# Licensed under a 3-clause BSD style license - see LICENSE
"""The whole way, on networks of seconds: teacher, encoder, calibration, model folder."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

import astro_xlatent.train.run as run_module
from astro_xlatent.cli.main import main
from astro_xlatent.core.errors import ModelError, ParameterError
from astro_xlatent.model.pretrained import load_model, selftest
from astro_xlatent.train import calibrate as calibrate_module
from astro_xlatent.train.run import train
from astro_xlatent.train.settings import Settings
from astro_xlatent.train.stream import training_batch
from tests.train.conftest import TINY


@pytest.fixture(scope="module")
def model(tmp_path_factory, instrument_file):
    """A run of three steps with its model."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(calibrate_module, "POOL", 300)
        return train(None, tmp_path_factory.mktemp("run"), Settings(**TINY), instruments=instrument_file)


@pytest.fixture
def calibrated(model, monkeypatch):
    """No calibration of its own: that of ``model``."""
    tables = json.loads((model / "calibration.json").read_text())
    monkeypatch.setattr(run_module, "calibrate", lambda *args: tables)


def test_model_from_its_parts(tiny, tmp_path, instruments, instrument_file, calibrated, capsys):
    """A run without calibration is trained only; going on makes the model, whose numbers are finite."""
    settings = tmp_path / "settings.json"
    settings.write_text(json.dumps(vars(tiny(calibration_batches=0, version="7"))))
    command = ["train", "--instruments", str(instrument_file), "-o", str(tmp_path / "run"),
               "--config", str(settings)]
    assert main(command) == 1
    assert "calibration_batches is 0" in capsys.readouterr().out
    checkpoint = (tmp_path / "run" / "encoder.safetensors").read_bytes()
    settings.write_text(json.dumps(vars(tiny(version="8"))))
    assert main([*command, "--resume"]) == 0
    assert (tmp_path / "run" / "encoder.safetensors").read_bytes() == checkpoint
    folder = tmp_path / "run" / "model"
    assert selftest(str(folder)) < 1e-5
    info = json.loads((folder / "config.json").read_text())
    assert info["version"] == "8" and info["training"]["encoder_steps_done"] == 3
    assert info["latent_space"].startswith("xl8-")
    assert "3 steps of the encoder" in (folder / "MODEL_CARD.rst").read_text()
    bins, _ = training_batch(9, 0, instruments)[0]
    posterior = load_model(folder, device="cpu").infer(bins)
    assert np.isfinite(posterior.latent).all()
    np.testing.assert_allclose(posterior.class_prob.sum(axis=1), 1, atol=1e-5)


def test_calibration_by_a_worker_is_the_same(model, instrument_file, monkeypatch):
    """Another process finds the very tables that none finds."""
    monkeypatch.setattr(calibrate_module, "POOL", 300)
    settings = Settings(**TINY)
    recipe = run_module.Recipe(str(instrument_file), settings.seed, 1, settings.imperfections)
    said = []
    tables = calibrate_module.calibrate(model.parent, recipe, replace(settings, workers=1), said.append)
    assert json.loads(json.dumps(tables)) == json.loads((model / "calibration.json").read_text())
    assert set(tables) >= {"bands", "spectra", "prior", "mixture"}
    assert min(tables["bands"]["latent_scale"]) > 0
    assert any("latent scale" in line for line in said)


def test_start_from_keeps_the_space(tiny, model, tmp_path, instrument_file, calibrated):
    """Teacher, decoder and latent space are those of the start, and before any step its encoder."""
    second = tiny(start_from=str(model), encoder_steps=0, seed=9)
    again = train(None, tmp_path / "second", second, instruments=instrument_file)
    one, other = load_model(model, device="cpu"), load_model(again, device="cpu")
    assert one.latent_space == other.latent_space
    for part in ("teacher", "decoder", "encoder"):
        state = getattr(other, part).state_dict()
        assert all(np.array_equal(v, state[k]) for k, v in getattr(one, part).state_dict().items())
    assert json.loads((again / "config.json").read_text())["training"]["start_from"] == "model"
    for changed, message in (({"width": 32}, "network.*width=32"), ({"latent_space": "xl8-x"}, "xl8-x")):
        with pytest.raises(ParameterError, match=f"start_from.*{message}"):
            train(None, tmp_path / "third", replace(second, **changed), instruments=instrument_file,
                  resume=True)


def test_finish_early(tiny, tmp_path, instrument_file, calibrated):
    """A run out of time tells how far it came and may be finished as it is, its card truthful."""
    with pytest.raises(ParameterError, match="no checkpoint"):
        train(None, tmp_path, tiny(), finish=True)
    slow = tiny(max_seconds=1e-6, encoder_steps=1000)
    # Time is looked at before the first step.
    assert train(None, tmp_path, slow, instruments=instrument_file) is None
    longer = replace(slow, max_seconds=6.0)
    assert train(None, tmp_path, longer, instruments=instrument_file, resume=True) is None
    folder = train(None, tmp_path, None, instruments=instrument_file, resume=True, finish=True)
    training = json.loads((folder / "config.json").read_text())["training"]
    assert 0 < training["encoder_steps_done"] < training["encoder_steps"] == 1000


def test_a_run_is_not_overwritten(tmp_path, tiny):
    """A folder with a run needs a word from the user."""
    (tmp_path / "train.log").write_text("begun\n")
    with pytest.raises(ParameterError, match="--resume"):
        train(None, tmp_path, tiny())


def test_every_teacher_names_a_space(tmp_path, tiny, monkeypatch, instrument_file):
    """Runs with different teachers never share a latent space by default."""
    names = []
    monkeypatch.setattr(run_module, "calibrate", lambda *args: {})
    monkeypatch.setattr(run_module, "export_model",
                        lambda folder, settings, *args: names.append(settings.latent_space))
    for seed in (1, 2, 1):
        train(None, tmp_path / str(len(names)), tiny(seed=seed, encoder_steps=0), instruments=instrument_file)
    assert names[0].startswith("xl8-") and names[0] == names[2] != names[1]


def test_command_needs_an_output(tmp_path, capsys):
    """It is named, and a file of another kind is no file of instruments."""
    assert main(["train"]) == 2
    assert "--output" in capsys.readouterr().err
    (tmp_path / "x.npz").write_bytes(b"PK")
    assert main(["train", "-o", str(tmp_path / "run"), "--instruments", str(tmp_path / "x.npz")]) == 1
    assert "--prepare" in capsys.readouterr().err


def test_arithmetic_of_a_gpu(tiny, monkeypatch):
    """Repeatable, at the precision wanted, and afterwards as before."""
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    before = torch.are_deterministic_algorithms_enabled(), torch.get_float32_matmul_precision()
    for precision, wanted in (("float32", "highest"), ("tf32", "high")):
        with run_module._arithmetic(tiny(precision=precision), "cuda"):
            assert torch.are_deterministic_algorithms_enabled()
            assert torch.get_float32_matmul_precision() == wanted
        assert (torch.are_deterministic_algorithms_enabled(), torch.get_float32_matmul_precision()) == before


def test_a_device_that_is_not_there(tiny, tmp_path, instrument_file):
    """It is named, and what may be used."""
    with pytest.raises(ModelError, match="device is 'gpu'.*'cpu'"):
        train(None, tmp_path, tiny(device="gpu"), instruments=instrument_file)
