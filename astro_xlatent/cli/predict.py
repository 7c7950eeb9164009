# Licensed under a 3-clause BSD style license - see LICENSE
"""``astro-xlatent predict``: class, N_H and goodness of fit of single spectra."""

from pathlib import Path

from astro_xlatent.cli.shell import say, subcommand, table_output, tell

#: Ends of names that spectra do not have.
TABLES = (".csv", ".ecsv", ".vot", ".xml", ".parquet", ".txt")

add_parser = subcommand(
    "predict", "class, N_H and goodness of fit of single spectra",
    "Print a sentence for each PHA spectrum; its ARF, RMF and background are found through its header. "
    "Exit code 1 if any spectrum was refused.",
    ("pha", "PHA", "OGIP spectrum", {"nargs": "+"}),
    ("-o --output", "OUT", "also write a table"),
    "overwrite")


def run(args):
    """Say what is found in each good spectrum; name the refused ones."""
    out = table_output(args.output, args.overwrite) if args.output else None
    from astro_xlatent.core.flags import Flag
    from astro_xlatent.core.words import describe
    from astro_xlatent.table.add_latents import predict_spectra
    from astro_xlatent.table.files import write_table

    table = predict_spectra(list(args.pha))
    refused = (table["xl_flag"] & (Flag.NO_DATA | Flag.SPECTRUM_UNREADABLE)) > 0
    good = table[~refused]
    if len(good):
        tell(describe(good, [Path(str(file)).name for file in good["file"]], max_rows=None))
    for file, reason in table["file", "xl_reason"][refused].iterrows():
        say("error", reason if str(file) in str(reason) else f"{file}: {reason}")
        if str(file).endswith(TABLES):
            say("error", f"{file}: is it a table? astro-xlatent enrich takes it")
    if out is not None and len(good):
        write_table(table, out, overwrite=args.overwrite)
        tell(f"{out}: {len(table)} rows, {len(good)} with results")
    return int(refused.any())
