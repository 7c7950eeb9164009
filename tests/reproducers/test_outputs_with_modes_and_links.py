# Licensed under a 3-clause BSD style license - see LICENSE
"""Outputs keep the mode of what they replace, follow links, and are files."""

import os
import stat

import pytest

from astro_xlatent.core.errors import XlatentError
from astro_xlatent.core.files import building_folder, check_input, replacing

pytestmark = pytest.mark.skipif(os.name != "posix", reason="modes, links and pipes are those of POSIX")


def mode(path):
    """Permission bits of a file."""
    return stat.S_IMODE(path.stat().st_mode)


def write(path, text="new", own_mode=None):
    """Write a file as the package does."""
    with replacing(path) as temporary:
        temporary.write_text(text)
        if own_mode is not None:
            temporary.chmod(own_mode)


def test_private_table_stays_private(tmp_path):
    """A file of mode 0600 is not opened to others by being replaced."""
    path = tmp_path / "t.fits"
    path.write_text("old")
    path.chmod(0o600)
    write(path)
    assert (path.read_text(), mode(path)) == ("new", 0o600)


def test_weights_can_be_read_by_colleagues(tmp_path):
    """A new file has the mode of the umask, whatever its writer gives it."""
    (tmp_path / "plain").touch()
    write(tmp_path / "w.safetensors", own_mode=0o600)
    assert mode(tmp_path / "w.safetensors") == mode(tmp_path / "plain")


def test_link_as_output(tmp_path):
    """The file behind a link is replaced, the link stays."""
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "t.fits").write_text("old")
    (tmp_path / "link.fits").symlink_to("real/t.fits")
    write(tmp_path / "link.fits")
    assert (tmp_path / "link.fits").is_symlink()
    assert (tmp_path / "real" / "t.fits").read_text() == "new"


def test_pipes_are_refused(tmp_path):
    """A pipe is neither replaced nor read, which would block."""
    os.mkfifo(tmp_path / "pipe.fits")
    with pytest.raises(XlatentError, match="pipe or a device"):
        write(tmp_path / "pipe.fits")
    with pytest.raises(XlatentError, match="pipe or a device"):
        check_input(tmp_path / "pipe.fits")
    assert stat.S_ISFIFO((tmp_path / "pipe.fits").stat().st_mode)


@pytest.mark.skipif(not os.path.exists("/proc/self/maps"), reason="this system has no /proc")
def test_proc_is_not_read():
    """Files that say they are empty can block for ever."""
    with pytest.raises(XlatentError, match="empty"):
        check_input("/proc/self/maps")


def test_failed_write_changes_nothing(tmp_path):
    """After an exception the old file is there, and nothing else."""
    path = tmp_path / "t.fits"
    path.write_text("old")
    with pytest.raises(RuntimeError), replacing(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert [p.name for p in tmp_path.iterdir()] == ["t.fits"]
    assert path.read_text() == "old"


def test_leftovers_of_killed_runs_go(tmp_path):
    """What a process of this host left that runs no more is removed, what a running one builds is not."""
    with replacing(tmp_path / "t.fits") as name, building_folder(tmp_path) as folder:
        name.write_text("x")
        dead = 2**22 + 7
        left = [tmp_path / p.name.replace(f"-{os.getpid()}-", f"-{dead}-") for p in (name, folder)]
        left[0].write_text("half a table")
        left[1].mkdir()
        with replacing(tmp_path / "t.fits"[:]) as again, building_folder(tmp_path) as other:
            assert not any(path.exists() for path in left)
            assert folder.is_dir() and other.is_dir()
            again.write_text("y")
        name.write_text("x")
    assert [p.name for p in tmp_path.iterdir()] == ["t.fits"]
