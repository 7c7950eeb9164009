# Licensed under a 3-clause BSD style license - see LICENSE
"""Damaged files end in a clean error or a valid spectrum, in bounded memory."""

import gzip
import json
import subprocess
import sys
import zlib
from pathlib import Path

import pytest
from real_spectra import READ, REFUSED

from astro_xlatent.core.errors import SpectrumError
from astro_xlatent.spectra import _fits
from astro_xlatent.spectra.spectrum import XraySpectrum

GIGABYTE = 1024**3


def run_damage(seed, number, paths):
    """Outcome of reading damaged copies in a process of its own."""
    script = Path(__file__).with_name("damage.py")
    command = [sys.executable, str(script), str(seed), str(number), *map(str, paths)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=500)
    return json.loads(done.stdout)


def assert_clean(report, number):
    """Nothing but errors of ours and valid spectra, below 1 GB."""
    outcome = report["outcome"]
    assert set(outcome) == {"error", "valid"}
    assert sum(outcome.values()) == number
    assert report["peak"] < GIGABYTE


def test_real_files_damaged(shared_data):
    """500 damaged copies of the real files."""
    folder = shared_data / "spectra"
    assert_clean(run_damage(1, 500, [folder / n for n in [*READ, *REFUSED]]), 500)


def test_packaged_files_damaged(sherpa_folder):
    """100 damaged copies of the spectra in Sherpa's package, on any machine."""
    names = ("acisf04938_000N002_r0043_pha3.fits", "acisf07867_000N001_r0002_pha3.fits")
    assert_clean(run_damage(2, 100, [sherpa_folder / n for n in names]), 100)


@pytest.mark.parametrize("content, reason", [
    (b"", "empty"),
    (b"hello, world\n" * 500, "not a FITS file"),
    (b"\x1f\x8b\x08 not really gzip", "damaged"),
    (gzip.compress(b"hello"), "not a FITS file"),
    (b"SIMPLE  =                    T" + b" " * 50, "no END card"),
])
def test_not_fits(tmp_path, content, reason):
    """Anything but FITS is named for what it is."""
    path = tmp_path / "strange.pha"
    path.write_bytes(content)
    with pytest.raises(SpectrumError, match=reason) as caught:
        XraySpectrum.read(path)
    assert "strange.pha" in str(caught.value)


def test_directory_and_missing(tmp_path):
    """A folder or a path to nothing is refused."""
    with pytest.raises(SpectrumError, match="but a folder"):
        XraySpectrum.read(tmp_path)
    with pytest.raises(SpectrumError, match="no such file"):
        XraySpectrum.read(tmp_path / "gone.pha")


def test_gzip_bomb(tmp_path, monkeypatch):
    """Decompression stops at the limit, however far the stream would swell."""
    monkeypatch.setattr(_fits, "MAX_BYTES", 1024**2)
    path = tmp_path / "bomb.pha.gz"
    path.write_bytes(gzip.compress(bytes(50 * 1024**2)))
    with pytest.raises(SpectrumError, match="holds more than 1 MB"):
        XraySpectrum.read(path)


def test_gzip_truncated(ogip):
    """A cut gzip stream is an error even if the spectrum came first."""
    path = ogip.source()
    packed = path.with_suffix(".pha.gz")
    packed.write_bytes(zlib.compress(path.read_bytes(), wbits=31)[:-20])
    with pytest.raises(SpectrumError, match=r"s\.pha\.gz: the gzip stream ends early"):
        XraySpectrum.read(packed)


@pytest.mark.parametrize("key, value, reason", [
    ("NAXIS2", 2_000_000_000, "truncated"),
    ("NAXIS1", 2_000_000_000, "truncated"),
    ("PCOUNT", 10**12, "truncated"),
    ("NAXIS2", -5, "NAXIS2 is -5"),
    ("TFORM2", "9999999J", "columns up to number 2 need"),
    ("TFORM2", "hello", "TFORM2 is 'hello'"),
    ("GCOUNT", 10**11, "truncated"),
])
def test_sizes_are_checked(ogip, key, value, reason):
    """Sizes in a header that the file cannot hold are refused before memory is taken."""
    path = ogip.source()
    data = path.read_bytes()
    start = data.index(b"XTENSION")
    where = data.index(f"{key:<8}= ".encode(), start)
    text = f"'{value}'" if isinstance(value, str) else f"{value:>20}"
    path.write_bytes(data[:where + 10] + f"{text:<70}".encode() + data[where + 80:])
    with pytest.raises(SpectrumError, match=reason):
        XraySpectrum.read(path)
