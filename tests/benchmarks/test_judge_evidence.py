# Licensed under a 3-clause BSD style license - see LICENSE
"""What the judge of evidence changes in its inputs, and the page that it writes."""

from pathlib import Path

import numpy as np
import pytest
from astropy.table import Table

from astro_xlatent.model.evidence import PIECES, Group, Inputs

judge = pytest.importorskip("benchmarks.judge_evidence")


def inputs(n=400):
    """Rows whose counterparts hold their own number; every second has one."""
    number = np.arange(n)
    groups = {name: Group(("number",), number[:, None].astype(float), np.ones(n, bool))
              for names in PIECES.values() for name in names}
    return Inputs(groups, number % 2 == 0, np.full(n, 0.1))


def test_shuffled_and_dropped():
    """A tenth of the counterparts change rows, with what was found; X-ray columns stay."""
    rows = inputs()
    other = judge.shuffled(rows, np.random.default_rng(1))
    moved = other.groups["gaia"].values[:, 0] != np.arange(len(rows))
    assert 0.03 < moved.mean() <= 0.15
    np.testing.assert_array_equal(other.found, other.groups["wise"].values[:, 0] % 2 == 0)
    np.testing.assert_array_equal(other.groups["flux"].values, rows.groups["flux"].values)
    some = np.arange(len(rows)) < 40
    none, unknown = judge.dropped(rows, some, True), judge.dropped(rows, some, False)
    assert none.groups["gaia"].known.all() and not unknown.groups["gaia"].known[some].any()
    assert not none.found[some].any() and none.groups["gaia"].values[some].sum() == 0


def test_agreement_with_nway(capsys):
    """Near matches agree with a sure matcher; the share of equal objects is counted."""
    table = Table({f"{prefix}_r_{survey}": [0.1, 0.2, 9.0] for prefix in ("mw", "nway")
                   for survey in judge.OBJECTS} | {"nway_p_i": [0.99, 0.95, 0.01]})
    for name in ("Gmag", "Jmag", "W1mag"):
        table[f"mw_{name}"], table[f"nway_{name}"] = [15.0, 16.0, 17.0], [15.0, 16.0, 18.0]
    judge.match_agreement(table)
    printed = capsys.readouterr().out
    assert "gaia         3 sources: on the same side of 0.5 1.000" in printed
    assert "gaia 0.667 of 3" in printed


def test_page(tmp_path):
    """The table between the marks is renewed, and only it."""
    page = tmp_path / "page.rst"
    page.write_text("before\n" + "\nold\n".join(judge._MARKS) + "\nafter\n", encoding="utf-8")
    scores = {"balanced accuracy": 0.7, "+-": 0.04, "AUC": 0.99, "AUC +-": 0.01, "log loss": 0.4,
              "log loss flat": 0.9, "ECE": 0.01, "ECE flat": 0.05}
    for _ in range(2):
        judge.write_page(page, {"all": scores, "all, |b| > 10 degrees": scores})
    text = page.read_text(encoding="utf-8")
    assert text.startswith("before\n") and text.endswith("after\n")
    assert text.count('"all", "0.700 +- 0.040"') == 1 and "old" not in text
    assert "|b|" not in text
    docs = Path(judge.__file__).parents[1] / "docs" / "evidence.rst"
    assert all(mark in docs.read_text(encoding="utf-8") for mark in judge._MARKS)
