# Licensed under a 3-clause BSD style license - see LICENSE
"""``astro-xlatent simulate``: a catalog whose truth is known, with its spectra."""

import argparse

from astro_xlatent.cli.shell import subcommand, tell
from astro_xlatent.core.errors import ParameterError

add_parser = subcommand(
    "simulate", "write a simulated catalog, with spectra",
    "Write catalog.fits in the columns of a mission's catalog, truth.fits, and OGIP spectra under the "
    "mission's file names. The same seed gives the same rows.",
    ("--n", "N", "sources (default: 1000)", {"type": int, "default": 1000}),
    ("--mission", None, "whose catalog (default: csc)",
     {"default": "csc", "choices": ("csc", "erosita", "xmm")}),
    ("-o --output", "DIR", "folder to write", {"required": True}),
    ("--seed", "N", "of everything (default: 1)", {"type": int, "default": 1}),
    ("--classes", "NAME[=WEIGHT],...", "classes to draw (default: all nine alike)"),
    ("--spectra", None, "write spectra with responses (default: yes)",
     {"action": argparse.BooleanOptionalAction, "default": True}),
    ("--overwrite", None, "write into DIR if it is not empty"),
    "progress")


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
