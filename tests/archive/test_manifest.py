# Licensed under a 3-clause BSD style license - see LICENSE
"""Whether files are whole."""

import gzip

import numpy as np
import pytest
from astropy.io import fits

from astro_xlatent import conf
from astro_xlatent.archive.manifest import FETCHED, Manifest, check_fits
from astro_xlatent.core.errors import ArchiveError


@pytest.fixture
def whole(tmp_path):
    """A FITS file with an image and a table, and its bytes."""
    path = tmp_path / "file.fits"
    table = fits.BinTableHDU.from_columns([fits.Column("x", "D", array=np.arange(2000.0))])
    fits.HDUList([fits.PrimaryHDU(np.ones((30, 30))), table]).writeto(path)
    return path, path.read_bytes()


def test_whole(whole):
    """Plain and packed files pass."""
    path, data = whole
    check_fits(path)
    packed = path.with_suffix(".fits.gz")
    packed.write_bytes(gzip.compress(data))
    check_fits(packed)


@pytest.mark.parametrize("keep", [0, 100, 2880, 8000, -2880, -1])
def test_truncated(whole, keep):
    """A file that lacks its end is not whole."""
    path, data = whole
    path.write_bytes(data[:keep])
    with pytest.raises(ArchiveError, match=r"file.fits: not a whole FITS file"):
        check_fits(path)


@pytest.mark.parametrize(
    "damage", [lambda b: b[:-9], lambda b: b[:-6] + bytes(6), lambda b: b[:50], lambda b: b[:2]]
)
def test_damaged_gzip(whole, damage):
    """The check sum at the end of a packed file is looked at."""
    path, data = whole
    path.write_bytes(damage(gzip.compress(data)))
    with pytest.raises(ArchiveError, match="not a whole FITS file"):
        check_fits(path)


def test_gzip_bomb(tmp_path, monkeypatch):
    """Unpacking stops at the limit."""
    monkeypatch.setattr(conf, "archive_max_mb", 1.0)
    path = tmp_path / "bomb.fits.gz"
    path.write_bytes(gzip.compress(bytes(5_000_000)))
    with pytest.raises(ArchiveError, match="more than 1 MB"):
        check_fits(path)


def test_digest(tmp_path):
    """The digest of nothing is well known."""
    (tmp_path / "empty").touch()
    manifest = Manifest(tmp_path)
    manifest.add("1.0.1", "spectrum", FETCHED, path=tmp_path / "empty")
    assert manifest.table()["sha256"][0].startswith("e3b0c44298fc1c14")
