# Licensed under a 3-clause BSD style license - see LICENSE
"""
The list of what was fetched, ``manifest.ecsv`` beside the files. A file is whole if it is as it was fetched,
or if its packing and FITS structure go to its end; one that could not be had is a row with the reason.
"""

import gzip
import hashlib
import threading
import zlib
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

from astropy.io import fits
from astropy.io.fits.verify import VerifyWarning
from astropy.table import Table
from astropy.utils.exceptions import AstropyUserWarning

from astro_xlatent.core.config import conf
from astro_xlatent.core.errors import ArchiveError
from astro_xlatent.core.files import replacing
from astro_xlatent.core.provenance import package_version
from astro_xlatent.core.silence import quiet

__all__ = ["MANIFEST_NAME", "FAILED", "FETCHED", "MISSING", "PRESENT", "Manifest", "check_fits"]

MANIFEST_NAME = "manifest.ecsv"
FETCHED, PRESENT, MISSING, FAILED = "fetched", "present", "missing", "failed"
_COLUMNS = {"object": "U80", "product": "U20", "file": "U200", "url": "U2000", "size": "i8",
            "sha256": "U64", "status": "U10", "reason": "U500"}


def check_fits(path):
    """Check that a FITS file, packed or not, is there to its end; ArchiveError with what is wrong."""
    try:
        size = _unpacked_size(path)
        # A file that ends early is a warning to astropy, and an error below.
        with quiet(AstropyUserWarning, VerifyWarning), fits.open(path, memmap=False) as hdus:
            end = max(hdu.fileinfo()["datLoc"] + hdu.fileinfo()["datSpan"] for hdu in list(hdus))
    except ArchiveError:
        raise
    except (OSError, EOFError, zlib.error, ValueError, TypeError, KeyError) as error:
        raise ArchiveError(f"{path.name}: not a whole FITS file: {_first_line(error)}") from error
    if size < end:
        msg = f"{path.name}: not a whole FITS file: {size} bytes where the headers announce {end}"
        raise ArchiveError(msg)


def _first_line(error):
    return (str(error).splitlines() or [type(error).__name__])[0]


def _unpacked_size(path):
    """Bytes of a file after unpacking; reads a gzip file to its check sum."""
    with path.open("rb") as file:
        if file.read(2) != b"\x1f\x8b":
            return path.stat().st_size
    size = 0
    with gzip.open(path, "rb") as file:
        while chunk := file.read(1 << 20):
            size += len(chunk)
            if size > conf.archive_max_mb * 1e6:
                msg = f"{path.name}: unpacks to more than {conf.archive_max_mb:g} MB (conf.archive_max_mb)"
                raise ArchiveError(msg)
    return size


def _state(path):
    """Size and sha256 of a file, as the list has them."""
    with path.open("rb") as file:
        return {"size": path.stat().st_size, "sha256": hashlib.file_digest(file, "sha256").hexdigest()}


class Manifest:
    """Rows on fetched files, safe to be filled by threads; files that it lists already need no check."""

    def __init__(self, folder):
        self.path = Path(folder) / MANIFEST_NAME
        self._lock = threading.Lock()
        self._rows = {}
        self._known = {row["file"]: row for row in self._read() if row["sha256"]}

    def _read(self):
        if not self.path.is_file():
            return []
        try:
            table = Table.read(self.path, format="ascii.ecsv", fill_values=None)
            rows = [{name: row[name].item() for name in _COLUMNS} for row in table]
            for name in map(PurePosixPath, table["file"]):
                if name.is_absolute() or ".." in name.parts or len(str(name)) > 200:
                    raise ValueError(f"{str(name)[:80]!r} is no file of this folder")
        except Exception as error:
            msg = (f"{self.path}: cannot be read as a manifest ({_first_line(error)}); move it away, the "
                   "files there stay")
            raise ArchiveError(msg) from error
        return rows

    def is_whole(self, path):
        """Whether a file is as it was fetched, or, if the manifest does not know it, a whole FITS file."""
        if not path.is_file():
            return False
        row = self._known.get(self._name(path))
        if row is not None:
            return path.stat().st_size == row["size"] and _state(path).items() <= row.items()
        try:
            check_fits(path)
        except ArchiveError:
            return False
        return True

    def _name(self, path):
        return path.relative_to(self.path.parent).as_posix()

    def store(self, source, target, key, product, url):
        """Check a fetched file and give it its place, or note why not; False if it is damaged."""
        if self.is_whole(target):
            self.add(key, product, PRESENT, path=target, url=url)
            return True
        try:
            check_fits(source)
        except ArchiveError as error:
            self.add(key, product, FAILED, url=url, reason=error)
            return False
        if target.exists():
            reason = f"{target.name} is there, but damaged or not as it was fetched; move it away"
            self.add(key, product, FAILED, url=url, reason=reason)
        else:
            target.parent.mkdir(exist_ok=True)
            source.replace(target)
            self.add(key, product, FETCHED, path=target, url=url)
        return True

    def add(self, key, product, status, *, path=None, url="", reason=""):
        """Note one file of an object (``"4487.0.9"`` or a DETUID), or that there is none."""
        row = {"object": key, "product": product, "file": "", "url": url, "size": 0, "sha256": "",
               "status": status, "reason": " ".join(str(reason).split())[:500]}
        if path is not None:
            row |= {"file": self._name(path)} | _state(path)
            if status == PRESENT and not url and row["file"] in self._known:
                row["url"] = self._known[row["file"]]["url"]
        with self._lock:
            # A file that came after all takes the place of its failure.
            self._rows.pop((key, product, ""), None)
            self._rows[key, product, row["file"]] = row

    def table(self, former=()):
        """The rows of this run, in the order of objects and products, and behind them ``former`` ones."""
        rows = [*(self._rows[key] for key in sorted(self._rows)), *former]
        table = Table({name: [row[name] for row in rows] for name in _COLUMNS}, dtype=list(_COLUMNS.values()))
        table.meta = {"XLVERS": package_version(), "XLDATE": datetime.now(UTC).isoformat(timespec="seconds")}
        return table

    def write(self):
        """Write the rows of this run, and of former ones on other files, to the folder."""
        former = [row for row in self._known.values()
                  if (row["object"], row["product"], row["file"]) not in self._rows
                  and (self.path.parent / row["file"]).is_file()]
        with replacing(self.path) as temporary:
            self.table(former).write(temporary, format="ascii.ecsv")
