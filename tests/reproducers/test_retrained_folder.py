# Licensed under a 3-clause BSD style license - see LICENSE
"""Train into a folder, load it, train into it again, load it in the same session."""

import json
import os
import shutil

from astro_xlatent import load_model
from astro_xlatent.model.pretrained import DEFAULT, model_folder


def test_the_new_model_is_loaded(tmp_path, monkeypatch):
    """A folder that was written anew gives the new model, and an unchanged one the same object."""
    folder = tmp_path / "run"
    shutil.copytree(model_folder(DEFAULT), folder)
    first = load_model(folder)
    assert load_model(folder) is first
    config = json.loads((folder / "config.json").read_text())
    new = folder / "new.json"
    new.write_text(json.dumps(config | {"version": "next"}))
    os.replace(new, folder / "config.json")
    assert load_model(folder).version == "next"
    # A relative name means another folder once the working directory is another.
    (tmp_path / "elsewhere").mkdir()
    shutil.copytree(model_folder(DEFAULT), tmp_path / "elsewhere" / "run")
    monkeypatch.chdir(tmp_path)
    assert load_model("run").version == "next"
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert load_model("run").version == first.version
