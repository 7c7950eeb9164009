# Licensed under a 3-clause BSD style license - see LICENSE
"""``astro-xlatent simulate``: a catalog whose truth is known, with its spectra."""

import argparse

from astro_xlatent.cli.shell import add_progress, tell
from astro_xlatent.core.errors import ParameterError

__all__ = ["add_parser", "run"]


def add_parser(commands):
    """Add the subcommand; gives its parser."""
    command = commands.add_parser(
        "simulate", help="write a simulated catalog, with spectra",
        description="Write catalog.fits in the columns of a mission's catalog, truth.fits, and OGIP "
        "spectra under the mission's file names. The same seed gives the same rows.")
    command.add_argument("--n", type=int, default=1000, metavar="N", help="sources (default: 1000)")
    command.add_argument("--mission", default="csc", choices=("csc", "erosita", "xmm"),
                         help="whose catalog (default: csc)")
    command.add_argument("-o", "--output", metavar="DIR", required=True, help="folder to write")
    command.add_argument("--seed", type=int, default=1, metavar="N", help="of everything (default: 1)")
    command.add_argument("--classes", metavar="NAME[=WEIGHT],...",
                         help="classes to draw (default: all nine alike)")
    command.add_argument("--spectra", action=argparse.BooleanOptionalAction, default=True,
                         help="write spectra with responses (default: yes)")
    command.add_argument("--overwrite", action="store_true", help="write into DIR if it is not empty")
    add_progress(command)
    return command


def _read_classes(text):
    """Turn ``--classes`` into what `write_catalog` takes: names, or names with weights."""
    pairs = [part.partition("=") for part in text.split(",")]
    try:
        return {name.strip(): float(weight) if equals else 1.0 for name, equals, weight in pairs}
    except ValueError as error:
        msg = f"--classes must be NAME,NAME,... or NAME=WEIGHT,NAME=WEIGHT,..., got {text!r}"
        raise ParameterError(msg) from error


def run(args):
    """Write the catalog, and say what to do with it."""
    classes = None if args.classes is None else _read_classes(args.classes)
    from astro_xlatent.simulate.products import write_catalog

    catalog = write_catalog(
        args.output, args.n, args.mission, seed=args.seed, classes=classes, spectra=args.spectra,
        overwrite=args.overwrite, progress=args.progress)
    tell(f"{catalog}: {args.n} rows; the truth about them: {catalog.parent / 'truth.fits'}")
    if args.spectra:
        tell(f"enrich it: astro-xlatent enrich {catalog} --spectra {args.output} -o enriched.fits")
    return 0
