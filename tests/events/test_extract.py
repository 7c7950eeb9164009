# Licensed under a 3-clause BSD style license - see LICENSE
"""Spectra extracted from simulated event lists whose content is known."""

import sys

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from event_lists import EventList, erosita_list, good_times, region_hdu, write_hdus

from astro_xlatent.core.errors import (
    ParameterError,
    RegionError,
    ResponseError,
    SpectrumError,
    XlatentWarning,
)
from astro_xlatent.core.flags import Flag
from astro_xlatent.events import files as event_files
from astro_xlatent.events.extract import extract_spectrum
from astro_xlatent.spectra.spectrum import XraySpectrum

pytest.importorskip("regions", reason="the regions package is not installed")

# Within the eROSITA-like list, on the other side of RA 0 from its tangent point.
PLACE = SkyCoord(0.1 * u.deg, 80.0 * u.deg)


@pytest.fixture
def text(tmp_path):
    """Function that writes a text file and gives its path."""
    def write(content, name="r.reg"):
        path = tmp_path / name
        path.write_text(content, encoding="utf-8")
        return path

    return write


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """An event list and its file."""
    events = EventList()
    return events, events.write(tmp_path_factory.mktemp("events") / "evt2.fits")


def physical(shape):
    """A DS9 file of one or several lines in physical coordinates."""
    return f"# Region file format: DS9 version 4.1\nglobal color=green\nphysical\n{shape}\n"


def inside_circle(events, x, y, r):
    """Events of the truth in a circle, by plain geometry."""
    return np.hypot(events.x - x, events.y - y) < r


@pytest.mark.parametrize(("ra", "dec"), [(150.0, 20.0), (0.001, 80.0), (359.999, -80.0), (83.0, 0.0)])
def test_sky_regions_against_separations(tmp_path, text, ra, dec):
    """Circle and annulus on the sky hold the events at these separations, near RA 0 and the pole too."""
    events = EventList(ra=ra, dec=dec, seed=5)
    path = events.write(tmp_path / "e.fits")
    center = events.position(*events.source)
    place = f"{center.ra.deg:.9f},{center.dec.deg:.9f}"
    source = text(f'icrs\ncircle({place},6")\n', "s.reg")
    spectrum = extract_spectrum(path, source, text(f'icrs\nannulus({place},12",60")\n', "b.reg"))
    separation = events.sky.separation(center).arcsec
    assert spectrum.counts.sum() == np.sum(events.good & (separation < 6))
    ring = events.good & (separation > 12) & (separation < 60)
    assert spectrum.background.counts.sum() == ring.sum()
    assert spectrum.background_scale == pytest.approx(36 / (60**2 - 12**2), rel=1e-6)
    # The background rate is known: what is expected in the aperture comes out.
    flat = np.pi * (6 / 0.492) ** 2 * 20000 / 600**2 * np.mean(events.good)
    expected = spectrum.background.counts.sum() * spectrum.background_scale
    assert expected == pytest.approx(flat, abs=4 * np.sqrt(flat * spectrum.background_scale))


def test_histogram_and_channels(plain, text):
    """Every channel holds the events of its PI; channels come from TLMIN and TLMAX."""
    events, path = plain
    spectrum = extract_spectrum(path, text(physical("circle(4100,4050,100)")))
    inside = events.good & inside_circle(events, 4100, 4050, 100)
    np.testing.assert_array_equal(spectrum.counts, np.bincount(events.pi[inside], minlength=1025)[1:])
    assert (spectrum.channel[0], spectrum.channel[-1]) == (1, 1024)
    assert spectrum.background is None
    assert spectrum.flags & Flag.NO_BACKGROUND
    assert (spectrum.telescope, spectrum.instrument, spectrum.meta["object"]) == ("CHANDRA", "ACIS", "TEST")


