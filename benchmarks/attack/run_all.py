# Licensed under a 3-clause BSD style license - see LICENSE
"""
The attack: damaged inputs of every kind, and the classes of outcome counted.

``python -m benchmarks.attack.run_all`` damages 10,000 spectra and 2,000 inputs
of every other kind; ``--share 0.05`` a twentieth of them. The exit code is 1
if any outcome must not be.
"""

import argparse
import time
from collections import Counter

from benchmarks.attack import models
from benchmarks.attack.events import EVENTS, REGIONS
from benchmarks.attack.manifests import MANIFESTS
from benchmarks.attack.outcomes import BAD, attack
from benchmarks.attack.spectra import PLAIN, SUMMED
from benchmarks.attack.tables import TABLES

__all__ = ["KINDS", "run"]

#: Kinds of input, and how many of them are damaged.
KINDS = {"spectra": (SUMMED, 5000), "spectra without sums": (PLAIN, 5000), "tables": (TABLES, 2000),
         "regions": (REGIONS, 2000), "event lists": (EVENTS, 2000), "manifests": (MANIFESTS, 2000),
         "model folders": (None, 2000)}
CLASSES = ("clean", "same", "read", "flagged", *BAD)


def run(share: float = 1.0, first: int = 0, kinds: tuple[str, ...] = tuple(KINDS)) -> dict[str, Counter]:
    """
    Attack, and print a line a kind.

    Parameters
    ----------
    share : float, optional
        Of the numbers in `KINDS`.
    first : int, optional
        First seed.
    kinds : tuple of str, optional
        Keys of `KINDS`.

    Returns
    -------
    outcomes : dict of Counter
    """
    print(f"{'':<22}" + "".join(f"{name:>9}" for name in (*CLASSES, "s")), flush=True)
    outcomes = {}
    for name in kinds:
        kind, number = KINDS[name]
        began, n = time.monotonic(), max(1, round(share * number))
        if kind is None:
            found = models.attack(n, first, show=True)
            found["clean"] += found.pop("refused", 0)
        else:
            found = attack(kind, n, first, show=True)
        outcomes[name] = found
        counts = [found[outcome] for outcome in CLASSES]
        print(f"{name:<22}" + "".join(f"{count:>9}" for count in (*counts, round(time.monotonic() - began))),
              flush=True)
    return outcomes


def main(argv=None):
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--share", type=float, default=1.0, help="of the full numbers (default: 1)")
    parser.add_argument("--first", type=int, default=0, help="first seed (default: 0)")
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=tuple(KINDS), metavar="KIND",
                        help=", ".join(KINDS))
    args = parser.parse_args(argv)
    outcomes = run(args.share, args.first, tuple(args.kinds))
    return int(any(found[outcome] for found in outcomes.values() for outcome in BAD))


if __name__ == "__main__":
    raise SystemExit(main())
