# Licensed under a 3-clause BSD style license - see LICENSE
"""Region files of three formats, and areas that the missions' own tools have found."""

import re
import warnings

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.io import fits
from event_lists import region_hdu, sky_wcs, write_hdus

from astro_xlatent.core.errors import RegionError, XlatentWarning
from astro_xlatent.events.aperture import Aperture
from astro_xlatent.events.regions import read_region

regions = pytest.importorskip("regions", reason="the regions package is not installed")

WCS = sky_wcs(0.001, 80.0)
RNG = np.random.default_rng(8)
X, Y = RNG.uniform(3900, 4300, (2, 5000))


def save(folder, text, name="r.reg"):
    """A text file."""
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def same(a, b):
    """Whether two apertures hold the same of many points, at least some of them."""
    inside = a.contains(X, Y)
    np.testing.assert_array_equal(inside, b.contains(X, Y))
    assert 0 < inside.sum() < len(X)


@pytest.mark.parametrize("text", [
    "physical\ncircle(4100,4096,50)\n",
    "circle(4100,4096,50)\n",  # CIAO writes no frame
    "# Region file format: CIAO version 1.0\ncircle(4100,4096,50)\n",
    "physical;circle(4100,4096,50)\n",
    "global color=red\nphysical\ncircle(4100,4096,50) # text={physical thing} color=blue\n",
    "physical\n# text(4100,4096) text={a label}\n+circle(4100,4096,50)\n",
])
def test_physical_coordinates(tmp_path, text):
    """Physical coordinates are the values of X and Y, however the file says so."""
    aperture = Aperture(save(tmp_path, text), None)
    np.testing.assert_array_equal(aperture.contains(X, Y), np.hypot(X - 4100, Y - 4096) < 50)
    assert aperture.area() == (pytest.approx(np.pi * 2500), "exact")


def test_rotbox_of_ciao(tmp_path):
    """CIAO's rotbox is DS9's box."""
    same(Aperture(save(tmp_path, "rotbox(4100,4096,80,30,20)\n"), None),
         Aperture(save(tmp_path, "physical\nbox(4100,4096,80,30,20)\n", "s.reg"), None))


def test_image_coordinates_are_warned_of(tmp_path):
    """Image coordinates depend on how an image was binned, which nobody can know here."""
    with pytest.warns(XlatentWarning, match="save the region in physical or sky"):
        region = read_region(save(tmp_path, "image\ncircle(4100,4096,50)\n"))
    assert Aperture(region, None).contains([4149.0], [4096.0]).all()


@pytest.mark.parametrize(("text", "match"), [
    ("hello world\n", "not all of it can be read"),
    ("physical\ncircle(1,2)\n", "cannot be read as a DS9"),
    ("physical\ncircle(4096,4096,-5)\n", "cannot be read as a DS9"),
    ("physical\ncircle(4096,4096,nan)\n", "NaN, infinite or beyond"),
    ("physical\npie(4096,4096,1,2,0,90)\n", "not all of it can be read"),
    ("detector\ncircle(4096,4096,5)\n", "not all of it can be read"),
    ("physical\ncircle(4096,4096,20)+circle(4100,4096,20)-circle(4096,4096,3)\n", "one kind of sign a line"),
    ("physical\n-circle(4096,4096,20)&box(1,1,2,2,0)\n", "one kind of sign a line"),
    ("physical\ncircle(4096,4096,20)&pie(1,1,2,2,0,4)\n", "not all of it can be read|cannot be read"),
    ("physical\n-circle(4096,4096,20)\n", "1 excluded shapes only"),
    ("physical\npoint(4096,4096)\n", "has no area"),
    ("", "is empty"),
    ("physical\n", "no shape"),
    ("#CRTFv0\nfoo[[1pix, 2pix], 3pix]\n", "cannot be read as a CRTF"),
    ('icrs\ncircle(0,80,5")\n', "no world coordinates"),
    ('icrs\ncircle(180,-80,5")\n', "no world coordinates"),
])
def test_bad_text(tmp_path, text, match):
    """The file and what is wrong with it are named."""
    path = save(tmp_path, text)
    with pytest.raises(RegionError, match=match) as caught:
        Aperture(path, None)
    assert "r.reg" in str(caught.value)


