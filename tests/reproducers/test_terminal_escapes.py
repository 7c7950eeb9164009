# Licensed under a 3-clause BSD style license - see LICENSE
"""Text of strangers neither drives a terminal nor runs in a spreadsheet."""

import csv

from astropy.table import Table

from astro_xlatent.archive.web import _gist
from astro_xlatent.cli.main import main
from astro_xlatent.core.errors import ArchiveError
from astro_xlatent.table.files import write_table


def test_file_name_in_an_error(tmp_path, monkeypatch, capsys):
    """A name with escapes is shown, not obeyed."""
    monkeypatch.chdir(tmp_path)
    assert main(["enrich", "\x1b]0;owned\x07.fits", "-o", "o.fits"]) == 1
    said = capsys.readouterr().err
    assert "\x1b" not in said and "\\x1b]0;owned\\x07.fits: no such file" in said


def test_error_page_of_a_server():
    """What a server says in an error page is shown in the same way, in Python too."""
    assert "\x1b" not in str(ArchiveError(_gist(b"<html>\x1b[31mred</html>", "utf-8")))


def test_reason_in_a_spreadsheet(tmp_path):
    """A reason that begins like a formula is quoted in CSV; other columns stay as they are."""
    table = Table({"name": ["=a", "b"], "xl_reason": ["=cmd|'/c calc'!A1: unreadable", "fine"]})
    write_table(table, tmp_path / "t.csv")
    with (tmp_path / "t.csv").open(newline="") as file:
        rows = list(csv.reader(file))
    assert rows[1:] == [["=a", "'=cmd|'/c calc'!A1: unreadable"], ["b", "fine"]]
    assert table["xl_reason"][0].startswith("=")
