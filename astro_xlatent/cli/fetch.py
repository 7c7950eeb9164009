# Licensed under a 3-clause BSD style license - see LICENSE
"""``astro-xlatent fetch``: catalogs, spectra or labels from the archives."""

import argparse
import re
from collections import Counter
from pathlib import Path

from astro_xlatent.cli.shell import add_options, check_extra, say, subcommand, table_output, tell
from astro_xlatent.core.errors import ParameterError

_FETCH = subcommand(
    "fetch", "fetch catalogs, spectra or labels from the archives",
    "Fetch from the archives: few connections, patient retries, every file checked. Nothing is overwritten, "
    "and the same command again fetches only what is missing. Exit code 1 if something could not be had.",
    epilog="Addresses, timeouts and the number of connections are settings: see astro-xlatent info, and the "
    "documentation for how to change them.")
_CATALOG = subcommand(
    "catalog", "rows of a catalog, by cone, region or name",
    "Fetch the rows of a catalog in a cone, in regions, or with given names.",
    ("catalog", "CATALOG", "one of the list below"),
    ("--radius", "RADIUS", "around --object: 5arcmin"),
    ("--max-rows", "N", "rows of one answer, at most", {"type": int}),
    "output", "progress",
    formatter_class=argparse.RawDescriptionHelpFormatter,
    epilog="""catalogs:
  csc             Chandra Source Catalog 2.1, sources
  csc-detections  the same, single observations: with these, spectra can be fetched
  csc-heasarc     the CSC as HEASARC has it
  erass1, erass1-supp, erass1-hard            eRASS1 from MPE
  erass1-vizier, erass1-hard-vizier           eRASS1 from VizieR
  erass1-heasarc, erass1-hard-heasarc         eRASS1 from HEASARC

examples:
  astro-xlatent fetch catalog csc --cone 10.684 41.269 5arcmin -o m31.fits
  astro-xlatent fetch catalog csc-detections --region field.reg -o field.fits
  astro-xlatent fetch catalog erass1 --object "LMC X-3" --radius 10arcmin -o lmcx3.vot
  astro-xlatent fetch catalog csc --name "2CXO J004244.3+411608" -o one.ecsv""")
_WHERE = (
    ("--cone", ("RA", "DEC", "RADIUS"),
     "position in degrees or as 00h42m44s 41d16m09s, radius with a unit: 5arcmin", {"nargs": 3}),
    ("--object", "NAME", "an object whose position is asked from SIMBAD; with --radius"),
    ("--region", "FILE", "DS9, CRTF or FITS region file in sky coordinates"),
    ("--name", "NAME", "names of sources in the catalog", {"nargs": "+"}),
    ("--names", "FILE", "text file with one name a line"))
_SPECTRA = subcommand(
    "spectra", "spectra with responses, for the rows of a table",
    "Fetch spectra with ARF and RMF for a table of CSC detections (obsid, obi, region_id) or of eRASS1 "
    "sources (DETUID). What is there already is checked and kept; manifest.ecsv in the folder tells file, "
    "address, size, sha256, status and reason. Then: astro-xlatent enrich TABLE --spectra DIR -o OUT",
    ("table", "TABLE", "table with the rows"),
    ("-o --output", "DIR", "folder (default: in astropy's cache)"),
    ("--mission", None, "whose (default: told by the columns)", {"choices": ("csc", "erosita")}),
    ("--products", "NAME,...", "csc: spectrum,arf,rmf (default), regevt3, srcreg; "
     "erosita: spectrum,background,arf,rmf (default), lightcurve"),
    "progress")
_LABELS = subcommand(
    "labels", "CSC sources with a class from the literature",
    "Fetch the training set of MUWCLASS (Yang et al. 2022, ApJ 941, 104) from VizieR, with the columns that "
    "astro-xlatent evaluate reads. Then: astro-xlatent evaluate OUT --label class_label",
    "output",
    ("--no-nh-gal", None, "do not ask the CSC for the Galactic column",
     {"dest": "nh_gal", "action": "store_false"}))


