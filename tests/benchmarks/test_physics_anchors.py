# Licensed under a 3-clause BSD style license - see LICENSE
"""The anchor table: every model, every column, every band."""

import numpy as np
import pytest

from benchmarks.physics_anchors import anchor_differences, anchor_spectrum, main


@pytest.fixture(scope="module")
def table(shared_data):
    """Path of the anchor fluxes."""
    return shared_data / "physics" / "anchor_fluxes.csv"


def test_continua(table):
    """
    Within 0.1 per cent unabsorbed; absorbed within 1, soft black bodies 1.2.

    That is the measured difference of the absorption tables, mostly at the oxygen edge.
    """
    rows = [row for row in anchor_differences(table) if not row[0].startswith("apec")]
    assert len(rows) == 15
    for text, column, difference in rows:
        tolerance = 0.001 if column == 0 else 0.012 if text.startswith("bbodyrad") else 0.01
        assert np.abs(difference).max() < tolerance, text


def test_plasma(table):
    """From 1 keV up within 1.3 per cent: 0.7 from smooth interpolation in log kT, 0.6 from absorption."""
    rows = [row for row in anchor_differences(table) if row[0].startswith("apec")]
    hot = [row for row in rows if float(row[0].split("kT=")[1].split()[0]) >= 1]
    assert len(hot) == 18
    for text, _, difference in hot:
        assert np.abs(difference).max() < 0.013, text


def test_models_without_counterpart_are_left_out():
    """Neutron-star atmospheres and mekal are not built here."""
    assert anchor_spectrum("mekal kT=1.0 Z=0.3(angr) norm=1") is None


def test_command(table, capsys):
    """The command prints one line per comparable row and explains itself without a file."""
    main([str(table)])
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1 + 42
    assert lines[1].split()[:2] == ["powerlaw", "G=1.7"]
    with pytest.raises(SystemExit, match="usage"):
        main([])
