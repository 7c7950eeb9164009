# Licensed under a 3-clause BSD style license - see LICENSE
"""
Time ``import astro_xlatent`` in fresh interpreters, and a command until its first words.

Usage: python benchmarks/bench_import.py [repetitions]

Prints medians of wall and processor time over the repetitions: of imports with an empty
interpreter subtracted, beside that of ``import astropy.table``, which any user of tables
pays anyway; of commands on a terminal until the first line is read, beside an interpreter
that imports astropy's tables and says so. POSIX only.
"""

import os
import pty
import resource
import statistics
import subprocess
import sys
import tempfile
import time

from astropy.table import Table

#: What is timed until its first words; the file is a table that lacks everything.
COMMANDS = ("--version", "--help", "info", "enrich t.fits -o e.fits", "enrich nowhere.fits -o e.fits",
            "predict t.fits", "report t.fits -o r.html", "demo", "fetch --help")


def import_seconds(code):
    """Wall and processor seconds of a fresh interpreter that runs some code."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (time.perf_counter() - start,
            after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def first_words_seconds(arguments, folder):
    """Wall and processor seconds of a fresh interpreter until a terminal shows something."""
    ours, theirs = pty.openpty()
    start = time.perf_counter()
    process = subprocess.Popen([sys.executable, *arguments], stdin=subprocess.DEVNULL, stdout=theirs,
                               stderr=theirs, cwd=folder)
    os.close(theirs)
    os.read(ours, 1)
    wall = time.perf_counter() - start
    # Fields 14 and 15 of proc(5), after the name in parentheses: ticks in user and system mode.
    with open(f"/proc/{process.pid}/stat") as file:
        ticks = file.read().rsplit(")", 1)[1].split()[11:13]
    process.kill()
    process.wait()
    os.close(ours)
    return wall, sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")


def medians(function, repetitions, *arguments):
    """Medians of what a function gives."""
    return [statistics.median(values)
            for values in zip(*(function(*arguments) for _ in range(repetitions)))]


def main():
    """Print the two tables."""
    repetitions = int(sys.argv[1]) if len(sys.argv) > 1 else 7
    empty = medians(import_seconds, repetitions, "pass")
    print(f"medians of {repetitions} runs, wall and processor; empty interpreter "
          f"{empty[0]:.2f} s, {empty[1]:.2f} s, subtracted from imports")
    for code in ("import astro_xlatent", "from astro_xlatent import add_latents", "import astropy.table"):
        wall, cpu = medians(import_seconds, repetitions, code)
        print(f"{code:45s} {wall - empty[0]:7.2f} s {cpu - empty[1]:7.2f} s")
    print("until the first words")
    lines = [(f"astro-xlatent {line}", ["-m", "astro_xlatent", *line.split()]) for line in COMMANDS]
    lines.append(("(import astropy.table)", ["-c", "import astropy.table; print('here')"]))
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        Table({"name": ["a"]}).write(f"{folder}/t.fits")
        for name, words in lines:
            wall, cpu = medians(first_words_seconds, repetitions, words, folder)
            print(f"{name:45s} {wall:7.2f} s {cpu:7.2f} s", flush=True)


if __name__ == "__main__":
    main()
