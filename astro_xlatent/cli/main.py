# Licensed under a 3-clause BSD style license - see LICENSE
"""
The command line, ``astro-xlatent``.

One function per subcommand, named ``_run_...``, listed with its arguments in
`make_parser`; it takes the parsed arguments and returns the exit code.
Exit codes: 0 done, 1 some input was refused or nothing could be done, 2 wrong
usage, 130 interrupted.
"""

import argparse
import json
import os
import sys
from pathlib import Path

from astro_xlatent.core.errors import ParameterError, TableError, XlatentError
from astro_xlatent.cli import demo, report
from astro_xlatent.cli.extract import add_extract
from astro_xlatent.cli.match import add_match_parser
from astro_xlatent.cli.fetch import add_fetch
from astro_xlatent.cli.train import add_train
from astro_xlatent.core.provenance import package_version

__all__ = ["main", "make_parser"]

#: Largest deviation from the stored self-test vector that passes, in latent units.
SELFTEST_TOLERANCE = 1e-4


class UsageError(XlatentError):
    """The command line itself is wrong."""


def _say(kind, text):
    """Write one line to standard error, as shell users expect it."""
    print(f"astro-xlatent: {kind}: {text}", file=sys.stderr)


# --- enrich ---------------------------------------------------------------------------


def _check_output(path, overwrite):
    """Refuse an output name before any work is done."""
    from astro_xlatent.table.files import table_format

    try:
        table_format(path, writing=True)
    except ParameterError as error:
        raise UsageError(str(error)) from error
    if path.exists() and not overwrite:
        msg = f"{path}: the file exists; give --overwrite or another name"
        raise TableError(msg)
    if not path.parent.is_dir():
        msg = f"{path.parent}: no such folder; make it first"
        raise TableError(msg)


def _read_prior(text):
    """Turn ``--prior`` into what `add_latents` takes."""
    if text in ("none", "galactic"):
        return None if text == "none" else text
    path = Path(text)
    if path.suffix.lower() != ".json":
        msg = f"--prior must be none, galactic or a .json file of class: probability, got {text!r}"
        raise UsageError(msg)
    try:
        prior = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        msg = f"--prior {path}: cannot be read as JSON: {error}"
        raise UsageError(msg) from error
    if not isinstance(prior, dict):
        msg = f'--prior {path}: must hold an object such as {{"AGN": 0.7, "LMXB": 0.3}}'
        raise UsageError(msg)
    return prior


def _find_spectra(text, table):
    """Turn ``--spectra`` into a column name, a folder, or None."""
    if text is None or text in table.colnames:
        return text
    if Path(text).is_dir():
        return Path(text)
    msg = f"--spectra {text}: neither a folder nor a column; columns: {', '.join(table.colnames)}"
    raise UsageError(msg)


def _summary(table):
    """Say in one or two lines what an enriched table holds."""
    import numpy as np

    from astro_xlatent.core.flags import FLAGS, Flag

    flags = np.asarray(table["xl_flag"])
    empty = (flags & Flag.NO_DATA) != 0
    counts = [(int(np.sum((flags & f.value) != 0)), f.name) for f in FLAGS]
    raised = ", ".join(f"{name} {count}" for count, name in counts if count)
    return len(table) - int(empty.sum()), f"flags: {raised or 'none'}"


def _run_enrich(args):
    """Read a table, add the columns, write it."""
    out = Path(args.output)
    _check_output(out, args.overwrite)
    prior = _read_prior(args.prior)
    from astro_xlatent.table.add_latents import add_latents
    from astro_xlatent.table.files import read_table, table_format, write_table

    try:
        table_format(args.table)
    except ParameterError as error:
        raise UsageError(str(error)) from error
    table = read_table(args.table)
    if args.region is not None:
        from astro_xlatent.table.select import select_by_region

        table = table[select_by_region(table, args.region)]
    result = add_latents(
        table, _find_spectra(args.spectra, table), prior=prior, model=args.model,
        mission=None if args.mission == "auto" else args.mission, group_by=args.group_by,
        progress=args.progress)
    write_table(result, out, overwrite=args.overwrite)
    done, flags = _summary(result)
    print(f"{out}: {len(result)} rows, {done} with results, model {result.meta.get('XLMODEL', '?')}")
    print(flags)
    if len(result) and not done:
        _say("error", f"no row could be used; the first says: {result['xl_reason'][0]}")
        return 1
    return 0


