# Licensed under a 3-clause BSD style license - see LICENSE
"""Results survive being written, and the page is valid."""

import math

import pytest
from astropy.table import Table

from astro_xlatent.errors import ParameterError
from astro_xlatent.evaluate.page import main
from astro_xlatent.evaluate.results import Number, Results


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
    again = Results.read(tmp_path / "a.json")
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
        Results.read(tmp_path / "b.json")


def test_page_is_valid_rst(results, tmp_path):
    """Docutils reads it without complaint."""
    core = pytest.importorskip("docutils.core")
    results.write(tmp_path / "a.json")
    assert main([str(tmp_path / "a.json"), "-o", str(tmp_path / "page.rst")]) == 0
    text = (tmp_path / "page.rst").read_text(encoding="utf-8")
    core.publish_doctree(text, settings_overrides={"halt_level": 2, "report_level": 5})
    assert "0.300 to 0.500" in text
