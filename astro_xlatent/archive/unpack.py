# Licensed under a 3-clause BSD style license - see LICENSE
"""
Archives unpacked with suspicion.

Every member is looked at before anything is written: absolute paths, ``..``,
links, devices, doubled names and too much of anything refuse the archive as a
whole.
"""

import bz2
import gzip
import lzma
import shutil
import tarfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from astro_xlatent.core.config import conf
from astro_xlatent.core.errors import ArchiveError

__all__ = ["Limits", "unpack_tar"]

_PACKED = {b"\x1f\x8b": gzip.open, b"\xfd7zXZ": lzma.open, b"BZh": bz2.open}
_CHUNK = 1 << 20
#: Bytes that names and attributes of one member may take; real ones have hundreds.
_LARGEST_HEADER = 1 << 20


@dataclass(frozen=True)
class Limits:
    """
    What an archive may hold at most: members, and bytes of all files and of one.

    ``ratio`` is bytes out of a packed archive for each byte of it, beyond the ``free``
    bytes that may come out of however small an archive.
    """

    members: int = 5000
    total: float = 4e9
    single: float = 1e9
    ratio: float = 200.0
    free: float = 5e7


def unpack_tar(path, folder, limits=None):
    """
    Unpack the regular files of a tar archive (plain, gzip, bzip2 or xz) into one empty folder.

    Folders within the archive are left out. Gives the paths. ArchiveError if the archive is
    damaged or any member of it is refused: the folder is then to be thrown away.
    """
    path, folder = Path(path), Path(folder)
    limits = limits or Limits(total=2 * conf.archive_max_mb * 1e6, single=conf.archive_max_mb * 1e6)
    plain = folder / ".tar"
    try:
        _unpack_stream(path, plain, limits)
        return _unpack_members(path, plain, folder, limits)
    except ArchiveError:
        raise
    except Exception as error:
        # tarfile and the unpackers raise whatever they meet in a damaged header, RecursionError included.
        msg = f"{path.name}: a damaged archive: {error or type(error).__name__}"
        raise ArchiveError(msg) from error
    finally:
        plain.unlink(missing_ok=True)


def _unpack_stream(path, plain, limits):
    """Undo gzip, bzip2 or xz, which can make a bomb, before tarfile reads a header of it."""
    with path.open("rb") as file:
        start = file.read(6)
    opened = next((tool for sign, tool in _PACKED.items() if start.startswith(sign)), open)
    allowed = min(limits.total, max(limits.free, limits.ratio * path.stat().st_size))
    size = 0
    with opened(path, "rb") as source, plain.open("xb") as target:
        while chunk := source.read(_CHUNK):
            size += len(chunk)
            if size > allowed:
                msg = (
                    f"{path.name}: refused, more than {allowed / 1e6:.4g} MB come out of "
                    f"{path.stat().st_size / 1e6:.3g} MB"
                )
                raise ArchiveError(msg)
            target.write(chunk)


class _Member(tarfile.TarInfo):
    """A member whose long name or further attributes are not read into memory beyond a limit."""

    def _proc_member(self, archive):
        if self.size > _LARGEST_HEADER and not self.isreg():
            msg = f"a header of {self.size / 1e6:.4g} MB"
            raise tarfile.ReadError(msg)
        return super()._proc_member(archive)


def _unpack_members(path, plain, folder, limits):
    files, used = [], 0
    with tarfile.open(plain, "r:", tarinfo=_Member) as archive:
        for number, member in enumerate(archive, start=1):
            used += member.size
            _check_amount(path, number, member, used, limits)
            if member.isdir():
                _check_name(path, member)
                continue
            name = _check_member(path, member, {file.name for file in files})
            tarfile.data_filter(member, str(folder))
            files.append(folder / name)
            _extract(archive, member, files[-1])
    return files


def _check_amount(path, number, member, used, limits):
    for bad, what in (
        (number > limits.members, f"more than {limits.members} members"),
        (member.size > limits.single, f"a member of {member.size / 1e6:.4g} MB"),
        (used > limits.total, f"more than {limits.total / 1e6:.4g} MB"),
    ):
        if bad:
            msg = f"{path.name}: refused, it holds {what}"
            raise ArchiveError(msg)


def _check_name(path, member):
    parts = PurePosixPath(member.name).parts
    if member.name.startswith("/") or ".." in parts or "\\" in member.name or ":" in member.name:
        msg = f"{path.name}: refused, a member would be written outside of the folder: {member.name!r}"
        raise ArchiveError(msg)
    return parts


def _check_member(path, member, taken):
    """Name of a regular file of the archive without its folders."""
    parts = _check_name(path, member)
    if not member.isreg() or member.issparse():
        msg = f"{path.name}: refused, a member is a link, a device or has holes: {member.name!r}"
        raise ArchiveError(msg)
    name = parts[-1] if parts else ""
    if not name or name.startswith(".") or not name.isprintable() or len(name) > 200:
        msg = f"{path.name}: refused, a member has an unusable name: {member.name!r}"
        raise ArchiveError(msg)
    if name in taken:
        msg = f"{path.name}: refused, two members are called {name!r}"
        raise ArchiveError(msg)
    return name


def _extract(archive, member, target):
    with archive.extractfile(member) as source, target.open("xb") as file:
        shutil.copyfileobj(source, file, _CHUNK)
    if target.stat().st_size != member.size:
        msg = f"{target.name} ends early"
        raise tarfile.ReadError(msg)
