# Licensed under a 3-clause BSD style license - see LICENSE
"""Instruments in a file."""

from dataclasses import fields

import numpy as np
import pytest

from astro_xlatent.core.errors import ResponseError
from astro_xlatent.missions.base import get_mission
from astro_xlatent.simulate.instruments import prepare
from astro_xlatent.simulate.prepared import file_digest, load_prepared, save_prepared


def test_round_trip(tmp_path):
    """Fields come back as they were, but for digits that nobody knows; equal ones make equal files."""
    made = [prepare(f"{name} one", name, get_mission(name).default_response()) for name in ("csc", "erosita")]
    for name in ("a.npz", "b.npz"):
        save_prepared(tmp_path / name, made)
    found = load_prepared(tmp_path / "a.npz")
    assert len(found) == 2
    for one, other in zip(made, found, strict=True):
        for field in fields(one):
            was, read = getattr(one, field.name), getattr(other, field.name)
            if getattr(was, "dtype", None) == np.float32:
                np.testing.assert_allclose(read, was, rtol=1.3e-4)
            else:
                np.testing.assert_array_equal(read, was)
            assert not isinstance(was, np.ndarray) or read.dtype == was.dtype
    assert file_digest(tmp_path / "a.npz") == file_digest(tmp_path / "b.npz")


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"SIMPLE  = T"])
def test_other_files_are_refused(tmp_path, content):
    """With the remedy."""
    path = tmp_path / "x.npz"
    path.write_bytes(content)
    with pytest.raises(ResponseError, match="x.npz: no file of prepared instruments.*--prepare"):
        load_prepared(path)


def test_other_arrays_are_refused(tmp_path):
    """A file of numpy that holds something else."""
    np.savez(tmp_path / "x.npz", spectrum=np.ones(3))
    with pytest.raises(ResponseError, match="x.npz"):
        load_prepared(tmp_path / "x.npz")
