# Licensed under a 3-clause BSD style license - see LICENSE
"""
The command line, ``astro-xlatent``.

One file a subcommand, each with two functions: ``add_parser(commands)`` adds its parser and returns it,
``run(args)`` does the work and returns the exit code. Exit codes: 0 done, 1 some input was refused or nothing
could be done, 2 wrong usage (an option's value included), 130 interrupted.
"""

import argparse
import os
import sys
from importlib import import_module

from astro_xlatent.cli.shell import say, shell_words, warnings_said
from astro_xlatent.core.errors import ParameterError, XlatentError
from astro_xlatent.core.provenance import package_version

__all__ = ["main", "make_parser"]

#: The subcommands in the order of the help, modules of this room.
COMMANDS = {name: import_module(f"astro_xlatent.cli.{name}") for name in (
    "enrich", "predict", "report", "extract", "fetch", "counterparts", "match", "evaluate", "simulate",
    "train", "train_evidence", "demo", "info", "selftest")}


def make_parser() -> argparse.ArgumentParser:
    """Make the parser of the command line; its result has ``run``, the function of the subcommand."""
    parser = argparse.ArgumentParser(
        prog="astro-xlatent", description="Latents, classes and column densities of X-ray sources.")
    parser.add_argument("--version", action="version", version=f"astro-xlatent {package_version()}")
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for module in COMMANDS.values():
        module.add_parser(commands).set_defaults(run=module.run)
    return parser


def _flush_or_drop():
    """Flush standard output; where nobody reads it any more, keep Python from complaining."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def main(argv: list[str] | None = None) -> int:
    """Run one subcommand with the arguments of the process, or others; gives the exit code."""
    parser = make_parser()
    if "_ARGCOMPLETE" in os.environ:
        # A shell asks, at the tab key, what can come next.
        import argcomplete

        argcomplete.autocomplete(parser)
    args = parser.parse_args(argv)
    if sys.stderr.isatty() and args.command != "info":
        # What follows may import torch first.
        say(f"{args.command} ...")
    try:
        with warnings_said() as args.warnings:
            return args.run(args)
    except BrokenPipeError:
        # The reader (head, less) has seen enough: no error of the user's.
        return 0
    except KeyboardInterrupt:
        say("error", "interrupted")
        return 130
    except (XlatentError, ImportError, OSError, MemoryError) as error:
        if args.debug:
            raise
        say("error", shell_words(str(error) or type(error).__name__, args))
        return 2 if isinstance(error, ParameterError) else 1
    finally:
        _flush_or_drop()
