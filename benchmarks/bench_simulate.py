# Licensed under a 3-clause BSD style license - see LICENSE
"""
Print how many sources the simulator makes in a second of one core's time.

    OMP_NUM_THREADS=1 python benchmarks/bench_simulate.py [rows]
"""

import sys
import tempfile
from pathlib import Path
from time import process_time

import numpy as np

from astro_xlatent.simulate import batch
from astro_xlatent.simulate.instruments import default_instruments
from astro_xlatent.simulate.observe import draw_apertures, draw_recipes, observe_spectra, read_published
from astro_xlatent.simulate.populations import CLASSES, draw_sources
from astro_xlatent.simulate.products import write_catalog
from astro_xlatent.train.stream import PLAN, training_batch


def rate(label, n, function):
    """Time a function that makes n sources, after one call that fills caches (CPU time)."""
    function()
    start = process_time()
    function()
    seconds = process_time() - start
    print(f"{label:44s} {n / seconds:10.0f} sources/s")


def main(n):
    """Time incident spectra, observations, batches and files."""
    rng = np.random.default_rng(1)
    classes = rng.integers(len(CLASSES), size=n)
    rate("incident spectra, all classes", n, lambda: draw_sources(classes, rng))
    spectra = draw_sources(classes, rng).spectrum
    instruments = {i.mission: i for i in default_instruments(years=[2010])}
    for mission in ("csc", "erosita", "xmm"):
        item = instruments[mission]
        rate(f"observed as spectra, {mission}", n, lambda item=item: observe_spectra(spectra, item, rng))
    for mission in ("csc", "erosita"):
        item = instruments[mission]
        rate(f"observed in bands, {mission}", n, lambda item=item: read_published(
            draw_apertures(spectra, item, rng), draw_recipes(item.mission, n, rng), rng))
    batches = list(instruments.values())
    rate("training batches", 10 * sum(part.rows for part in PLAN),
         lambda: [training_batch(1, counter, batches) for counter in range(10)])
    for mission, mode in (("csc", "bands"), ("csc", "spectra"), ("erosita", "bands"), ("erosita", "spectra"),
                          ("xmm", "spectra")):
        rate(f"batch, drawn and observed, {mission} {mode}", n,
             lambda mission=mission, mode=mode: batch(1, n, mission=mission, mode=mode))
    few = min(n, 300)
    with tempfile.TemporaryDirectory() as folder:
        rate("written with spectra, csc", few, lambda: write_catalog(
            Path(folder) / "sky", few, "csc", overwrite=True))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 2048)