# --- predict --------------------------------------------------------------------------


def _predict_line(row):
    """Tell what was found in one spectrum, as a tuple of words."""
    from astro_xlatent.cli.words import class_text, flag_text, nh_text, number_text

    gof = number_text(row["xl_gof"], ".1f")
    return Path(str(row["file"])).name, class_text(row), nh_text(row), gof, flag_text(row)


def _refused(row):
    """Whether a spectrum gave no result."""
    from astro_xlatent.core.flags import Flag

    return bool(row["xl_flag"] & (Flag.NO_DATA | Flag.SPECTRUM_UNREADABLE))


def _run_predict(args):
    """Tell class, N_H and goodness of fit of single spectra."""
    out = Path(args.output) if args.output else None
    if out is not None:
        _check_output(out, args.overwrite)
    from astro_xlatent.core.text import aligned
    from astro_xlatent.table.add_latents import predict_spectra
    from astro_xlatent.table.files import write_table

    table = predict_spectra(list(args.pha))
    rows = [_predict_line(row) for row in table if not _refused(row)]
    if rows:
        head = ("# file", "class", "N_H [1/cm2]", "gof", "flags")
        print(aligned([head, *rows]), flush=True)
    refused = [row for row in table if _refused(row)]
    for row in refused:
        reason = str(row["xl_reason"])
        _say("error", reason if str(row["file"]) in reason else f"{row['file']}: {reason}")
    if out is not None and rows:
        write_table(table, out, overwrite=args.overwrite)
        print(f"{out}: {len(table)} rows, {len(rows)} with results")
    return 1 if refused else 0


# --- info, selftest, demo -------------------------------------------------------------


def _versions():
    """Yield the packages that matter and their versions, without importing them."""
    from importlib.metadata import PackageNotFoundError, version

    for name in ("numpy", "astropy", "scipy", "torch", "safetensors", "sherpa", "matplotlib"):
        try:
            yield name, version(name)
        except PackageNotFoundError:
            yield name, "not installed"


def _run_info(args):
    """Print versions, models, missions, transforms and settings."""
    from astro_xlatent.core.config import conf
    from astro_xlatent.core.text import aligned
    from astro_xlatent.core.plugins import available_transforms
    from astro_xlatent.missions.base import available_missions
    from astro_xlatent.model.pretrained import available_models

    rows = [("astro_xlatent", package_version()), ("python", sys.version.split()[0]), *_versions()]
    rows += [("installed in", str(Path(__file__).parents[1])),
             ("weights in", str(Path(__file__).parents[1] / "model" / "weights"))]
    for label, names in (("models", available_models()), ("missions", available_missions()),
                         ("transforms", available_transforms())):
        rows.append((label, ", ".join(names) or "none"))
    rows += [(f"conf.{key}", repr(getattr(conf, key))) for key in conf]
    print(aligned(rows))
    return 0


def _run_selftest(args):
    """Compare every model with the self-test vector stored with it."""
    from astro_xlatent.model.bundled import BUNDLED
    from astro_xlatent.model.pretrained import selftest

    names = [args.model] if args.model else list(BUNDLED)
    if not names:
        _say("error", "no model is installed; reinstall the package, its weights are missing")
        return 1
    passed = True
    for name in names:
        deviation = float(selftest(name))
        good = deviation <= SELFTEST_TOLERANCE
        passed = passed and good
        print(f"{name}: largest deviation {deviation:.1e}, allowed {SELFTEST_TOLERANCE:.0e}: "
              f"{'ok' if good else 'FAILED'}")
    return 0 if passed else 1


def _run_evaluate(args):
    """Score a model on labelled rows, or on simulations."""
    from astro_xlatent.cli.evaluate import run_evaluate

    return run_evaluate(args, lambda line: print(f"astro-xlatent: {line}", file=sys.stderr, flush=True))


def _run_match(args):
    """Match two enriched tables."""
    from astro_xlatent.cli.match import run_match

    _check_output(Path(args.output), args.overwrite)
    print(run_match(args))
    return 0


