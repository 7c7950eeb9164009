# Licensed under a 3-clause BSD style license - see LICENSE
"""
What each part of the model is worth, ``python -m benchmarks.ablation.run``: the run, and its table.
"""

import argparse
import sys
from pathlib import Path

import numpy as np

__all__ = ["ablation_results", "ablation_text", "main"]

# Column title, set of rows, and score.
_SPECTRA = (
    ("class: heads", "spectra", "class, head"),
    ("logistic", "spectra", "class, logistic"),
    ("k-NN", "spectra", "class, k-NN"),
    ("N_H: head", "spectra", "log N_H, head"),
    ("probe", "spectra", "log N_H, probe"),
    ("index: head", "spectra", "index, head"),
    ("probe", "spectra", "index, probe"),
    ("z* in 68 %", "spectra", "coverage"),
    ("excess C", "spectra", "excess"),
    ("decoder C", "spectra", "decoder_excess"),
)
_BANDS = tuple((title, "bands", score) for title, _, score in _SPECTRA[:8])
_OTHER = (
    ("class: heads", "other bins", "class, head"),
    ("logistic", "other bins", "class, logistic"),
    ("N_H: head", "other bins", "log N_H, head"),
    ("index: head", "other bins", "index, head"),
)
_TABLES = (
    ("Spectra, 100 to 1,000 expected source counts", _SPECTRA),
    ("Catalogue bands, 100 to 1,000 expected source counts", _BANDS),
    ("The same spectra, bins merged at random to 3 to 32", _OTHER),
)

_EXPLANATION = """\
Every variant differs from the reference in what its name says, was trained on
the same simulated observations for the same number of steps, and is judged on
the same fresh ones. Values are followed by the standard deviation over {repeats}
bootstrap repeats of the judged rows; "reference, other seed" shows what other
initial weights alone do. Short runs of small networks rank choices only roughly:
no number here is that of the released model.

class     balanced accuracy of the 8 classes: by the model's own head, and by
          probes (logistic regression, 20 nearest neighbors) of the posterior
          means of the latents, fitted to the other folds of the judged rows
N_H       median |error| of log N_H where N_H > 1e21: head, and a random forest
          on the latents
index     R2 of the photon index of the sources that have one: the same
z*        share of true latents inside their stated, uncalibrated 68 % interval;
          without a teacher: of the latents of the same source with 20,000 counts
excess C  median expected Cash statistic, 0.5-8 keV, of the reconstruction of a
          spectrum of 1,000 counts above that of the truth (a fit of p free
          parameters to counts of the true model has about p)
decoder C the same for the teacher's noise-free latents, per 10,000 counts
          (the background is known to all but the paper-style model, which
          reconstructs it with the source)
hardness  ratios and significances of the bands; "head": random forests trained
          on four times as many other rows as are judged; probes as for latents
"no ... loss": the head it trained is left out. "no heads" and "heads alone":
the latents' log score alone, and everything but it. "no area input": tokens
claim the same area at every energy. "no random merges": trained on the fine
grid, and read on it, except in the last table."""


def ablation_results(results, facts):
    """
    All scores as records, with those of the difference to the reference.

    Parameters
    ----------
    results : list of dict
        From `~benchmarks.ablation.experiment.run_ablation`.
    facts : dict
        For the head of the report.

    Returns
    -------
    results : `~astro_xlatent.evaluate.results.Results`
        Intervals are of 90 %.
    """
    from astro_xlatent.evaluate.results import Number, Results
    from astro_xlatent.evaluate.scores import interval

    report = Results("What each part of the model is worth", dict(facts))
    for result in results:
        for rows, scores in result["scores"].items():
            for name, score in scores.items():
                report.add([Number.of(rows, name, result["name"], "all", score["n"], score["value"],
                                      interval(score["repeats"]))])
                paired = _difference(results, result, rows, name)
                if paired is not None:
                    report.add([Number.of(rows, f"{name}, minus reference", result["name"], "all", score["n"],
                                          paired[0], interval(paired[1]))])
    return report


