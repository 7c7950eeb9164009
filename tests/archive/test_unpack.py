# Licensed under a 3-clause BSD style license - see LICENSE
"""Archives, good and bad."""

import lzma
import tarfile

import pytest
from archive_servers import tar_bytes

from astro_xlatent import conf
from astro_xlatent.archive import unpack as unpacking
from astro_xlatent.archive.unpack import unpack_tar
from astro_xlatent.core.errors import ArchiveError


def member(name, kind=tarfile.REGTYPE, target=""):
    """A header of a tar archive."""
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


@pytest.fixture
def unpack(tmp_path, monkeypatch):
    """Write bytes as an archive and unpack it, within limits."""

    def unpack(data, megabytes=1000.0, **limits):
        monkeypatch.setattr(conf, "archive_max_mb", megabytes)
        for name, value in limits.items():
            monkeypatch.setattr(unpacking, name, value)
        (tmp_path / "a.tar").write_bytes(data)
        (tmp_path / "out").mkdir()
        return unpack_tar(tmp_path / "a.tar", tmp_path / "out")

    return unpack


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:xz", "w:bz2"])
def test_good(unpack, mode):
    """Files land in one folder, whatever folders they had, nothing else with them."""
    files = unpack(
        tar_bytes(
            [("x/one.fits", b"1"), (member("x/y", tarfile.DIRTYPE), None), ("./x/y/two.fits", b"22")], mode
        )
    )
    assert [(path.name, path.read_bytes()) for path in files] == [("one.fits", b"1"), ("two.fits", b"22")]
    assert sorted(path.name for path in files[0].parent.iterdir()) == ["one.fits", "two.fits"]


BAD = {
    "parent": ("../evil", b"x"),
    "deep parent": ("a/../../evil", b"x"),
    "absolute": ("/etc/evil", b"x"),
    "windows": ("a\\..\\evil", b"x"),
    "drive": ("c:evil", b"x"),
    "folder outside": (member("../evil", tarfile.DIRTYPE), None),
    "symlink": (member("link", tarfile.SYMTYPE, "/etc/passwd"), None),
    "hard link": (member("link", tarfile.LNKTYPE, "one.fits"), None),
    "device": (member("null", tarfile.CHRTYPE), None),
    "pipe": (member("pipe", tarfile.FIFOTYPE), None),
    "sparse": (member("holes", tarfile.GNUTYPE_SPARSE), None),
    "hidden": (".tar", b"x"),
    "unprintable": ("a\nb", b"x"),
    "long": ("a" * 250, b"x"),
    "doubled": ("y/one.fits", b"x"),
}


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
def test_refused(unpack, tmp_path, bad):
    """One bad member refuses the archive, and nothing lands outside of the folder."""
    with pytest.raises(ArchiveError, match=r"a.tar: refused, (a member|two members)"):
        unpack(tar_bytes([("one.fits", b"1"), bad]))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.tar", "out"]


def test_bomb(unpack):
    """A small file that unpacks to much is refused before it has."""
    data = tar_bytes([("zeros", bytes(10_000_000))], "w:xz")
    assert len(data) < 10_000
    with pytest.raises(ArchiveError, match=r"refused, more than 1 MB come out of 0.00"):
        unpack(data, FREE=1e6)


def test_header_bomb(unpack):
    """A header that claims to be long itself cannot take more memory than the limit."""
    header = member("pax", tarfile.XHDTYPE)
    header.size = 10**12
    with pytest.raises(ArchiveError, match="refused|damaged"):
        unpack(lzma.compress(header.tobuf() + bytes(10_000_000)), FREE=1e6)


@pytest.mark.parametrize(
    ("limits", "what"),
    [
        ({"MEMBERS": 2}, "more than 2 members"),
        ({"megabytes": 0.19}, "a member of 0.2 MB"),
        ({"megabytes": 0.15}, "more than 0.3 MB come out"),
    ],
)
def test_too_much(unpack, limits, what):
    """Number, single and total size are limited."""
    data = tar_bytes([("a", bytes(200_000)), ("b", bytes(1000)), ("c", bytes(120_000))], "w:gz")
    with pytest.raises(ArchiveError, match=what):
        unpack(data, **limits)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no archive at all",
        tar_bytes([("a", bytes(5000))])[:3000],
        tar_bytes([("a", bytes(5000))], "w:gz")[:60],
        tar_bytes([("a", bytes(5000))], "w:xz")[:100],
        b"\x1f\x8b broken",
        b"\xfd7zXZ\0 broken",
    ],
)
def test_damaged(unpack, data):
    """A damaged archive is named as such."""
    with pytest.raises(ArchiveError, match="a.tar: a damaged archive"):
        unpack(data)
