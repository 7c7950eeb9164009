# Licensed under a 3-clause BSD style license - see LICENSE
"""
The refined posterior beside nested sampling. Prints the answers.

Run ``python benchmarks/judge_refined.py [--n N] [--real N] [--data DATA] [--model NAME]
[--live N] [--device cpu] [--seed SEED] [--keep FOLDER] [--minutes M] [-o OUT.txt]``.

``--n`` simulated spectra and ``--real`` real ones of ``DATA/spectra/inventory.csv``
are sampled with ``--live`` live points (see `benchmarks.studies.nested`), and the
distribution functions of N_H and photon index compared at every edge of their cells.
``--keep`` holds what was sampled, a folder for each model, and is gone on with;
after ``--minutes`` no more is sampled and what there is is judged.
"""

import argparse
import csv
import math
import sys
import time
from pathlib import Path

import numpy as np

from astro_xlatent import load_model
from astro_xlatent.core.errors import XlatentError
from astro_xlatent.evaluate.results import Number, Results
from astro_xlatent.model.refined import (
    column_density,
    index_density,
    likelihood_of_row,
    refine_posterior,
)
from astro_xlatent.spectra.binning import bins_from_spectra
from astro_xlatent.spectra.bins import EnergyBins
from astro_xlatent.spectra.spectrum import XraySpectrum
from benchmarks.studies.nested import nested_draws

#: Largest difference of distribution functions that is good, and the effective draws from which it is asked.
GOOD, ENOUGH = 0.03, 100
#: Expected source counts of the simulated spectra, log-uniform, and rows sampled together.
COUNTS, BATCH = (100.0, 10000.0), 5
HEADS = {"log N_H": "nh_density", "photon index": "index_density"}


def simulated_rows(n, seed):
    """Bins and matrices of ordinary simulated spectra with a measured background."""
    from astro_xlatent.simulate.instruments import default_instruments
    from benchmarks.studies.guard_rails import observe_oddity

    bins, matrices, _ = observe_oddity(None, int(1.2 * n) + 8, default_instruments(),
                                       np.random.default_rng([seed, 31]), COUNTS)
    return bins[:n], matrices[:n]


def real_rows(data, n):
    """Bins and matrices of the first real spectra that can be read."""
    found = []
    with open(data / "spectra" / "inventory.csv", newline="", encoding="utf-8") as stream:
        for entry in csv.DictReader(stream):
            try:
                found.append(bins_from_spectra([XraySpectrum.read(data / entry["folder"] / entry["pha"])]))
            except XlatentError:
                continue
            if len(found) == n:
                break
    return EnergyBins.concatenate([b for b, _ in found]), np.concatenate([m for _, m in found])


def sampled(name, model, bins, matrices, args):
    """Densities by nested sampling, of the first rows that there is time for."""
    found = []
    for start in range(0, len(bins), BATCH):
        path = args.keep and args.keep / f"{name}-{args.live}-{args.seed}-{start}.npz"
        if path and path.exists():
            found.append(dict(np.load(path)))
            continue
        if time.monotonic() > args.deadline:
            break
        rows = range(start, min(start + BATCH, len(bins)))
        model.decoder.to(args.device)
        draws = nested_draws(model, [likelihood_of_row(bins, row, matrices) for row in rows], args.live,
                             args.seed, args.device)
        model.decoder.to("cpu")
        found.append(_densities(model, draws))
        if path:
            np.savez(path, **found[-1])
        print(f"{name}: sampled {rows.stop} of {len(bins)}", file=sys.stderr, flush=True)
    return {k: np.concatenate([f[k] for f in found]) for k in HEADS.values()}


def _densities(model, draws):
    """Densities of N_H and photon index over weighted latents, of every row."""
    found = {name: [] for name in HEADS.values()}
    for latent, weight in draws:
        used = weight > 1e-7 * weight.max()
        latent, weight = latent[used], weight[used] / weight[used].sum()
        found["nh_density"].append(weight @ column_density(model, latent))
        found["index_density"].append(index_density(model.decode(latent), weight, model.config.n_index))
    return {name: np.array(rows) for name, rows in found.items()}


def compare(name, model, bins, matrices, args):
    """Numbers for some rows."""
    posterior = model.infer(bins, matrices)
    bins, matrices = bins[posterior.detected], matrices[posterior.detected]
    posterior = posterior[posterior.detected]
    truth = sampled(name, model, bins, matrices, args)
    done = slice(0, len(truth["nh_density"]))
    bins, matrices, posterior = bins[done], matrices[done], posterior[done]
    refined = refine_posterior(model, posterior, bins, matrices)
    numbers = []
    section = "distribution functions against nested sampling"
    told = refined.ess > ENOUGH
    numbers.append(
        Number.of(section, f"share with xl_ess > {ENOUGH}", "refined", name, len(told), told.mean())
    )
    for head, attribute in HEADS.items():
        for method, found in (("encoder", posterior), ("refined", refined)):
            density = getattr(found, attribute)[told]
            density = density / density.sum(axis=1, keepdims=True)
            off = np.abs(np.cumsum(density - truth[attribute][told], axis=1)).max(axis=1)
            numbers += [
                Number.of(section, f"{head}, {text}", method, name, len(off), value)
                for text, value in (
                    ("largest difference, median", np.median(off)),
                    ("largest difference, 90 %", np.quantile(off, 0.9)),
                    (f"share <= {GOOD}", np.mean(off <= GOOD)),
                )
            ]
    return numbers


def main():
    """Print the comparison."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--n", type=int, default=200)
    parser.add_argument("--real", type=int, default=20)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--model")
    parser.add_argument("--live", type=int, default=1000)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--minutes", type=float, default=math.inf)
    parser.add_argument("-o", "--output", type=Path)
    args = parser.parse_args()
    args.deadline = time.monotonic() + 60 * args.minutes
    if args.keep:
        args.keep.mkdir(parents=True, exist_ok=True)
    model = load_model(args.model)
    results = Results("Refined posterior", {"model": f"{model.name}-{model.version}",
                                            "live points": f"{args.live}"})
    if args.data is not None:
        results.add(compare("real", model, *real_rows(args.data, args.real), args))
    if args.n:
        results.add(compare("simulated", model, *simulated_rows(args.n, args.seed), args))
    text = results.text()
    print(text)
    if args.output:
        args.output.write_text(text)


if __name__ == "__main__":
    main()
