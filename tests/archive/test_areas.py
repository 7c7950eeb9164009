# Licensed under a 3-clause BSD style license - see LICENSE
"""Cones, and those around regions; what lies in a region is tested with `select_by_region`."""

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from event_lists import region_hdu, sky_wcs, write_hdus

from astro_xlatent.archive.areas import Cone, cones_around, parse_cone
from astro_xlatent.core.errors import ParameterError, RegionError
from astro_xlatent.events.regions import read_region
from astro_xlatent.events.sky_regions import inside_region


@pytest.mark.parametrize(
    "given",
    [
        ("150", "-5.5", "3arcmin"),
        ("10h", "-5d30m", "180arcsec"),
        (150 * u.deg, -5.5 * u.deg, 0.05 * u.deg),
        (510.0, -5.5, "0.05 deg"),
        (" 10h00m00s ", "-05d30m00s", "3'"),
    ],
)
def test_parse_cone(given):
    """Degrees, hours, quantities and text say the same."""
    assert parse_cone(*given) == Cone(150.0, -5.5, 0.05)


@pytest.mark.parametrize(
    ("given", "what"),
    [
        (("x", "0", "1arcmin"), "ra of a cone cannot be read from 'x'"),
        (("0", "nan", "1arcmin"), "dec of a cone"),
        (("0", "95", "1arcmin"), "dec of a cone must lie in -90 to 90"),
        (("0", "0", "5"), "radius of a cone cannot be read from '5'; write it like 5arcmin"),
        (("0", "0", "-1arcmin"), "radius of a cone must lie in 0 to 20"),
        (("0", "0", "0arcmin"), "radius of a cone"),
        (("0", "0", "30deg"), "radius of a cone must lie in 0 to 20"),
        (("0", "0", "3s"), "radius of a cone"),
        (("0); DROP TABLE x; --", "0", "1arcmin"), "ra of a cone cannot be read"),
    ],
)
def test_bad_cone(given, what):
    """What is wrong is named, and how to write it."""
    with pytest.raises(ParameterError, match=what.replace("(", r"\(")):
        parse_cone(*given)


def read(tmp_path, text):
    """A DS9 file with this text."""
    path = tmp_path / "a.reg"
    path.write_text(text)
    return read_region(path)


def middle_of(cone):
    """Its middle as coordinates."""
    return SkyCoord(cone.ra, cone.dec, unit="deg")


POLES = [(0.01, 0.0), (359.99, -30.0), (120.0, 89.9), (200.0, -90.0)]


@pytest.mark.parametrize("frame", ["icrs", "fk5", "galactic"])
@pytest.mark.parametrize(("ra", "dec"), POLES)
@pytest.mark.parametrize("kind", ["circle", "annulus", "ellipse", "box", "polygon"])
def test_cone_encloses(tmp_path, frame, ra, dec, kind):
    """Every point of a shape is in its cone, which is not much wider than needed."""
    place = SkyCoord(ra, dec, unit="deg").transform_to(frame)
    size = {"circle": "0.3d", "annulus": "0.1d,0.3d", "ellipse": "0.3d,0.25d,40", "box": "0.5d,0.3d,70"}
    if kind == "polygon":
        corners = place.directional_offset_by([10, 110, 240] * u.deg, 0.3 * u.deg)
        numbers = ",".join(f"{c.spherical.lon.deg:.9f},{c.spherical.lat.deg:.9f}" for c in corners)
    else:
        numbers = f"{place.spherical.lon.deg:.9f},{place.spherical.lat.deg:.9f},{size[kind]}"
    region = read(tmp_path, f"{frame}\n{kind}({numbers})")
    (cone,) = cones_around(region)
    rng = np.random.default_rng(1)
    points = place.directional_offset_by(rng.uniform(0, 360, 4000) * u.deg,
                                         0.5 * np.sqrt(rng.random(4000)) * u.deg).icrs
    inside = inside_region(region, points.cartesian.xyz.value.T)
    far = points[inside].separation(middle_of(cone)).deg.max()
    assert 0.9 * cone.radius < far <= cone.radius
    assert 0.1 < inside.mean() < 0.5


def test_one_cone_a_shape(tmp_path):
    """Included shapes have a cone each, once; excluded ones have none."""
    region = read(tmp_path, "icrs\ncircle(10,0,0.1d)\ncircle(12,0,0.2d)\ncircle(10,0,0.1d)\n-circle(10,0,3d)")
    cones = cones_around(region)
    assert [(c.ra, c.radius) for c in cones] == [(10.0, pytest.approx(0.1)), (12.0, pytest.approx(0.2))]


def test_smallest_of_intersected_shapes(tmp_path):
    """Shapes of one component of a FITS table, in pixels, are asked for by the smallest; components apart."""
    wcs = sky_wcs(33.0, 25.0)
    rows = [
        ("Circle", [4100.0], [4050.0], [200.0], [0.0], 1),
        ("Box", [4100.0], [4050.0], [2000.0, 3000.0], [0.0], 1),
        ("!Circle", [4100.0], [4050.0], [5.0], [0.0], 1),
        ("Circle", [5000.0], [4050.0], [20.0], [0.0], 2),
    ]
    cones = cones_around(read_region(write_hdus(tmp_path / "reg3.fits", region_hdu(rows, "SRCREG", wcs))))
    assert [c.radius * 3600 for c in cones] == [pytest.approx(200 * 0.492, rel=1e-4),
                                                pytest.approx(20 * 0.492, rel=1e-4)]
    for cone, x in zip(cones, (4100, 5000), strict=True):
        place = SkyCoord(*wcs.all_pix2world(x, 4050, 1), unit="deg")
        assert place.separation(middle_of(cone)).arcsec < 0.01


@pytest.mark.parametrize(
    ("text", "error", "what"),
    [
        ("physical\ncircle(10,20,5)", RegionError, "give a region in sky coordinates"),
        ("icrs\ncircle(10,0,40d)", ParameterError, "radius of a cone must lie in 0 to 20"),
    ],
)
def test_bad_regions(tmp_path, text, error, what):
    """What lies nowhere on the sky, or is too large, is named."""
    with pytest.raises(error, match=what):
        cones_around(read(tmp_path, text))
