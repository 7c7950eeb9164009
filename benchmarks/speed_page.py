# Licensed under a 3-clause BSD style license - see LICENSE
"""
The page of the docs about speed: every figure beside the limit that it runs into.

    python benchmarks/speed_page.py [--small] [-o docs/speed.rst]

Times of one process are the processor's, so that a machine that is busy with other things tells
the same; those of two workers are the wall's. Each ratio is of two times of the same run.
"""

import argparse
import gzip
import json
import multiprocessing
import subprocess
import sys
import tempfile
import time
import warnings
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import torch
from astropy.table import Table
from bench_enrich import made_up_rows, made_up_spectra

from astro_xlatent import XraySpectrum, add_latents, conf, load_model
from astro_xlatent.missions.base import get_mission
from astro_xlatent.model.fluxes import fluxes
from astro_xlatent.model.posterior import covariance_of
from astro_xlatent.simulate.catalog import simulate_catalog
from astro_xlatent.simulate.products import write_catalog
from astro_xlatent.spectra._cache import CACHE
from astro_xlatent.spectra.binning import bins_from_spectra
from astro_xlatent.table.files import read_table, write_table

HEAD = """\
.. Made by benchmarks/speed_page.py; do not edit.

=====
Speed
=====

Seconds are those of the processor, of one thread, but for the two workers'. Every line holds what
limits it, timed in the same run. Spectra are simulated Chandra sources, 10 to 3,000 counts, a
file each with its background, and responses that several share. Fluxes of band rows are integrals
of spectra that are decoded in few cells; the last lines tell how far that moves them from those
of the full energy grid.

"""
#: Rows and files of a full run, which takes about seven minutes on two quiet cores, and of a trial.
FULL = {"bands": 16384, "spectra": 512, "files": 1000, "fits": 25, "workers": 65536,
        "formats": 32768, "growth": (1000, 10_000, 100_000, 1_000_000)}
SMALL = {"bands": 2048, "spectra": 64, "files": 40, "fits": 3, "workers": 4096,
         "formats": 2048, "growth": (1000, 3000)}
CHILD = """
import json, resource, sys, time
from astro_xlatent import conf
from astro_xlatent.cli.main import main
conf.threads = 1
code = main(["enrich", sys.argv[1], "-o", sys.argv[2], "--no-progress"])
print(json.dumps([code, time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024]))
"""


def seconds(function, *args, repeat=1, **kwargs):
    """Least processor time of a call, in seconds."""
    best = np.inf
    for _ in range(repeat):
        start = time.process_time()
        function(*args, **kwargs)
        best = min(best, time.process_time() - start)
    return best


def against(what, own, other):
    """A line that says how many times as long something else takes."""
    return what, f"{1e3 * other:.3g} ms", f"{other / own:.2g} times"


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


