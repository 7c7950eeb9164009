# Licensed under a 3-clause BSD style license - see LICENSE
"""The demo leaves a table, a figure and a report of sources whose truth it tells."""

import numpy as np
import pytest
from astropy.table import Table

from astro_xlatent.cli.demo import VIEWS
from astro_xlatent.cli.main import main


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """Run the demo, and give its folder."""
    folder = tmp_path_factory.mktemp("demo") / "out"
    assert main(["demo", "-o", str(folder)]) == 0
    return folder


def test_every_source_is_seen_in_three_ways(demo):
    """Chandra's bands and spectrum and eROSITA's bands stand beside each other, each with results."""
    table = Table.read(demo / "sources.ecsv")
    assert [str(view) for view in table["view"][:3]] == list(VIEWS)
    assert len(table) == 3 * len(set(table["name"]))
    for k in range(0, len(table), 3):
        assert len(set(table["name"][k:k + 3])) == len(set(table["true_nh"][k:k + 3])) == 1
    assert np.all(np.isfinite(table["xl_nh"]))
    assert table["xl_nh"].unit == "1/cm2"


def test_columns_of_bright_sources_are_about_right(demo):
    """Nine in ten of the 90 % upper limits hold; here at least half of few must."""
    table = Table.read(demo / "sources.ecsv")
    assert np.mean(table["xl_nh_ul90"] > table["true_nh"]) > 0.5


def test_sentences(tmp_path, capsys):
    """Each line says from what, which class and which column; no folder is asked for."""
    assert main(["demo", "-o", str(tmp_path / "out")]) == 0
    printed = capsys.readouterr()
    lines = printed.out.splitlines()
    assert lines[0].startswith("source 1 was simulated as AGN behind N_H = ")
    assert [line.split(":")[0].strip() for line in lines[1:4]] == [f"from {view}" for view in VIEWS]
    assert all("N_H" in line and "cm-2" in line for line in lines[:16])
    assert "shared" not in printed.out + printed.err


def test_figure_and_report(demo):
    """Both are there; the report holds all sources, under their names."""
    for name in ("matplotlib", "plotly"):
        pytest.importorskip(name, reason="figure and report need the extra [plot]")
    assert (demo / "demo.png").stat().st_size > 50_000
    assert "source 1" in (demo / "report.html").read_text(encoding="utf-8")


def test_place_that_is_none(tmp_path, capsys):
    """A file in the way is named."""
    (tmp_path / "file").write_text("")
    assert main(["demo", "-o", str(tmp_path / "file")]) == 1
    assert "the folder cannot be made" in capsys.readouterr().err