@pytest.mark.parametrize(("shape", "inside", "area"), [
    ("box(4090,4080,120,40,0)", lambda x, y: (abs(x - 4090) < 60) & (abs(y - 4080) < 20), 4800),
    ("ellipse(4096,4096,80,30,90)", lambda x, y: ((x - 4096) / 30) ** 2 + ((y - 4096) / 80) ** 2 < 1,
     np.pi * 2400),
    ("polygon(4000,4000,4200,4000,4000,4200)", lambda x, y: (x > 4000) & (y > 4000) & (x + y < 8200), 20000),
    ("annulus(4096,4096,20,50)", lambda x, y: abs(np.hypot(x - 4096, y - 4096) - 35) < 15, np.pi * 2100),
    ("circle(4050,4050,30)\ncircle(4070,4050,30)\n-circle(4050,4050,10)",
     lambda x, y: ((np.hypot(x - 4050, y - 4050) < 30) | (np.hypot(x - 4070, y - 4050) < 30))
     & (np.hypot(x - 4050, y - 4050) > 10), None),
    ("-box(4000,4000,50,50,45)\nbox(4000,4000,100,100,0)",
     lambda x, y: (abs(x - 4000) < 50) & (abs(y - 4000) < 50)
     & ~((abs(x - 4000 + y - 4000) < 25 * np.sqrt(2)) & (abs(x - y) < 25 * np.sqrt(2))), 7500),
])
def test_shapes(plain, text, shape, inside, area):
    """Counts and areas of shapes, unions and exclusions by elementary geometry."""
    events, path = plain
    spectrum = extract_spectrum(path, text(physical(shape)))
    assert spectrum.counts.sum() == np.sum(events.good & inside(events.x, events.y))
    if area is None:  # two circles, less their lens, less a circle
        lens = 2 * 900 * np.arccos(20 / 60) - 10 * np.sqrt(4 * 900 - 400)
        area = 2 * np.pi * 900 - lens - np.pi * 100
    assert spectrum.meta["area_pixels"] == pytest.approx(area, rel=2e-4)
    assert spectrum.backscale == pytest.approx(area / 8192**2, rel=2e-4)


def test_crtf_and_region_objects(plain, text):
    """A CRTF file and Region objects give the same as DS9."""
    from regions import CirclePixelRegion, CircleSkyRegion, PixCoord

    events, path = plain
    center = events.position(4096.5, 4096.5)
    crtf = text(f"#CRTFv0\ncircle[[{center.ra.deg}deg, {center.dec.deg}deg], 20arcsec], coord=ICRS\n")
    expected = np.sum(events.good & inside_circle(events, 4096.5, 4096.5, 20 / 0.492))
    sky = CircleSkyRegion(center, 20 * u.arcsec)
    plane = CirclePixelRegion(PixCoord(4095.5, 4095.5), 20 / 0.492)  # regions count from 0
    assert [extract_spectrum(path, r).counts.sum() for r in (crtf, sky, plane)] == [expected] * 3


def test_written_and_read_by_sherpa(text, tmp_path, ogip, load_sherpa):
    """Sherpa finds the same counts, scales, responses and background in the file that is written."""
    events = EventList(header={"TLMAX5": 32})
    events.pi = events.pi % 32 + 1
    path = events.write(tmp_path / "small.fits")
    source, off = (text(physical(f"{shape})"), name) for shape, name in (
        ("circle(4100,4050,8", "s.reg"), ("annulus(4100,4050,15,60", "b.reg")))
    spectrum = extract_spectrum(path, source, off, arf=ogip.arf(), rmf=ogip.rmf())
    spectrum.write(tmp_path / "src.pha")
    data = load_sherpa(tmp_path / "src.pha")
    np.testing.assert_array_equal(data.counts, spectrum.counts)
    off = data.get_background()
    np.testing.assert_array_equal(off.counts, spectrum.background.counts)
    assert data.exposure == spectrum.exposure == 1970.0
    assert data.get_background_scale() == pytest.approx(spectrum.background_scale)
    np.testing.assert_allclose(data.get_arf().specresp, ogip.area(), rtol=1e-6)
    again = XraySpectrum.read(tmp_path / "src.pha")
    np.testing.assert_array_equal(again.background.counts, spectrum.background.counts)
    from astropy.io import fits

    history = " ".join(fits.getheader(tmp_path / "src.pha", 1)["HISTORY"])
    assert "small.fits" in history and "s.reg" in history and "LIVTIME7" in history


