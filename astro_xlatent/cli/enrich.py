# Licensed under a 3-clause BSD style license - see LICENSE
"""``astro-xlatent enrich``: a table in, the table with latents, classes and N_H out."""

import json
from pathlib import Path

from astro_xlatent.cli.shell import add_model, add_overwrite, add_progress, file_output, say, tell
from astro_xlatent.core.errors import ParameterError

__all__ = ["add_parser", "run"]


def add_parser(commands):
    """Add the subcommand; gives its parser."""
    command = commands.add_parser(
        "enrich", help="add latents, classes and N_H to a table",
        description="Add latents, classes and column densities to a table of X-ray sources. "
        "Suffixes: .fits .vot .ecsv .csv .tsv .parquet. CSV and TSV lose units and split vectors "
        "(xl_latent_0 ... xl_latent_7); the others keep both.")
    command.add_argument("table", metavar="TABLE", help="table to read, or FILE[NAME] for one of several")
    command.add_argument("--hdu", metavar="NAME", help="name or number of the table in FITS or VOTable")
    command.add_argument("-o", "--output", metavar="OUT", required=True, help="table to write")
    command.add_argument("--spectra", metavar="DIR|COLUMN",
                         help="folder of spectra, or column with their paths")
    command.add_argument("--region", metavar="REGION",
                         help="only rows within this DS9, CRTF or FITS region on the sky")
    command.add_argument("--mission", default="auto", metavar="NAME",
                         help="auto (default), csc, erosita, ...; see: astro-xlatent info")
    command.add_argument("--prior", default="none", metavar="none|survey|FILE.json",
                         help="class prior (default: none, all classes alike)")
    command.add_argument("--evidence", metavar="none|xray|counterparts|all|NAME,...",
                         help="what else than the spectrum counts for the class (default: none)")
    command.add_argument("--group-by", metavar="COLUMN", help="join latents and class of all rows with the "
                         "same value in this column, such as name: observations of one source")
    add_model(command)
    add_overwrite(command)
    command.add_argument("--replace", action="store_true", help="replace xl_ columns that TABLE has already")
    command.add_argument("--samp", action="store_true", help="send the result to TOPCAT, Aladin, ... by SAMP")
    add_progress(command)
    command.add_argument("--relative-error", type=float, metavar="R", help="relative error, such as 0.2, of "
                         "fluxes for which TABLE has neither an error nor counts or a significance")
    return command


def _read_evidence(text):
    """Turn ``--evidence`` into what `add_latents` takes."""
    if text in (None, "none"):
        return None
    return text.split(",") if "," in text else text


def _read_prior(text):
    """Turn ``--prior`` into what `add_latents` takes."""
    if text in ("none", "survey"):
        return None if text == "none" else text
    path = Path(text)
    if path.suffix.lower() != ".json":
        msg = f"--prior must be none, survey or a .json file of class: probability, got {text!r}"
        raise ParameterError(msg)
    try:
        prior = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        msg = f"--prior {path}: cannot be read as JSON: {error}"
        raise ParameterError(msg) from error
    if not isinstance(prior, dict):
        msg = f'--prior {path}: must hold an object such as {{"AGN": 0.7, "LMXB": 0.3}}'
        raise ParameterError(msg)
    return prior


def _find_spectra(text, table):
    """Turn ``--spectra`` into a column name, a folder, or None."""
    if text is None or text in table.colnames:
        return text
    if Path(text).is_dir():
        return Path(text)
    msg = f"--spectra {text}: neither a folder nor a column; columns: {', '.join(table.colnames)}"
    raise ParameterError(msg)


def _summary(table):
    """Rows with results, and lines that say from what they come and what is flagged."""
    import numpy as np

    from astro_xlatent.core.flags import FLAGS, Flag

    flags = np.asarray(table["xl_flag"])
    done = (flags & Flag.NO_DATA) == 0
    bands = int(np.sum(done & ((flags & Flag.BANDS_ONLY) != 0)))
    counts = [(int(np.sum((flags & flag) != 0)), flag.name) for flag in FLAGS]
    raised = ", ".join(f"{name} {count}" for count, name in counts if count)
    recipes = [f"read from: {table.meta['XLRECIPE']}"] if "XLRECIPE" in table.meta else []
    return int(done.sum()), [
        f"{int(done.sum()) - bands} rows from spectra, {bands} from bands, {int(np.sum(~done))} without data",
        *recipes,
        f"flags: {raised or 'none'}"]


def _enrich(args, out, prior):
    """Write the enriched table; gives flags and reasons of its rows."""
    from astro_xlatent.model.pretrained import load_model
    from astro_xlatent.table.add_latents import add_latents
    from astro_xlatent.table.stream import enrich_file

    options = {"prior": prior, "evidence": _read_evidence(args.evidence), "group_by": args.group_by,
               "mission": None if args.mission == "auto" else args.mission,
               "replace": args.replace, "relative_error": args.relative_error}
    model = load_model(args.model)
    # Groups depend on all rows; that nothing in a folder belongs to a table is said of all rows, too.
    whole = args.group_by is not None or (args.spectra is not None and Path(args.spectra).is_dir())

    def enrich(piece):
        return add_latents(piece, _find_spectra(args.spectra, piece), model=model,
                           progress=args.progress and whole, **options)

    def select(piece):
        from astro_xlatent.table.select import select_by_region

        return select_by_region(piece, args.region)

    settings = options | {"spectra": args.spectra, "region": args.region, "model": model.sha256}
    return enrich_file(args.table, out, enrich, settings, hdu=args.hdu, whole=whole,
                       select=None if args.region is None else select, progress=args.progress and not whole)


def run(args):
    """Read a table, add the columns, write it."""
    from astro_xlatent.table.files import is_catalog, read_table, table_format

    out = Path(args.output)
    if not is_catalog(args.table, out):
        table_format(out, writing=True)
    out = file_output(out, args.overwrite)
    prior = _read_prior(args.prior)
    try:
        result = _enrich(args, out, prior)
    except BaseException:
        if out.with_name(f"{out.name}.parts").exists():
            say("note", "finished pieces are kept; the same command goes on with them")
        raise
    done, lines = _summary(result)
    tell("\n".join([
        f"{out}: {len(result)} rows, {done} with results, model {result.meta.get('XLMODEL', '?')}", *lines,
        *([f"look at it: astro-xlatent report {out} -o {out.with_suffix('.html')}"] if done else [])]))
    if args.samp:
        from astro_xlatent.plotting.desktop import send

        tell("sent to " + ", ".join(send(read_table(out), out.stem)))
    if len(result) and not done:
        say("error", f"no row could be used; the first says: {result['xl_reason'][0]}")
        return 1
    return 0
