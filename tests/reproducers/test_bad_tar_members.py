# Licensed under a 3-clause BSD style license - see LICENSE
"""One bad member or header of an archive is an error of this archive, never of the whole fetch."""

import tarfile

import pytest

pytest.importorskip("pyvo")

from astro_xlatent.archive.spectra import _run  # noqa: E402
from astro_xlatent.archive.unpack import unpack_tar  # noqa: E402
from astro_xlatent.core.errors import ArchiveError  # noqa: E402


def header(kind, size, name="x", **fields):
    """A raw header block of some type and size."""
    member = tarfile.TarInfo(name)
    member.type, member.size = kind, size
    return member.tobuf(tarfile.GNU_FORMAT)


def pax(text):
    """A pax header with its body."""
    return header(tarfile.XHDTYPE, len(text)) + text.ljust(-(-len(text) // 512) * 512, b"\0")


SPARSE = bytearray(header(tarfile.GNUTYPE_SPARSE, 512))
SPARSE[386:398] = b"not a number"
BAD = {
    "many pax headers": pax(b"12 path=abc\n") * 3000,
    "broken sparse header": bytes(SPARSE) + bytes(512),
    "pax header of 3 MB": pax(b"3000000 comment=" + b"x" * 3_000_000),
    "sparse map of words": pax(b"27 GNU.sparse.map=one,two\n\n22 GNU.sparse.major=0\n") + header(b"0", 0),
}


@pytest.mark.parametrize("data", BAD.values(), ids=BAD)
def test_bad_headers(tmp_path, data):
    """Whatever tarfile raises, it is this archive that is damaged."""
    (tmp_path / "a.tar").write_bytes(data + bytes(1024))
    (tmp_path / "out").mkdir()
    with pytest.raises(ArchiveError, match=r"^a\.tar: "):
        unpack_tar(tmp_path / "a.tar", tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


def test_one_source_never_stops_the_others():
    """A job that raises what nobody thought of is a row of the manifest; the next one runs."""
    noted, ran = [], []

    class Notes:
        def add(self, name, product, status, reason):
            noted.append((name, status))

    def bad():
        raise RecursionError("deep")

    def good():
        ran.append(True)
        return 1

    _run([([("a", "spectrum")], bad), ([("b", "spectrum")], good)], "csc", Notes(), False)
    assert (noted, ran) == ([("a", "failed")], [True])
