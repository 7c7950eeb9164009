# Licensed under a 3-clause BSD style license - see LICENSE
"""What was found, in sentences."""

import numpy as np
import pytest
from astropy.table import MaskedColumn, QTable, Table
from enriched import make_enriched

from astro_xlatent import describe
from astro_xlatent.core.columns import CLASSES
from astro_xlatent.core.errors import ParameterError, TableError
from astro_xlatent.core.flags import FLAGS, Flag


def make_row(flag=0, other=0.1, best=0.9):
    """One source: AGN with a share of the eight classes, the rest CV."""
    table = make_enriched(2)[:1]
    table["xl_class_prob"][0] = np.where(np.array(CLASSES) == "AGN", best, 0)
    table["xl_class_prob"][0, CLASSES.index("CV")] = 1 - best
    table["xl_class_other"], table["xl_flag"] = other, flag
    for name, value in (("", 1e21), ("_lolim", 8e20), ("_hilim", 2e21), ("_ul90", 3e21)):
        table[f"xl_nh{name}"][0] = value
    return table


def test_interval_or_limit():
    """N_H is an interval, or an upper limit where the flag says so."""
    assert describe(make_row()).sentences[0][2] == "N_H 1e21 cm-2 (8e20 to 2e21)"
    assert describe(make_row(Flag.NH_UPPER_LIMIT)).sentences[0][2] == "N_H < 3e21 cm-2 (90 %)"


@pytest.mark.parametrize(("other", "best", "text"), [
    (0.1, 0.9, "AGN (0.81)"),
    (0.83, 0.88, "other (0.83)"),
    (0.4, 0.75, "undecided: AGN (0.45) or other (0.40)"),
])
def test_class_has_its_own_probability(other, best, text):
    """Among all nine; without one above a half two are named."""
    assert describe(make_row(other=other, best=best)).sentences[0][1] == text


def test_masked_values_are_dashes():
    """A row without a value shows dashes and why, not "masked" or "nan"."""
    assert str(describe(make_enriched(1))).splitlines()[0].split() == ["source", "0", "-", "-", "NO_DATA"]


def test_flags_are_explained_once():
    """Each flag of some rows has one line, the highest bit as well as the lowest."""
    table = make_enriched(3)
    table["xl_flag"] = [0, 2, 2 | FLAGS[-1]]
    words = describe(table)
    assert list(words.legend) == ["FEW_COUNTS", FLAGS[-1].name]
    assert str(words).splitlines()[3].startswith("FEW_COUNTS: fewer than")


def test_notebook_shows_the_same_words():
    """The HTML holds the words of the terminal; markup and escapes in names are harmless."""
    table = make_enriched(4)
    table["name"] = ["<img src=x onerror=alert(1)>", "\x1b[2J", "a&b", "c"]
    words = describe(table)
    shown = words._repr_html_()
    assert "<img" not in shown and "&lt;img" in shown and "a&amp;b" in shown
    assert "\x1b" not in shown + str(words)
    for sentence in words.sentences:
        assert sentence[1] in shown and sentence[2] in shown


def test_rows_names_and_lengths():
    """One row, a column of names, names at hand, none at all, none to tell."""
    table = make_enriched(60)
    assert describe(table[3]).sentences == describe(table).sentences[3:4]
    assert describe(QTable(table)).sentences == describe(table).sentences
    assert len(describe(table)) == 50 and "and 10 rows more" in str(describe(table))
    assert len(describe(table, max_rows=None)) == 60
    assert describe(table[:2], ["x", "y"]).sentences[1][0] == "y"
    assert describe(table[:2], "xl_reason").sentences[1][0] == ""
    table["name"] = MaskedColumn(table["name"], mask=np.arange(60) == 1)
    assert describe(table).sentences[1][0] == "-"
    table.remove_column("name")
    assert describe(table).sentences[1][0] == "row 1"
    assert str(describe(table[:0])) == "no rows" and "no rows" in describe(table[:0])._repr_html_()


def test_wrong_input():
    """What cannot be told is refused with the remedy."""
    with pytest.raises(TableError, match="add_latents"):
        describe(Table({"a": [1]}))
    with pytest.raises(TableError, match="'b', which is no column; the table has name"):
        describe(make_enriched(), "b")
    with pytest.raises(ParameterError, match="each of 6 rows, got 1"):
        describe(make_enriched(), ["a"])
