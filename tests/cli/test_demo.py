# Licensed under a 3-clause BSD style license - see LICENSE
"""The demo leaves a table and a plot."""

import numpy as np
import pytest
from astropy.table import Table

from astro_xlatent.cli import main as cli
from astro_xlatent.cli.demo import RECIPES, simulated_sources


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


def test_demo(tmp_path, capsys):
    """Simulated sources give a table, a printed table, and a plot."""
    pytest.importorskip("matplotlib")
    folder = tmp_path / "out"
    assert cli.main(["demo", "-o", str(folder)]) == 0
    table = Table.read(folder / "sources.ecsv")
    assert len(table) == len(RECIPES)
    assert table["xl_nh"].unit == "1/cm2"
    assert str(folder / "sources.ecsv") in capsys.readouterr().out
    assert (folder / "sources.png").stat().st_size > 5000
