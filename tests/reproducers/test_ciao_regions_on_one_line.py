# Licensed under a 3-clause BSD style license - see LICENSE
"""CIAO's region syntax: hours and degrees without a frame, shapes joined on one line."""

import numpy as np
import pytest
from event_lists import sky_wcs

pytest.importorskip("regions", reason="the regions package is not installed")

from astro_xlatent.core.errors import RegionError
from astro_xlatent.events.aperture import Aperture

X, Y = np.random.default_rng(1).uniform(4040, 4160, (2, 4000))


def inside(folder, text, wcs=None):
    """Which points lie in a region file's region."""
    path = folder / "r.reg"
    path.write_text(text)
    return Aperture(path, wcs).contains(X, Y)


def circle(x, y, r):
    """Which points lie in a circle."""
    return np.hypot(X - x, Y - y) < r


@pytest.mark.parametrize("text", ["circle(0:40:00,-05:00:00,0.5')\n", "circle(10.0d,-5.0d,30\")\n",
                                  "circle(0:40:00,-05:00:00,30'')\n"])
def test_sky_without_frame(tmp_path, text):
    """Hours and degrees are on the sky, whatever the file does not say."""
    found = inside(tmp_path, text, sky_wcs(10.0, -5.0))
    np.testing.assert_array_equal(found, circle(4096.5, 4096.5, 30 / 0.492))


@pytest.mark.parametrize(("text", "expected"), [
    ("circle(4096,4096,30)-circle(4100,4096,9)", circle(4096, 4096, 30) & ~circle(4100, 4096, 9)),
    ("circle(4096,4096,30)&!circle(4100,4096,9)", circle(4096, 4096, 30) & ~circle(4100, 4096, 9)),
    ("physical\ncircle(4096,4096,30)*circle(4120,4096,30)", circle(4096, 4096, 30) & circle(4120, 4096, 30)),
    ("circle(4096,4096,30)+circle(4120,4096,30)", circle(4096, 4096, 30) | circle(4120, 4096, 30)),
    ("circle(4096,4096,30)-circle(4100,4096,9)\ncircle(4100,4096,5)\n-circle(4100,4096,2)",
     (circle(4096, 4096, 30) & ~circle(4100, 4096, 9) | circle(4100, 4096, 5)) & ~circle(4100, 4096, 2)),
    ("rotbox(4096,4096,20,20)-circle(4096,4096,2)", (abs(X - 4096) < 10) & (abs(Y - 4096) < 10)
     & ~circle(4096, 4096, 2)),
])
def test_joined(tmp_path, text, expected):
    """Signs between shapes of one line bind these alone; a line that begins with - takes out of all."""
    np.testing.assert_array_equal(inside(tmp_path, text + "\n"), expected)


def test_two_kinds_of_signs(tmp_path):
    """What readers understand differently is refused with the remedy."""
    with pytest.raises(RegionError, match="allowed are a.b, a-b.*Write one shape a line"):
        inside(tmp_path, "circle(4096,4096,30)+circle(4120,4096,30)-circle(4100,4096,9)\n")
