# Licensed under a 3-clause BSD style license - see LICENSE
"""
How much do results depend on the training run? Prints the answer.

    python benchmarks/bench_trainings.py MODEL MODEL ... [--data DATA] [--n 6000] [--seed 1] [-o OUT.txt]

MODELs, names or folders, were trained with other seeds. All are scored on the
same simulated observations, and with ``--data`` (folder with ``labels/``) on
the same real rows. For every metric of the model card: each model's value, the
standard deviation over models, and half the 90 % interval of the first one's
bootstrap in units of standard deviations of a normal (1.645), the sampling error.
"""

import argparse
import sys
import time
import warnings
from pathlib import Path

import numpy as np

from astro_xlatent import load_model
from astro_xlatent.evaluate.real import evaluate_table
from astro_xlatent.simulate.instruments import default_instruments
from astro_xlatent.table.files import read_table
from benchmarks.studies.card_metrics import metric_numbers
from benchmarks.studies.simulated import evaluate_simulated

_NORMAL = 2 * 1.645


def _log(line):
    print(f"{time.strftime('%H:%M:%S')} {line}", file=sys.stderr, flush=True)


def score(model, args):
    """Results of one model on what all are scored on."""
    found = [evaluate_simulated(model, default_instruments(), args.n, args.seed, log=_log)]
    if args.data is not None:
        path = args.data / "labels" / "csc2_labelled_sources.csv"
        found.append(evaluate_table(read_table(path), path=path, model=model, quick=True, log=_log,
                                    minimum=[("significance", 5)]))
    return found


def table(names, metrics):
    """Lines of the comparison; ``metrics``: one list of (words, Number) for each model."""
    width = max(len(f"{words}: {n.quantity}, {n.subset}") for words, n in metrics[0])
    yield f"{'':{width}s}" + "".join(f"{name:>14s}" for name in names) + "  sd of trainings  sampling error"
    for row in zip(*metrics, strict=True):
        words, first = row[0]
        values = np.array([number.value for _, number in row])
        text = f"{words}: {first.quantity}, {first.subset}"
        sampling = (first.high - first.low) / _NORMAL
        yield (f"{text:{width}s}" + "".join(f"{v:14.3f}" for v in values)
               + f"{values.std(ddof=1):17.4f}{sampling:16.4f}")


def main():
    """Score every model and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("models", nargs="+")
    parser.add_argument("--data", type=Path)
    parser.add_argument("--n", type=int, default=6000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("-o", "--output", type=Path)
    args = parser.parse_args()
    if len(args.models) < 2:
        parser.error("give at least two models")
    warnings.simplefilter("ignore")
    models = [load_model(name) for name in args.models]
    metrics = [metric_numbers(score(model, args)) for model in models]
    names = [f"{m.version}, seed {m.info['training']['seed']}" for m in models]
    head = f"{args.n} simulated rows of either mode, seed {args.seed}"
    text = "\n".join([head, "", *table(names, metrics)])
    print(text)
    if args.output is not None:
        args.output.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
