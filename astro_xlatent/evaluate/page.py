# Licensed under a 3-clause BSD style license - see LICENSE
"""
The documentation page of results.

``python -m astro_xlatent.evaluate.page labelled.json simulated.json -o docs/results.rst``
"""

import argparse
import re
from pathlib import Path

from astro_xlatent.evaluate.results import Results

__all__ = ["main", "results_page"]

_INTRO = """Results
=======

.. This page is written by a command; do not edit it:
   python -m astro_xlatent.evaluate.page {files} -o docs/results.rst

How good the model is, beside what a catalogue gives without it. Intervals
hold 90 % of bootstrap repeats: over sky fields for real rows, over sources for
simulated ones. A claim counts only as the difference to a baseline on the same
rows; differences are paired. ``JUDGE`` rows lie in sky fields that no tuning
has seen.
"""

# What is too long for the page: it is in the files of results.
_SKIPPED_QUANTITIES = re.compile(r"macro F1|Spearman with|mean \|error\| of|95 % quantile|p-value|recall")
_SKIPPED_METHODS = re.compile(r"cluster|k-NN, difference|gradient boosting")
_SKIPPED_SUBSETS = re.compile(r"MATCH|without the largest")


def _wanted(number):
    return not (
        _SKIPPED_QUANTITIES.search(number.quantity)
        or _SKIPPED_METHODS.search(number.method)
        or _SKIPPED_SUBSETS.search(number.subset)
    )


def _escaped(text):
    return re.sub(r"([\\*`|_])", r"\\\1", text)


def _table(numbers):
    yield from (".. csv-table::", "   :header: quantity, of, rows, n, value, 90 % interval", "")
    for n in numbers:
        limits = f"{n.low:.3f} to {n.high:.3f}" if n.low == n.low else ""
        cells = (n.quantity, n.method, n.subset, str(n.n), n.text().split(" [")[0], limits)
        yield "   " + ", ".join('"' + _escaped(cell).replace('"', '""') + '"' for cell in cells)
    yield ""


def results_page(results, files=()):
    """
    The page as reStructuredText.

    Parameters
    ----------
    results : list of Results
    files : sequence of str, optional
        Names of the files they came from.

    Returns
    -------
    text : str
    """
    lines = [_INTRO.format(files=" ".join(files))]
    for result in results:
        lines += [result.title, "-" * len(result.title), ""]
        lines += [f":{name}: {_escaped(str(value))}" for name, value in result.facts.items()] + [""]
        for section in dict.fromkeys(n.section for n in result.numbers):
            numbers = [n for n in result.find(section) if _wanted(n)]
            if numbers:
                title = section[0].upper() + section[1:]
                lines += [title, "^" * len(title), "", *_table(numbers)]
        if result.notes:
            lines += ["Notes", "^" * 5, "", *(f"* {_escaped(note)}" for note in result.notes), ""]
    return "\n".join(lines)


def main(argv=None):
    """Read files of results and write the page."""
    parser = argparse.ArgumentParser(
        prog="python -m astro_xlatent.evaluate.page", description="Write the documentation page of results."
    )
    parser.add_argument("files", nargs="+", metavar="RESULTS.json")
    parser.add_argument("-o", "--output", required=True, metavar="PAGE.rst")
    args = parser.parse_args(argv)
    page = results_page([Results.read(f) for f in args.files], [Path(f).name for f in args.files])
    Path(args.output).write_text(page, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