def test_bad_files(tmp_path):
    """Missing, binary, and FITS files without regions are refused."""
    binary = tmp_path / "b.reg"
    binary.write_bytes(bytes(range(256)) * 10)
    table = fits.BinTableHDU.from_columns([fits.Column("A", "J", array=[1])], name="A")
    for path, match in ((tmp_path / "no.reg", "no such file"), (tmp_path, "but a folder"),
                        (binary, "neither text nor FITS"),
                        (write_hdus(tmp_path / "t.fits", table), "no region extension")):
        with pytest.raises(RegionError, match=match):
            read_region(path)
    for thing in (42, [1, 2], None):
        with pytest.raises(RegionError, match="give the path of a DS9, CRTF or FITS region file"):
            read_region(thing)


def test_other_side_of_the_sky(tmp_path):
    """A sky region that the tangent plane does not show is refused."""
    with pytest.raises(RegionError, match="other side of the sky"):
        Aperture(save(tmp_path, 'icrs\ncircle(180,-80,5")\n'), WCS)


# --- FITS -------------------------------------------------------------------------------

SHAPES = [
    (("circle", [4100], [4096], [50], [0], 1), "circle(4100,4096,50)"),
    (("Ellipse", [4100], [4096], [90, 40], [30], 1), "ellipse(4100,4096,90,40,30)"),
    (("annulus", [4100], [4096], [30, 80], [0], 1), "annulus(4100,4096,30,80)"),
    (("rotbox", [4100], [4096], [100, 60], [20], 1), "box(4100,4096,100,60,20)"),
    (("Rectangle", [4050, 4150], [4000, 4090], [0], [0], 1), "box(4100,4045,100,90,0)"),
    (("Polygon", [4000, 4200, 4100], [4000, 4050, 4200], [0], [0], 1),
     "polygon(4000,4000,4200,4050,4100,4200)"),
]


@pytest.mark.parametrize(("row", "text"), SHAPES, ids=lambda v: v[0] if isinstance(v, tuple) else "")
@pytest.mark.parametrize("width", [None, 6])
def test_fits_shapes_like_ds9(tmp_path, row, text, width):
    """FITS shapes, their vectors exact or filled up with zeros, are those that DS9 would draw."""
    table = write_hdus(tmp_path / "r.fits", region_hdu([row], width=width))
    same(Aperture(table, None), Aperture(save(tmp_path, f"physical\n{text}\n"), None))


def test_fits_like_the_regions_package(tmp_path):
    """What ``regions`` writes is read as ``regions`` reads it, but for its pixels, which begin at 0."""
    shapes = regions.Regions([regions.EllipsePixelRegion(regions.PixCoord(4100, 4090), 100, 60, 40 * u.deg),
                              regions.CirclePixelRegion(regions.PixCoord(4000, 4000), 30)])
    path = tmp_path / "r.fits"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", fits.verify.VerifyWarning)
        shapes.write(path, format="fits")
    ours = Aperture(path, None).contains(X, Y)
    theirs = [s.contains(regions.PixCoord(X, Y)) for s in regions.Regions.read(path, format="fits")]
    np.testing.assert_array_equal(ours, np.any(theirs, axis=0))


def test_components(tmp_path):
    """Shapes of a component are intersected, components united, as the standard says."""
    rows = [("Box", [4100], [4100], [100, 100], [0], 1), ("Circle", [4150], [4100], [60], [0], 1),
            ("!Circle", [4130], [4100], [20], [0], 1), ("Circle", [4000], [4000], [30], [0], 2),
            ("!Circle", [4150], [4100], [500], [0], 3), ("Circle", [4150], [4100], [510], [0], 3)]
    aperture = Aperture(write_hdus(tmp_path / "r.fits", region_hdu(rows)), None)
    first = (np.maximum(abs(X - 4100), abs(Y - 4100)) < 50) & (np.hypot(X - 4150, Y - 4100) < 60)
    first &= np.hypot(X - 4130, Y - 4100) >= 20
    expected = first | (np.hypot(X - 4000, Y - 4000) < 30)
    np.testing.assert_array_equal(aperture.contains(X, Y), expected)


