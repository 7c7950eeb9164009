# Licensed under a 3-clause BSD style license - see LICENSE
"""
The page of the docs about speed: every figure beside the limit that it runs into.

    python benchmarks/speed_page.py [--rows 16384] [--spectra 512] [-o docs/speed.rst]

Times are the processor's, so that a machine that is busy with other things tells the
same; each ratio is of two times of the same run.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from astropy.table import Table
from bench_enrich import made_up_rows, made_up_spectra

from astro_xlatent import add_latents, conf, load_model
from astro_xlatent.core.columns import COLUMNS
from astro_xlatent.missions.base import get_mission
from astro_xlatent.model.fluxes import fluxes
from astro_xlatent.model.posterior import covariance_of
from astro_xlatent.simulate.catalog import simulate_catalog
from astro_xlatent.spectra.binning import bins_from_spectra

HEAD = """\
.. Made by benchmarks/speed_page.py; do not edit.

=====
Speed
=====

Seconds are those of the processor, of one thread. Every line holds what limits it, timed in
the same run. Fluxes of band rows are integrals of spectra that are decoded in few cells; the
last lines tell how far that moves them from those
of the full energy grid.

"""
CHILD = """
import resource, sys, time
from astro_xlatent.cli.main import main
main(["enrich", sys.argv[1], "-o", sys.argv[2], "--no-progress"])
print(time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


def seconds(function, *args, repeat=1, **kwargs):
    """Least processor time of a call, in seconds."""
    best = np.inf
    for _ in range(repeat):
        start = time.process_time()
        function(*args, **kwargs)
        best = min(best, time.process_time() - start)
    return best


def matrix_rate():
    """Floating point operations a second of a large matrix product."""
    size = 1536
    matrix = torch.randn(size, size)
    return 2 * size**3 / seconds(torch.mm, matrix, matrix, repeat=4)


def operations(model, n_tokens):
    """Floating point operations of the matrices of a band row: encoder, and decoder for all draws."""
    config, draws = model.config, 32
    encoder = n_tokens * 12 * config.width**2 * config.n_layers
    decoder = draws * sum(layer.weight.numel() for layer in model.decoder.modules()
                          if isinstance(layer, torch.nn.Linear))
    return 2 * (encoder + decoder)


def band_lines(model, n_rows, rng):
    """Band rows against the network alone and the machine's matrix rate."""
    table = made_up_rows(n_rows, rng)
    bins = get_mission("csc").read_bands(table).bins
    add_latents(table[:600], model=model)
    whole = seconds(add_latents, table, model=model, repeat=2)
    network = seconds(model.encode, bins, repeat=2)
    limit = operations(model, bins.n_bins + 1) * n_rows / matrix_rate()
    return [
        ("band rows a second", f"{n_rows / whole:.0f}", ""),
        ("... encoder alone", f"{n_rows / network:.0f}", f"{whole / network:.1f} times"),
        ("... matrix products at this machine's rate", f"{n_rows / limit:.0f}", f"{whole / limit:.1f} times"),
    ]


def spectra_lines(model, n_spectra, rng):
    """Spectra in memory against the network alone."""
    spectra = made_up_spectra(n_spectra, rng)
    table = Table({"i": np.arange(n_spectra)})
    add_latents(table[:16], spectra[:16], model=model)
    whole = seconds(add_latents, table, spectra, model=model)
    bins = bins_from_spectra(spectra[:128])[0]
    network = seconds(model.encode, bins, coarsen=True, repeat=2) * n_spectra / len(bins)
    return [("spectra in memory a second", f"{n_spectra / whole:.0f}", ""),
            ("... encoder alone", f"{n_spectra / network:.0f}", f"{whole / network:.1f} times")]


def file_lines(n_rows, rng):
    """A FITS file a fourth and as a whole: rate and memory."""
    lines = []
    with tempfile.TemporaryDirectory() as folder:
        for rows in (n_rows, 4 * n_rows):
            path, out = Path(folder, f"{rows}.fits"), Path(folder, f"out{rows}.fits")
            made_up_rows(rows, rng).write(path)
            done = subprocess.run([sys.executable, "-c", CHILD, path, out], capture_output=True, text=True,
                                  check=True)
            took, memory = map(float, done.stdout.splitlines()[-1].split())
            lines.append((f"FITS file of {rows} rows a second", f"{rows / took:.0f}", f"{memory:.0f} MB"))
    return lines


def flux_lines(model, rng):
    """Flux limits against those of the full energy grid, in units of the interval."""
    lines = []
    tables = {"made up": ("csc", made_up_rows(1000, rng))}
    tables |= {f"simulated {name}": (name, simulate_catalog(3, 600, name)[0]) for name in ("csc", "erosita")}
    for label, (mission, table) in tables.items():
        bins = get_mission(mission).read_bands(table).bins
        bins = bins[bins.valid.any(axis=1)]
        out = model.encode(bins)
        covariance = covariance_of(out["precision_chol"])
        fast = fluxes(model.decode, bins, None, out["mean"], covariance, "bands")
        full = fluxes(model.decode, bins, bins.unfolded_weights(), out["mean"], covariance)
        moved = np.concatenate([np.abs(fast[b] - full[b]) / np.maximum(full[b][:, 2:] - full[b][:, :1], 1e-99)
                                for b in full])
        lines.append((f"flux limits moved, {label} rows", f"{100 * np.median(moved):.2f} %",
                      f"at most {100 * moved.max():.1f} % of the interval"))
    return lines


def main(argv=None):
    """Measure, print and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--rows", type=int, default=16384)
    parser.add_argument("--spectra", type=int, default=512)
    parser.add_argument("--model")
    parser.add_argument("-o", "--output", type=Path)
    args = parser.parse_args(argv)
    rng, model = np.random.default_rng(1), load_model(args.model)
    conf.threads = 1
    torch.set_num_threads(1)
    lines = [*band_lines(model, args.rows, rng), *spectra_lines(model, args.spectra, rng),
             *file_lines(args.rows, rng), *flux_lines(model, rng)]
    page = HEAD + ".. list-table::\n   :header-rows: 1\n\n" + "".join(
        f"   * - {what}\n     - {figure}\n     - {limit}\n"
        for what, figure, limit in [("what", "figure", "against it"), *lines])
    page += f"\nModel {model.name} {model.version}, {len(COLUMNS)} columns known, 1 thread.\n"
    print(page)
    if args.output:
        args.output.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
