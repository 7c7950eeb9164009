# Licensed under a 3-clause BSD style license - see LICENSE
"""``astro-xlatent report``: an enriched table as one interactive HTML file."""

from astro_xlatent.cli.shell import check_extra, file_output, subcommand, tell
from astro_xlatent.core.errors import ParameterError

add_parser = subcommand(
    "report", "an enriched table as one interactive HTML file",
    "Write an enriched table as one HTML file for any browser: maps of the latent space and the sky linked "
    "by brushing, a card for every source, a table to search and sort, and the selection as CSV or VOTable. "
    "Nothing is fetched when it is looked at.",
    ("table", "TABLE", "enriched table (astro-xlatent enrich makes it)"),
    ("-o --output", "OUT.html", "file to write", {"required": True}),
    ("--title", "TEXT", "heading (default: the file's name)"),
    ("--columns", "A,B,...", "columns to hold beside those of the package (default: the first forty)"),
    ("--max-rows", "N", "of a longer table N rows are drawn at random (default: 100000)",
     {"type": int, "default": 100_000}),
    "model", "overwrite")


def run(args):
    """Read a table, write the page, say what was left out."""
    if not args.output.lower().endswith((".html", ".htm")):
        raise ParameterError(f"--output {args.output}: must end in .html")
    out = file_output(args.output, args.overwrite)
    check_extra("plot", "plotly")
    from astro_xlatent.plotting.report import write_report
    from astro_xlatent.table.files import read_table

    table = read_table(args.table)
    columns = None if args.columns is None else [name.strip() for name in args.columns.split(",")]
    notes = write_report(table, out, title=args.title, columns=columns, model=args.model,
                         max_rows=args.max_rows, overwrite=args.overwrite)
    size = f"{min(len(table), args.max_rows)} rows, {out.stat().st_size / 1000:,.0f} kB"
    tell("\n".join([f"{out}: {size}; open it in a browser", *notes]))
    return 0
