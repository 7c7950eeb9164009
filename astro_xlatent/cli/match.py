# Licensed under a 3-clause BSD style license - see LICENSE
"""``astro-xlatent match``: two enriched tables in, their pairs out."""

from astro_xlatent.cli.shell import add_overwrite, table_output, tell
from astro_xlatent.core.errors import ParameterError

__all__ = ["add_parser", "run"]


def add_parser(commands):
    """Add the subcommand; gives its parser."""
    command = commands.add_parser(
        "match", help="find the sources that two enriched tables have in common",
        description="Match two tables by position, spectrum and flux. Both need ra and dec (degrees), and "
        "unless --position-only is given the columns of astro-xlatent enrich from the same model. Written "
        "are the pairs that are best for both their rows, with all columns of both tables beside them.")
    command.add_argument("a", metavar="A", help="first table")
    command.add_argument("b", metavar="B", help="second table")
    command.add_argument("-o", "--output", metavar="OUT", required=True, help="table to write")
    command.add_argument("--all", dest="every", action="store_true",
                         help="every candidate pair, not only the best")
    command.add_argument("--min-prob", type=float, default=0.0, metavar="P",
                         help="only pairs with xm_prob of at least P (default: 0)")
    command.add_argument("--columns", metavar="NAME,NAME,...",
                         help="columns wanted of the tables (default: all; none: only those of the match)")
    for side in "ab":
        command.add_argument(f"--{side}-error", metavar="COLUMN|ANGLE",
                             help=f"position error of {side.upper()} in one coordinate: a column, or an "
                             "angle such as 1.5arcsec (default: the catalog's own column)")
    command.add_argument("--flux", default="xl_flux_05_2", metavar="COLUMN|none",
                         help="flux column to compare (default: xl_flux_05_2)")
    command.add_argument("--changed", type=float, default=0.1, metavar="P",
                         help="share of true pairs that changed altogether (default: 0.1)")
    command.add_argument("--share", type=float, metavar="P",
                         help="share of the rows of A that are in B (default: estimated)")
    command.add_argument("--n-sigma", type=float, default=5.0, metavar="N",
                         help="largest separation over combined error (default: 5)")
    command.add_argument("--position-only", action="store_true", help="do not compare spectra and fluxes")
    add_overwrite(command)
    return command


def _position_error(text, table):
    """Turn ``--a-error`` into what `match_catalogs` takes."""
    if text is None or text in table.colnames:
        return text
    from astropy import units as u

    try:
        angle = u.Quantity(text)
        angle.to(u.arcsec)
    except (TypeError, ValueError) as error:
        msg = (f"position error {text!r} is neither a column nor an angle such as 1.5arcsec; columns: "
               f"{', '.join(table.colnames[:20])}")
        raise ParameterError(msg) from error
    return angle


def run(args):
    """Match two tables, write the pairs, and say what was found."""
    out = table_output(args.output, args.overwrite)
    from astro_xlatent.compare.match import join_pairs, match_catalogs
    from astro_xlatent.table.files import read_table, write_table

    a, b = read_table(args.a), read_table(args.b)
    pairs = match_catalogs(
        a, b, a_error=_position_error(args.a_error, a), b_error=_position_error(args.b_error, b),
        n_sigma=args.n_sigma, share=args.share, changed=args.changed, spectral=not args.position_only,
        flux=None if args.flux == "none" else args.flux)
    found = len(pairs)
    if not args.every:
        pairs = pairs[pairs["xm_best"]]
    pairs = pairs[pairs["xm_prob"] >= args.min_prob]
    if args.columns != "none":
        pairs = join_pairs(a, b, pairs, columns=args.columns.split(",") if args.columns else None)
    write_table(pairs, out, overwrite=args.overwrite)
    sure = int((pairs["xm_prob"] > 0.9).sum())
    line = f"{args.output}: {len(pairs)} of {found} candidate pairs, {sure} with xm_prob above 0.9"
    if not args.position_only:
        doubtful = int(((pairs["xm_prob"] > 0.9) & (pairs["xm_prob_same"] < 0.5 * pairs["xm_prob"])).sum())
        line += f", of which {doubtful} have probably changed"
    tell(line)
    return 0
