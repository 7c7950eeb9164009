# Licensed under a 3-clause BSD style license - see LICENSE
"""Whether a fetched file is whole: its packing, its FITS structure, its digest."""

import gzip
import hashlib
import zlib
from pathlib import Path

from astropy.io import fits
from astropy.io.fits.verify import VerifyWarning
from astropy.utils.exceptions import AstropyUserWarning

from astro_xlatent.core.config import conf
from astro_xlatent.core.errors import ArchiveError
from astro_xlatent.core.silence import quiet

__all__ = ["check_fits", "file_digest"]

_CHUNK = 1 << 20


def file_digest(path):
    """Hexadecimal sha256 of a file."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check_fits(path):
    """Check that a FITS file, packed or not, is there to its end; ArchiveError with what is wrong."""
    path = Path(path)
    try:
        size = _unpacked_size(path)
        # A file that ends early is a warning to astropy, and an error below.
        with quiet(AstropyUserWarning, VerifyWarning), fits.open(path, memmap=False) as hdus:
            end = max(hdu.fileinfo()["datLoc"] + hdu.fileinfo()["datSpan"] for hdu in list(hdus))
    except ArchiveError:
        raise
    except (OSError, EOFError, zlib.error, ValueError, TypeError, KeyError) as error:
        said = (str(error).splitlines() or [type(error).__name__])[0]
        msg = f"{path.name}: not a whole FITS file: {said}"
        raise ArchiveError(msg) from error
    if size < end:
        msg = f"{path.name}: not a whole FITS file: {size} bytes where the headers announce {end}"
        raise ArchiveError(msg)


def _unpacked_size(path):
    """Bytes of a file after unpacking; reads a gzip file to its check sum."""
    with path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    if not packed:
        return path.stat().st_size
    size = 0
    with gzip.open(path, "rb") as file:
        while chunk := file.read(_CHUNK):
            size += len(chunk)
            if size > conf.archive_max_mb * 1e6:
                msg = f"{path.name}: unpacks to more than {conf.archive_max_mb:g} MB (conf.archive_max_mb)"
                raise ArchiveError(msg)
    return size
