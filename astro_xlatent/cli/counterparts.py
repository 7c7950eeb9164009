# Licensed under a 3-clause BSD style license - see LICENSE
"""``astro-xlatent counterparts``: add Gaia, 2MASS, AllWISE and CatWISE to a table."""

from astro_xlatent.cli.shell import check_extra, say, subcommand, table_output, tell

add_parser = subcommand(
    "counterparts", "add counterparts in Gaia, 2MASS, AllWISE and CatWISE",
    "Add the likeliest counterpart of every source in each survey, with the probability that it is the "
    "right one. A run that was cut goes on where it stopped. Needs the extra [archive].",
    ("table", "TABLE", "table with ra and dec"),
    "output",
    ("--surveys", "NAME,...", "of gaia, gaia-esa (from the Gaia archive), tmass, allwise and catwise "
     "(default: gaia,tmass,allwise)", {"default": "gaia,tmass,allwise"}),
    ("--service", None, "the cross-match service of the CDS (default), or TAP with an upload",
     {"choices": ("xmatch", "tap"), "default": "xmatch"}),
    ("--cache", "DIR", "folder for answers (default: in astropy's cache)"),
    "overwrite")


def run(args):
    """Fetch and write."""
    out = table_output(args.output, args.overwrite)
    check_extra("archive", "astroquery", "pyvo", "requests")
    from astro_xlatent.archive.crossmatch import SURVEYS, counterparts
    from astro_xlatent.table.files import read_table, write_table

    surveys = args.surveys.split(",")
    matched = counterparts(read_table(args.table), surveys=surveys, service=args.service, cache=args.cache,
                           log=say)
    write_table(matched, out, overwrite=args.overwrite)
    names = [SURVEYS[name].name for name in surveys]
    found = ", ".join(f"{name} {int((matched[f'{name}_n'].filled(0) > 0).sum())}" for name in names)
    tell(f"{out}: {len(matched)} rows; with a counterpart in {found}")
    return 0
