# Licensed under a 3-clause BSD style license - see LICENSE
"""
The metrics of a model card, from files of results.

``python -m benchmarks.studies.card_metrics labeled.json simulated.json --card MODEL_CARD.rst``
replaces the paragraph *Evaluation* of the card by a table with error bars. The
card is no part of a model's checksum.
"""

import argparse
import re
from pathlib import Path

from astro_xlatent.core.errors import ParameterError
from astro_xlatent.core.files import replacing
from benchmarks.studies.rst import AGN, EIGHT, FOREST, csv_lines, one_model, read_results

__all__ = ["insert_metrics", "main", "metric_numbers", "metrics_table"]

#: What the card tells: words, section, quantity, method, rows. Rows that do not occur are left out.
_ROWS = (
    *((f"real rows, three bands: {words}", section, quantity, method, subset)
      for section, quantity in ((EIGHT, "balanced accuracy"), (AGN, "AUC"))
      for words, method in (("model, zero-shot", "model, zero-shot"), ("forest of hardness ratios", FOREST))
      for subset in ("all", "JUDGE")),
    *((f"simulated {mode}: {words}", f"simulated {mode}: 8 classes", quantity, method, f"{counts} counts")
      for mode in ("spectra", "bands")
      for words, quantity, method in (
          ("8 classes", "balanced accuracy", "model"),
          ("8 classes, model - best of hardness ratios", "difference", "model - best baseline"))
      for counts in ("100-300", "300-1000")),
    *((f"simulated {mode}: N_H > 1e21", f"simulated {mode}: N_H", "median |error| of log N_H", "model",
       f"{counts} counts, N_H > 1e21") for mode in ("spectra", "bands") for counts in ("30-100", "300-1000")),
    *((f"simulated {mode}: N_H", f"simulated {mode}: N_H", f"coverage {level}", "model", f"{counts} counts")
      for mode in ("spectra", "bands") for level in ("68 %", "90 %") for counts in ("30-100", "300-1000")),
    *((f"simulated {mode}: latents", f"simulated {mode}: latents", "coverage 68 %", "mean of latents",
       mission) for mode in ("spectra", "bands") for mission in ("csc", "erosita", "xmm")),
    *((f"simulated {mode}: classes", f"simulated {mode}: class calibration", "expected calibration error",
       "model", "all") for mode in ("spectra", "bands")),
)
_PARAGRAPH = re.compile(r"\*\*Evaluation\.\*\*.*?(?=\n\*\*Known failures)", re.DOTALL)


def metric_numbers(results):
    """
    The metrics that a card tells.

    Parameters
    ----------
    results : sequence of Results

    Returns
    -------
    numbers : list of (str, Number)
        With words for each.
    """
    return [(words, number) for words, *names in _ROWS
            for result in results for number in result.find(*names)]


def metrics_table(results):
    """
    The table of metrics as reStructuredText.

    Parameters
    ----------
    results : sequence of Results
        Of labeled rows and of simulations, of one model.

    Returns
    -------
    text : str
        With the model and the commands that print the numbers.

    Raises
    ------
    ParameterError
        If the results are of several models, or hold none of the metrics.
    """
    rows = metric_numbers(results)
    model = one_model(results, rows)
    lines = [f"**Evaluation.** {model}; intervals hold 90 % of bootstrap repeats (sky fields for real",
             "rows, sources for simulated ones), baselines stand on the same rows. Made by:", ""]
    lines += [f"- ``{result.facts['command']}``" for result in results]
    lines += ["", ".. csv-table::", '   :header: "of", "metric", "rows", "n", "value"', ""]
    lines += csv_lines((words, n.quantity, n.subset, str(n.n), n.text()) for words, n in rows)
    return "\n".join([*lines, ""])


def insert_metrics(card, table, path="card"):
    r"""
    Card with its paragraph *Evaluation* replaced.

    Parameters
    ----------
    card, table : str
    path : path-like, optional
        Named in an error.

    Returns
    -------
    card : str

    Raises
    ------
    ParameterError
        If the card has no such paragraph.

    Examples
    --------
    >>> from benchmarks.studies.card_metrics import insert_metrics
    >>> insert_metrics("**Evaluation.** None.\n\n**Known failures.**", "**Evaluation.** Good.\n")
    '**Evaluation.** Good.\n\n**Known failures.**'
    """
    if len(_PARAGRAPH.findall(card)) != 1:
        msg = (f"{path}: has no paragraph **Evaluation.** before **Known failures**; "
               "give the MODEL_CARD.rst of a model folder")
        raise ParameterError(msg)
    return _PARAGRAPH.sub(lambda found: table, card)


def main(argv=None):
    """Read files of results and write the card anew."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.studies.card_metrics",
                                     description="Put metrics into a model card.")
    parser.add_argument("files", nargs="+", metavar="RESULTS.json")
    parser.add_argument("--card", required=True, type=Path, metavar="MODEL_CARD.rst")
    args = parser.parse_args(argv)
    table = metrics_table([read_results(path) for path in args.files])
    text = insert_metrics(args.card.read_text(encoding="utf-8"), table, args.card)
    with replacing(args.card) as path:
        path.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