def _read_classes(text):
    """Turn ``--classes`` into what `write_catalog` takes: names, or names with weights."""
    pairs = [part.partition("=") for part in text.split(",")]
    try:
        return {name.strip(): float(weight) if equals else 1.0 for name, equals, weight in pairs}
    except ValueError as error:
        msg = f"--classes must be NAME,NAME,... or NAME=WEIGHT,NAME=WEIGHT,..., got {text!r}"
        raise UsageError(msg) from error


def _run_simulate(args):
    """Write a simulated catalogue with its spectra."""
    from astro_xlatent.simulate.products import write_catalog

    classes = None if args.classes is None else _read_classes(args.classes)
    catalog = write_catalog(
        args.output, args.n, args.mission, seed=args.seed, classes=classes, spectra=args.spectra,
        overwrite=args.overwrite, progress=args.progress)
    print(f"{catalog}: {args.n} rows; the truth about them: {catalog.parent / 'truth.fits'}")
    if args.spectra:
        print(f"enrich it: astro-xlatent enrich {catalog} --spectra {args.output} -o enriched.fits")
    return 0


# --- the parser -----------------------------------------------------------------------


def _add_enrich(commands):
    command = commands.add_parser(
        "enrich", help="add latents, classes and N_H to a table",
        description="Add latents, classes and column densities to a table of X-ray sources. "
        "Suffixes: .fits .vot .ecsv .csv .parquet. CSV loses units and splits vectors "
        "(xl_latent_0 ... xl_latent_7); the others keep both.")
    command.add_argument("table", metavar="TABLE", help="table to read")
    command.add_argument("-o", "--output", metavar="OUT", required=True, help="table to write")
    command.add_argument("--spectra", metavar="DIR|COLUMN",
                         help="folder of spectra, or column with their paths")
    command.add_argument("--region", metavar="REGION",
                         help="only rows within this DS9, CRTF or FITS region on the sky")
    command.add_argument("--mission", default="auto", metavar="NAME",
                         help="auto (default), csc, erosita, ...; see: astro-xlatent info")
    command.add_argument("--prior", default="none", metavar="none|galactic|FILE.json",
                         help="class prior (default: none, all classes alike)")
    command.add_argument("--group-by", metavar="COLUMN", help="join latents and class of all rows with the "
                         "same value in this column, such as name: observations of one source")
    command.add_argument("--model", metavar="NAME", help="model (default: the newest shipped)")
    command.add_argument("--overwrite", action="store_true", help="replace OUT if it exists")
    command.add_argument("--no-progress", dest="progress", action="store_false",
                         default=sys.stderr.isatty(), help="show no progress bar")
    command.set_defaults(run=_run_enrich)


def _add_predict(commands):
    command = commands.add_parser(
        "predict", help="class, N_H and goodness of fit of single spectra",
        description="Print one line for each PHA spectrum; its ARF, RMF and background are "
        "found through its header. Exit code 1 if any spectrum was refused.")
    command.add_argument("pha", metavar="PHA", nargs="+", help="OGIP spectrum")
    command.add_argument("-o", "--output", metavar="OUT", help="also write a table")
    command.add_argument("--overwrite", action="store_true", help="replace OUT if it exists")
    command.set_defaults(run=_run_predict)


def _add_small(commands):
    command = commands.add_parser("info", help="versions, models, missions and settings")
    command.set_defaults(run=_run_info)
    command = commands.add_parser("selftest", help="check that the models reproduce their release")
    command.add_argument("--model", metavar="NAME", help="only this model")
    command.set_defaults(run=_run_selftest)
    for module in (demo, report):
        module.add_parser(commands).set_defaults(run=module.run)


def _minimum(text):
    """Turn ``COLUMN=NUMBER`` into a pair."""
    name, _, value = text.rpartition("=")
    try:
        return name, float(value)
    except ValueError:
        name = ""
    if not name:
        msg = f"{text!r} is not COLUMN=NUMBER"
        raise argparse.ArgumentTypeError(msg)