def test_goes_on_to_bins(text, ogip):
    """With a response the spectrum can be folded like any other."""
    from astro_xlatent.spectra.binning import bins_from_spectra

    events = EventList(header={"TLMAX5": 32}, seed=2)
    events.pi = events.pi % 32 + 1
    path = events.write(ogip.folder / "e.fits")
    spectrum = extract_spectrum(path, text(physical("circle(4100,4050,50)")), arf=ogip.arf(),
                                        rmf=ogip.rmf())
    bins, _ = bins_from_spectra([spectrum])
    inside = events.good & inside_circle(events, 4100, 4050, 50)
    center = 0.5 * (ogip.c_edges[1:] + ogip.c_edges[:-1])[events.pi[inside] - 1]
    assert bins.counts[bins.valid].sum() == np.sum((center > 0.3) & (center < 10))


# --- exposure, good times, selections ---------------------------------------------------


@pytest.mark.parametrize(("header", "gti", "seconds", "rule"), [
    ({}, None, 1970.0, "LIVTIME7"),
    ({"LIVTIME7": None}, None, 1980.0, "EXPOSURE"),
    ({"LIVTIME7": None, "EXPOSURE": None}, None, 1980.0, "LIVETIME"),
    ({"LIVTIME7": None, "EXPOSURE": None, "LIVETIME": None}, None, 1980.0, "good times x DTCOR"),
    ({"LIVTIME7": None, "EXPOSURE": -1.0, "LIVETIME": None, "DTCOR": None}, None, 2000.0,
     "good times, not corrected for dead time"),
    ({"LIVTIME7": None, "EXPOSURE": None, "LIVETIME": None}, {None: [[900, 1500], [1400, 4000]]}, 0.99 * 3100,
     "good times x DTCOR"),
])
def test_exposure_rules(tmp_path, text, header, gti, seconds, rule):
    """The exposure is that of the CCD, else of the keywords, else of the (merged) good times."""
    path = EventList(header=header).write(tmp_path / "e.fits", gti=gti)
    spectrum = extract_spectrum(path, text(physical("circle(4100,4050,50)")))
    assert spectrum.exposure == pytest.approx(seconds)
    assert spectrum.meta["exposure_rule"] == rule


def test_good_times_by_ccd(tmp_path, text):
    """Each CCD has its own good times; events of one without any are refused, or selected away."""
    events = EventList(n_background=5000)
    events.ccd[::2] = 6
    events.ccd[::5] = 3
    path = events.write(tmp_path / "e.fits")
    region = text(physical("circle(4096,4096,200)"))
    with pytest.raises(SpectrumError, match=r"CCD_ID 3, of which there are no.*'ccd_id': \(7, 6,\)"):
        extract_spectrum(path, region)
    spectrum = extract_spectrum(path, region, select={"ccd_id": (7, 6)})
    inside = inside_circle(events, 4096, 4096, 200)
    good = (events.ccd == 7) & events.good | (events.ccd == 6) & (events.time <= 1500)
    assert spectrum.counts.sum() == np.sum(good & inside)


def test_users_good_times(plain, text, tmp_path):
    """Further good times cut events and exposure alike, from a file or an array."""
    events, path = plain
    region = text(physical("circle(4096,4096,200)"))
    times = write_hdus(tmp_path / "gti.fits", *good_times({None: [[1500.0, 3000.0]]}))
    inside = inside_circle(events, 4096, 4096, 200) & events.good
    inside &= (events.time >= 1500) & (events.time <= 3000)
    for given in (times, [[1500.0, 3000.0]]):
        spectrum = extract_spectrum(path, region, good_times=given)
        assert spectrum.counts.sum() == inside.sum()
        assert spectrum.exposure == pytest.approx(1970.0 * 1000 / 2000)
    with pytest.raises(SpectrumError, match="clock of this observation"):
        extract_spectrum(path, region, good_times=[[0.0, 10.0]])
    with pytest.raises(ParameterError, match=r"shape \(2,\)"):
        extract_spectrum(path, region, good_times=[0.0, 10.0])


