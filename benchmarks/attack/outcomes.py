# Licensed under a 3-clause BSD style license - see LICENSE
"""
What the package answers to damaged files, counted by classes.

``clean``, an `XlatentError` that names the file; ``same``, the answer of the
whole file within three standard deviations and a factor of 2; ``read``, an
answer of a file that cannot know that it was changed; ``flagged``, another
answer with a flag that the whole file has not; ``changed``, another answer
without; ``foreign``, any other exception; ``hang`` and ``memory``, more time
or memory than allowed.
"""

import os
import shutil
import signal
import tempfile
import warnings
from collections import Counter
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
from astropy.utils.exceptions import AstropyWarning

from astro_xlatent.core.errors import XlatentError
from benchmarks.attack.damage import damaged

__all__ = ["Answer", "BAD", "Kind", "attack"]

#: Seconds and bytes that one damaged file may take.
SECONDS, BYTES = 10, 1e9
#: Classes of outcome that must not be.
BAD = ("changed", "foreign", "hang", "memory")


class Answer(NamedTuple):
    """Numbers, their standard deviations, and flags; no numbers where nothing can be compared."""

    values: np.ndarray = np.zeros(0)
    errors: np.ndarray = np.zeros(0)
    flags: int = 0


class Kind(NamedTuple):
    """
    One kind of input.

    ``prepare`` writes whole files into a folder, ``answer`` reads those of a
    folder; ``targets`` is the pattern of the files that are damaged.
    """

    prepare: Callable[[Path], None]
    answer: Callable[[Path], Answer]
    targets: str = "*"


class _Hang(BaseException):
    """Too long; no handler of exceptions catches it."""


def attack(kind: Kind, n: int, first: int = 0, show: bool = False) -> Counter:
    """
    Damage one file of n folders, and read each.

    Parameters
    ----------
    kind : Kind
    n : int
        Number of folders.
    first : int, optional
        First seed.
    show : bool, optional
        Print what must not be.

    Returns
    -------
    outcomes : Counter
        By class, see the module's text.
    """
    outcomes = Counter()
    with tempfile.TemporaryDirectory() as home, warnings.catch_warnings():
        whole = Path(home) / "whole"
        whole.mkdir()
        kind.prepare(whole)
        # What is said of a file by us or by astropy is no error; what numpy and Python say is.
        warnings.simplefilter("error")
        for category in (AstropyWarning, ResourceWarning):
            warnings.simplefilter("ignore", category)
        expected = kind.answer(whole)
        files = sorted(path for path in whole.rglob(kind.targets) if path.is_file())
        for seed in range(first, first + n):
            rng = np.random.default_rng([18, seed])
            folder = Path(home) / f"hurt-{seed}"
            hurt = files[rng.integers(len(files))]
            what = _copy(whole, folder, hurt, rng)
            outcome, detail = _outcome(kind, folder, hurt.name, expected)
            outcomes[outcome] += 1
            if show and outcome in BAD:
                print(f"{seed} {outcome}: {hurt.name} {what}: {detail}", flush=True)
            shutil.rmtree(folder)
    return outcomes


def _copy(whole, folder, hurt, rng):
    """Link all files, but damage a copy of one."""
    for path in sorted(whole.rglob("*")):
        place = folder / path.relative_to(whole)
        if path.is_file():
            place.parent.mkdir(parents=True, exist_ok=True)
            if path == hurt:
                data, what = damaged(path.read_bytes(), rng)
                place.write_bytes(data)
            else:
                os.link(path, place)
    return what


def _outcome(kind, folder, name, expected):
    before = _peak(reset=True)
    try:
        with _time_limit():
            found = kind.answer(folder)
    except XlatentError as error:
        named = name in str(error) or folder.name in str(error)
        outcome = ("clean", "") if named else ("foreign", f"names no file: {error}")
    except _Hang:
        outcome = "hang", f"more than {SECONDS} s"
    except Exception as error:  # whatever it is, it is counted
        outcome = "foreign", f"{type(error).__name__}: {str(error)[:300]}"
    else:
        outcome = _compare(found, expected)
    used = _peak() - before
    return ("memory", f"{used / 1e6:.0f} MB") if used > BYTES else outcome


def _compare(found, expected):
    if not expected.values.size:
        return "read", ""
    if found.values.shape == expected.values.shape:
        with np.errstate(all="ignore"):
            off = np.abs(found.values - expected.values) / expected.errors
        if np.all((off <= 3) | (np.isnan(found.values) & np.isnan(expected.values))):
            return "same", ""
    new = found.flags & ~expected.flags
    return ("flagged" if new else "changed"), f"{expected.values} -> {found.values}, flags {found.flags}"


@contextmanager
def _time_limit():
    def stop(*_):
        raise _Hang

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def _peak(reset=False):
    """Peak memory in bytes since the last reset; 0 where the system does not tell."""
    try:
        if reset:
            Path("/proc/self/clear_refs").write_text("5")
        text = Path("/proc/self/status").read_text()
    except OSError:
        return 0
    return int(text.split("VmHWM:")[1].split()[0]) * 1024
