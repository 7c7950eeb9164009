# Licensed under a 3-clause BSD style license - see LICENSE
"""
Can the simulated populations be told from the catalog? Prints the answer.

Run ``python benchmarks/judge_populations.py DATA [MATCH]``, DATA being the
folder with ``labels/``, ``responses/`` and ``spectra/``. Prints the split, the
tuned parameters beside their literature ranges, the AUC of a discriminator
per class on the JUDGE fields (on MATCH if asked for), the power laws fitted to
simulated sources beside the catalog's fits, and the transfer of
hardness-ratio classifiers from simulated to real rows.

Numbers of counts are a matter of exposures and distances, not of populations:
simulated rows get the significances of the judged rows, so that the AUC is
about hardness at given significance. The column "counts of MATCH" shows what
comes out if they get those of the MATCH rows instead. "generic" are sources
from wide mixtures of models; "plain rows" are the literature's populations in
rows as the catalog prints them, without the means that the sample's authors
took: two controls that the discriminator can discriminate.
"""

import sys

import numpy as np

from astro_xlatent.physics.bestfit import power_law_fit
from astro_xlatent.simulate.populations import CLASSES, LITERATURE, TUNED, draw_sources
from benchmarks.studies.discriminator import compare_classes
from benchmarks.studies.sample import load_sample, power_law_fits
from benchmarks.studies.transfer import transfer


def tuning_table():
    """Tuned parameters beside their literature values and ranges: a line each, a header line first."""
    header = f"{'class':8s} {'parameter':14s} {'initial':>10s} {'tuned':>10s} {'range':>20s}"
    lines = [f"{header}  unit; references"]
    for label, values in TUNED.items():
        for name, value in values.items():
            initial, low, high, unit, reference = LITERATURE[label][name]
            bounds = f"{low:.3g} - {high:.3g}"
            numbers = f"{initial:10.3g} {value:10.3g} {bounds:>20s}"
            lines.append(f"{label:8s} {name:14s} {numbers}  {unit}; {reference}")
    return "\n".join(lines)


def print_auc(tables):
    """One line per class, one AUC (upper bound) per table."""
    print(f"{'class':8s} {'rows':>5s}" + "".join(f"{name:>18s}" for name in tables))
    for label in (*CLASSES[:-1], "all"):
        cells = [table[label] for table in tables.values() if label in table]
        if cells:
            numbers = "".join(f"   {auc:.3f} (< {upper:.3f})" for _, auc, upper in cells)
            print(f"{label:8s} {cells[0][0]:5d}{numbers}")


def _quartiles(values):
    return " ".join(f"{value:6.2f}" for value in np.nanquantile(values, [0.25, 0.5, 0.75]))


def print_fits(sample, side):
    """Quartiles of the catalog's fits and of noise-free fits of simulated spectra."""
    fits = power_law_fits(sample.labeled)
    header = f"{'index, real':21s} {'simulated':21s}   {'log N_H, real':21s} simulated"
    print(f"{'class':8s} {'rows':>5s}   {header}")
    for number, label in enumerate(CLASSES[:-1]):
        mine = (sample.rows.label == label) & (sample.split == side) & np.isfinite(fits[:, 0])
        if np.count_nonzero(mine) < 5:
            continue
        sources = draw_sources(np.full(2000, number), np.random.default_rng(number))
        nh, index = power_law_fit(sources.spectrum)
        cells = [_quartiles(x) for x in (fits[mine, 0], index, fits[mine, 2], np.log10(nh + 1e19))]
        print(f"{label:8s} {mine.sum():5d}   {cells[0]}  {cells[1]}    {cells[2]}  {cells[3]}")


def print_transfer(sample):
    """Balanced accuracy on JUDGE of forests trained on simulated and on real MATCH rows."""
    match, judge = (sample.rows[sample.split == side] for side in ("MATCH", "JUDGE"))
    field = sample.field[sample.split == "JUDGE"]
    for name, tuned in (("tuned", True), ("literature", False)):
        results = [transfer(match, judge, field, sample.instruments, seed=s, tuned=tuned) for s in range(3)]
        mean = {key: np.mean([result[key] for result in results], axis=0) for key in results[0]}
        low, high = mean["interval"]
        print(
            f"{name:10s} trained on simulated {mean['simulated']:.3f}, on real MATCH {mean['real']:.3f}: "
            f"difference {mean['difference']:+.3f} (90 % over fields {low:+.3f} to {high:+.3f})"
        )


def main(data, side="JUDGE"):
    sample = load_sample(data)
    match, judged = sample.rows[sample.split == "MATCH"], sample.rows[sample.split == side]
    counts = {name: int(np.count_nonzero(sample.split == name)) for name in ("MATCH", "JUDGE")}
    print(f"{len(sample.sky.names)} fields; rows {counts}; dropped {sample.labeled.dropped or 'none'}")
    print(f"\n{tuning_table()}\n\nAUC and its 90 % upper bound, real {side} rows against simulated ones")
    print_auc(
        {
            "tuned": compare_classes(judged, judged, sample.instruments),
            "literature": compare_classes(judged, judged, sample.instruments, tuned=False),
            "counts of MATCH": compare_classes(judged, match, sample.instruments),
            "generic": compare_classes(judged, judged, sample.instruments, generic=True),
            "plain rows": compare_classes(judged, judged, sample.instruments, tuned=False, averaged=False),
        }
    )
    print(f"\nquartiles of fitted power laws, {side} rows")
    print_fits(sample, side)
    print("\ntransfer to JUDGE: balanced accuracy of hardness-ratio classifiers")
    print_transfer(sample)


if __name__ == "__main__":
    main(*sys.argv[1:])