def test_selections(tmp_path, text):
    """Values, ranges, masks and bit columns select events, as mapping or as text."""
    events = EventList(n_background=5000)
    events.status[::3, 31] = True  # the last bit is 1
    events.status[::7, 16] = True  # bit 16 of 32 is 0x8000
    path = events.write(tmp_path / "e.fits")
    region = text(physical("circle(4096,4096,200)"))
    inside = inside_circle(events, 4096, 4096, 200) & events.good
    for select, wanted in (
            ({"grade": (0, 2)}, np.isin(events.grade, (0, 2))),
            (["grade=0,3:6"], np.isin(events.grade, (0, 3, 4, 6))),
            ({"status": 0}, ~events.status.any(axis=1)),
            ({"status & 0x8000": 0}, ~events.status[:, 16]),
            (["grade=2:6", "status&0x1=0"], (events.grade >= 2) & ~events.status[:, 31])):
        spectrum = extract_spectrum(path, region, select=select)
        assert spectrum.counts.sum() == np.sum(inside & wanted), select
        assert spectrum.meta["selection"] != "none"
    with pytest.raises(SpectrumError, match="no column FOO"):
        extract_spectrum(path, region, select={"foo": 1})
    with pytest.raises(ParameterError, match="cannot be read"):
        extract_spectrum(path, region, select={"grade": "a"})
    with pytest.raises(SpectrumError, match="no event passes the good times and GRADE=9"):
        extract_spectrum(path, region, select={"grade": 9})


def test_energy_range(plain, text, tmp_path, ogip):
    """Channels that reach out of the range are marked bad, their counts kept."""
    events = EventList(header={"TLMAX5": 32})
    events.pi = events.pi % 32 + 1
    path = events.write(tmp_path / "e.fits")
    region = text(physical("circle(4100,4050,50)"))
    spectrum = extract_spectrum(path, region, rmf=ogip.rmf(), energy_range=(0.5, 7))
    inside = (ogip.c_edges[:-1] >= 0.5) & (ogip.c_edges[1:] <= 7)
    np.testing.assert_array_equal(spectrum.quality == 0, inside)
    assert spectrum.response is None
    with pytest.raises(ResponseError, match="give rmf="):
        extract_spectrum(path, region, energy_range=(0.5, 7))
    with pytest.raises(ParameterError, match="energy_range is"):
        extract_spectrum(path, region, rmf=ogip.rmf(), energy_range=(7, 0.5))
    with pytest.raises(ResponseError, match="without the RMF"):
        extract_spectrum(path, region, arf=ogip.arf())
    with pytest.raises(SpectrumError, match="do not belong together"):
        extract_spectrum(plain[1], region, rmf=ogip.rmf())


# --- eROSITA ----------------------------------------------------------------------------


def test_erosita(tmp_path, text, ogip):
    """PI in eV goes through EBOUNDS, areas are in square degrees, good times by telescope."""
    path, sky, tm, time = erosita_list(tmp_path / "e.fits")
    center = PLACE
    region = text(f"fk5\ncircle({center.fk5.ra.deg:.9f},{center.fk5.dec.deg:.9f},200\")\n")
    spectrum = extract_spectrum(path, region, rmf=ogip.rmf(), select={"flag & 0xc00fff30": 0})
    inside = (sky.separation(center).arcsec < 200) & (time <= np.where(tm == 1, 60, 100))
    inside &= np.arange(len(tm)) % 10 != 0
    from astropy.io import fits

    energy = fits.getdata(path, "EVENTS")["PI"][inside].astype(float) / 1e3
    bounds = ogip.c_edges.astype(np.float32).astype(float)
    np.testing.assert_array_equal(spectrum.counts, np.histogram(energy, bounds)[0])
    assert spectrum.backscale == pytest.approx(np.pi * (200 / 3600) ** 2, rel=1e-5)
    assert spectrum.exposure == pytest.approx(80.0)
    with pytest.raises(ResponseError, match="PI is in eV"):
        extract_spectrum(path, region)


