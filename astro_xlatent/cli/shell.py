# Licensed under a 3-clause BSD style license - see LICENSE
"""What all subcommands share: lines on the terminal, options, checks of the output."""

import argparse
import re
import sys
import warnings
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from astro_xlatent.core.errors import TableError, XlatentWarning
from astro_xlatent.core.text import printable

__all__ = ["add_minimum", "add_model", "add_overwrite", "add_progress", "check_extra", "file_output",
           "minimum", "say", "shell_words", "table_output", "tell", "warnings_said"]


def tell(text):
    """Write a result to standard output."""
    print(printable(text), flush=True)


def say(kind, text=None):
    """Write a line to standard error as ``program: kind: text``, or ``program: kind``."""
    line = kind if text is None else f"{kind}: {text}"
    print(f"astro-xlatent: {printable(line)}", file=sys.stderr, flush=True)


@contextmanager
def warnings_said():
    """Write the package's warnings as lines; yields the list of their texts so far."""
    said = []

    def show(message, category, *where, **more):
        if issubclass(category, XlatentWarning):
            said.append(str(message))
            say("warning", message)
        else:
            usual(message, category, *where, **more)

    with warnings.catch_warnings():
        warnings.simplefilter("always", XlatentWarning)
        usual, warnings.showwarning = warnings.showwarning, show
        yield said


def shell_words(text, args):
    """
    Name options where a message for Python names arguments: overwrite=True becomes --overwrite.

    The names of ``args`` are the arguments; its ``words`` tells those whose options are called otherwise.
    """
    options = {name: f"--{name.replace('_', '-')}" for name in vars(args)} | getattr(args, "words", {})

    def option(found):
        return options[found["name"]] + (" " if found["value"] is not None else "")

    names = "|".join(sorted(options, key=len, reverse=True))
    return re.sub(rf"\b(?P<name>{names})=(?:True\b|(?P<value>(?=[\w'\"{{\[(/])))?", option, text)


def add_overwrite(command, what="OUT"):
    """Add ``--overwrite``."""
    command.add_argument("--overwrite", action="store_true", help=f"replace {what} if it exists")


def add_progress(command):
    """Add ``--no-progress``; a bar is shown on terminals only."""
    command.add_argument("--no-progress", dest="progress", action="store_false",
                         default=sys.stderr.isatty(), help="show no progress bar")


def add_model(command):
    """Add ``--model``."""
    command.add_argument("--model", metavar="NAME", help="model (default: the newest shipped)")


def add_minimum(command):
    """Add ``--minimum``."""
    command.add_argument("--minimum", metavar="COLUMN=NUMBER", type=minimum, action="append", default=[],
                         help="only rows above this, such as significance=5; may be repeated")


def minimum(text):
    """Turn ``COLUMN=NUMBER`` into a pair."""
    name, _, value = text.rpartition("=")
    try:
        if name:
            return name, float(value)
    except ValueError:
        pass
    msg = f"{text!r} is not COLUMN=NUMBER, such as significance=5"
    raise argparse.ArgumentTypeError(msg)


def check_extra(extra, *modules):
    """Say how to get modules of one of the package's extras where they are missing."""
    # Looked for, not imported: astroquery takes over how warnings are shown.
    for name in modules:
        if find_spec(name) is None:
            msg = f'this needs {name}: pip install "astro_xlatent[{extra}]"'
            raise ImportError(msg)


def file_output(text, overwrite=None, error=TableError):
    """Refuse a file's name before any work is done; ``overwrite`` is None where there is no such option."""
    from astro_xlatent.core.files import check_output

    remedy = "move it away" if overwrite is None else "give --overwrite"
    return check_output(Path(text), bool(overwrite), error=error, remedy=remedy)


def table_output(text, overwrite=None):
    """Refuse the name of a table to write, its suffix first; see `file_output`."""
    from astro_xlatent.table.files import table_format

    table_format(text, writing=True)
    return file_output(text, overwrite)
