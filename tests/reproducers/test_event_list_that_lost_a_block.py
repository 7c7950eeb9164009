# Licensed under a 3-clause BSD style license - see LICENSE
"""Event lists with a block of 2880 bytes lost, zeroed or changed, or without the good times of a chip."""

import gzip
import os

import numpy as np
import pytest
from astropy.io import fits
from event_lists import GTI, EventList, write_hdus

pytest.importorskip("regions", reason="the regions package is not installed")

from regions import CirclePixelRegion, PixCoord

from astro_xlatent import extract_spectrum
from astro_xlatent.core.errors import SpectrumError, XlatentError
from astro_xlatent.core.flags import Flag

REGION = CirclePixelRegion(PixCoord(4095, 4095), 200)
BLOCK = 2880
MENDED = Flag.FILE_MENDED | Flag.IMPLAUSIBLE


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A list with checksums, as archives write them, and its counts."""
    events = EventList(n_background=3000)
    path = tmp_path_factory.mktemp("whole") / "e.fits"
    fits.HDUList([fits.PrimaryHDU(), *events.hdus()]).writeto(path, checksum=True)
    return path, extract_spectrum(path, REGION).counts.sum()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("packed", [False, True])
def test_any_block(whole, tmp_path, packed):
    """Whichever block is left out or zeroed: an error, a flag, or the same counts."""
    path, counts = whole
    data = path.read_bytes()
    n_blocks = len(data) // BLOCK
    seen = set()
    for number in range(1, n_blocks, 1 if not packed else 5):
        for middle in (b"", bytes(BLOCK)):
            hurt = data[:number * BLOCK] + middle + data[(number + 1) * BLOCK:]
            damaged = tmp_path / "d.fits"
            damaged.write_bytes(gzip.compress(hurt, 1) if packed else hurt)
            try:
                spectrum = extract_spectrum(damaged, REGION)
            except XlatentError:
                seen.add("refused")
                continue
            same = spectrum.counts.sum() == counts and spectrum.exposure == 1970.0
            assert same or spectrum.flags & MENDED, (number, len(middle))
            seen.add("same" if same else "flagged")
    assert "refused" in seen


def test_without_checksums(tmp_path):
    """A zeroed block is noticed by its rows of zeros, a lost one by what follows."""
    path = EventList(n_background=3000).write(tmp_path / "e.fits")
    data = path.read_bytes()
    begin = BLOCK * 12
    path.write_bytes(data[:begin] + bytes(BLOCK) + data[begin + BLOCK:])
    with pytest.raises(SpectrumError, match="rows hold only zeros.*part of the file is lost"):
        extract_spectrum(path, REGION)
    path.write_bytes(data[:begin] + data[begin + BLOCK:])
    with pytest.raises(SpectrumError, match="part of the file is lost|truncated"):
        extract_spectrum(path, REGION)


@pytest.mark.parametrize(("column", "value"), [("TIME", np.nan), ("TIME", np.inf)])
def test_non_finite(tmp_path, column, value):
    """An event without a time is no event."""
    events = EventList(n_background=100)
    events.time[7] = value
    with pytest.raises(SpectrumError, match=f"{column} is NaN or infinite in 1 rows .first: row 8."):
        extract_spectrum(events.write(tmp_path / "e.fits"), REGION)


def test_positions_missing_are_flagged(tmp_path):
    """NaN positions are left out, and said."""
    events = EventList(n_background=1000)
    events.x[:50] = np.nan
    spectrum = extract_spectrum(events.write(tmp_path / "e.fits"), REGION)
    assert spectrum.flags & Flag.FILE_MENDED
    assert any("without position" in text for text in spectrum.meta["assumptions"])


def test_good_times_of_a_chip_missing(tmp_path):
    """Events of a chip that no good time extension names are not dropped without a word."""
    events = EventList(n_background=1000)
    path = events.write(tmp_path / "e.fits", gti={6: GTI[6]})
    with pytest.raises(SpectrumError, match="events have CCD_ID 7, of which there are no good time"):
        extract_spectrum(path, REGION)
    spectrum = extract_spectrum(events.write(tmp_path / "n.fits", gti={}), REGION)
    assert spectrum.flags & Flag.FILE_MENDED
    spectrum = extract_spectrum(events.write(tmp_path / "h.fits", gti={7: [[1000.0, 1200.0]]}), REGION)
    assert spectrum.flags & Flag.IMPLAUSIBLE
    assert "longer than the good times" in str(spectrum.meta["assumptions"])


@pytest.mark.parametrize("interval", [[np.nan, 2000.0], [3000.0, 2000.0]])
def test_bad_interval(tmp_path, interval):
    """An interval that ends before it begins is not left out."""
    path = EventList(n_background=100).write(tmp_path / "e.fits", gti={7: [[0.0, 900.0], interval]})
    with pytest.raises(SpectrumError, match="ends before it begins"):
        extract_spectrum(path, REGION)


def test_bomb(tmp_path):
    """A few kilobytes that unpack to gigabytes are not unpacked."""
    table = EventList(n_background=10).hdus(gti={})[0]
    path = write_hdus(tmp_path / "e.fits", table)
    data = path.read_bytes()
    at = data.index(b"NAXIS2  =", data.index(b"XTENSION"))
    data = data[:at] + f"NAXIS2  = {10**8:>20}".encode().ljust(80) + data[at + 80:]
    path.with_suffix(".gz").write_bytes(gzip.compress(data))
    with pytest.raises(SpectrumError, match="more than 200 times.*decompress it first with gunzip"):
        extract_spectrum(path.with_suffix(".gz"), REGION)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes on this system")
def test_pipes_and_proc(tmp_path):
    """Pipes, devices and files of /proc are refused before they are opened."""
    os.mkfifo(tmp_path / "pipe")
    for path, match in ((tmp_path / "pipe", "a pipe or a device"), ("/dev/zero", "a pipe or a device"),
                        ("/proc/self/status", "is empty")):
        if os.path.exists(path):
            with pytest.raises(SpectrumError, match=match):
                extract_spectrum(path, REGION)


def test_an_edited_header_is_said(whole, tmp_path):
    """Another exposure, typed in by hand: the checksum of the header tells."""
    data = whole[0].read_bytes()
    place = data.index(b"EXPOSURE=", data.index(b"EVENTS"))
    path = tmp_path / "edited.fits"
    path.write_bytes(data[:place + 10] + b"12345.0".rjust(20) + data[place + 30:])
    assert not extract_spectrum(whole[0], REGION).flags & Flag.FILE_MENDED
    assert extract_spectrum(path, REGION).flags & Flag.FILE_MENDED
