# Licensed under a 3-clause BSD style license - see LICENSE
"""What ``astro-xlatent evaluate`` does."""

import argparse
from pathlib import Path

from astro_xlatent.cli.shell import add_model, file_output, say, tell
from astro_xlatent.core.errors import ParameterError

__all__ = ["add_parser", "check_sklearn", "run"]


def add_parser(commands):
    """Add the subcommand; gives its parser."""
    command = commands.add_parser(
        "evaluate", help="scores on labeled rows, beside baselines",
        description="Score a model beside baselines that get the same columns, on a table with a "
        "column of classes. Needs scikit-learn.")
    command.add_argument("table", metavar="TABLE", help="labeled table, enriched or not")
    command.add_argument("--label", metavar="COLUMN", default="class_label",
                         help="column with the classes (default: class_label); of a simulated catalog: "
                         "class")
    command.add_argument("--spectra", metavar="DIR|COLUMN",
                         help="folder of spectra, or column with their paths: the model sees them, and their "
                         "principal components are one more baseline")
    command.add_argument("--information", metavar="COLUMN", action="append", default=[],
                         help="measure the mutual information with this column, too; may be repeated")
    command.add_argument("--minimum", metavar="COLUMN=NUMBER", type=_minimum, action="append", default=[],
                         help="only rows above this, such as significance=5; may be repeated")
    command.add_argument("--quick", action="store_true", help="fewer methods and repeats, under two minutes")
    add_model(command)
    command.add_argument("--seed", type=int, default=1, metavar="N",
                         help="of folds and bootstrap")
    command.add_argument("-o", "--output", metavar="OUT", help="write numbers: .json (everything) or .ecsv")
    command.add_argument("--figures", metavar="DIR", help="draw figures into this folder; needs matplotlib")
    return command


def _minimum(text):
    """Turn ``COLUMN=NUMBER`` into a pair."""
    name, equals, value = text.rpartition("=")
    try:
        if name and equals:
            return name, float(value)
    except ValueError:
        pass
    msg = f"{text!r} is not COLUMN=NUMBER, such as significance=5"
    raise argparse.ArgumentTypeError(msg)


def check_sklearn():
    """
    Say how to get scikit-learn where it is missing.

    Raises
    ------
    ImportError
        With the remedy.
    """
    try:
        import sklearn  # noqa: F401
    except ImportError as error:
        msg = 'evaluation needs scikit-learn: pip install "astro_xlatent[evaluate]"'
        raise ImportError(msg) from error


def run(args):
    """Score the model, print the numbers, write and draw them where asked."""
    check_sklearn()
    from astro_xlatent.evaluate.real import evaluate_table
    from astro_xlatent.table.files import read_table

    out = _output_path(args.output)
    results = evaluate_table(read_table(Path(args.table)), args.label, path=args.table, model=args.model,
                             spectra=args.spectra, information=args.information, quick=args.quick,
                             minimum=args.minimum, seed=args.seed, log=say)
    tell(results.text())
    if args.figures is not None:
        from astro_xlatent.evaluate.figures import draw_figures

        for path in draw_figures(results, args.figures):
            tell(path)
    if out is not None:
        results.write(out)
        tell(f"\n{out}: {len(results.numbers)} numbers")
    return 0 if results.numbers else 1


def _output_path(text):
    """Refuse an output name before any work is done."""
    if text is None:
        return None
    path = Path(text)
    if path.suffix not in (".json", ".ecsv"):
        msg = f"--output {path}: must end in .json or .ecsv"
        raise ParameterError(msg)
    return file_output(path, overwrite=True)