def test_selected_telescopes(tmp_path, text, ogip):
    """Exposure and good times are those of the telescopes that are selected."""
    path, sky, tm, time = erosita_list(tmp_path / "e.fits")
    region = text(f"icrs\ncircle({PLACE.ra.deg},{PLACE.dec.deg},200\")\n")
    spectrum = extract_spectrum(path, region, rmf=ogip.rmf(), select=["tm_nr=1"])
    assert spectrum.exposure == pytest.approx(60.0)
    inside = (sky.separation(PLACE).arcsec < 200) & (tm == 1) & (time <= 60)
    assert spectrum.counts.sum() + spectrum.meta["events_without_channel"] == inside.sum()


def test_rmf_of_another_instrument(tmp_path, text, ogip):
    """If most events lie in no channel, this is said."""
    path, *_ = erosita_list(tmp_path / "e.fits", energies=np.full(4000, 9500.0))
    region = text(f"icrs\ncircle({PLACE.ra.deg},{PLACE.dec.deg},200\")\n")
    with pytest.warns(XlatentWarning, match="does the RMF belong to this instrument"):
        extract_spectrum(path, region, rmf=ogip.rmf())


def test_erosita_survey_exposure(tmp_path, text, ogip):
    """In a survey the exposure of the tile is not that of the source, and this is said."""
    path, *_ = erosita_list(tmp_path / "e.fits", header={"OBS_MODE": "SURVEY", "EXPOSURE": 300.0})
    region = text(f"icrs\ncircle({PLACE.ra.deg},{PLACE.dec.deg},200\")\n")
    with pytest.warns(XlatentWarning, match="exposure map"):
        extract_spectrum(path, region, rmf=ogip.rmf())
    assert extract_spectrum(path, region, rmf=ogip.rmf(), exposure=120).exposure == 120
    with pytest.raises(ParameterError, match="positive number of seconds"):
        extract_spectrum(path, region, rmf=ogip.rmf(), exposure=0)


def test_positions_from_ra_dec(tmp_path, text, ogip):
    """Without X and Y the columns RA and DEC serve, across RA 0 at declination 80."""
    from astropy.io import fits

    path, sky, tm, time = erosita_list(tmp_path / "e.fits")
    with fits.open(path) as hdus:
        columns = [c for c in hdus[1].columns if c.name not in ("X", "Y")]
        table = fits.BinTableHDU.from_columns(columns, name="EVENTS")
        table.header["TELESCOP"], table.header["INSTRUME"] = "eROSITA", "TM1"
        other = write_hdus(tmp_path / "o.fits", table, *[h.copy() for h in hdus[2:]])
    center = PLACE
    region = text(f"icrs\ncircle({center.ra.deg:.9f},{center.dec.deg:.9f},150\")\n")
    spectrum = extract_spectrum(other, region, rmf=ogip.rmf())
    inside = (sky.separation(center).arcsec < 150) & (time <= np.where(tm == 1, 60, 100))
    assert spectrum.counts.sum() + spectrum.meta["events_without_channel"] == inside.sum()
    assert spectrum.backscale == pytest.approx(np.pi * (150 / 3600) ** 2, rel=1e-5)
    with pytest.raises(SpectrumError, match="region must be in sky coordinates"):
        extract_spectrum(other, text(physical("circle(1,1,5)")), rmf=ogip.rmf())


# --- places, overlaps, bad input --------------------------------------------------------


def test_off_the_detector(plain, text):
    """A region without any event in or near it is refused; one that reaches out is warned of."""
    _, path = plain
    with pytest.raises(RegionError, match="lies off the detector"):
        extract_spectrum(path, text(physical("circle(1000,1000,30)")))
    with pytest.warns(XlatentWarning, match="% of the source region lies where no event was seen"):
        extract_spectrum(path, text(physical("circle(4396,4096,150)")))


def test_field(plain, text):
    """With a field of view only the area and the events within it count."""
    events, path = plain
    field = text(physical("box(4096.5,4096.5,400,400,0)"), "fov.reg")
    spectrum = extract_spectrum(path, text(physical("circle(4296.5,4096.5,60)")), field=field)
    inside = inside_circle(events, 4296.5, 4096.5, 60) & (events.x < 4296.5)
    assert spectrum.counts.sum() == np.sum(events.good & inside)
    assert spectrum.meta["area_pixels"] == pytest.approx(np.pi * 3600 / 2, rel=1e-3)
    with pytest.raises(RegionError, match="outside the field"):
        extract_spectrum(path, text(physical("circle(4390,4390,5)")), field=field)


