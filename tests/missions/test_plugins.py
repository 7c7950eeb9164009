# Licensed under a 3-clause BSD style license - see LICENSE
"""Missions of third-party packages, and the package's own without metadata."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import astro_xlatent

MODULE = '''
import numpy as np
from astro_xlatent.missions.base import BandMeasurement, Mission
from astro_xlatent.spectra.bins import EnergyBins


class Einstein(Mission):
    name = "einstein"
    title = "Einstein IPC"
    telescopes = ("EINSTEIN",)
    bands = (("soft", 0.2, 0.8), ("hard", 0.8, 3.5))

    def matches(self, table):
        return 2 * ("IPC_SOFT" in table.colnames)

    def expected_columns(self):
        return "IPC_SOFT, IPC_HARD"

    def read_bands(self, table):
        n = len(table)
        bins = EnergyBins.empty(n, 2)
        return BandMeasurement(bins, np.zeros(n, int), [""] * n, np.full(n, "counts"))


class Unfinished(Mission):
    name = "unfinished"


def not_a_mission():
    return 42
'''

ENTRY_POINTS = """[astro_xlatent.missions]
einstein = xl_einstein:Einstein
unfinished = xl_einstein:Unfinished
function = xl_einstein:not_a_mission
missing = xl_einstein_missing:Nothing
csc = xl_einstein:Einstein
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A folder with a tiny installed package, as pip leaves it."""
    folder = tmp_path_factory.mktemp("site")
    (folder / "xl_einstein.py").write_text(MODULE)
    info = folder / "xl_einstein-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: xl-einstein\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(ENTRY_POINTS)
    return folder


def run(code, *paths, isolated=False):
    """Run code in a new interpreter with folders on its path; give stdout and stderr."""
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, paths))}
    done = subprocess.run([sys.executable, *(["-S"] if isolated else []), "-c", code], env=env,
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip(), done.stderr


def test_third_party_mission(site):
    """It is listed, recognized by its table and read; broken ones are named and left out."""
    out, err = run(
        "from astropy.table import Table\n"
        "from astro_xlatent.missions.base import available_missions, identify_mission\n"
        "mission = identify_mission(Table({'IPC_SOFT': [1, 2]}))\n"
        "rows = len(mission.read_bands(Table({'IPC_SOFT': [1, 2]})))\n"
        "print(mission.name, rows, *available_missions())", site)
    assert out.split()[:2] == ["einstein", "2"]
    assert {"csc", "einstein", "erosita", "xmm"} <= set(out.split())
    assert "missing" not in out
    assert "'missing' in astro_xlatent.missions" in err
    assert "'function' in astro_xlatent.missions is left out" in err


def test_plugin_cannot_replace_a_built_in(site):
    """Another package's "csc" does not take the place of ours."""
    out, _ = run("from astro_xlatent.missions.base import get_mission\nprint(get_mission('csc').title)", site)
    assert out == "Chandra Source Catalog"


def test_unfinished_mission_is_refused_by_name(site):
    """A class that lacks methods says which when asked for, and does not stop the others."""
    out, err = run(
        "from astropy.table import Table\nfrom astro_xlatent.core.errors import MissionError\n"
        "from astro_xlatent.missions.base import get_mission, identify_mission\n"
        "print(identify_mission(Table({'DETUID': ['x']})).name)\n"
        "try:\n    get_mission('unfinished')\nexcept MissionError as e:\n    print(e)", site)
    assert out.startswith("erosita")
    assert "'unfinished' cannot be used" in out
    assert "mission left out" in err


def test_checkout_on_the_path_without_metadata(tmp_path):
    """The package's own missions need no entry points."""
    code = ("import importlib.metadata as m\n"
            "m.entry_points = lambda **kwargs: []\n"
            "import astro_xlatent.core.plugins as p\np.entry_points = m.entry_points\n"
            "from astro_xlatent.missions.base import available_missions\nprint(*available_missions())")
    out, _ = run(code, Path(astro_xlatent.__file__).parents[1])
    assert out == "csc erosita swift xmm"
