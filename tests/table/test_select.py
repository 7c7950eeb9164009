# Licensed under a 3-clause BSD style license - see LICENSE
"""Rows of a table by region, at the poles, across RA 0, and against great circles."""

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.table import MaskedColumn, Table
from event_lists import region_hdu, sky_wcs, write_hdus

from astro_xlatent.core.errors import RegionError, TableError
from astro_xlatent.table.select import select_by_region

regions = pytest.importorskip("regions", reason="the regions package is not installed")

PLACES = [(0.0, 0.0), (0.0, 90.0), (10.0, -90.0), (359.99, 80.0), (123.0, 45.0), (180.0, -89.95)]


def sky_around(ra, dec, n=4000, radius=2.0, seed=1):
    """A center and positions spread evenly around it."""
    rng = np.random.default_rng(seed)
    center = SkyCoord(ra * u.deg, dec * u.deg)
    distance = radius * np.sqrt(rng.random(n)) * u.deg
    coords = center.directional_offset_by(rng.uniform(0, 360, n) * u.deg, distance)
    return center, coords, Table({"RA": coords.ra.deg, "DEC": coords.dec.deg})


@pytest.mark.parametrize(("ra", "dec"), PLACES)
def test_circles_are_separations(ra, dec):
    """Circles and annuli hold what lies at such a distance, wherever they are."""
    center, coords, table = sky_around(ra, dec)
    distance = coords.separation(center).deg
    inside = select_by_region(table, regions.CircleSkyRegion(center, 1 * u.deg))
    np.testing.assert_array_equal(inside, distance < 1)
    ring = regions.CircleAnnulusSkyRegion(center, 0.5 * u.deg, 1.5 * u.deg)
    np.testing.assert_array_equal(select_by_region(table, ring), (distance > 0.5) & (distance < 1.5))


@pytest.mark.parametrize(("ra", "dec"), PLACES)
def test_polygons_have_great_circles_for_sides(ra, dec):
    """A triangle holds what lies on the inner side of its three great circles."""
    center, coords, table = sky_around(ra, dec)
    corners = center.directional_offset_by([0, 120, 240] * u.deg, 1.5 * u.deg)
    corner, point = (c.cartesian.xyz.value.T for c in (corners, coords))
    sides = np.sign([point @ np.cross(corner[i], corner[(i + 1) % 3]) for i in range(3)])
    expected = np.abs(sides.sum(axis=0)) == 3
    np.testing.assert_array_equal(select_by_region(table, regions.PolygonSkyRegion(corners)), expected)


@pytest.mark.parametrize(("ra", "dec"), PLACES)
@pytest.mark.parametrize("kind", ["EllipseSkyRegion", "RectangleSkyRegion"])
@pytest.mark.parametrize("frame", ["icrs", "fk5", "galactic", "barycentricmeanecliptic"])
def test_ellipses_and_boxes(ra, dec, kind, frame):
    """Ellipses and boxes lie as DS9 draws them: 30 degrees from their own frame's west towards its north."""
    center, coords, table = sky_around(ra, dec)
    center, coords = center.transform_to(frame), coords.transform_to(frame)
    shape = getattr(regions, kind)(center, 2.4 * u.deg, 0.8 * u.deg, 30 * u.deg)
    distance, angle = coords.separation(center).deg, center.position_angle(coords).rad
    west, north = -distance * np.sin(angle), distance * np.cos(angle)
    cos, sin = np.cos(np.radians(30)), np.sin(np.radians(30))
    along, across = west * cos + north * sin, north * cos - west * sin
    if kind.startswith("E"):
        edge = np.hypot(along / 1.2, across / 0.4)
    else:
        edge = np.maximum(abs(along) / 1.2, abs(across) / 0.4)
    clear = abs(edge - 1) > 1e-3
    np.testing.assert_array_equal(select_by_region(table, shape)[clear], (edge < 1)[clear])


def test_like_regions_with_an_image():
    """Where there is an image, the regions package itself says the same."""
    center, coords, table = sky_around(33.0, 25.0, radius=0.2)
    wcs = sky_wcs(33.0, 25.0)
    for shape in (regions.EllipseSkyRegion(center, 0.2 * u.deg, 0.1 * u.deg, 70 * u.deg),
                  regions.CircleSkyRegion(coords[0], 0.05 * u.deg)):
        np.testing.assert_array_equal(select_by_region(table, shape), shape.contains(coords, wcs))


def test_files_with_excluded_shapes(tmp_path):
    """A DS9 file in galactic coordinates, with an excluded circle."""
    center, coords, table = sky_around(0.01, 75.0)
    g = center.galactic
    path = tmp_path / "r.reg"
    place = f"{g.l.deg:.9f},{g.b.deg:.9f}"
    path.write_text(f"galactic\ncircle({place},1.0)\n-circle({place},30')\n", encoding="utf-8")
    distance = coords.separation(center).deg
    np.testing.assert_array_equal(select_by_region(table, path), (distance < 1) & (distance > 0.5))


def test_fits_region_with_world_coordinates(tmp_path):
    """A CSC-like region file in sky pixels goes through its own world coordinates."""
    wcs = sky_wcs(33.0, 25.0)
    _, coords, table = sky_around(33.0, 25.0, radius=0.05)
    path = write_hdus(tmp_path / "reg3.fits",
                      region_hdu([("Circle", [4100.0], [4050.0], [200.0], [0.0], 1)], "SRCREG", wcs))
    place = SkyCoord(*wcs.all_pix2world(4100, 4050, 1), unit="deg")
    near = coords.separation(place).arcsec < 200 * 0.492
    np.testing.assert_array_equal(select_by_region(table, path), near)


def test_missing_positions():
    """Masked, NaN and impossible positions are outside; units are minded."""
    ra = MaskedColumn([0.0, 0.0, np.nan, 0.0], mask=[0, 1, 0, 0])
    table = Table({"ra": ra, "dec": [0.0, 0.0, 0.0, 95.0]})
    circle = regions.CircleSkyRegion(SkyCoord(0 * u.deg, 0 * u.deg), 1 * u.deg)
    assert select_by_region(table, circle).tolist() == [True, False, False, False]
    hours = Table({"ra": [12.0] * u.hourangle, "dec": [0.0] * u.deg})
    assert select_by_region(hours, regions.CircleSkyRegion(SkyCoord(180 * u.deg, 0 * u.deg), 1 * u.deg)).all()
    assert select_by_region(table[:0], circle).shape == (0,)


def test_refusals():
    """Pixel regions, huge polygons and tables without positions are refused by name."""
    table = Table({"ra": [0.0], "dec": [0.0]})
    with pytest.raises(RegionError, match="give a region in sky coordinates"):
        select_by_region(table, regions.CirclePixelRegion(regions.PixCoord(1, 1), 5))
    corners = SkyCoord([0, 120, 240] * u.deg, [0, 0, 0] * u.deg)
    with pytest.raises(RegionError, match="a polygon reaches"):
        select_by_region(table, regions.PolygonSkyRegion(corners))
    with pytest.raises(TableError, match="no column ra and dec"):
        select_by_region(Table({"a": [1]}), regions.CircleSkyRegion(corners[0], 1 * u.deg))
