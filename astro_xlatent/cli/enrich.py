# Licensed under a 3-clause BSD style license - see LICENSE
"""``astro-xlatent enrich``: a table in, the table with latents, classes and N_H out."""

import json
from pathlib import Path

from astro_xlatent.cli.shell import file_output, say, subcommand, tell
from astro_xlatent.core.errors import ParameterError

add_parser = subcommand(
    "enrich", "add latents, classes and N_H to a table",
    "Add latents, classes and column densities to a table of X-ray sources. CSV and TSV lose units and "
    "split vectors (xl_latent_0 ... xl_latent_7); the other formats keep both.",
    ("table", "TABLE", "table to read, or FILE[NAME] for one of several"),
    ("--hdu", "NAME", "name or number of the table in FITS or VOTable"),
    "output",
    ("--spectra", "DIR|COLUMN", "folder of spectra, or column with their paths"),
    ("--region", "REGION", "only rows within this DS9, CRTF or FITS region on the sky"),
    ("--mission", "NAME", "auto (default), csc, erosita, ...; see: astro-xlatent info", {"default": "auto"}),
    ("--prior", "none|survey|FILE.json", "class prior (default: none, all classes alike)",
     {"default": "none"}),
    ("--evidence", "none|xray|counterparts|all|NAME,...",
     "what else than the spectrum counts for the class (default: none)"),
    ("--group-by", "COLUMN", "join latents and class of all rows with the same value in this column, "
     "such as name: observations of one source"),
    "model", "overwrite",
    ("--replace", None, "replace xl_ columns that TABLE has already"),
    ("--samp", None, "send the result to TOPCAT, Aladin, ... by SAMP"),
    "progress",
    ("--relative-error", "R", "relative error, such as 0.2, of fluxes for which TABLE has neither an "
     "error nor counts or a significance", {"type": float}))


def _read_prior(text):
    """Turn ``--prior`` into what `add_latents` takes."""
    if text in ("none", "survey"):
        return None if text == "none" else text
    if not text.lower().endswith(".json"):
        msg = f"--prior must be none, survey or a .json file of class: probability, got {text!r}"
        raise ParameterError(msg)
    try:
        prior = json.loads(Path(text).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ParameterError(f"--prior {text}: cannot be read as JSON: {error}") from error
    if not isinstance(prior, dict):
        raise ParameterError(f'--prior {text}: must hold an object such as {{"AGN": 0.7, "LMXB": 0.3}}')
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
    """Number of rows with results, and lines that say from what they come and what is flagged."""
    import numpy as np

    from astro_xlatent.core.flags import FLAGS, Flag

    flags = np.asarray(table["xl_flag"])
    counts = {flag.name: int(np.sum((flags & flag) != 0)) for flag in FLAGS}
    done = len(table) - counts["NO_DATA"]
    bands = int(np.sum(flags & (Flag.NO_DATA | Flag.BANDS_ONLY) == Flag.BANDS_ONLY))
    lines = [f"{done - bands} rows from spectra, {bands} from bands, {counts['NO_DATA']} without data"]
    if "XLRECIPE" in table.meta:
        lines.append(f"read from: {table.meta['XLRECIPE']}")
    raised = ", ".join(f"{name} {count}" for name, count in counts.items() if count)
    return done, [*lines, f"flags: {raised or 'none'}"]


def _enrich(args, out, prior):
    """Write the enriched table; gives flags and reasons of its rows."""
    from astro_xlatent.model.pretrained import load_model
    from astro_xlatent.table.add_latents import add_latents
    from astro_xlatent.table.select import select_by_region
    from astro_xlatent.table.stream import enrich_file

    evidence = None if args.evidence in (None, "none") else args.evidence
    options = {"prior": prior, "group_by": args.group_by, "replace": args.replace,
               "evidence": evidence.split(",") if evidence and "," in evidence else evidence,
               "mission": None if args.mission == "auto" else args.mission,
               "relative_error": args.relative_error}
    model = load_model(args.model)
    # Groups depend on all rows; that nothing in a folder belongs to a table is said of all rows, too.
    whole = args.group_by is not None or (args.spectra is not None and Path(args.spectra).is_dir())

    def enrich(piece):
        return add_latents(piece, _find_spectra(args.spectra, piece), model=model,
                           progress=args.progress and whole, **options)

    settings = options | {"spectra": args.spectra, "region": args.region, "model": model.sha256}
    select = None if args.region is None else lambda piece: select_by_region(piece, args.region)
    return enrich_file(args.table, out, enrich, settings, hdu=args.hdu, whole=whole, select=select,
                       progress=args.progress and not whole)


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
