# Licensed under a 3-clause BSD style license - see LICENSE
"""
How fast spectra are read, against Sherpa and against merely opening the files.

Run ``python benchmarks/bench_reading.py [FOLDER]``. FOLDER is searched for
spectra (all files whose header says so); without it, or if it has none, the
two CSC spectra inside Sherpa's own package are used. All ways take turns on
the same files within one run, each file's best of several rounds counts, and
the files are in the page cache for all of them. Cold: no response of ours is
cached. Seen: the same response was read before.
"""

import argparse
import statistics
import time
import warnings
from pathlib import Path

from astropy.io import fits

from astro_xlatent import XraySpectrum
from astro_xlatent.core.errors import XlatentError
from astro_xlatent.spectra._cache import CACHE

ROUNDS = 5


def packaged_spectra():
    """The two CSC spectra that Sherpa carries for its tests."""
    from sherpa.astro import datastack

    return sorted((Path(datastack.__file__).parent / "tests" / "data").glob("acis*_pha3.fits"))


def find_spectra(folder):
    """Spectra below a folder that both readers can read with response and background."""
    found = []
    for path in sorted(p for p in Path(folder).rglob("*") if p.is_file()):
        try:
            spectrum = XraySpectrum.read(path)
        except XlatentError:
            continue
        named = {"named by RESPFILE", "named by ANCRFILE"}
        if spectrum.background is not None and named <= set(spectrum.meta.values()):
            found.append(path)
    return found


def companions(path):
    """The distinct files that reading ``path`` opens."""
    spectrum = XraySpectrum.read(path)
    names = {spectrum.path, spectrum.background.path}
    for name in (spectrum.response.meta["arf"], spectrum.response.meta["rmf"]):
        names.add(str(path.parent / name))
    return sorted(names)


def seconds(function, *args):
    """Wall time of one call."""
    start = time.perf_counter()
    function(*args)
    return time.perf_counter() - start


def read_sherpa(path):
    """Sherpa's full read."""
    from sherpa.astro.io import read_pha

    read_pha(str(path), use_errors=False)


def read_cold(path):
    """Our full read with an empty cache."""
    CACHE.clear()
    XraySpectrum.read(path)


def open_all(names):
    """Open the files with astropy and walk their headers, nothing more."""
    for name in names:
        with fits.open(name) as hdus:
            len(hdus)


def measure(path):
    """Best times in s of Sherpa, cold, seen, opening."""
    names = companions(path)
    rounds = []
    for _ in range(ROUNDS):
        rounds.append((seconds(read_sherpa, path), seconds(read_cold, path),
                       seconds(XraySpectrum.read, path), seconds(open_all, names)))
    return [min(column) for column in zip(*rounds)]


def main():
    """Print one line a file and the ratios."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("folder", nargs="?", help="folder of spectra")
    folder = parser.parse_args().folder
    paths = (find_spectra(folder) if folder else []) or packaged_spectra()
    from sherpa.utils.logging import SherpaVerbosity

    print(f"{'milliseconds':<44}{'Sherpa':>8}{'cold':>8}{'seen':>8}{'opening':>9}{'x cold':>8}{'x seen':>8}")
    rows = []
    with SherpaVerbosity("CRITICAL"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for path in paths:
            rows.append(measure(path))
            sherpa, cold, seen, opening = (1e3 * t for t in rows[-1])
            print(f"{path.name[:43]:<44}{sherpa:8.1f}{cold:8.1f}{seen:8.1f}{opening:9.1f}"
                  f"{sherpa / cold:8.1f}{sherpa / seen:8.1f}")
    total = [sum(column) for column in zip(*rows)]
    print(f"\nall {len(rows)} files: cold {total[0] / total[1]:.1f} x as fast as Sherpa (target 3), "
          f"response seen before {total[0] / total[2]:.1f} x (target 15)")
    print(f"opening the files with astropy alone would be {total[0] / total[3]:.1f} x; "
          f"median file: {statistics.median(r[0] / r[1] for r in rows):.1f} x cold, "
          f"{statistics.median(r[0] / r[2] for r in rows):.1f} x seen")


if __name__ == "__main__":
    main()
