# Licensed under a 3-clause BSD style license - see LICENSE
"""
Archives unpacked with suspicion: every member is looked at before it is written; absolute paths, ``..``,
links, devices, doubled names and too much of anything refuse the archive as a whole.
"""

import bz2
import gzip
import lzma
import shutil
import tarfile
from pathlib import PurePosixPath

from astro_xlatent.core.config import conf
from astro_xlatent.core.errors import ArchiveError

__all__ = ["unpack_tar"]

_PACKED = {b"\x1f\x8b": gzip.open, b"\xfd7zXZ": lzma.open, b"BZh": bz2.open}
_CHUNK = 1 << 20
#: Members of an archive, at most.
MEMBERS = 5000
#: Bytes out of a packed archive for each byte of it, beyond those that may come out of however small a one.
RATIO, FREE = 200.0, 5e7
#: Bytes that names and attributes of one member may take; real ones have hundreds.
_LARGEST_HEADER = 1 << 20


def unpack_tar(path, folder):
    """
    Unpack the regular files of a tar archive, plain or packed, into one empty folder; gives the paths. After
    an ArchiveError (damaged, or any member refused) the folder is to be thrown away.
    """
    plain = folder / ".tar"
    try:
        _unpack_stream(path, plain)
        return _unpack_members(path, plain, folder)
    except ArchiveError:
        raise
    except Exception as error:
        # tarfile and the unpackers raise whatever they meet in a damaged header, RecursionError included.
        raise ArchiveError(f"{path.name}: a damaged archive: {error or type(error).__name__}") from error
    finally:
        plain.unlink(missing_ok=True)


def _unpack_stream(path, plain):
    """Undo gzip, bzip2 or xz, which can make a bomb, before tarfile reads a header of it."""
    with path.open("rb") as file:
        start = file.read(6)
    opened = next((tool for sign, tool in _PACKED.items() if start.startswith(sign)), open)
    allowed, size = min(2e6 * conf.archive_max_mb, max(FREE, RATIO * path.stat().st_size)), 0
    with opened(path, "rb") as source, plain.open("xb") as target:
        while chunk := source.read(_CHUNK):
            size += len(chunk)
            _refuse(path, size > allowed, f"more than {allowed / 1e6:.4g} MB come out of "
                    f"{path.stat().st_size / 1e6:.3g} MB")
            target.write(chunk)


def _refuse(path, bad, what):
    if bad:
        raise ArchiveError(f"{path.name}: refused, {what}")


class _Member(tarfile.TarInfo):
    """A member whose long name or further attributes are not read into memory beyond a limit."""

    def _proc_member(self, archive):
        if self.size > _LARGEST_HEADER and not self.isreg():
            raise tarfile.ReadError(f"a header of {self.size / 1e6:.4g} MB")
        return super()._proc_member(archive)


def _unpack_members(path, plain, folder):
    files = []
    with tarfile.open(plain, "r:", tarinfo=_Member) as archive:
        for number, member in enumerate(archive, start=1):
            _refuse(path, number > MEMBERS, f"it holds more than {MEMBERS} members")
            _refuse(path, member.size > 1e6 * conf.archive_max_mb,
                    f"it holds a member of {member.size / 1e6:.4g} MB")
            target = folder / _name(path, member)
            if member.isdir():
                continue
            _refuse(path, target in files, f"two members are called {target.name!r}")
            tarfile.data_filter(member, str(folder))
            files.append(target)
            with archive.extractfile(member) as source, target.open("xb") as file:
                shutil.copyfileobj(source, file, _CHUNK)
            if target.stat().st_size != member.size:
                raise tarfile.ReadError(f"{target.name} ends early")
    return files


def _name(path, member):
    """Name of a member without its folders, once it is known to be harmless."""
    parts, name = PurePosixPath(member.name).parts, PurePosixPath(member.name).name
    _refuse(path, member.name.startswith("/") or ".." in parts or "\\" in member.name or ":" in member.name,
            f"a member would be written outside of the folder: {member.name!r}")
    if not member.isdir():
        _refuse(path, not member.isreg() or member.issparse(),
                f"a member is a link, a device or has holes: {member.name!r}")
        _refuse(path, not name or name.startswith(".") or not name.isprintable() or len(name) > 200,
                f"a member has an unusable name: {member.name!r}")
    return name
