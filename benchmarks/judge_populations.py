# Licensed under a 3-clause BSD style license - see LICENSE
"""
Can the simulated populations be told from the catalogue? Prints the answer.

Run ``python benchmarks/judge_populations.py DATA [MATCH]``, DATA being the
folder with ``labels/``, ``responses/`` and ``spectra/``. Prints the split, the
tuned parameters beside their literature ranges, the discriminator's AUC per
class on the JUDGE fields (on the MATCH fields if asked for) for tuned and
for literature populations and for sources drawn from wide mixtures (a
control that the discriminator can discriminate), and the transfer of
hardness-ratio classifiers from simulated to real rows.
"""

import sys

import numpy as np

from astro_xlatent.evaluate.discriminator import (
    compare_classes,
    discriminate,
    hardness_features,
    simulate_like,
)
from astro_xlatent.evaluate.sample import load_sample
from astro_xlatent.evaluate.transfer import transfer
from astro_xlatent.simulate.families.parameters import tuning_table
from astro_xlatent.simulate.populations import CLASSES


def control(rows, match, instruments, seed=0):
    """AUC per class of real rows against generic sources."""
    table = {}
    for label in CLASSES[:-1]:
        real = hardness_features(rows.flux, rows.error)[rows.label == label]
        like = hardness_features(match.flux, match.error)[match.label == label]
        if len(real) >= 10:
            n = max(4 * len(real), 1000)
            simulated = simulate_like(None, like, n, instruments, np.random.default_rng(seed))
            table[label] = (len(real), *discriminate(real, simulated, seed))
    return table


def print_table(tables):
    """One line per class, one AUC (upper bound) per table."""
    print(f"{'class':8s} {'rows':>5s}" + "".join(f"{name:>18s}" for name in tables))
    for label in (*CLASSES[:-1], "all"):
        cells = [table.get(label) for table in tables.values()]
        if cells[0]:
            numbers = "".join(f"   {c[1]:.3f} (< {c[2]:.3f})" if c else f"{'':18s}" for c in cells)
            print(f"{label:8s} {cells[0][0]:5d}{numbers}")


def main(data, side="JUDGE"):
    sample = load_sample(data)
    match, judged = sample.rows[sample.split == "MATCH"], sample.rows[sample.split == side]
    n_judge = np.count_nonzero(sample.split == "JUDGE")
    print(f"{len(sample.sky.names)} fields; rows: {len(match)} MATCH, {n_judge} JUDGE")
    print(f"dropped: {sample.labelled.dropped or 'none'}\n\n{tuning_table()}\n")
    tables = {
        "tuned": compare_classes(judged, match, sample.instruments),
        "literature": compare_classes(judged, match, sample.instruments, tuned=False),
        "generic (control)": control(judged, match, sample.instruments),
    }
    print(f"AUC and its 90 % upper bound, real {side} rows against simulated ones")
    print_table(tables)
    print("\ntransfer to JUDGE: balanced accuracy of hardness-ratio classifiers")
    judge, field = sample.rows[sample.split == "JUDGE"], sample.field[sample.split == "JUDGE"]
    for tuned in (True, False):
        results = [transfer(match, judge, field, sample.instruments, seed=s, tuned=tuned) for s in range(3)]
        mean = {key: np.mean([r[key] for r in results], axis=0) for key in results[0]}
        print(
            f"{'tuned' if tuned else 'literature':10s} trained on simulated {mean['simulated']:.3f}, "
            f"on real MATCH {mean['real']:.3f}: difference {mean['difference']:+.3f} "
            f"(90 % over fields {mean['interval'][0]:+.3f} to {mean['interval'][1]:+.3f})"
        )


if __name__ == "__main__":
    main(*sys.argv[1:])
