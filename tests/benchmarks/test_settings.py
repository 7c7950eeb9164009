# Licensed under a 3-clause BSD style license - see LICENSE
"""Settings of the hardness baseline: one changed at a time, with the spread over seeds."""

import numpy as np
import pytest
from evaluate.labeled import make_labeled

from benchmarks.studies.rst import read_results
from benchmarks.studies.settings import SETTINGS, cells, main

pytest.importorskip("sklearn", reason="evaluation needs scikit-learn")


def test_cells_are_squares():
    """Positions on either side of an edge, or of the equator, differ."""
    ra, dec = np.array([0.1, 1.9, 2.1, 0.1]), np.array([0.1, 1.9, 0.1, -0.1])
    found = cells(ra, dec)
    assert found[0] == found[1]
    assert len({found[0], found[2], found[3]}) == 3


def test_every_setting_is_scored(tmp_path, monkeypatch):
    """Both tasks, three sets of features, and what others found; noise scores like chance."""
    some = ("as in astro-xlatent evaluate", "cells of 2 degrees for fields")
    monkeypatch.setattr("benchmarks.studies.settings.SETTINGS", {name: SETTINGS[name] for name in some})
    table = make_labeled(150)
    table.remove_columns([name for name in table.colnames if name.startswith("xl_")])
    table.write(tmp_path / "a.ecsv")
    command = [str(tmp_path / "a.ecsv"), "--seeds", "2", "--trees", "5", "-o", str(tmp_path / "out.json")]
    assert main(command) == 0
    results = read_results(tmp_path / "out.json")
    assert {n.subset for n in results.numbers} == {"hardness", "hardness + flux", "hardness + flux + nh_gal"}
    ours = results.find(quantity="balanced accuracy", method=some[0], subset="hardness")
    assert ours[0].value == pytest.approx(1 / 3, abs=0.12)
    assert ours[0].low <= ours[0].value <= ours[0].high
    assert results.find(quantity="AUC, AGN against compact, mean of folds")
    assert any(n.method.startswith("what others found") for n in results.numbers)
