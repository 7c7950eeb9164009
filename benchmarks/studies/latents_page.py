# Licensed under a 3-clause BSD style license - see LICENSE
"""
The documentation page on what each latent means, and its figure.

``python -m benchmarks.studies.latents_page labeled.json catalog.json -o docs/latents.rst``
"""

import argparse
import re
from pathlib import Path

from astro_xlatent.core.columns import N_LATENT
from astro_xlatent.core.errors import ParameterError
from benchmarks.studies.rst import escaped, read_results

__all__ = ["latents_page", "main", "strongest"]

_INTRO = """What each latent direction does
===============================

.. This page and its figure are written by a command; do not edit them:
   python -m benchmarks.studies.latents_page {files} -o docs/latents.rst

The eight latents of {model} are whitened (mean 0, variance 1 in the population
of its training) and ordered by how much of the spectrum they explain. They say
nothing of the flux. Below, one latent at a time is moved from -2 to +2 while
the others stay at zero, and the decoder turns each point into the spectrum that
arrives at the telescope. The signs are fixed with the latent space.

.. image:: images/{figure}
   :width: 100%
   :alt: Decoded spectra along each of the eight latents

What changes along the way, as the column and photon index of the absorbed
power law that fits the decoded spectrum best, and as its photon-flux hardness
ratios of the bands 0.5-1.2, 1.2-2 and 2-7 keV, from -2 by 0 to +2. Thermal and
two-component spectra are no power laws: there the index is a mere description.

"""

_FORMULAS = """
A latent in hardness ratios
---------------------------

The best polynomials of up to five terms and third degree, fitted by orthogonal
matching pursuit; R2 is out of fold. HR1, HR2 and HR3 are hardness ratios of
neighboring bands, and of the outermost two. What a formula leaves open is what
the latent knows beyond three bands, or noise.

"""


def strongest(results, n=3):
    """
    The quantities with which each latent correlates most.

    Parameters
    ----------
    results : Results
        Of labeled rows.
    n : int, optional
        How many.

    Returns
    -------
    found : list of list of (str, float)
        For each latent, quantity and Spearman's coefficient.
    """
    numbers = results.find("correlation of latents with quantities")
    found = []
    for k in range(N_LATENT):
        own = [x for x in numbers if x.method == f"latent {k}" and x.value == x.value]
        own = sorted(own, key=lambda x: -abs(x.value))[:n]
        found.append([(x.quantity.removeprefix("Spearman with "), x.value) for x in own])
    return found


def _walk(values):
    """First, middle and last value along a latent."""
    return " → ".join(f"{v:g}" for v in (values[0], values[len(values) // 2], values[-1]))


def _table(header, rows):
    yield from (".. csv-table::", f"   :header: {header}", "")
    for cells in rows:
        yield "   " + ", ".join('"' + escaped(str(cell)).replace('"', '""') + '"' for cell in cells)
    yield ""


def _traversal_rows(summary):
    for k in range(len(summary["nh"])):
        hardness = summary["hardness"][k]
        soft, hard = ([pair[j] for pair in hardness] for j in (0, 1))
        yield k, _walk(summary["nh"][k]), _walk(summary["photon_index"][k]), _walk(soft), _walk(hard)


def latents_page(results, figure="latents.png", files=()):
    """
    The page as reStructuredText.

    Parameters
    ----------
    results : list of Results
        Of labeled rows; the first with traversals gives the spectra.
    figure : str, optional
        Name of the figure below ``images/``.
    files : sequence of str, optional
        Names of the files of results.

    Returns
    -------
    text : str

    Raises
    ------
    ParameterError
        If no file holds traversals.
    """
    first = _with_traversals(results)
    model = first.facts.get("model", "the model")
    lines = [_INTRO.format(files=" ".join(files), figure=figure, model=model)]
    header = "latent, log N_H, photon index, (m - s)/(m + s), (h - m)/(h + m)".replace("_", r"\_")
    lines += _table(header, _traversal_rows(first.arrays["traversals"]))
    lines += ["What each latent goes with", "-" * 26, "", "Spearman's rank correlation, strongest first.", ""]
    tables = [r for r in results if any(strongest(r))]
    header = "latent, " + ", ".join(f'"{_name(r)}"' for r in tables)
    lines += _table(
        escaped(header),
        (
            (k, *("; ".join(f"{name} {value:+.2f}" for name, value in strongest(r)[k]) for r in tables))
            for k in range(N_LATENT)
        ),
    )
    for result in tables:
        if result.arrays.get("correlations", {}).get("quantities"):
            lines += _matrix(result)
    lines += [_FORMULAS]
    for result in tables:
        formulas = result.find("formulas for the latents")
        if formulas:
            lines += [f"{_name(result)}:", ""]
            rows = ((n.quantity.rsplit(" ", 1)[1], n.method, f"{n.value:.2f}") for n in formulas)
            lines += _table("latent, formula, R2", rows)
    return "\n".join(lines)


def _matrix(result):
    """All correlations of one table."""
    matrix = result.arrays["correlations"]
    yield from (f"All correlations, {escaped(_name(result))}:", "")
    pairs = zip(matrix["quantities"], matrix["values"], strict=True)
    rows = ((name, *(f"{value:+.2f}" for value in values)) for name, values in pairs)
    yield from _table("quantity, " + ", ".join(str(k) for k in range(N_LATENT)), rows)


def _name(result):
    return f"{result.facts.get('table', result.title)} ({result.facts.get('rows', '?')} rows)"


def _with_traversals(results):
    for result in results:
        if "traversals" in result.arrays:
            return result
    msg = "no file holds decoded traversals; make one: astro-xlatent evaluate TABLE -o OUT.json"
    raise ParameterError(msg)


def _titles(results):
    """What each panel of the figure is called: the latent and its strongest correlate."""
    titles = [f"latent {k}" for k in range(N_LATENT)]
    for result in results:
        best = strongest(result, 1)
        if all(best):
            spare = re.compile(r" \(.*\)| of the catalog's fit|(photon|energy)-flux ")
            named = [spare.sub("", b[0][0]) for b in best]
            return [f"{t}: {n} {b[0][1]:+.2f}" for t, n, b in zip(titles, named, best, strict=True)]
    return titles


def main(argv=None):
    """Read files of results, write page and figure."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.studies.latents_page",
        description="Write the documentation page on the latents, and images/latents.png beside it.",
    )
    parser.add_argument("files", nargs="+", metavar="RESULTS.json")
    parser.add_argument("-o", "--output", required=True, metavar="PAGE.rst")
    args = parser.parse_args(argv)
    from astro_xlatent.plotting import plot_traversals

    results = [read_results(f) for f in args.files]
    page = latents_page(results, files=[Path(f).name for f in args.files])
    folder = Path(args.output).parent / "images"
    folder.mkdir(exist_ok=True)
    titles = _titles(sorted(results, key=lambda r: "simulated" not in str(r.facts.get("table"))))
    axes = plot_traversals(_with_traversals(results).arrays["traversals"], titles=titles)
    axes[0].figure.savefig(folder / "latents.png", dpi=80)
    Path(args.output).write_text(page, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
