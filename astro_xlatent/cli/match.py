# Licensed under a 3-clause BSD style license - see LICENSE
"""``astro-xlatent match``: two enriched tables in, their pairs out."""

from astro_xlatent.cli.shell import subcommand, table_output, tell
from astro_xlatent.core.errors import ParameterError

add_parser = subcommand(
    "match", "find the sources that two enriched tables have in common",
    "Match two tables by position, spectrum and flux. Both need ra and dec (degrees), and unless "
    "--position-only is given the columns of astro-xlatent enrich from the same model. Written are the "
    "pairs that are best for both their rows, with all columns of both tables beside them.",
    ("a", "A", "first table"),
    ("b", "B", "second table"),
    "output",
    ("--all", None, "every candidate pair, not only the best", {"dest": "every", "action": "store_true"}),
    ("--min-prob", "P", "only pairs with xm_prob of at least P (default: 0)",
     {"type": float, "default": 0.0}),
    ("--columns", "NAME,NAME,...",
     "columns wanted of the tables (default: all; none: only those of the match)"),
    *((f"--{side}-error", "COLUMN|ANGLE", f"position error of {side.upper()} in one coordinate: a "
       "column, or an angle such as 1.5arcsec (default: the catalog's own column)") for side in "ab"),
    ("--flux", "COLUMN|none", "flux column to compare (default: xl_flux_05_2)", {"default": "xl_flux_05_2"}),
    ("--changed", "P", "share of true pairs that changed altogether (default: 0.1)",
     {"type": float, "default": 0.1}),
    ("--share", "P", "share of the rows of A that are in B (default: estimated)", {"type": float}),
    ("--n-sigma", "N", "largest separation over combined error (default: 5)",
     {"type": float, "default": 5.0}),
    ("--position-only", None, "do not compare spectra and fluxes"),
    "overwrite")


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
