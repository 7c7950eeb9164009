# Licensed under a 3-clause BSD style license - see LICENSE
"""
The page "How good is it": one figure and one table from files of results.

``python -m benchmarks.studies.page RESULTS.json ... -o docs/how_good.rst``
"""

import argparse
import math
from pathlib import Path

from benchmarks.studies.rst import AGN, EIGHT, FOREST, csv_lines, one_model, read_results

__all__ = ["figure", "main", "page", "page_rows"]

_BOOSTED = "hardness ratios + S/N, gradient boosting"
#: Words, section, quantity, rows, the model's method, the baseline's method (empty: none).
ROWS = (
    ("Real rows, three bands: class of eight", EIGHT, "balanced accuracy", "all", "model, zero-shot", FOREST),
    ("Real rows, three bands: AGN or compact", AGN, "AUC", "all", "model, zero-shot", FOREST),
    *((f"Simulated {mode}, {counts} counts: class of eight", f"simulated {mode}: 8 classes",
       "balanced accuracy", f"{counts} counts", "model", _BOOSTED)
      for mode, counts in (("bands", "100-300"), ("spectra", "100-300"), ("spectra", "300-1000"))),
    *((f"Simulated {mode}, 300-1000 counts: {words}", f"simulated {mode}: N_H", quantity, rows, "model", "")
      for words, quantity, rows in (
          ("error of log N_H above 1e21", "median |error| of log N_H", "300-1000 counts, N_H > 1e21"),
          ("N_H inside its 68 % interval", "coverage 68 %", "300-1000 counts"))
      for mode in ("bands", "spectra")),
    *((f"Simulated {mode}: error of class probabilities", f"simulated {mode}: class calibration",
       "expected calibration error", "all", "model", "") for mode in ("bands", "spectra")),
)
_INTRO = """How good is it
==============

.. This page and its figure are written by a command; do not edit them:
   python benchmarks/run_all.py DATA -o OUT

{model}, beside what the same rows give without it. Brackets and bars hold 90 % of
bootstrap repeats, over sky fields for real rows, over sources for simulated
ones. Real rows are 2,000 sources of the Chandra Source Catalog that the
literature has classified; simulated ones are drawn fresh. What the numbers do
not tell is in :doc:`limits`.

.. image:: images/how_good.png
   :width: 100%
   :alt: Scores of the model and of baselines on the same rows, with error bars

.. csv-table::
   :header: "", "what", "n", "model", "baseline"

"""


def page_rows(results):
    """
    What the page tells.

    Parameters
    ----------
    results : sequence of Results

    Returns
    -------
    rows : list of (str, Number, Number or None)
        Words, the model's number, the baseline's.
    """
    rows = []
    for words, section, quantity, subset, method, baseline in ROWS:
        for result in results:
            found = result.find(section, quantity, method, subset)
            other = result.find(section, quantity, baseline, subset) if baseline else []
            rows += [(words, number, other[0] if other else None) for number in found[:1]]
    return rows


def page(results):
    """
    Text of the page.

    Parameters
    ----------
    results : sequence of Results
        Of one model.

    Returns
    -------
    text : str

    Raises
    ------
    ParameterError
        If the results are of several models, or hold nothing the page tells.
    """
    rows = page_rows(results)
    name = one_model(results, rows)
    lines = csv_lines((words, n.quantity, str(n.n), n.text(), other.text() if other else "")
                      for words, n, other in rows)
    lines += ["", "Made by:", "", *(f"- ``{r.facts['command']}``" for r in results if "command" in r.facts)]
    return _INTRO.format(model=name) + "\n".join(lines) + "\n"


def figure(rows, path):
    """
    Draw the rows, the model beside the baseline.

    Parameters
    ----------
    rows : list
        Of `page_rows`.
    path : path-like
        Image to write.
    """
    import matplotlib.pyplot as plt

    drawn, axes = plt.subplots(figsize=(8, 0.42 * len(rows) + 1.2), layout="constrained")
    for k, (name, color, marker) in enumerate((("model", "C0", "o"), ("baseline", "C1", "s"))):
        numbers = [(place, row[k + 1]) for place, row in enumerate(rows) if row[k + 1] is not None]
        value = [n.value for _, n in numbers]
        error = [[0 if math.isnan(n.low) else max(n.value - n.low, 0) for _, n in numbers],
                 [0 if math.isnan(n.high) else max(n.high - n.value, 0) for _, n in numbers]]
        axes.errorbar(value, [place + 0.12 * k for place, _ in numbers], xerr=error, fmt=marker, color=color,
                      label=name, capsize=2)
    axes.set_yticks(range(len(rows)), [words for words, _, _ in rows], fontsize=8)
    axes.invert_yaxis()
    axes.set_xlim(0, 1)
    axes.grid(axis="x", alpha=0.3)
    axes.legend(loc="lower right")
    drawn.savefig(path, dpi=110)
    plt.close(drawn)


def main(argv=None):
    """Read files of results, write page and figure."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.studies.page", description=__doc__.split("\n")[1]
    )
    parser.add_argument("files", nargs="+", metavar="RESULTS.json")
    parser.add_argument("-o", "--output", required=True, type=Path, metavar="PAGE.rst")
    args = parser.parse_args(argv)
    results = [read_results(path) for path in args.files]
    args.output.write_text(page(results), encoding="utf-8")
    images = args.output.parent / "images"
    images.mkdir(exist_ok=True)
    figure(page_rows(results), images / "how_good.png")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