def source_lines(model, folder, n_files, n_fits):
    """Files on disk to results, and reading alone, against Sherpa, fitsio and the bytes."""
    catalog = read_table(write_catalog(folder / "sky", n_files, "csc", seed=5))
    paths = [Path(p) for p in get_mission("csc").find_spectra(catalog, folder / "sky") if p is not None]
    chosen = paths[:: max(len(paths) // n_fits, 1)][:n_fits]
    add_latents(catalog[:4], folder / "sky", model=model)
    CACHE.clear()
    whole = seconds(add_latents, catalog, folder / "sky", model=model) / len(paths)
    lines = [("sources from their files a second", f"{1 / whole:.0f}", f"{1e3 * whole:.2f} ms a source")]
    CACHE.clear()
    seen = [seconds(XraySpectrum.read, path) for path in paths]
    reading = sum(seen) / len(paths)
    lines.append(("... reading of these", f"{1e3 * reading:.2f} ms", f"{100 * reading / whole:.0f} % of it"))
    lines.append(against("... their bytes, unpacked", reading, seconds(read_bytes, paths) / len(paths)))
    for name, reader in (("fitsio, columns only", read_fitsio), ("Sherpa, with responses", read_sherpa)):
        try:
            took = seconds(reader, chosen) / len(chosen)
        except ImportError:
            lines.append((f"... reading by {name}", "not installed", ""))
        else:
            lines.append(against(f"... reading by {name}", reading, took))
    try:
        lines.append(against("... loaded into Sherpa, absorbed power law fitted", whole,
                             seconds(fit_sherpa, chosen) / len(chosen)))
    except ImportError:
        lines.append(("... a fit by Sherpa", "not installed", ""))
    return lines


def read_bytes(paths):
    """All bytes of files."""
    for path in paths:
        data = path.read_bytes()
        if path.suffix == ".gz":
            gzip.decompress(data)


def read_fitsio(paths):
    """All tables of the spectra alone, by cfitsio."""
    import fitsio

    for path in paths:
        with fitsio.FITS(str(path)) as hdus:
            for hdu in hdus[1:]:
                hdu.read()


def read_sherpa(paths):
    """Sherpa's full read, which opens the responses for every spectrum."""
    from sherpa.astro.io import read_pha
    from sherpa.utils.logging import SherpaVerbosity

    with SherpaVerbosity("CRITICAL"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for path in paths:
            read_pha(str(path), use_errors=False)


def fit_sherpa(paths):
    """Load every spectrum into a session and fit an absorbed power law to 0.5-7 keV."""
    from sherpa.astro.ui.utils import Session
    from sherpa.utils.logging import SherpaVerbosity

    from astro_xlatent.sherpa import XLPowerlaw, XLTbabs

    with SherpaVerbosity("CRITICAL"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for path in paths:
            session = Session()
            session.load_pha(1, str(path))
            session.notice_id(1, 0.5, 7.0)
            session.set_method("levmar")
            session.set_stat("wstat" if session.get_data(1).background_ids else "cstat")
            power = XLPowerlaw("pl")
            session.set_source(1, XLTbabs("nh") * power)
            session.guess(1, power)
            session.fit(1)


def start_worker():
    """One thread and a warm model."""
    conf.threads = 1
    torch.set_num_threads(1)
    work((np.random.default_rng(2), 600))


def work(task):
    """Enrich made-up rows; gives when it was begun and done."""
    rng, n_rows = task
    table, begun = made_up_rows(n_rows, rng), time.time()
    add_latents(table)
    return begun, time.time()


def worker_lines(n_rows):
    """Wall time of one process and of two, without their start."""
    took = []
    tasks = [(np.random.default_rng(k), n_rows // 8) for k in range(8)]
    for workers in (1, 2):
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(workers, context, initializer=start_worker) as pool:
            list(pool.map(time.sleep, [10.0] * workers))  # one each: all have started then
            done = list(pool.map(work, tasks))
        took.append(max(end for _, end in done) - min(begun for begun, _ in done))
    return [("two workers, band rows a second", f"{n_rows / took[1]:.0f}",
             f"{took[0] / took[1]:.2f} times one worker's")]


def enriched_file(path, out):
    """Processor seconds and peak memory in MB of the command."""
    command = [sys.executable, "-c", CHILD, path, out]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    code, took, memory = json.loads(done.stdout.splitlines()[-1])
    if code:
        raise RuntimeError(done.stderr)
    return took, memory


def file_lines(folder, n_formats, growth, rng):
    """The command on files: time and memory with the number of rows, and by format."""
    lines = []
    for rows in growth:
        path, out = folder / f"{rows}.fits", folder / f"out{rows}.fits"
        write_table(made_up_rows(rows, rng), path)
        took, memory = enriched_file(path, out)
        lines.append((f"enrich, FITS file of {rows} rows", f"{took:.1f} s", f"{memory:.0f} MB at most"))
        path.unlink()
        out.unlink()
    fits = None
    for form in ("fits", "parquet", "csv", "ecsv"):
        path, out = folder / f"rows.{form}", folder / f"out.{form}"
        write_table(made_up_rows(n_formats, rng), path)
        try:
            took = enriched_file(path, out)[0]
        except subprocess.CalledProcessError as error:
            lines.append((f"enrich, {form.upper()} file of {n_formats} rows", "failed", error.stderr[-60:]))
            continue
        fits = fits or took
        lines.append((f"enrich, {form.upper()} file of {n_formats} rows", f"{took:.1f} s",
                      f"{took / fits:.2f} times as FITS"))
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
    parser.add_argument("--small", action="store_true", help="few rows, to see that it runs")
    parser.add_argument("--model")
    parser.add_argument("-o", "--output", type=Path)
    args = parser.parse_args(argv)
    n = SMALL if args.small else FULL
    rng, model = np.random.default_rng(1), load_model(args.model)
    conf.threads = 1
    torch.set_num_threads(1)
    lines = []

    def add(found):
        for line in found:
            print(*line, sep=" | ", flush=True)
        lines.extend(found)

    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        add(band_lines(model, n["bands"], rng))
        add(spectra_lines(model, n["spectra"], rng))
        add(source_lines(model, folder, n["files"], n["fits"]))
        add(worker_lines(n["workers"]))
        add(flux_lines(model, rng))
        add(file_lines(folder, n["formats"], n["growth"], rng))
    page = HEAD + ".. list-table::\n   :header-rows: 1\n\n" + "".join(
        f"   * - {what}\n     - {figure}\n     - {limit}\n"
        for what, figure, limit in [("what", "figure", "against it"), *lines])
    page += f"\nModel {model.name} {model.version}, torch {torch.__version__}.\n"
    if args.output:
        args.output.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
