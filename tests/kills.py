# Licensed under a 3-clause BSD style license - see LICENSE
"""A run that is killed at one of its file operations, as by SIGKILL: no handler and no cleanup runs."""

import itertools
import os
import sys

import pytest

KILLED = 9
_TOUCHING = {"os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.chmod", "shutil.rmtree", "os.truncate"}

needs_fork = pytest.mark.skipif(not hasattr(os, "fork") or sys.platform == "darwin",
                                reason="processes are not forked here")


def run_killed(action, at):
    """
    Run a function in a child that dies before its ``at``-th change of a file; whether it came so far.

    A child that ends before that has done its work; one that raises fails the test.
    """
    process = os.fork()
    if not process:
        code = 1
        try:
            _die_at(at)
            action()
            code = 0
        finally:
            os._exit(code)
    code = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    assert code in (0, KILLED), f"the child ended with exit code {code}"
    return code == KILLED


def _die_at(at):
    steps = itertools.count(1)

    def hook(event, arguments):
        # The flags of open tell about writing also where the mode is not given.
        flags = arguments[2] if event == "open" and isinstance(arguments[2], int) else 0
        writes = flags & (os.O_WRONLY | os.O_RDWR)
        if (writes or event in _TOUCHING) and next(steps) == at:
            os._exit(KILLED)

    sys.addaudithook(hook)


def visible(folder):
    """Names of the files below a folder."""
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
