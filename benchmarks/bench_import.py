# Licensed under a 3-clause BSD style license - see LICENSE
"""
Time ``import astro_xlatent`` in fresh interpreters.

Usage: python benchmarks/bench_import.py [repetitions]

Prints the median over the repetitions, with an empty interpreter subtracted,
beside that of ``import astropy.table``, which any user of tables pays anyway.
"""

import statistics
import subprocess
import sys
import time


def seconds(code, repetitions):
    """Median wall time of a fresh interpreter that runs some code."""
    times = []
    for _ in range(repetitions):
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True)
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def main():
    """Print the table."""
    repetitions = int(sys.argv[1]) if len(sys.argv) > 1 else 7
    empty = seconds("pass", repetitions)
    print(f"median of {repetitions} runs; empty interpreter {empty:.3f} s subtracted")
    for code in ("import astro_xlatent", "from astro_xlatent import add_latents",
                 "import astropy.table"):
        print(f"{code:40s} {seconds(code, repetitions) - empty:7.3f} s")


if __name__ == "__main__":
    main()
