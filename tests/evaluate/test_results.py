# Licensed under a 3-clause BSD style license - see LICENSE
"""Results survive being written, and the page is valid."""

import math
import re

import numpy as np
import pytest
from astropy.table import Table

from astro_xlatent.core.errors import ParameterError
from astro_xlatent.evaluate.results import Number, Results
from benchmarks.studies.latents_page import main as latents_main
from benchmarks.studies.rst import read_results


@pytest.fixture
def results():
    """Two numbers, one without an interval, and a note with characters special in rst."""
    numbers = [
        Number("part one", "balanced accuracy", "model", "JUDGE", 10, 0.4, 0.3, 0.5),
        Number("part one", "share", "xl_nh", "all", 5, 0.25),
        Number("two", "AUC", "x", "all", 0, math.nan),
    ]
    return Results("Some rows", {"model": "a-1"}, numbers, ["column x_y: 3 *rows* left out"], {"m": [[1, 2]]})


def test_json_round_trip(results, tmp_path):
    """Everything comes back, NaN included."""
    results.write(tmp_path / "a.json")
    again = read_results(tmp_path / "a.json")
    assert again.numbers[:1] == results.numbers[:1]
    assert math.isnan(again.numbers[1].low)
    assert math.isnan(again.numbers[2].value)
    assert (again.facts, again.notes, again.arrays) == (results.facts, results.notes, results.arrays)


def test_ecsv(results, tmp_path):
    """One row a number."""
    results.write(tmp_path / "a.ecsv")
    table = Table.read(tmp_path / "a.ecsv", format="ascii.ecsv")
    assert table["value"][0] == 0.4
    assert table.meta["notes"] == results.notes


def test_text_names_intervals_and_missing_values(results):
    """A number without value is a dash."""
    text = results.text()
    assert "0.400 [0.300, 0.500]" in text
    assert "* column x_y" in text
    assert [line for line in text.splitlines() if line.startswith("AUC")][0].split() == [
        "AUC",
        "x",
        "all",
        "0",
        "-",
    ]


def test_other_suffixes_and_files_are_refused(results, tmp_path):
    """With what is allowed."""
    with pytest.raises(ParameterError, match=".json or .ecsv"):
        results.write(tmp_path / "a.txt")
    (tmp_path / "b.json").write_text('{"numbers": 3}')
    with pytest.raises(ParameterError, match="not a file of results"):
        read_results(tmp_path / "b.json")


def _check_rst(text):
    core = pytest.importorskip("docutils.core")
    # Only Sphinx knows references to documents.
    text = re.sub(r":doc:`([^`]*)`", r"\1", text)
    core.publish_doctree(text, settings_overrides={"halt_level": 2, "report_level": 5})


def test_page_of_latents(tmp_path):
    """Valid text, a small figure; files without traversals are refused."""
    pytest.importorskip("matplotlib", reason="figures need matplotlib")
    walk = {"steps": [-2, -1, 0, 1, 2], "energy": [0.5, 1.0, 5.0], "spectra": np.ones((8, 5, 3)).tolist(),
            "nh": np.full((8, 5), 21.0).tolist(), "photon_index": np.full((8, 5), 2.0).tolist(),
            "hardness": np.zeros((8, 5, 2)).tolist()}
    section = "correlation of latents with quantities"
    numbers = [Number(section, f"Spearman with {q}", f"latent {k}", "all", 9, r)
               for q, r in (("weak_one", 0.1), ("strong", -0.9)) for k in range(8)]
    numbers += [Number("formulas for the latents", f"R2 of latent {k}", "+1.00 HR1^2", "all", 9, 0.5)
                for k in range(8)]
    matrix = {"quantities": ["weak_one"], "values": [[0.1] * 8]}
    made = Results("Rows", {"table": "a_b.csv", "rows": 9, "model": "m-1"}, numbers,
                   arrays={"traversals": walk, "correlations": matrix})
    made.write(tmp_path / "a.json")
    assert latents_main([str(tmp_path / "a.json"), "-o", str(tmp_path / "latents.rst")]) == 0
    text = (tmp_path / "latents.rst").read_text(encoding="utf-8")
    _check_rst(text)
    assert "strong -0.90; weak" in text
    assert (tmp_path / "images" / "latents.png").stat().st_size < 200_000
    Results("Rows").write(tmp_path / "b.json")
    with pytest.raises(ParameterError, match="no file holds decoded traversals"):
        latents_main([str(tmp_path / "b.json"), "-o", str(tmp_path / "latents.rst")])
