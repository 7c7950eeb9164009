# Licensed under a 3-clause BSD style license - see LICENSE
"""A model folder, its card, and its way into the package."""

import json
import runpy
import shutil
from pathlib import Path

import numpy as np
import pytest

import astro_xlatent
from astro_xlatent.model.build import file_digests
from astro_xlatent.model.bundled import BUNDLED, DEFAULT
from astro_xlatent.model.pretrained import folder_digest, load_model
from astro_xlatent.simulate.imperfections import PIECES
from astro_xlatent.train.export import bundle, export_model, model_card
from astro_xlatent.train.settings import Settings
from astro_xlatent.train.stream import PLAN, training_batch

PACKAGE = Path(astro_xlatent.__file__).parent
OWN = PACKAGE / "model" / "weights" / DEFAULT


@pytest.fixture
def parts():
    """Networks and calibration of the bundled model."""
    model = load_model(device="cpu")
    modules = {name: getattr(model, name) for name in ("encoder", "decoder", "teacher")}
    return model, modules, json.loads((OWN / "calibration.json").read_text())


def exported(folder, parts, instruments, **changed):
    """The bundled model, written anew."""
    model, modules, tables = parts
    settings = Settings(latent_space=model.latent_space, version="9", notes="Of a test.", **changed)
    return export_model(folder, settings, 12, modules, tables, instruments, log=lambda line: None)


def test_exported_model_says_the_same(tmp_path, parts, instruments):
    """What is written and read again is the model; its files are those that it names."""
    folder = exported(tmp_path / "new" / "model", parts, instruments)
    again, (bins, _) = load_model(folder, device="cpu"), training_batch(4, 0, instruments, PLAN[:1])[0]
    assert (again.version, again.latent_space) == ("9", parts[0].latent_space)
    np.testing.assert_allclose(again.infer(bins).latent, parts[0].infer(bins).latent, atol=1e-6)
    info = json.loads((folder / "config.json").read_text())
    assert info["files"].items() <= file_digests(folder).items()
    assert info["training"]["encoder_steps_done"] == 12 and info["missions"] == ["csc", "erosita", "xmm"]
    assert "**This run.** Of a test." in (folder / "MODEL_CARD.rst").read_text()


def test_export_replaces_and_leaves_nothing(tmp_path, parts, instruments):
    """An older folder of the same name goes as a whole, and nothing else stays behind."""
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "stale.txt").write_text("old")
    folder = exported(tmp_path / "model", parts, instruments)
    assert not (folder / "stale.txt").exists()
    assert [p.name for p in tmp_path.iterdir()] == ["model"]


def test_failed_export_keeps_the_old(tmp_path, parts, instruments):
    """Tables that are no calibration make no model: the older one stays."""
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "stale.txt").write_text("old")
    model, modules, _ = parts
    with pytest.raises(Exception, match="calibration"):
        exported(tmp_path / "model", (model, modules, {"nodes": []}), instruments)
    assert [p.name for p in tmp_path.rglob("*")] == ["model", "stale.txt"]


def test_where_a_start_lay_is_not_told(tmp_path, parts, instruments):
    """Only the name of the folder."""
    folder = exported(tmp_path / "model", parts, instruments, start_from=str(tmp_path / "secret" / "begin"))
    text = (folder / "config.json").read_text()
    assert json.loads(text)["training"]["start_from"] == "begin" and "secret" not in text


def test_bundled_model_is_the_default(tmp_path, parts, instruments):
    """It is copied under its name, registered with its digest, and models that are gone are struck off."""
    package = tmp_path / "astro_xlatent"
    (package / "model" / "weights").mkdir(parents=True)
    shutil.copy(PACKAGE / "model" / "bundled.py", package / "model" / "bundled.py")
    folder = exported(tmp_path / "model", parts, instruments)
    for _ in range(2):
        assert bundle(folder, package) == "xlatent-9"
    assert file_digests(package / "model" / "weights" / "xlatent-9") == file_digests(folder)
    namespace = runpy.run_path(str(package / "model" / "bundled.py"))
    assert namespace["DEFAULT"] == "xlatent-9"
    assert namespace["BUNDLED"] == {"xlatent-9": folder_digest(folder)}


def test_bundled_digest_is_that_of_the_files():
    """What ships is what was registered."""
    assert folder_digest(OWN) == BUNDLED[DEFAULT]


@pytest.mark.parametrize(("without", "words"), [
    ((), f"made imperfect in {', '.join(PIECES)}"),
    (("gain",), f"made imperfect in {', '.join(p for p in PIECES if p != 'gain')}"),
    (PIECES, "without errors of calibration"),
])
def test_card_tells_the_imperfections(without, words):
    """Those that were simulated, or that there were none."""
    info = {"name": "m", "version": "1", "latent_space": "s", "missions": ["csc"],
            "training": vars(Settings(without=without)) | {"encoder_steps_done": 7, "instruments": 3}}
    text = model_card(info, 1234567)
    assert words in text and "1,234,567 parameters" in text and "This run" not in text
    title = text.splitlines()
    assert len(title[0]) == len(title[1]) and set(title[1]) == {"="}
