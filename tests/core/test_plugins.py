# Licensed under a 3-clause BSD style license - see LICENSE
"""A third-party package can add missions, models and column transforms."""

import os
import subprocess
import sys
from importlib.metadata import EntryPoint

import pytest

from astro_xlatent.core import plugins
from astro_xlatent.core.errors import ParameterError, XlatentWarning
from astro_xlatent.core.plugins import available_transforms, get_transform

PYPROJECT = """
[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"
[project]
name = "xl-tiny-plugin"
version = "1.0"
[project.entry-points."astro_xlatent.transforms"]
count_rows = "xl_tiny_plugin:count_rows"
broken = "xl_tiny_plugin:no_such_thing"
[project.entry-points."astro_xlatent.missions"]
tinysat = "xl_tiny_plugin:TinySat"
[project.entry-points."astro_xlatent.models"]
tiny-1 = "xl_tiny_plugin:TinyModel"
tiny-2 = "xl_tiny_plugin:no_model"
[tool.setuptools]
py-modules = ["xl_tiny_plugin"]
"""

MODULE = '''
from astro_xlatent.missions.base import Mission

class TinySat(Mission):
    name = "tinysat"

    def matches(self, table):
        return "tiny_counts" in table.colnames

    def read_bands(self, table):
        raise NotImplementedError

    def expected_columns(self):
        return "tiny_counts"

class TinyModel:
    name, version, latent_space, sha256 = "tiny", "1", "tiny", ""
    classes, missions = (), ()

    def __init__(self, device):
        self.device = device

    def infer(self, bins, matrices=None):
        raise NotImplementedError

    def decode(self, latent):
        raise NotImplementedError

def no_model(device):
    return "a model"

def count_rows(table):
    table = table.copy()
    table["rows"] = len(table)
    return table
'''


@pytest.fixture(scope="module")
def run_with_plugin(tmp_path_factory):
    """Install a tiny package beside the environment; give a way to run code that sees it."""
    source = tmp_path_factory.mktemp("plugin")
    target = tmp_path_factory.mktemp("site")
    (source / "pyproject.toml").write_text(PYPROJECT)
    (source / "xl_tiny_plugin.py").write_text(MODULE)
    subprocess.run(
        [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation",
         "--no-index", "--target", str(target), str(source)],
        check=True, capture_output=True, text=True)

    def run(code):
        path = os.pathsep.join([str(target), os.environ.get("PYTHONPATH", "")])
        env = {**os.environ, "PYTHONPATH": path}
        done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True,
                              check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout.split("\n")[0], done.stderr

    return run


def test_transform_of_a_plugin(run_with_plugin):
    """The plugin's transform is found and works; its broken one is named and left out."""
    out, err = run_with_plugin(
        "from astropy.table import Table\nfrom astro_xlatent.core import plugins\n"
        "found = plugins.available_transforms()\n"
        "print(*found, plugins.get_transform('count_rows')(Table({'a': [1, 2]}))['rows'][1])")
    assert out == "count_rows latents 2"
    assert "'broken' in astro_xlatent.transforms" in err
    assert "xl-tiny-plugin" in err


def test_mission_of_a_plugin(run_with_plugin):
    """The plugin's mission stands beside the package's own and recognizes its table."""
    out, _ = run_with_plugin(
        "from astropy.table import Table\nfrom astro_xlatent.missions import base\n"
        "print(base.identify_mission(Table({'tiny_counts': [1]})).name, *base.available_missions())")
    assert out.startswith("tinysat ")
    assert {"csc", "erosita", "tinysat"} <= set(out.split())


def test_model_of_a_plugin(run_with_plugin):
    """The plugin's model is listed, and loaded by its name on the device that is asked for."""
    out, _ = run_with_plugin(
        "import astro_xlatent as a\nmodel = a.load_model('tiny-1', device='meta')\n"
        "print('tiny-1' in a.available_models(), model.device, a.load_model(model) is model)")
    assert out == "True meta True"


def test_no_model_of_a_plugin(run_with_plugin):
    """What lacks the methods of a model is refused by its name."""
    out, _ = run_with_plugin(
        "import astro_xlatent as a\ntry:\n    a.load_model('tiny-2')\n"
        "except a.core.errors.ModelError as error:\n    print(error)")
    assert out.startswith("model 'tiny-2' of a plug-in is a str that lacks")


def test_own_transform_is_registered():
    """`add_latents` is the transform ``latents``."""
    import astro_xlatent

    assert get_transform("latents") is astro_xlatent.add_latents


def test_unknown_transform_lists_the_known():
    """A typo lists what is installed."""
    with pytest.raises(ParameterError, match="'latent'.*installed: .*latents"):
        get_transform("latent")
    assert "latents" in available_transforms()


def test_same_name_twice_keeps_the_first(monkeypatch):
    """Two packages with one name: the first is used and the other named."""
    entries = [EntryPoint("one", "json:dumps", "g"), EntryPoint("one", "json:loads", "g")]
    monkeypatch.setattr(plugins, "entry_points", lambda group: entries)
    with pytest.warns(XlatentWarning, match="'one' in g again"):
        found = plugins.load_plugins("g")
    import json

    assert found == {"one": json.dumps}


def test_same_distribution_seen_twice_is_no_clash(monkeypatch):
    """An installed copy and a checkout of one package on the path say the same."""
    entries = [EntryPoint("one", "json:dumps", "g")] * 2
    monkeypatch.setattr(plugins, "entry_points", lambda group: entries)
    assert list(plugins.load_plugins("g")) == ["one"]
