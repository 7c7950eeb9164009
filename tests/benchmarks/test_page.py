# Licensed under a 3-clause BSD style license - see LICENSE
"""The page of results: what it takes, that it is valid, and that models are not mixed."""

import pytest

from astro_xlatent.core.errors import ParameterError
from astro_xlatent.evaluate.results import Number, Results
from benchmarks.studies.page import main, page, page_rows

SECTION = ("8 classes, folds by sky field", "balanced accuracy")


def _results(model="m-1"):
    numbers = [Number(*SECTION, "model, zero-shot", "all", 7, 0.4, 0.3, 0.5),
               Number(*SECTION, "energy-flux hardness, random forest", "all", 7, 0.35),
               Number(*SECTION, "k-means", "all", 7, 0.123)]
    return Results("Rows", {"model": model, "command": "astro-xlatent evaluate a_b.csv"}, numbers)


def test_page_and_figure(tmp_path):
    """The model's number beside the baseline's, nothing else; docutils reads it without complaint."""
    core = pytest.importorskip("docutils.core")
    pytest.importorskip("matplotlib", reason="figures need matplotlib")
    _results().write(tmp_path / "a.json")
    assert main([str(tmp_path / "a.json"), "-o", str(tmp_path / "page.rst")]) == 0
    text = (tmp_path / "page.rst").read_text(encoding="utf-8")
    core.publish_doctree(text.replace(":doc:", ""), settings_overrides={"halt_level": 2, "report_level": 5})
    assert "0.400 [0.300, 0.500]" in text and '"0.350"' in text
    assert "0.123" not in text
    assert (tmp_path / "images" / "how_good.png").stat().st_size > 1000


def test_rows_without_a_number_are_left_out():
    """A file that holds one of the page's numbers gives one row."""
    assert len(page_rows([_results()])) == 1


def test_models_are_not_mixed():
    """Results of two models, or without any of the page's numbers, are refused."""
    with pytest.raises(ParameterError, match="m-1, m-2"):
        page([_results(), _results("m-2")])
    with pytest.raises(ParameterError, match="hold 0 of the numbers"):
        page([Results("empty", {"model": "m-1"})])
