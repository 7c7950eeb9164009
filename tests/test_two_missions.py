# Licensed under a 3-clause BSD style license - see LICENSE
"""The worked example of the documentation runs, finds the changed source, and says what is true."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from astropy.io.votable import parse

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def example():
    """The script as a module."""
    pytest.importorskip("matplotlib")
    spec = importlib.util.spec_from_file_location("two_missions", ROOT / "docs" / "two_missions.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_simulated_sky(example, tmp_path, capsys):
    """In small: most sources are matched, the changed one stands out, table and picture are there."""
    rows, found, changed = example.simulated_sky(tmp_path, n=1024)
    assert (tmp_path / "two_missions.png").stat().st_size > 10_000
    true = np.asarray(rows["source_csc"] == rows["source_erass"])
    assert true.mean() > 0.9
    order = np.argsort(example.unchanged(rows))
    assert changed in np.asarray(rows["source_csc"])[order[:3]]
    printed = capsys.readouterr().out
    assert f"source {found}; the one that has changed: source {changed}" in printed
    fields = {f.name: f for f in parse(str(tmp_path / "matches.vot")).get_first_table().fields}
    for name, ucd in (("xm_prob", "stat.probability;meta.id.cross"), ("xm_sep", "pos.angDistance"),
                      ("xl_nh_csc", "phys.columnDensity;meta.modelled"),
                      ("xl_class_erass", "src.class;meta.modelled")):
        assert fields[name].ucd == ucd
    assert str(fields["xm_sep"].unit) == "arcsec"


def test_description_counts(example):
    """Completeness and chance pairs are those of the columns."""
    from astropy.table import Table

    a, b = Table({"source": [0, 1, 2]}), Table({"source": [0, 1, 9]})
    pairs = Table({"xm_row_a": [0, 1, 2, 2], "xm_row_b": [0, 1, 2, 1], "xm_pos_prob": [0.9, 0.8, 0.6, 0.1],
                   "xm_prob": [0.9, 0.2, 0.1, 0.1]})
    text = example.describe(a, b, pairs)
    assert "3 and 3 rows, 2 sources in both; 4 candidate pairs, 2 of them by chance" in text
    assert "position alone > 0.5:        100.0% of the sources found, 1 chance pairs left" in text
    assert "position and spectrum > 0.5: 50.0% of the sources found, 0 chance pairs left" in text


def test_real_detections(example, shared_data, capsys):
    """The open labeled rows go through from their own columns; the catalogs hold different detections."""
    a, b, pairs = example.real_detections(shared_data / "labels/csc2_labelled_detections.csv.gz", limit=400)
    assert "detections of" in capsys.readouterr().out
    both = set(a["source"]) & set(b["source"])
    assert len(both) > 10 and len(pairs) > len(both) / 2
    keys = [{tuple(row) for row in t["obsid", "obi", "region_id"].as_array().tolist()} for t in (a, b)]
    assert not keys[0] & keys[1]


def test_committed_picture_is_small():
    """The page stays light."""
    assert (ROOT / "docs" / "images" / "two_missions.png").stat().st_size < 150_000
