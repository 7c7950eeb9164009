# Licensed under a 3-clause BSD style license - see LICENSE
"""
Time and memory of `add_latents`.

Prints, for the installed package and its default model: seconds for spectra
that are in memory already and for Chandra rows with bands only, the time of
the network's forward pass alone in the same run (the floor) and the ratio to
it, and the peak memory for a small and a large table.

    python benchmarks/bench_enrich.py [--spectra 1000] [--rows 10000] [--model NAME]
"""

import argparse
import resource
import time

import numpy as np
from astropy.table import Table

from astro_xlatent import add_latents, load_model
from astro_xlatent.missions.base import get_mission
from astro_xlatent.physics.emission import powerlaw
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


def timed(function, *args, **kwargs):
    """Seconds that a call takes."""
    start = time.perf_counter()
    function(*args, **kwargs)
    return time.perf_counter() - start


def main():
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--spectra", type=int, default=1000)
    parser.add_argument("--rows", type=int, default=10000)
    parser.add_argument("--model")
    args = parser.parse_args()
    rng = np.random.default_rng(1)
    model = load_model(args.model)
    spectra = made_up_spectra(args.spectra, rng)
    table, rows = Table({"i": np.arange(args.spectra)}), made_up_rows(args.rows, rng)
    add_latents(rows[:64], model=model)

    from astro_xlatent.spectra.binning import bins_from_spectra

    bins = bins_from_spectra(spectra[:128])[0]
    floor = timed(model.encode, bins, coarsen=True) * args.spectra / len(bins)
    seconds = timed(add_latents, table, spectra, model=model)
    print(f"{args.spectra} spectra in memory: {seconds:.2f} s, network alone {floor:.2f} s, "
          f"ratio {seconds / floor:.1f}")
    bands = get_mission("csc").read_bands(rows[:1024]).bins
    floor = timed(model.encode, bands) * args.rows / len(bands)
    few = timed(add_latents, rows[: args.rows // 10], model=model)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    seconds = timed(add_latents, rows, model=model)
    print(f"{args.rows} rows with bands: {seconds:.2f} s, network alone {floor:.2f} s, "
          f"ratio {seconds / floor:.1f}; a tenth of them {few:.2f} s")
    more = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"peak memory {memory:.0f} MB after the small table, {more:.0f} MB after the large one")


if __name__ == "__main__":
    main()
