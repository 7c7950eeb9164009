# Licensed under a 3-clause BSD style license - see LICENSE
"""
The list of what was fetched: one row a file, with address, size, sha256.

It is kept beside the files as ``manifest.ecsv``. A file that could not be had
is a row, too, with the reason.
"""

import threading
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

from astropy.table import Table

from astro_xlatent.archive.verify import check_fits, file_digest
from astro_xlatent.core.errors import ArchiveError
from astro_xlatent.core.files import replacing
from astro_xlatent.core.provenance import package_version

__all__ = ["MANIFEST_NAME", "FAILED", "FETCHED", "MISSING", "PRESENT", "Manifest"]

MANIFEST_NAME = "manifest.ecsv"
FETCHED, PRESENT, MISSING, FAILED = "fetched", "present", "missing", "failed"
_COLUMNS = {"object": "U80", "product": "U20", "file": "U200", "url": "U2000", "size": "i8",
            "sha256": "U64", "status": "U10", "reason": "U500"}


def _checked(column, value):
    """A value of a row; a ValueError for the name of a file that cannot lie in the folder."""
    path = PurePosixPath(str(value))
    if column == "file" and (path.is_absolute() or ".." in path.parts or len(str(path)) > 200):
        msg = f"{str(path)[:80]!r} is no file of this folder"
        raise ValueError(msg)
    return value


class Manifest:
    """
    Rows on fetched files, safe to be filled by several threads.

    A manifest that lies in the folder is read (ArchiveError if it cannot be):
    its files need no second check.
    """

    def __init__(self, folder):
        self.path = Path(folder) / MANIFEST_NAME
        self._lock = threading.Lock()
        self._rows = {}
        self._known = {str(row["file"]): row for row in self._read() if row["sha256"]}

    def _read(self):
        if not self.path.is_file():
            return []
        try:
            table = Table.read(self.path, format="ascii.ecsv", fill_values=None)
            return [{name: _checked(name, row[name]) for name in _COLUMNS} for row in table]
        except Exception as error:
            said = (str(error).splitlines() or [type(error).__name__])[0]
            msg = f"{self.path}: cannot be read as a manifest ({said}); move it away, the files there stay"
            raise ArchiveError(msg) from error

    def is_whole(self, path):
        """Whether a file is as it was fetched, or, if the manifest does not know it, a whole FITS file."""
        if not path.is_file():
            return False
        row = self._known.get(self._name(path))
        if row is not None:
            return path.stat().st_size == row["size"] and file_digest(path) == row["sha256"]
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
            name = self._name(path)
            row |= {"file": name, "size": path.stat().st_size, "sha256": file_digest(path)}
            if status == PRESENT and not url and name in self._known:
                row["url"] = str(self._known[name]["url"])
        with self._lock:
            # A file that came after all takes the place of its failure.
            self._rows.pop((key, product, ""), None)
            self._rows[key, product, row["file"]] = row

    def table(self):
        """The rows of this run, in the order of objects and products."""
        rows = [self._rows[key] for key in sorted(self._rows)]
        table = Table({name: [row[name] for row in rows] for name in _COLUMNS}, dtype=list(_COLUMNS.values()))
        table.meta = {"XLVERS": package_version(), "XLDATE": datetime.now(UTC).isoformat(timespec="seconds")}
        return table

    def write(self):
        """Write the rows of this run, and of former ones on other files, to the folder."""
        table = self.table()
        taken = set(self._rows)
        for row in self._known.values():
            key = (str(row["object"]), str(row["product"]), str(row["file"]))
            if key not in taken and (self.path.parent / key[2]).is_file():
                table.add_row([row[name] for name in _COLUMNS])
        with replacing(self.path) as temporary:
            table.write(temporary, format="ascii.ecsv")
