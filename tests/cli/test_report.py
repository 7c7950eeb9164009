# Licensed under a 3-clause BSD style license - see LICENSE
"""The report from the command line."""

import pytest
from enriched import make_enriched

from astro_xlatent.cli.main import main
from astro_xlatent.table.files import write_table

pytest.importorskip("plotly", reason="the report needs the extra [plot]")


@pytest.fixture
def enriched(tmp_path):
    """A file with an enriched table."""
    table = make_enriched(20)
    table["dec"] = 1.0
    write_table(table, tmp_path / "enriched.fits")
    return tmp_path / "enriched.fits"


def test_page_is_written_and_told(enriched, tmp_path, capsys):
    """The page holds the names; what was left out is printed."""
    assert main(["report", str(enriched), "-o", str(tmp_path / "r.html"), "--max-rows", "5"]) == 0
    printed = capsys.readouterr().out
    assert "5 rows" in printed
    assert "5 of 20 rows, drawn at random" in printed
    assert "source" in (tmp_path / "r.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(("options", "code", "text"), [
    (["-o", "r.txt"], 2, "must end in .html"),
    (["-o", "no/r.html"], 1, "no such folder"),
    (["-o", "r.html", "--columns", "nowhere"], 1, "nowhere, which the table lacks"),
    (["-o", "r.html", "--max-rows", "0"], 2, "1 or more, got 0"),
])
def test_wrong_use(enriched, tmp_path, monkeypatch, capsys, options, code, text):
    """What is wrong is named, and no file is left."""
    monkeypatch.chdir(tmp_path)
    assert main(["report", str(enriched), *options]) == code
    assert text in capsys.readouterr().err
    assert not list(tmp_path.glob("r.*"))


def test_existing_file_is_kept(enriched, tmp_path, capsys):
    """Only --overwrite replaces it."""
    (tmp_path / "r.html").write_text("mine")
    assert main(["report", str(enriched), "-o", str(tmp_path / "r.html")]) == 1
    assert "--overwrite" in capsys.readouterr().err
    assert main(["report", str(enriched), "-o", str(tmp_path / "r.html"), "--overwrite"]) == 0
    assert (tmp_path / "r.html").read_text() != "mine"