def _difference(results, result, rows, name):
    """Difference to the reference and its repeats, None where there is none."""
    from benchmarks.ablation.variants import REFERENCE

    reference = next((r for r in results if r["name"] == REFERENCE), None)
    own, other = (r["scores"].get(rows, {}).get(name) if r else None for r in (result, reference))
    if own is None or other is None or result is reference:
        return None
    return own["value"] - other["value"], np.subtract(own["repeats"], other["repeats"])


def ablation_text(results, facts):
    """
    The report for a terminal.

    Parameters
    ----------
    results, facts
        As for `ablation_results`.

    Returns
    -------
    text : str
        A table of scores and one of differences for every set of rows.
    """
    repeats = len(next(iter(next(iter(results[0]["scores"].values())).values()))["repeats"])
    title = "What each part of the model is worth"
    lines = [title, "=" * len(title), ""]
    lines += [f"{name}: {value}" for name, value in facts.items()]
    lines += ["", _EXPLANATION.format(repeats=repeats)]
    for heading, columns in _TABLES:
        lines += ["", heading, "-" * len(heading), *_table(results, columns, _value)]
        heading = f"{heading}: minus the reference, on the same rows"
        lines += ["", heading, "-" * len(heading), *_table(results, columns, _change)]
    return "\n".join(lines) + "\n"


def _table(results, columns, cell):
    """Aligned lines; variants without any entry are left out."""
    from astro_xlatent.core.text import aligned

    rows = [("variant", *(title for title, _, _ in columns))]
    for result in results:
        cells = [cell(results, result, rows_of, name) for _, rows_of, name in columns]
        if any(c != "-" for c in cells):
            rows.append((result["name"], *cells))
    return aligned(rows).splitlines()


def _value(results, result, rows, name):
    score = result["scores"].get(rows, {}).get(name)
    return "-" if score is None else _with_error(score["value"], score["repeats"], name, "")


def _change(results, result, rows, name):
    paired = _difference(results, result, rows, name)
    return "-" if paired is None else _with_error(*paired, name, "+")


def _with_error(value, repeats, name, sign):
    digits = 1 if "excess" in name else 3
    return f"{value:{sign}.{digits}f} ({np.std(repeats):.{digits}f})"


def _parser():
    parser = argparse.ArgumentParser(
        description="Train variants of the model (number of latents, without area, heads, teacher, merges; "
        "the paper's autoencoder; ...) with the same small budget and print one table. Every result is kept "
        "in DIR: the same command goes on where it was cut.")
    parser.add_argument("-o", "--output", metavar="DIR", required=True, help="folder of results and table")
    parser.add_argument("--steps", type=int, metavar="N", help="steps of every encoder (default: 700)")
    parser.add_argument("--only", metavar="NAME", help="only this variant, such as 'no heads'")
    parser.add_argument("--data", metavar="DIR",
                        help="folder of ARF and RMF files to observe through, beside the shipped curves")
    parser.add_argument("--threads", type=int, default=1, metavar="N", help="CPU threads (default: 1)")
    return parser


def main(argv=None):
    """Train what is missing, print and write the table."""
    from dataclasses import asdict

    import torch

    from benchmarks.ablation.experiment import run_ablation
    from benchmarks.ablation.variants import VARIANTS, AblationSettings

    args = _parser().parse_args(argv)
    torch.set_num_threads(args.threads)
    settings = AblationSettings() if args.steps is None else AblationSettings(steps=args.steps)
    results = run_ablation(
        args.output, settings, only=args.only, data=args.data,
        log=lambda line: print(line, file=sys.stderr, flush=True))
    command = "python -m benchmarks.ablation.run -o DIR"
    command += f" --steps {args.steps}" if args.steps else ""
    command += " --data DATA" if args.data else ""
    facts = {"command": command,
             "budget": ", ".join(f"{k} {v}" for k, v in asdict(settings).items()),
             "CPU seconds": ", ".join(f"{r['name']} {r['seconds']:.0f}" for r in results)}
    missing = [v.name for v in VARIANTS if v.name not in {r["name"] for r in results}]
    if missing:
        facts["not trained yet"] = ", ".join(missing)
    text = ablation_text(results, facts)
    folder = Path(args.output)
    (folder / "ablation.txt").write_text(text, encoding="utf-8")
    report = ablation_results(results, facts)
    for suffix in (".json", ".ecsv"):
        report.write(folder / f"ablation{suffix}")
    print(text, end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
