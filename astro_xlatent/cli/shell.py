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

__all__ = ["add_options", "check_extra", "file_output", "minimum", "say", "shell_words", "subcommand",
           "table_output", "tell", "warnings_said"]


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
    """Name options where a message for Python names arguments: overwrite=True becomes --overwrite."""
    def option(found):
        return f"--{found['name'].replace('_', '-')}" + (" " if found["value"] is not None else "")

    names = "|".join(sorted(vars(args), key=len, reverse=True))
    return re.sub(rf"\b(?P<name>{names})=(?:True\b|(?P<value>(?=[\w'\"{{\[(/])))?", option, text)


def minimum(text):
    """Turn ``COLUMN=NUMBER`` into a pair."""
    name, _, value = text.rpartition("=")
    try:
        if name:
            return name, float(value)
    except ValueError:
        pass
    raise argparse.ArgumentTypeError(f"{text!r} is not COLUMN=NUMBER, such as significance=5")


#: Options of several subcommands by name; what they hold says `subcommand`.
_SHARED = {
    "output": ("-o --output", "OUT", "table to write: .fits .vot .ecsv .csv .tsv .parquet",
               {"required": True}),
    "overwrite": ("--overwrite", None, "replace OUT if it exists"),
    "model": ("--model", "NAME", "model (default: the newest shipped)"),
    "minimum": ("--minimum", "COLUMN=NUMBER", "only rows above this, such as significance=5; may be repeated",
                {"type": minimum, "action": "append", "default": []}),
    # A bar is shown on terminals only.
    "progress": ("--no-progress", None, "show no progress bar",
                 {"dest": "progress", "action": "store_false", "default": sys.stderr.isatty()}),
}


def subcommand(name, text, description, *options, **more):
    """
    A function that adds a subcommand with its help to others, and gives its parser. ``options`` are names of
    shared ones, or (names, metavar, help[, words for `argparse`]); a flag has no metavar.
    """
    def add_parser(commands):
        command = commands.add_parser(name, help=text, description=description, **more)
        add_options(command, *options)
        return command

    return add_parser


def add_options(command, *options):
    """Add options to a parser or a group of it, see `subcommand`."""
    for option in options:
        names, metavar, text, *more = _SHARED[option] if isinstance(option, str) else option
        words = more[0] if more else {} if metavar else {"action": "store_true"}
        command.add_argument(*names.split(), help=text, **({"metavar": metavar} if metavar else {}), **words)


def check_extra(extra, *modules):
    """Say how to get modules of one of the package's extras where they are missing."""
    # Looked for, not imported: astroquery takes over how warnings are shown.
    for name in modules:
        if find_spec(name) is None:
            raise ImportError(f'this needs {name}: pip install "astro_xlatent[{extra}]"')


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