def add_parser(commands):
    """Add the subcommand, and its own for what can be fetched; gives its parser."""
    command = _FETCH(commands)
    kinds = command.add_subparsers(dest="kind", metavar="WHAT", required=True)
    catalog = _CATALOG(kinds)
    # A declination such as -5d30m is no option.
    catalog._negative_number_matcher = re.compile(r"-\.?\d")
    add_options(catalog.add_mutually_exclusive_group(required=True), *_WHERE)
    _SPECTRA(kinds)
    _LABELS(kinds)
    return command


def _read_names(path):
    path = Path(path)
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ParameterError(f"--names {path}: cannot be read as text: {error}") from error
    names = [line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")]
    if not names:
        raise ParameterError(f"--names {path}: holds no name; write one a line")
    return names


def _where(args):
    """What to ask for, as arguments of `fetch_catalog`."""
    if (args.object is None) != (args.radius is None):
        raise ParameterError('--object and --radius belong together: --object "LMC X-3" --radius 10arcmin')
    if args.cone:
        return {"cone": tuple(args.cone)}
    if args.object:
        from astro_xlatent.archive.query import resolve_name

        return {"cone": resolve_name(args.object, args.radius)}
    if args.region:
        return {"regions": Path(args.region)}
    return {"names": args.name or _read_names(args.names)}


def _run_catalog(args):
    from astro_xlatent.archive import fetch_catalog
    from astro_xlatent.table.files import write_table

    out = table_output(args.output)
    table = fetch_catalog(args.catalog, max_rows=args.max_rows, progress=args.progress, **_where(args))
    write_table(table, out)
    tell(f"{out}: {len(table)} rows of {table.meta['ARCHIVE']}")
    if not len(table):
        say("error", "no row was found")
        return 1
    lower = {name.lower() for name in table.colnames}
    if {"obsid", "region_id"} <= lower or "detuid" in lower:
        tell(f"their spectra: astro-xlatent fetch spectra {out} -o {out.stem}_spectra")
    return 1 if args.warnings else 0


def _run_spectra(args):
    from astro_xlatent.archive import fetch_spectra
    from astro_xlatent.table.files import read_table

    table = read_table(args.table)
    products = args.products and [word.strip() for word in args.products.split(",") if word.strip()]
    manifest = fetch_spectra(table, args.output, mission=args.mission, products=products,
                             progress=args.progress)
    bad = [row for row in manifest if row["status"] in ("failed", "missing")]
    folder = manifest.meta["FOLDER"]
    status = manifest["status"].tolist()
    counts = [(status.count(word), word) for word in ("fetched", "present", "missing", "failed")]
    tell(f"{folder}: " + ", ".join(f"{count} files {word}" for count, word in counts if count))
    for row in bad[:5]:
        say(row["status"], f"{row['object']} {row['product']}: {row['reason']}")
    if len(bad) > 5:
        say(f"{len(bad) - 5} more, in {Path(folder) / 'manifest.ecsv'}")
    if len(bad) < len(manifest):
        tell(f"use them: astro-xlatent enrich {args.table} --spectra {folder} -o enriched.fits")
    return 1 if len(bad) else 0


def _run_labels(args):
    from astro_xlatent.archive import fetch_labels
    from astro_xlatent.table.files import write_table

    out = table_output(args.output)
    table = fetch_labels(nh_gal=args.nh_gal)
    write_table(table, out)
    classes = ", ".join(f"{name} {n}" for name, n in sorted(Counter(table["class_label"].tolist()).items()))
    tell(f"{out}: {len(table)} sources: {classes}")
    tell(f"use them: astro-xlatent evaluate {out} --label class_label --minimum significance=5")
    return 1 if args.warnings else 0


def run(args):
    """Fetch what was asked for, and say what to do with it."""
    check_extra("archive", "astroquery", "pyvo", "regions", "requests")
    return {"catalog": _run_catalog, "spectra": _run_spectra, "labels": _run_labels}[args.kind](args)