def test_overlap(plain, text):
    """A background that holds the source is warned of, one inside the source refused."""
    _, path = plain
    source = text(physical("circle(4100,4050,10)"), "s.reg")
    with pytest.warns(XlatentWarning, match=r"100.0 % of the source region, with \d+ events"):
        extract_spectrum(path, source, text(physical("circle(4100,4050,60)"), "b.reg"))
    with pytest.raises(RegionError, match="lies within the source region"):
        extract_spectrum(path, source, text(physical("circle(4100,4050,5)"), "b.reg"))


def test_empty_region(tmp_path, text):
    """Where no event happens to lie there is a spectrum of zeros and a warning."""
    path = EventList(n_background=50, n_source=0).write(tmp_path / "e.fits")
    with pytest.warns(XlatentWarning, match="no event in the source region"):
        spectrum = extract_spectrum(path, text(physical("circle(4096.5,4100,3)")))
    assert spectrum.counts.sum() == 0
    assert spectrum.backscale > 0


def test_nan_positions(tmp_path, text):
    """Events without a position are left out and counted; if none has one, that is an error."""
    events = EventList(n_background=3000)
    events.x[::4] = np.nan
    path = events.write(tmp_path / "e.fits")
    region = text(physical("circle(4096,4096,100)"))
    spectrum = extract_spectrum(path, region)
    with np.errstate(invalid="ignore"):
        assert spectrum.counts.sum() == np.sum(events.good & inside_circle(events, 4096, 4096, 100))
    assert spectrum.meta["events_without_position"] == np.sum(events.good[::4])
    events.x[:] = np.nan
    with pytest.raises(SpectrumError, match="all positions are NaN"):
        extract_spectrum(events.write(path), region)


@pytest.mark.parametrize(("change", "match"), [
    ({"drop": ("PI",)}, "a column PI is needed"),
    ({"drop": ("X", "Y")}, "columns X and Y, or RA and DEC, are needed"),
    ({"drop": ("TIME",)}, "no column TIME"),
])
def test_missing_columns(tmp_path, text, change, match):
    """A missing column is named with those that are there."""
    path = EventList(n_background=100).write(tmp_path / "e.fits", **change)
    with pytest.raises(SpectrumError, match=match) as caught:
        extract_spectrum(path, text(physical("circle(4096,4096,100)")))
    assert "e.fits" in str(caught.value) and "GRADE" in str(caught.value)


@pytest.mark.parametrize(("header", "error", "match"), [
    ({"INSTRUME": "HRC"}, SpectrumError, "HRC event list"),
    ({"TLMAX5": None}, SpectrumError, "tells no channels"),
    ({"TCDLT3": 0.0}, SpectrumError, "TCDLT of the columns X and Y"),
    ({"TCTYP3": "", "TCTYP4": ""}, RegionError, "no world coordinates"),
    ({"TELESCOP": "eROSITA"}, ResponseError, "PI is in eV"),
    ({"TELESCOP": "XMM"}, ResponseError, "PI is in eV"),
])
def test_unusable_headers(tmp_path, text, header, error, match):
    """What the header lacks or denies is said."""
    path = EventList(n_background=100, header=header).write(tmp_path / "e.fits")
    with pytest.raises(error, match=match):
        extract_spectrum(path, text('icrs\ncircle(150,20,30")\n'))


