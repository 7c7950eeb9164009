# Licensed under a 3-clause BSD style license - see LICENSE
"""``astro-xlatent counterparts``: add Gaia, 2MASS, AllWISE and CatWISE to a table."""

import sys
from pathlib import Path

from astro_xlatent.core.errors import TableError
from astro_xlatent.core.files import check_output

__all__ = ["add_parser", "run"]


def add_parser(commands):
    """Add the subcommand; gives its parser."""
    command = commands.add_parser(
        "counterparts", help="add counterparts in Gaia, 2MASS, AllWISE and CatWISE",
        description="Add the likeliest counterpart of every source in each survey, with the probability that "
        "it is the right one. A run that was cut goes on where it stopped. Needs the extra [archive].")
    command.add_argument("table", metavar="TABLE", help="table with ra and dec")
    command.add_argument("-o", "--output", metavar="OUT", required=True, help="table to write")
    command.add_argument("--surveys", metavar="NAME,...", default="gaia,tmass,allwise",
                         help="of gaia, gaia-esa (from the Gaia archive), tmass, allwise and catwise "
                         "(default: gaia,tmass,allwise)")
    command.add_argument("--service", choices=("xmatch", "tap"), default="xmatch",
                         help="the cross-match service of the CDS (default), or TAP with an upload")
    command.add_argument("--cache", metavar="DIR", help="folder for answers (default: in astropy's cache)")
    command.add_argument("--overwrite", action="store_true", help="replace OUT if it exists")
    return command


def run(args) -> int:
    """Fetch and write."""
    from astro_xlatent.archive.crossmatch import SURVEYS, counterparts
    from astro_xlatent.table.files import read_table, write_table

    output = check_output(Path(args.output), args.overwrite, error=TableError)
    table = read_table(Path(args.table))
    surveys = args.surveys.split(",")
    matched = counterparts(
        table, surveys=surveys, service=args.service, cache=args.cache,
        log=lambda line: print(f"astro-xlatent: {line}", file=sys.stderr, flush=True))
    write_table(matched, output, overwrite=args.overwrite)
    names = [SURVEYS[name].name for name in surveys]
    found = ", ".join(f"{name} {int((matched[f'{name}_n'].filled(0) > 0).sum())}" for name in names)
    print(f"{output}: {len(matched)} rows; with a counterpart in {found}")
    return 0