@pytest.mark.parametrize(("names", "asked", "purpose", "found"), [
    (["ECF90REGU", "ECF90REGB", "ECF90REGH"], None, "source", "ECF90REGB"),
    (["ECF90REGW"], None, "source", "ECF90REGW"),
    (["SRCREG", "BKGREG"], None, "source", "SRCREG"),
    (["SRCREG", "BKGREG"], None, "background", "BKGREG"),
    (["ECF90REGU", "ECF90REGB"], "ecf90regu", "source", "ECF90REGU"),
    (["ANY"], None, "background", "ANY"),
])
def test_choice_of_extension(tmp_path, names, asked, purpose, found):
    """The CSC's names are known; others can be asked for."""
    row = [("Ellipse", [4100.0], [4096.0], [9.0, 7.0], [30.0, 30.0], 1)]
    path = write_hdus(tmp_path / "reg3.fits", *[region_hdu(row, name) for name in names])
    region = read_region(path if asked is None else f"{path}[{asked}]", purpose)
    assert region.name.endswith(f"[{found}]")
    assert isinstance(region.shapes[0], regions.EllipsePixelRegion)


def test_ambiguous_extension(tmp_path):
    """Several regions of unknown names must be told apart by the user."""
    path = write_hdus(tmp_path / "r.fits", *[region_hdu([SHAPES[0][0]], name) for name in ("ONE", "TWO")])
    with pytest.raises(RegionError, match=r"regions in it: ONE, TWO. Name one as r.fits\[NAME\]"):
        read_region(path)
    with pytest.raises(RegionError, match="no region extension THREE"):
        read_region(f"{path}[THREE]")


@pytest.mark.parametrize(("row", "match"), [
    (("pie", [1], [1], [1, 2], [0, 90], 1), "'pie' is not supported"),
    (("circle", [1], [1], [], [0], 1), "cannot be made"),
    (("circle", [1], [1], [-4], [0], 1), "cannot be made"),
    (("circle", [np.nan], [1], [4], [0], 1), "NaN, infinite or beyond"),
    (("polygon", [1, 2], [1, 2], [], [], 1), "three corners"),
    (("!circle", [1], [1], [4], [], 1), "only excluded shapes"),
])
def test_bad_fits_shapes(tmp_path, row, match):
    """A shape that is none is named."""
    with pytest.raises(RegionError, match=match):
        read_region(write_hdus(tmp_path / "r.fits", region_hdu([row])))


def test_other_tangent_point(tmp_path):
    """A FITS region of another tangent point, as of a stack, is moved through the sky."""
    other = sky_wcs(0.05, 79.98)
    table = write_hdus(tmp_path / "r.fits", region_hdu([SHAPES[1][0]], wcs=other))
    aperture = Aperture(table, WCS)
    x, y = WCS.world_to_pixel(other.pixel_to_world(4099, 4095))
    assert np.hypot(x - 4099, y - 4095) > 50
    assert aperture.center == pytest.approx((x + 1, y + 1), abs=0.6)
    assert aperture.area()[0] == pytest.approx(np.pi * 3600, rel=1e-4)
    unmoved = Aperture(table, other)
    same(unmoved, Aperture(write_hdus(tmp_path / "s.fits", region_hdu([SHAPES[1][0]])), None))


# --- areas by the missions' own tools -----------------------------------------------------

_SHAPE = re.compile(r"(!?)(\w+)\(([^)]*)\)")


def rows_of(text):
    """Rows of a FITS region table from CIAO's region syntax of & and |."""
    for component, part in enumerate(text.split("|")):
        for sign, kind, numbers in _SHAPE.findall(part):
            values = [float(v) for v in numbers.split(",")]
            kind = kind.lower()
            if kind == "polygon" or kind == "rectangle":
                yield sign + kind, values[::2], values[1::2], [], [], component
            else:
                n = {"circle": 1, "annulus": 2, "ellipse": 2, "rotbox": 2}[kind]
                yield sign + kind, values[:1], values[1:2], values[2:2 + n], values[2 + n:], component


CIAO = [("3c273/3c273_bg.pi", 0), ("1666_3/1666_3.pi", 0), ("qso/qso.pi", 0), ("qso/qso_bkg.pi", 0),
        ("source1/source1.pi", 0), ("q1127_src1/q1127_src1.pi", 0), ("q1127_src1/q1127_bkg1.pi", 0),
        *[(f"{name}_pha3/{name}_pha3.fits{end}", kind) for kind in (0, 1) for name, end in (
            ("acisf01575_001N001_r0085", ".gz"), ("acisf01878_000N001_r0100", ""),
            ("acisf07867_000N001_r0002", ""))]]


