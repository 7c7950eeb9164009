# Licensed under a 3-clause BSD style license - see LICENSE
"""``astro-xlatent evaluate``: scores on labeled rows."""

from pathlib import Path

from astro_xlatent.cli.shell import add_minimum, add_model, check_extra, file_output, say, tell
from astro_xlatent.core.errors import ParameterError

__all__ = ["add_parser", "run"]


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
    add_minimum(command)
    command.add_argument("--quick", action="store_true", help="fewer methods and repeats, under two minutes")
    add_model(command)
    command.add_argument("--seed", type=int, default=1, metavar="N",
                         help="of folds and bootstrap")
    command.add_argument("-o", "--output", metavar="OUT", help="write numbers: .json (everything) or .ecsv")
    command.add_argument("--figures", metavar="DIR", help="draw figures into this folder; needs matplotlib")
    return command


def run(args):
    """Score the model, print the numbers, write and draw them where asked."""
    check_extra("evaluate", "sklearn")
    from astro_xlatent.evaluate.real import evaluate_table
    from astro_xlatent.table.files import read_table

    out = None
    if args.output is not None:
        if not args.output.endswith((".json", ".ecsv")):
            msg = f"--output {args.output}: must end in .json or .ecsv"
            raise ParameterError(msg)
        out = file_output(args.output, overwrite=True)
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
