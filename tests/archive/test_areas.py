# Licensed under a 3-clause BSD style license - see LICENSE
"""Cones and regions, compared with spherical geometry done otherwise."""

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord

from astro_xlatent.archive.areas import Cone, parse_cone, resolve_name
from astro_xlatent.archive.shapes import inside, read_regions
from astro_xlatent.errors import ParameterError


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


def test_resolve_name_fails(monkeypatch):
    """An unknown object, or no network, says what to do instead."""
    from astropy.coordinates.name_resolve import NameResolveError

    def fail(name):
        raise NameResolveError("all Sesame queries failed")

    monkeypatch.setattr(SkyCoord, "from_name", fail)
    with pytest.raises(ParameterError, match="position of 'Xyz' was not found.*--cone RA DEC RADIUS"):
        resolve_name("Xyz", "1arcmin")


def test_resolve_name(monkeypatch):
    """A resolved name is a cone."""
    monkeypatch.setattr(SkyCoord, "from_name", lambda name: SkyCoord(10, 20, unit="deg"))
    assert resolve_name("Xyz", "6arcmin") == Cone(10.0, 20.0, 0.1)


def read(tmp_path, text):
    """Regions of a DS9 file with this text."""
    path = tmp_path / "a.reg"
    path.write_text(text)
    return read_regions(path)


def around(ra, dec, size, n=4000, seed=1):
    """Random positions around one."""
    rng = np.random.default_rng(seed)
    offset = rng.uniform(-size, size, (2, n)) * u.deg
    middle = SkyCoord(ra, dec, unit="deg")
    found = SkyCoord(offset[0], offset[1], frame=middle.skyoffset_frame()).icrs
    return middle, found


POLES = [(0.01, 0.0), (359.99, -30.0), (120.0, 89.9), (200.0, -90.0)]


@pytest.mark.parametrize(("ra", "dec"), POLES)
def test_circle(tmp_path, ra, dec):
    """A circle holds what is nearer than its radius."""
    (region,) = read(tmp_path, f"icrs\ncircle({ra},{dec},0.2d)")
    middle, points = around(ra, dec, 0.3)
    near = points.separation(middle).deg
    clear = np.abs(near - 0.2) > 1e-9
    assert np.array_equal(region.contains(points.ra.deg, points.dec.deg)[clear], (near <= 0.2)[clear])


@pytest.mark.parametrize(("ra", "dec"), POLES[:3])
def test_ellipse_and_box(tmp_path, ra, dec):
    """Offsets by distance and position angle, as spherical trigonometry gives them."""
    ellipse, box = read(tmp_path, f"icrs\nellipse({ra},{dec},0.25d,0.1d,30)\nbox({ra},{dec},0.4d,0.2d,30)")
    middle, points = around(ra, dec, 0.3)
    far, angle = middle.separation(points).deg, middle.position_angle(points).rad
    # Region angles run from west to north, position angles from north to east.
    x, y = -far * np.sin(angle), far * np.cos(angle)
    turn = np.radians(30)
    x, y = x * np.cos(turn) + y * np.sin(turn), -x * np.sin(turn) + y * np.cos(turn)
    for region, value, most in (
        (ellipse, np.hypot(x / 0.25, y / 0.1), 1.0),
        (box, np.maximum(np.abs(x) / 0.2, np.abs(y) / 0.1), 1.0),
    ):
        clear = np.abs(value - most) > 1e-4
        got = region.contains(points.ra.deg, points.dec.deg)
        assert np.array_equal(got[clear], (value < most)[clear])
        assert 0.02 < got.mean() < 0.5


@pytest.mark.parametrize("frame", ["icrs", "fk5", "galactic"])
@pytest.mark.parametrize(("x", "y"), [(0.0, 0.0), (123.0, 80.0)])
def test_polygon(tmp_path, frame, x, y):
    """A point is inside a triangle of great circles if it is on one side of all three."""
    corners = SkyCoord(
        [0.0, 2.0, -1.0] * u.deg,
        [1.5, -1.0, -1.0] * u.deg,
        frame=SkyCoord(x, y, unit="deg", frame=frame).skyoffset_frame(),
    ).transform_to(frame)
    numbers = ",".join(f"{c.spherical.lon.deg:.9f},{c.spherical.lat.deg:.9f}" for c in corners)
    (region,) = read(tmp_path, f"{frame}\npolygon({numbers})")
    _, points = around(region.cone.ra, region.cone.dec, 2.5)
    vertex, point = corners.icrs.cartesian.xyz.value.T, points.cartesian.xyz.value.T
    sides = np.stack([point @ np.cross(vertex[k], vertex[(k + 1) % 3]) for k in range(3)])
    truth = np.all(sides > 0, axis=0) | np.all(sides < 0, axis=0)
    clear = np.abs(sides).min(axis=0) > 1e-5
    got = region.contains(points.ra.deg, points.dec.deg)
    assert np.array_equal(got[clear], truth[clear])
    assert truth.any()


def test_cone_encloses(tmp_path):
    """Every point of a region is in the cone that is asked for."""
    for region in read(
        tmp_path,
        "icrs\nellipse(10,-5,0.25d,0.1d,30)\nbox(10,-5,0.4d,0.2d,70)\n" "polygon(9.9,-5,10.2,-5.1,10.1,-4.8)",
    ):
        middle, points = around(10, -5, 0.5)
        got = region.contains(points.ra.deg, points.dec.deg)
        centre = SkyCoord(region.cone.ra, region.cone.dec, unit="deg")
        assert points[got].separation(centre).deg.max() <= region.cone.radius
        # and not by much more than needed
        assert points[got].separation(centre).deg.max() > 0.8 * region.cone.radius


def test_excluded(tmp_path):
    """A region with a minus takes out what is in it."""
    regions = read(tmp_path, "icrs\ncircle(10,0,0.1d)\ncircle(12,0,0.1d)\n-circle(10,0,0.05d)")
    assert inside(regions, [10.0, 10.07, 12.0, 14.0], [0.0] * 4).tolist() == [False, True, True, False]


def test_other_formats(tmp_path):
    """A CRTF file says the same as the DS9 file."""
    path = tmp_path / "a.crtf"
    path.write_text("#CRTFv0\ncircle[[10deg, -5deg], 0.1deg], coord=ICRS\n")
    (region,) = read_regions(path)
    assert (region.cone.ra, region.cone.dec) == pytest.approx((10.0, -5.0))
    assert region.cone.radius == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("icrs\nannulus(10,0,1',2')", "CircleAnnulusSkyRegion cannot be used; allowed: CircleSkyRegion"),
        ("image\ncircle(10,20,5)", r"CirclePixelRegion in pixels \(save it in sky coordinates\)"),
        ("icrs\n-circle(10,0,1')", "holds no region to search in"),
        ("icrs\ncircle(10,0,40d)", "radius of a cone must lie in 0 to 20"),
    ],
)
def test_bad_regions(tmp_path, text, what):
    """What cannot be used is named."""
    with pytest.raises(ParameterError, match=what):
        read(tmp_path, text)


def test_no_region_file(tmp_path):
    """A missing or foreign file is named."""
    with pytest.raises(ParameterError, match="no such region file"):
        read_regions(tmp_path / "none.reg")
    (tmp_path / "a.txt").write_text("hello")
    with pytest.raises(ParameterError, match="cannot be read as a region file"):
        read_regions(tmp_path / "a.txt")
