# Licensed under a 3-clause BSD style license - see LICENSE
"""Damaged region files whose one long line kept the search for shapes busy for ever."""

import time

import pytest

pytest.importorskip("regions", reason="the regions package is not installed")

from astro_xlatent.core.errors import RegionError
from astro_xlatent.events.regions import read_region

RUNS = {"blanks": " ", "lines": "\n", "braces": "{", "letters": "a", "signs": "- ", "parentheses": "(",
        "ends": ")-",
        "shapes": "circle(1,2,", "cards": "SHAPE   = 'CIRCLE  '  "}


@pytest.mark.parametrize("run", RUNS.values(), ids=RUNS)
@pytest.mark.parametrize("start", ["", "circle(1,2,3)", "physical; circle(1,2,3) - "])
def test_long_runs(tmp_path, start, run):
    """Half a megabyte of one thing is refused, or read, within seconds."""
    path = tmp_path / "r.reg"
    path.write_text(start + run * (500_000 // len(run)))
    began = time.monotonic()
    try:
        read_region(path)
    except RegionError as error:
        assert "r.reg" in str(error)
    assert time.monotonic() - began < 10


@pytest.mark.parametrize("shape", ["circle(1,2,1e300)", "circle(-1e300,2,9)", "box(1,2,1e200,1e200,0)",
                                   "circle(1,2,nan)"])
def test_numbers_beyond_any_field(tmp_path, shape):
    """Areas that overflow are refused where the shape is read."""
    path = tmp_path / "r.reg"
    path.write_text(f"physical\n{shape}\n")
    with pytest.raises(RegionError, match=r"r\.reg.*(beyond 1e\+09|cannot be read|not all of it)"):
        read_region(path)