def test_xmm_channels(tmp_path, text, ogip, monkeypatch):
    """XMM's PI in eV is cut into channels of five."""
    from astro_xlatent.events import channels as event_channels

    monkeypatch.setitem(event_channels._XMM_STEP, 32, 5)
    events = EventList(header={"TELESCOP": "XMM", "INSTRUME": "EPN", "TLMIN5": 0, "TLMAX5": 159})
    events.pi = events.pi % 160
    path = events.write(tmp_path / "e.fits")
    spectrum = extract_spectrum(path, text(physical("circle(4096,4096,100)")), rmf=ogip.rmf(first=0))
    inside = events.good & inside_circle(events, 4096, 4096, 100)
    np.testing.assert_array_equal(spectrum.counts, np.bincount(events.pi[inside] // 5, minlength=32))
    assert spectrum.backscale == pytest.approx(np.pi * 1e4)
    monkeypatch.delitem(event_channels._XMM_STEP, 32)
    with pytest.raises(SpectrumError, match="XMM spectra have"):
        extract_spectrum(path, text(physical("circle(4096,4096,100)")), rmf=ogip.rmf(first=0))


def test_chip_of_most_events_decides(tmp_path, text):
    """The exposure is that of the CCD on which the region lies."""
    events = EventList(header={"LIVTIME6": 490.0})
    events.ccd[events.x < 4096] = 6
    path = events.write(tmp_path / "e.fits")
    left, right = (text(physical(f"circle({x},4200,40)"), f"{x}.reg") for x in (4000, 4200))
    spectrum = extract_spectrum(path, left, right)
    assert (spectrum.exposure, spectrum.background.exposure) == (490.0, 1970.0)


def test_pieces_make_no_difference(plain, text, monkeypatch):
    """Reading in small pieces gives the same."""
    _, path = plain
    region = text(physical("circle(4100,4050,100)"))
    whole = extract_spectrum(path, region).counts
    monkeypatch.setattr(event_files, "_PIECE_ROWS", 777)
    np.testing.assert_array_equal(extract_spectrum(path, region).counts, whole)


def test_reg3_gives_both_regions(plain, tmp_path):
    """From one CSC-like region file the source and the background extension are taken."""
    events, path = plain
    rows = [("Ellipse", [4100.0], [4050.0], [12.0, 8.0], [30.0, 0.0], 1)]
    ring = [("Ellipse", [4100.0], [4050.0], [60.0, 40.0], [30.0], 1),
            ("!Ellipse", [4100.0], [4050.0], [12.0, 8.0], [30.0], 1)]
    reg3 = write_hdus(tmp_path / "reg3.fits", region_hdu(rows, "SRCREG", events.wcs, width=2),
                      region_hdu(ring, "BKGREG", events.wcs, width=2))
    spectrum = extract_spectrum(path, reg3, reg3)
    cos, sin = np.cos(np.radians(30)), np.sin(np.radians(30))
    dx, dy = events.x - 4100, events.y - 4050
    along, across = dx * cos + dy * sin, dy * cos - dx * sin
    core = (along / 12) ** 2 + (across / 8) ** 2 < 1
    assert spectrum.counts.sum() == np.sum(events.good & core)
    wide = (along / 60) ** 2 + (across / 40) ** 2 < 1
    assert spectrum.background.counts.sum() == np.sum(events.good & wide & ~core)
    assert spectrum.background_scale == pytest.approx(96 / (2400 - 96), rel=1e-4)


def test_what_is_not_a_path(text):
    """An event list must be a file; that it is none is said by reading a spectrum, too."""
    with pytest.raises(SpectrumError, match="events is a ndarray"):
        extract_spectrum(np.zeros(3), text(physical("circle(1,1,1)")))


def test_event_list_read_as_spectrum(plain):
    """Who reads an event list as a spectrum is told what to do."""
    with pytest.raises(SpectrumError, match="with extract_spectrum or"):
        XraySpectrum.read(plain[1])


def test_without_the_regions_package(plain, monkeypatch):
    """A missing package is named with the line that installs it."""
    monkeypatch.setitem(sys.modules, "regions", None)
    with pytest.raises(ImportError, match=r'pip install "astro_xlatent\[archive\]"'):
        extract_spectrum(plain[1], "r.reg")


def test_no_event_in_the_plane():
    """Where the limits in the header leave out every event, nothing was seen anywhere."""
    from astro_xlatent.events.plane import Occupancy

    seen = Occupancy((0.0, 10.0, 0.0, 10.0))
    seen.add(np.array([50.0]), np.array([50.0]))
    assert seen.empty_share(np.array([5.0]), np.array([5.0]), np.ones(1)) == 1.0
