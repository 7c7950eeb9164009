# Licensed under a 3-clause BSD style license - see LICENSE
"""
Tests of the model that no training loss sees. Prints the answers.

Run ``python benchmarks/judge_model.py`` for all, or name some::

    python benchmarks/judge_model.py guard-rails instruments repeats reconstruction cells absorbed
        [--model NAME] [--n N] [--seed SEED] [--fine-tune STEPS] [--paper STEPS]
        [--data DATA] [--tuning] [-o OUT.txt]

``--n`` scales all numbers of rows (1 by default). ``--fine-tune`` trains the
encoder further on each of three instruments alone, ``--paper`` an autoencoder
of raw counts, both to compare with; 0 leaves them out. ``--data`` is the
folder with ``csc20/``: without it there are no real repeats
and no real HRC spectrum. ``--tuning`` runs the guard rails on the oddities on
which their statistic was chosen. ``-o`` also writes the text to a file.
"""

import argparse
import sys
import time
from pathlib import Path

from astro_xlatent import load_model

PARTS = ("guard-rails", "instruments", "repeats", "reconstruction", "cells", "absorbed")


def _arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("what", nargs="*", default=[], metavar="WHAT", help=", ".join(PARTS))
    parser.add_argument("--model")
    parser.add_argument("--n", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--fine-tune", type=int, default=0)
    parser.add_argument("--paper", type=int, default=0)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--tuning", action="store_true")
    parser.add_argument("-o", "--output", type=Path)
    args = parser.parse_args()
    unknown = set(args.what) - set(PARTS)
    if unknown:
        parser.error(f"{', '.join(sorted(unknown))}: allowed are {', '.join(PARTS)}")
    return args


def _log(line):
    print(f"{time.strftime('%H:%M:%S')} {line}", file=sys.stderr, flush=True)


def _results(what, model, args):
    """Results of one part, or None where data are missing."""
    from astro_xlatent.simulate.instruments import default_instruments
    from benchmarks.studies import absorbed, cells, guard_rails, instruments, reconstruction, repeats

    if what == "guard-rails":
        return guard_rails.evaluate_guard_rails(model, default_instruments(), int(250 * args.n), args.seed,
                                                tuning=args.tuning, data=args.data, log=_log)
    if what == "instruments":
        return instruments.evaluate_instruments(model, int(3000 * args.n), args.seed, log=_log,
                                                fine_tune_steps=args.fine_tune, paper_steps=args.paper)
    if what == "reconstruction":
        return reconstruction.evaluate_reconstruction(model, default_instruments(), int(1500 * args.n),
                                                      args.seed, paper_steps=args.paper, log=_log)
    if what == "cells":
        return cells.evaluate_cells(model, default_instruments(), int(cells.PER_CELL * args.n), args.seed,
                                    log=_log)
    if what == "absorbed":
        return absorbed.evaluate_absorbed(model, default_instruments(), int(40000 * args.n), args.seed,
                                          log=_log)
    if args.data is None:
        return None
    path = args.data / "csc20" / "csc20_detections.csv.gz"
    return repeats.evaluate_repeats(model, path, args.seed, log=_log)


def main():
    """Print the parts that were asked for."""
    args = _arguments()
    model = load_model(args.model)
    texts = []
    for what in args.what or PARTS:
        results = _results(what, model, args)
        if results is None:
            _log(f"{what}: needs --data, left out")
            continue
        texts.append(results.text())
        print(texts[-1], "\n", flush=True)
    if args.output is not None:
        args.output.write_text("\n\n\n".join(texts) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
