# Licensed under a 3-clause BSD style license - see LICENSE
"""
Time and memory of `add_latents`.

Prints, for the installed package and its default model, rates of Chandra rows with bands,
of spectra in memory, and of distinct gzipped PHA files on disk whose responses were read
before. Rates are per second of the clock, which other processes slow down, and per second of
the processor; beside them what a network's forward pass takes of the latter, the least of
``--repeat`` runs each. ``--workers N`` sets threads, and compares with one in the same run;
``--occupied`` keeps one core busy meanwhile, for the share of a free core's rate that is left.

    python benchmarks/bench_enrich.py [--rows 16384] [--spectra 1000] [--files 1000] [--workers 1]
                                      [--occupied]
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from astropy.table import Table

from astro_xlatent import add_latents, conf, load_model
from astro_xlatent.missions.base import get_mission
from astro_xlatent.physics.emission import powerlaw
from astro_xlatent.simulate.products import write_catalog
from astro_xlatent.spectra.binning import bins_from_spectra
from astro_xlatent.spectra.spectrum import XraySpectrum


def made_up_spectra(n, rng):
    """ACIS spectra of power laws, 10 to 3000 counts, with shared responses."""
    responses = [get_mission("csc").default_response(chip, year)
                 for chip in ("ACIS-I", "ACIS-S") for year in (2002, 2012)]
    spectra = []
    for row in range(n):
        response = responses[row % len(responses)]
        rate = response.on_grid().fold(powerlaw(rng.uniform(1, 3)))
        counts = rng.poisson(10 ** rng.uniform(1, 3.5) * rate / rate.sum())
        off = XraySpectrum(counts=rng.poisson(0.02, counts.size), exposure=1e4, backscale=10.0)
        spectra.append(XraySpectrum(counts=counts, exposure=1e4, response=response, background=off,
                                    telescope="CHANDRA", instrument="ACIS"))
    return spectra


def made_up_rows(n, rng):
    """Energy fluxes with limits, as in the Chandra Source Catalog."""
    table = Table()
    for band in "smh":
        flux, error = 10 ** rng.uniform(-15, -12.5, n), rng.uniform(0.05, 0.5, n)
        table[f"flux_aper_{band}"] = flux
        table[f"flux_aper_lolim_{band}"] = flux * (1 - error)
        table[f"flux_aper_hilim_{band}"] = flux * (1 + error)
    return table


def made_up_files(folder, n):
    """A simulated catalog with its spectra on disk; table and folder of the spectra."""
    return Table.read(write_catalog(folder / "made", n, "csc")), folder / "made" / "spectra"


def seconds(function, repeat):
    """Least seconds of the clock and of the processor that a call takes."""
    taken = []
    for _ in range(repeat):
        wall, cpu = time.perf_counter(), time.process_time()
        function()
        taken.append((time.perf_counter() - wall, time.process_time() - cpu))
    return np.min(taken, axis=0)


def report(what, n, function, repeat, network=None):
    """Print rates of one kind of rows with as many threads as are set and with one."""
    wall, cpu = seconds(function, repeat)
    print(f"{n} {what}: {n / wall:.0f} a second, {n / cpu:.0f} a second of the processor", end="")
    if conf.threads > 1:
        with conf.set_temp("threads", 1):
            print(f", {seconds(function, repeat)[0] / wall:.2f} times one thread's", end="")
    if network is not None:
        print(f", network alone {100 * network / cpu:.0f} % of it", end="")
    print()


def main():
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--rows", type=int, default=16384)
    parser.add_argument("--spectra", type=int, default=1000)
    parser.add_argument("--files", type=int, default=1000)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--repeat", type=int, default=2)
    parser.add_argument("--occupied", action="store_true")
    parser.add_argument("--model")
    args = parser.parse_args()
    rng, model = np.random.default_rng(1), load_model(args.model)
    conf.threads = args.workers
    busy = subprocess.Popen([sys.executable, "-c", "while True: pass"]) if args.occupied else None
    try:
        _report_all(args, rng, model)
    finally:
        if busy:
            busy.kill()
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


def _report_all(args, rng, model):
    if args.rows:
        rows = made_up_rows(args.rows, rng)
        bands = get_mission("csc").read_bands(rows).bins
        add_latents(rows[:600], model=model)
        report("rows with bands", args.rows, lambda: add_latents(rows, model=model), args.repeat,
               seconds(lambda: model.encode(bands), args.repeat)[1])
    if args.spectra:
        spectra, table = made_up_spectra(args.spectra, rng), Table({"i": np.arange(args.spectra)})
        bins = bins_from_spectra(spectra[:128])[0]
        add_latents(table[:16], spectra[:16], model=model)
        network = seconds(lambda: model.encode(bins, coarsen=True), args.repeat)[1] * args.spectra / len(bins)
        report("spectra in memory", args.spectra, lambda: add_latents(table, spectra, model=model),
               args.repeat, network)
    if args.files:
        with tempfile.TemporaryDirectory() as folder:
            catalog, spectra = made_up_files(Path(folder), args.files)
            add_latents(catalog, spectra, model=model)  # reads the responses
            report("spectra on disk", args.files, lambda: add_latents(catalog, spectra, model=model),
                   args.repeat)


if __name__ == "__main__":
    main()
