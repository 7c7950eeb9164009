# Licensed under a 3-clause BSD style license - see LICENSE
"""The demo leaves a table and a plot, with and without real data."""

import numpy as np
import pytest
from astropy.table import Table

from astro_xlatent.cli import main as cli
from astro_xlatent.cli.demo import RECIPES, find_real_spectra, simulated_sources


def test_simulated_sources_are_reproducible():
    """The same seed gives the same counts, another one others."""
    _, first = simulated_sources(seed=4)
    _, again = simulated_sources(seed=4)
    _, other = simulated_sources(seed=5)
    assert all(np.array_equal(a.counts, b.counts) for a, b in zip(first, again, strict=True))
    assert not np.array_equal(first[0].counts, other[0].counts)


def test_simulated_counts_are_as_asked():
    """Counts above background follow the recipe within Poisson noise."""
    _, spectra = simulated_sources()
    for recipe, spectrum in zip(RECIPES, spectra, strict=True):
        net = spectrum.counts.sum() - spectrum.background_scale * spectrum.background.counts.sum()
        assert abs(net - recipe[-1]) < 5 * np.sqrt(recipe[-1] + 5)


def test_no_real_data(tmp_path):
    """A folder without an inventory leaves what Sherpa brings, or nothing."""
    found = find_real_spectra(tmp_path)
    assert found.colnames == ["name", "origin", "truth", "path"]
    assert all("acisf" in path for path in found["path"])


@pytest.fixture
def demo_table(tmp_path, capsys):
    """Run the demo on a folder of data and give its output."""

    def run(data):
        assert cli.main(["demo", "-o", str(tmp_path / "out"), "--data", str(data)]) == 0
        printed = capsys.readouterr().out
        return Table.read(tmp_path / "out" / "sources.ecsv"), printed, tmp_path / "out"

    return run


def test_demo_without_data(demo_table, tmp_path):
    """Simulated sources alone give a table, a printed table, and a plot."""
    pytest.importorskip("matplotlib")
    table, printed, folder = demo_table(tmp_path)
    assert len(table) >= len(RECIPES)
    assert table["xl_nh"].unit == "1/cm2"
    assert str(folder / "sources.ecsv") in printed
    assert (folder / "sources.png").stat().st_size > 5000


def test_demo_with_real_data(demo_table, shared_data):
    """Real spectra and catalogue rows stand beside the simulated ones; HRC is refused by name."""
    table, printed, _ = demo_table(shared_data)
    origins = set(table["origin"])
    assert {"real, Chandra", "real, eROSITA", "real, CSC bands", "simulated, csc"} <= origins
    assert "HRC" in next(line for line in printed.splitlines() if line.startswith("refused"))
