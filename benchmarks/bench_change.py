# Licensed under a 3-clause BSD style license - see LICENSE
"""
How often does the change test find a change where there is none?

Run ``python benchmarks/bench_change.py [ROWS]``. The same simulated sources are
observed twice, with responses, exposures and noise of their own each time, in
bands and as spectra, and combined. Printed is, by the counts of the fainter
observation, the share of p-values below some levels, which would be those
levels for perfect posteriors.
"""

import sys

import numpy as np

from astro_xlatent import load_model
from astro_xlatent.compare.evidence import REPEATED
from astro_xlatent.compare.observations import combine
from astro_xlatent.simulate.instruments import default_instruments
from astro_xlatent.train.stream import draw_training_sources, observe_full

MODES = (("bands", "bands"), ("spectra", "spectra"), ("spectra", "bands"))
COUNTS = (5, 30, 100, 1000, 30000)
LEVELS = (0.001, 0.01, 0.1, 0.5)
BATCH = 256
# Not the draws on which REPEATED was chosen.
SEED = 20261122


def repeats(modes, n_batches, model, instruments):
    """p-values of unchanged sources, and counts of the fainter observation."""
    p_change, counts = [], []
    for counter in range(n_batches):
        rng = np.random.default_rng([SEED, counter])
        sources = draw_training_sources(BATCH, rng)
        observed = [observe_full(mode, sources.spectrum, instruments, rng) for mode in modes]
        found = combine([model.infer(bins, matrices) for bins, matrices, _ in observed])
        chosen = np.isfinite(found.p_change) & (sources.class_index >= 0)
        p_change.append(found.p_change[chosen])
        counts.append(np.min([bins.net_counts for bins, _, _ in observed], axis=0)[chosen])
    return np.concatenate(p_change), np.concatenate(counts)


def main(rows=1280):
    model, instruments = load_model(), default_instruments()
    print(f"{model.name}-{model.version}, REPEATED = {REPEATED}")
    print(f"{'observations':18s} {'counts':>12s} {'rows':>5s}  share of p below " +
          " ".join(f"{level:6g}" for level in LEVELS))
    for modes in MODES:
        p, counts = repeats(modes, -(-int(rows) // BATCH), model, instruments)
        for low, high in zip(COUNTS[:-1], COUNTS[1:], strict=True):
            here = p[(counts >= low) & (counts < high)]
            if here.size:
                shares = " ".join(f"{np.mean(here < level):6.3f}" for level in LEVELS)
                print(f"{' + '.join(modes):18s} {low:5d}-{high:<6d} {here.size:5d}  {'':17s}{shares}")


if __name__ == "__main__":
    main(*sys.argv[1:])