def _add_evaluate(commands):
    command = commands.add_parser(
        "evaluate", help="scores on labelled rows or simulations, beside baselines",
        description="Score a model beside baselines that get the same columns: on a table with a "
        "column of classes, or on fresh simulations. Needs scikit-learn.")
    command.add_argument("table", metavar="TABLE", nargs="?", help="labelled table, enriched or not")
    command.add_argument("--label", metavar="COLUMN", default="class_label",
                         help="column with the classes (default: class_label); of a simulated catalogue: "
                         "class")
    command.add_argument("--spectra", metavar="DIR|COLUMN",
                         help="folder of spectra, or column with their paths: the model sees them, and their "
                         "principal components are one more baseline")
    command.add_argument("--information", metavar="COLUMN", action="append", default=[],
                         help="measure the mutual information with this column, too; may be repeated")
    command.add_argument("--simulated", action="store_true", help="evaluate simulated observations instead")
    command.add_argument("--n", type=int, default=20000, metavar="N",
                         help="simulated observations, of spectra and of bands (default: 20000)")
    command.add_argument("--responses", metavar="DIR", help="folder of ARF and RMF files to simulate with, "
                         "beside the shipped curves")
    command.add_argument("--minimum", metavar="COLUMN=NUMBER", type=_minimum, action="append", default=[],
                         help="only rows above this, such as significance=5; may be repeated")
    command.add_argument("--quick", action="store_true", help="fewer methods and repeats, under two minutes")
    command.add_argument("--model", metavar="NAME", help="model (default: the newest shipped)")
    command.add_argument("--seed", type=int, default=1, metavar="N",
                         help="of simulations, folds and bootstrap")
    command.add_argument("-o", "--output", metavar="OUT", help="write numbers: .json (everything) or .ecsv")
    command.add_argument("--figures", metavar="DIR", help="draw figures into this folder; needs matplotlib")
    command.set_defaults(run=_run_evaluate)


def _add_simulate(commands):
    command = commands.add_parser(
        "simulate", help="write a simulated catalogue, with spectra",
        description="Write catalog.fits in the columns of a mission's catalogue, truth.fits, and OGIP "
        "spectra under the mission's file names. The same seed gives the same rows.")
    command.add_argument("--n", type=int, default=1000, metavar="N", help="sources (default: 1000)")
    command.add_argument("--mission", default="csc", choices=("csc", "erosita", "xmm"),
                         help="whose catalogue (default: csc)")
    command.add_argument("-o", "--output", metavar="DIR", required=True, help="folder to write")
    command.add_argument("--seed", type=int, default=1, metavar="N", help="of everything (default: 1)")
    command.add_argument("--classes", metavar="NAME[=WEIGHT],...",
                         help="classes to draw (default: all nine alike)")
    command.add_argument("--spectra", action=argparse.BooleanOptionalAction, default=True,
                         help="write spectra with responses (default: yes)")
    command.add_argument("--overwrite", action="store_true", help="write into DIR if it is not empty")
    command.add_argument("--no-progress", dest="progress", action="store_false",
                         default=sys.stderr.isatty(), help="show no progress bar")
    command.set_defaults(run=_run_simulate)


def make_parser():
    """
    Make the parser of the command line.

    Returns
    -------
    parser : `~argparse.ArgumentParser`
        Its result has ``run``, the function of the subcommand.
    """
    parser = argparse.ArgumentParser(
        prog="astro-xlatent", description="Latents, classes and column densities of X-ray sources.")
    parser.add_argument("--version", action="version", version=f"astro-xlatent {package_version()}")
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for add in (_add_enrich, _add_predict, add_extract, add_fetch, _add_evaluate, add_train,
                _add_small, _add_simulate):
        add(commands)
    add_match_parser(commands, _run_match)
    return parser


def _flush_or_drop():
    """Flush standard output; where nobody reads it any more, keep Python from complaining."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def main(argv=None):
    """
    Run one subcommand.

    Parameters
    ----------
    argv : list of str, optional
        Arguments without the program's name; those of the process if not given.

    Returns
    -------
    code : int
        Exit code: 0 done, 1 refused or nothing done, 2 usage, 130 interrupted.
    """
    args = make_parser().parse_args(argv)
    try:
        return args.run(args)
    except BrokenPipeError:
        # The reader (head, less) has seen enough: no error of the user's.
        return 0
    except KeyboardInterrupt:
        _say("error", "interrupted")
        return 130
    except (XlatentError, ImportError, OSError, MemoryError) as error:
        if args.debug:
            raise
        _say("error", str(error) or type(error).__name__)
        return 2 if isinstance(error, (UsageError, ParameterError)) else 1
    finally:
        _flush_or_drop()
