# Licensed under a 3-clause BSD style license - see LICENSE
"""``astro-xlatent predict``: class, N_H and goodness of fit of single spectra."""

from pathlib import Path

from astro_xlatent.cli.shell import add_overwrite, say, table_output, tell

__all__ = ["add_parser", "run"]


def add_parser(commands):
    """Add the subcommand; gives its parser."""
    command = commands.add_parser(
        "predict", help="class, N_H and goodness of fit of single spectra",
        description="Print one line for each PHA spectrum; its ARF, RMF and background are "
        "found through its header. Exit code 1 if any spectrum was refused.")
    command.add_argument("pha", metavar="PHA", nargs="+", help="OGIP spectrum")
    command.add_argument("-o", "--output", metavar="OUT", help="also write a table")
    add_overwrite(command)
    return command


def _line(row):
    """Tell what was found in one spectrum, as a tuple of words."""
    from astro_xlatent.cli.words import class_text, flag_text, nh_text, number_text

    return (Path(str(row["file"])).name, class_text(row), nh_text(row), number_text(row["xl_gof"], ".1f"),
            flag_text(row))


def _refused(row):
    """Whether a spectrum gave no result."""
    from astro_xlatent.core.flags import Flag

    return bool(row["xl_flag"] & (Flag.NO_DATA | Flag.SPECTRUM_UNREADABLE))


def run(args):
    """Print a line for each good spectrum, and what the flags mean; name the refused ones."""
    out = table_output(args.output, args.overwrite) if args.output else None
    from astro_xlatent.cli.words import flag_legend
    from astro_xlatent.core.text import aligned
    from astro_xlatent.table.add_latents import predict_spectra
    from astro_xlatent.table.files import write_table

    table = predict_spectra(list(args.pha))
    good = [row for row in table if not _refused(row)]
    if good:
        head = ("# file", "class", "N_H [cm-2]", "gof", "flags")
        tell("\n".join([aligned([head, *map(_line, good)]), *flag_legend(row["xl_flag"] for row in good)]))
    refused = [row for row in table if _refused(row)]
    for row in refused:
        reason = str(row["xl_reason"])
        say("error", reason if str(row["file"]) in reason else f"{row['file']}: {reason}")
    if out is not None and good:
        write_table(table, out, overwrite=args.overwrite)
        tell(f"{out}: {len(table)} rows, {len(good)} with results")
    return 1 if refused else 0