@pytest.mark.parametrize(("name", "which"), CIAO)
def test_areas_of_dmextract(shared_data, tmp_path, name, which):
    """The region that a CIAO spectrum carries in its header has the area of its BACKSCAL."""
    with fits.open(shared_data / "spectra" / "chandra" / name) as hdus:
        header = [hdu.header for hdu in hdus if hdu.name == "SPECTRUM"][which]
    key = next(k for k in header if k.startswith("DSTYP") and header[k].lower() == "sky(x,y)")
    rows = list(rows_of(header[key.replace("TYP", "VAL")]))
    area, how = Aperture(write_hdus(tmp_path / "r.fits", region_hdu(rows)), None).area()
    # dmextract sums pixels of finite size where shapes are combined.
    assert area / 8192**2 == pytest.approx(header["BACKSCAL"], rel=1e-5 if how == "exact" else 1e-3)


@pytest.mark.parametrize(("name", "unit"), [
    ("xmm_newton/PN/PN.pha", 1), ("xmm_newton/PN/PNbackground_spectrum.fits", 1),
    ("ixpe/det1_filt_src_I/det1_filt_src_I.pha", 600**2), ("swift/target_sr/target_sr.pha", 1000**2)])
def test_region_extensions_of_spectra(shared_data, name, unit):
    """SAS and HEASoft write the region into the spectrum: it is read, and has the area of BACKSCAL."""
    path = shared_data / "spectra" / name
    with fits.open(path) as hdus:
        (extension,) = {hdu.name for hdu in hdus if hdu.name.startswith("REG")}
        backscal = hdus["SPECTRUM"].header["BACKSCAL"]
    area, how = Aperture(f"{path}[{extension}]", None).area()
    assert how == "exact"
    # These tools count whole pixels, which is rough for circles of 20 pixels.
    assert area / unit == pytest.approx(backscal, rel=4e-3)


def test_grid_area_of_many_shapes(tmp_path):
    """Areas of overlapping shapes agree with a Monte Carlo sum."""
    rng = np.random.default_rng(4)
    places = zip(*rng.uniform(4000, 4200, (2, 12)), rng.uniform(10, 50, 12), strict=True)
    lines = [f"circle({x:.1f},{y:.1f},{r:.1f})" for x, y, r in places]
    lines += [f"-box({x:.1f},{y:.1f},30,20,25)" for x, y in rng.uniform(4000, 4200, (8, 2))]
    aperture = Aperture(save(tmp_path, "physical\n" + "\n".join(lines)), None)
    x, y = rng.uniform(3900, 4300, (2, 500_000))
    share = aperture.contains(x, y).mean()
    error = np.sqrt(share * (1 - share) / 5e5) * 400**2
    assert aperture.area()[0] == pytest.approx(share * 400**2, abs=4 * error)
    assert aperture.points()[2].sum() >= aperture.area()[0]


def test_galactic_region(tmp_path):
    """Place and angle of a region in galactic coordinates are those of the galactic frame."""
    center = SkyCoord(0.001 * u.deg, 80 * u.deg).galactic
    path = save(tmp_path, f'galactic\nellipse({center.l.deg:.9f},{center.b.deg:.9f},60",30",20)\n')
    aperture = Aperture(path, WCS)
    points = SkyCoord(*WCS.all_pix2world(X, Y, 1), unit="deg").galactic
    distance, angle = points.separation(center).arcsec, center.position_angle(points).rad
    west, north = -distance * np.sin(angle), distance * np.cos(angle)
    cos, sin = np.cos(np.radians(20)), np.sin(np.radians(20))
    edge = np.hypot((west * cos + north * sin) / 60, (north * cos - west * sin) / 30)
    clear = abs(edge - 1) > 1e-3
    np.testing.assert_array_equal(aperture.contains(X, Y)[clear], (edge < 1)[clear])
    assert aperture.area()[0] == pytest.approx(np.pi * 1800 / 0.492**2, rel=1e-5)
