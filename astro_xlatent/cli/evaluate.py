# Licensed under a 3-clause BSD style license - see LICENSE
"""``astro-xlatent evaluate``: scores on labeled rows."""

from pathlib import Path

from astro_xlatent.cli.shell import check_extra, file_output, say, subcommand, tell
from astro_xlatent.core.errors import ParameterError

add_parser = subcommand(
    "evaluate", "scores on labeled rows, beside baselines",
    "Score a model beside baselines that get the same columns, on a table with a column of classes. "
    "Needs scikit-learn.",
    ("table", "TABLE", "labeled table, enriched or not"),
    ("--label", "COLUMN", "column with the classes (default: class_label); of a simulated catalog: class",
     {"default": "class_label"}),
    ("--spectra", "DIR|COLUMN", "folder of spectra, or column with their paths: the model sees them, and "
     "their principal components are one more baseline"),
    ("--information", "COLUMN", "measure the mutual information with this column, too; may be repeated",
     {"action": "append", "default": []}),
    "minimum",
    ("--quick", None, "fewer methods and repeats, under two minutes"),
    "model",
    ("--seed", "N", "of folds and bootstrap", {"type": int, "default": 1}),
    ("-o --output", "OUT", "write numbers: .json (everything) or .ecsv"),
    ("--figures", "DIR", "draw figures into this folder; needs matplotlib"))


def run(args):
    """Score the model, print the numbers, write and draw them where asked."""
    check_extra("evaluate", "sklearn")
    from astro_xlatent.evaluate.real import evaluate_table
    from astro_xlatent.table.files import read_table

    out = None
    if args.output is not None:
        if not args.output.endswith((".json", ".ecsv")):
            raise ParameterError(f"--output {args.output}: must end in .json or .ecsv")
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
