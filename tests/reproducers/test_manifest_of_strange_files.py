# Licensed under a 3-clause BSD style license - see LICENSE
"""A damaged list of files that names what cannot lie beside it."""

import pytest

pytest.importorskip("pyvo")

from astro_xlatent.archive.manifest import FETCHED, MANIFEST_NAME, Manifest
from astro_xlatent.core.errors import ArchiveError


@pytest.mark.parametrize("name", ["[" * 400, "../../other/file.fits", "/etc/hostname"])
def test_refused(tmp_path, name):
    """The list is refused as a whole, the files stay."""
    (tmp_path / "file.fits").write_text("x")
    manifest = Manifest(tmp_path)
    manifest.add("1.0.1", "spectrum", FETCHED, path=tmp_path / "file.fits")
    manifest.write()
    path = tmp_path / MANIFEST_NAME
    path.write_text(path.read_text().replace("file.fits", name))
    with pytest.raises(ArchiveError, match=r"manifest\.ecsv: cannot be read.*is no file of this folder"):
        Manifest(tmp_path)
    assert (tmp_path / "file.fits").read_text() == "x"
