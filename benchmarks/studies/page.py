# Licensed under a 3-clause BSD style license - see LICENSE
"""
The documentation pages of results: headlines, and everything.

``python -m benchmarks.studies.page labelled.json simulated.json -o docs/results.rst``
writes the headlines to ``results.rst`` and all tables to ``results_tables.rst``.
"""

import argparse
import re
from pathlib import Path

from astro_xlatent.evaluate.independence import ORIGINS
from astro_xlatent.evaluate.results import Results, escaped

__all__ = ["main", "pivot", "results_page", "tables_page"]

_INTRO = """Results
=======

.. This page and results_tables.rst are written by a command; do not edit them:
   python -m benchmarks.studies.page {files} -o docs/results.rst

How good the model is, beside what a catalogue gives without it. Intervals
hold 90 % of bootstrap repeats: over sky fields for real rows, over sources for
simulated ones. A claim counts only as the difference to a baseline on the same
rows; differences are paired. ``JUDGE`` rows lie in sky fields that no tuning
has seen. All other numbers, gradient boosting, clusters, recalls and macro F1
among them, are in :doc:`results_tables`; what the latents mean is in
:doc:`latents`.
"""

_TABLES_INTRO = """All tables of results
=====================

.. This page is written with results.rst by benchmarks.studies.page.

See :doc:`results` for what matters most, and for what is compared.
"""

#: What is said before a section.
_WORDS = {
    "settings of the hardness baseline": """A random forest of hardness ratios whose folds keep sky fields
together was found by others to score as in the last rows. Here one setting at a time is
changed; the range is that of the seeds that deal the folds. With the averages over
observations for fluxes, hardness ratios alone come out as others found; with one mean per
source, which ``evaluate`` reads where it can, AGN stand out more. What others found with
flux and ``nh_gal`` lies between folds by sky field and folds by source, as it may with
smaller fields: this page joins all sources within 1 degree of one another, in steps, which
is stricter. The size of leaves, the way of averaging and the seed move a score by about
0.01 to 0.02.""",
    "gap between heads and latents": """What a head, which sees the encoder's embedding, knows more than a
regression of the latents alone (q(z)): negative differences of the error favour
the head. Fluxes have no head: they come from decoded latents and the
normalisation, which the latents alone do not hold. Regressions are trained on the very
quantity, such as the catalogue's fits with their habits and limits; heads were trained on
simulated truth and have never seen it. The gap of the class is among the differences of
classification.""",
    "mutual information, nats": """By nearest neighbours. Only what exceeds the quantile of permutations is
more than chance; faint sources have latents near zero and cannot show variability,
so that the significance is also held fixed where the table has it.""",
}

# For the first page.
_HEADLINE_METHODS = re.compile(
    r"^(model, zero-shot|random|majority|catalogue's own fits, random forest|"
    r"model probabilities, logistic|(?!.*(cluster|boosting|k-NN)).*(latents|hardness|PCA).*)$"
)
_HEADLINE_SUBSETS = ("all", "JUDGE", "labels without X-rays")
_CLASSIFICATION = re.compile(r"^(\d classes|AGN against .*), folds by (sky field|source)$")
# What stays on the second page, whatever its length.
_SECOND_PAGE = re.compile(
    r"folds by source|recall|correlation of latents|formulas|regression|goodness of fit|variance explained"
)
_MOST_ROWS = 40


def _cell(number):
    if number is None or number.value != number.value:
        return ""
    if number.low != number.low:
        return f"{number.value:.3f}"
    return f"{number.value:.3f} ({number.low:.3f} to {number.high:.3f})"


def pivot(numbers, most_columns=5):
    """
    Numbers as a table that is as narrow and short as can be.

    Parameters
    ----------
    numbers : list of Number
        Of one section.
    most_columns : int, optional
        Columns of values.

    Returns
    -------
    header : list of str
    rows : list of list of str
        Quantities or subsets side by side, whichever fit; n is told in the
        column's name where it is the same for all of it.
    """
    layouts = (
        (("method",), ("quantity", "subset")),
        (("method", "quantity"), ("subset",)),
        (("method", "subset"), ("quantity",)),
        (("quantity", "method", "subset"), ()),
    )
    best = None
    for down, across in layouts:
        columns = list(dict.fromkeys(tuple(getattr(n, a) for a in across) for n in numbers))
        keys = list(dict.fromkeys(tuple(getattr(n, d) for d in down) for n in numbers))
        if len(columns) <= most_columns and (best is None or len(keys) < len(best[3])):
            best = (down, across, columns, keys)
    down, across, columns, keys = best
    cells = {(tuple(getattr(n, d) for d in down), tuple(getattr(n, a) for a in across)): n for n in numbers}
    constant = [d for k, d in enumerate(down) if len({key[k] for key in keys}) == 1 and len(down) > 1]
    shown = [k for k, d in enumerate(down) if d not in constant]
    header = [{"method": "of", "subset": "rows"}.get(down[k], down[k]) for k in shown]
    header += [_column_name(column, [cells.get((key, column)) for key in keys]) for column in columns]
    rows = [[key[k] for k in shown] + [_cell(cells.get((key, c))) for c in columns] for key in keys]
    return header, rows


