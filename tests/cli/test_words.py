# Licensed under a 3-clause BSD style license - see LICENSE
"""Rows in words."""

from enriched import make_enriched

from astro_xlatent.cli.words import class_text, flag_legend, flag_text, nh_text, number_text
from astro_xlatent.core.flags import Flag
from astro_xlatent.core.text import aligned


def test_interval_or_limit():
    """N_H is an interval, or an upper limit where the flag says so."""
    row = {"xl_flag": 0, "xl_nh": 1e21, "xl_nh_lolim": 8e20, "xl_nh_hilim": 2e21, "xl_nh_ul90": 3e21}
    assert nh_text(row) == "1e+21 (8e+20 - 2e+21)"
    assert nh_text({**row, "xl_flag": Flag.NH_UPPER_LIMIT}) == "< 3e+21 (90%)"


def test_masked_values_are_dashes():
    """A row without a value shows dashes, not "masked" or "nan"."""
    row = make_enriched(1)[0]
    assert nh_text(row) == "- (- - -)"
    assert class_text(row) == "-, other -"
    assert number_text(row["xl_gof"], ".1f") == "-"
    assert flag_text(row) == "NO_DATA"


def test_class_has_its_probability():
    """The most probable class stands with its own probability."""
    row = make_enriched(3)[1]
    best = row["xl_class_prob"].max()
    assert class_text(row).startswith(f"{row['xl_class']} {best * (1 - row['xl_class_other']):.2f}, other ")


def test_other_has_its_own_probability():
    """Where the source is none of the eight, no probability of one of the eight stands beside the word."""
    row = {"xl_class": "other", "xl_class_other": 0.83, "xl_class_prob": [0.88, 0.12]}
    assert class_text(row) == "other 0.83"


def test_flags_are_explained_once():
    """Each flag of some rows has one line."""
    lines = flag_legend([0, Flag.FEW_COUNTS, Flag.FEW_COUNTS | Flag.BANDS_ONLY])
    assert [line.split(":")[0] for line in lines] == ["# FEW_COUNTS", "# BANDS_ONLY"]


def test_columns_are_aligned():
    """Every column starts at the same place."""
    lines = aligned([("a", "b"), ("long", "c")]).splitlines()
    assert [line.index(word) for line, word in zip(lines, "bc", strict=True)] == [6, 6]
