# Licensed under a 3-clause BSD style license - see LICENSE
"""
Files and folders that appear whole or not at all, and what may be read or replaced.

Temporary names hold host and process, so that what a killed run left behind is removed by the next run.
"""

import os
import platform
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from astro_xlatent.core.errors import XlatentError

__all__ = ["building_folder", "check_input", "check_output", "remove_leftovers", "replacing"]

_HOST = re.sub(r"\W", "_", platform.node())


def check_input(path, *, error: type[Exception] = XlatentError) -> Path:
    """
    Refuse what is no file with something in it before it is opened, which may block for ever; gives the path.
    Files of ``/proc``, which say that they are empty, are refused, too.
    """
    path = Path(path)
    try:
        if path.is_file() and path.stat().st_size:
            return path
        what = ("no such file" if not path.exists() else "the file is empty" if path.is_file()
                else "is no file, but a folder, a pipe or a device")
        msg = f"{path}: {what}"
    except OSError as exc:
        msg = f"{path!s:.200} cannot be read: {exc}"
    raise error(msg)


def check_output(path, overwrite: bool = False, *, error: type[Exception] = XlatentError,
                 remedy: str = "pass overwrite=True") -> Path:
    """
    Refuse the name of an output file before any work is done: in a missing folder, of what is no file, and
    without ``overwrite`` of a file; ``remedy`` says what to do then, beside choosing another name.
    """
    path = Path(path)
    if not path.parent.is_dir():
        msg = f"{path.parent}: no such folder; make it first"
    elif path.exists() and not path.is_file():
        msg = f"{path}: is no file, but a folder, a pipe or a device; choose another name"
    elif path.exists() and not overwrite:
        msg = f"{path}: the file exists; {remedy} or choose another name"
    else:
        return path
    raise error(msg)


@contextmanager
def replacing(path) -> Iterator[Path]:
    """
    Give a temporary name in the same folder; what was written there takes the file's place (of a link, that
    of its target) and mode at the end, unless there was an exception.
    """
    target = check_output(path, overwrite=True).resolve()
    remove_leftovers(target.parent, f".*-{target.name}")
    temporary = target.with_name(f".{_HOST}-{os.getpid()}-{target.name}")
    # Made and removed again, because the umask itself cannot be read without setting it.
    temporary.touch()
    mode = (target if target.exists() else temporary).stat().st_mode & 0o7777
    temporary.unlink()
    try:
        yield temporary
        temporary.chmod(mode)
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def building_folder(parent) -> Iterator[Path]:
    """Give an empty folder in ``parent``, out of which files move at no cost; it is removed at the end."""
    remove_leftovers(parent)
    folder = Path(tempfile.mkdtemp(prefix=f".{_HOST}-{os.getpid()}-building-", dir=parent))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def remove_leftovers(folder, pattern: str = ".*-building-*") -> None:
    """Remove what processes of this host left in a folder that run no more, by default building folders."""
    for path in Path(folder).glob(pattern):
        found = re.match(rf"\.{re.escape(_HOST)}-(\d+)-", path.name)
        if found and not _runs(int(found[1])):
            shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)


def _runs(process):
    """Whether a process runs; where it cannot be asked without harm, yes."""
    try:
        if os.name == "posix":
            os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        pass
    return True