def _column_name(column, cells):
    sizes = {n.n for n in cells if n is not None}
    name = ", ".join(part for part in column if part) or "value"
    return f"{name} ({sizes.pop()} rows)" if len(sizes) == 1 else name


def _rst_table(header, rows):
    def line(cells):
        return ", ".join('"' + escaped(cell).replace('"', '""') + '"' for cell in cells)

    yield from (".. csv-table::", f"   :header: {line(header)}", "")
    yield from (f"   {line(row)}" for row in rows)
    yield ""


def _section(title, numbers, mark):
    name = title[0].upper() + title[1:]
    yield from (name, mark * len(name), "")
    if title in _WORDS:
        yield from (_WORDS[title], "")
    yield from _rst_table(*pivot(numbers))


def _heading(result):
    yield from (result.title, "-" * len(result.title), "")
    yield from (f":{name}: {escaped(str(value))}" for name, value in result.facts.items())
    yield ""


def _classification(result):
    """Headlines of all classification tasks side by side, folds by source last."""
    sections = [s for s in dict.fromkeys(n.section for n in result.numbers) if _CLASSIFICATION.match(s)]
    main = "sky field" if any(s.endswith("sky field") for s in sections) else "source"
    numbers = []
    for section in sections:
        quantity = "AUC" if section.startswith("AGN") else "balanced accuracy"
        subsets = _HEADLINE_SUBSETS[:2] if section.endswith(main) else ("all",)
        numbers += [
            n
            for n in result.find(section, quantity)
            if n.subset in subsets and _HEADLINE_METHODS.match(n.method)
        ]
    if not numbers:
        return
    title = f"Classification, folds by {main}"
    short = {s: s.split(",")[0].replace("AGN against LMXB", "AGN against compact") for s in sections}
    short |= {s: f"{short[s]}, folds by source" for s in sections if not s.endswith(main)}
    keys = list(dict.fromkeys((n.section, n.quantity, n.subset) for n in numbers))
    keys.sort(key=lambda key: not key[0].endswith(main))
    cells = {(n.method, (n.section, n.quantity, n.subset)): n for n in numbers}
    header = ["of"]
    for section, quantity, subset in keys:
        size = max(n.n for n in numbers if (n.section, n.subset) == (section, subset))
        header.append(f"{short[section]}: {quantity}, {subset} ({size} rows)")
    methods = dict.fromkeys(n.method for n in numbers)
    yield from (title, "^" * len(title), "")
    yield from _rst_table(header, [[m, *(_cell(cells.get((m, key))) for key in keys)] for m in methods])


def _headlines(result):
    """Yield sections of the first page, with their numbers."""
    for section in dict.fromkeys(n.section for n in result.numbers):
        numbers = result.find(section)
        if section.endswith(": differences"):
            numbers = [
                n for n in numbers if n.subset in _HEADLINE_SUBSETS and not re.search("boosting", n.method)
            ]
        if section.startswith("simulated ") and section.endswith((": latents", ": N_H")):
            numbers = [
                n for n in numbers if "coverage" in n.quantity and n.method in ("mean of latents", "model")
            ]
        elif _CLASSIFICATION.match(section) or _SECOND_PAGE.search(section):
            continue
        if not numbers:
            continue
        if len(pivot(numbers)[1]) <= _MOST_ROWS:
            yield section, numbers


def _origins():
    title = "Where labels and quantities come from"
    words = (
        "A score against what was computed from the very photons that the model sees tells less than one "
        "against an independent label; rows whose label came from no X-ray catalogue are scored apart, as "
        "*labels without X-rays*."
    )
    yield from (title, "-" * len(title), "", words, "")
    yield from _rst_table(["column", "origin", "the same photons?"], ORIGINS)


def results_page(results, files=()):
    """
    The page of headlines as reStructuredText.

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
        lines += [*_heading(result), *_classification(result)]
        for section, numbers in _headlines(result):
            lines += _section(section, numbers, "^")
        notes = [note for note in result.notes if "same photons:" not in note]
        if notes:
            lines += ["Notes", "^" * 5, "", *(f"* {escaped(note)}" for note in notes), ""]
    return "\n".join([*lines, *_origins()])


def tables_page(results):
    """
    All tables as reStructuredText.

    Parameters
    ----------
    results : list of Results

    Returns
    -------
    text : str
    """
    lines = [_TABLES_INTRO]
    for result in results:
        lines += _heading(result)
        for section in dict.fromkeys(n.section for n in result.numbers):
            lines += _section(section, result.find(section), "^")
    return "\n".join(lines)


def main(argv=None):
    """Read files of results and write both pages."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.studies.page", description="Write the documentation pages of results."
    )
    parser.add_argument("files", nargs="+", metavar="RESULTS.json")
    parser.add_argument("-o", "--output", required=True, metavar="PAGE.rst",
                        help="headlines; all tables go to PAGE_tables.rst beside it")
    args = parser.parse_args(argv)
    results = [Results.read(f) for f in args.files]
    path = Path(args.output)
    path.write_text(results_page(results, [Path(f).name for f in args.files]), encoding="utf-8")
    path.with_name(f"{path.stem}_tables.rst").write_text(tables_page(results), encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
