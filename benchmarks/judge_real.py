# Licensed under a 3-clause BSD style license - see LICENSE
"""
The tests on real data: prints them, and writes ``docs/real_tests.txt``.

    python benchmarks/judge_real.py DATA [--what spectra classes ...] [--output docs/real_tests.txt]

DATA is the folder with ``labels/``, ``responses/`` and ``spectra/``. Nothing
that is tested took part in training; whatever has to be fitted on real labels
is cross-fitted by sky field. About five minutes on one core.

spectra: class, N_H and fit of every open spectrum beside reference fits.
classes: the eight classes and AGN against compact objects, beside classifiers
given the same columns; calibration on real labels; reliability.
columns: N_H beside the catalog's fits, averaged sources and detections.
sets: conformal sets of classes.
expected: classes and N_H of simulated rows like the real ones, which is what
the model would score if the simulated sky were the real one.
"""

import argparse
import sys
import warnings
from pathlib import Path

import numpy as np

from astro_xlatent.evaluate.results import Results
from astro_xlatent.evaluate.rows import prepare_rows
from benchmarks.labels import load_detections, load_sources
from benchmarks.sky import load_sky
from benchmarks.studies.expected import expected_classes
from benchmarks.studies.expected_fits import as_averages, as_detections, expected_fits, simulate_fits
from benchmarks.studies.fits import FIT_CLASSES, catalog_fits
from benchmarks.studies.open_spectra import compare_spectra, evidence_table, result_table, spectra_numbers
from benchmarks.studies.real_calibration import set_numbers
from benchmarks.studies.real_tests import class_numbers, column_numbers
from benchmarks.studies.sample import csc_instruments

WHAT = ("spectra", "classes", "columns", "sets", "expected")
SOURCES, DETECTIONS = "labels/csc2_labelled_sources.csv", "labels/csc2_labelled_detections.csv.gz"

SIMULATED_FITS = 900


def say(line):
    """Progress, apart from the results."""
    print(f"judge_real: {line}", file=sys.stderr, flush=True)


def enriched(labeled, model, minimum=()):
    """Rows with the model's columns, on both sides of the split."""
    from astro_xlatent.table.add_latents import add_latents

    table = add_latents(labeled.table, model=model, include=["xl_class_set"])
    return prepare_rows(table, "class_label", minimum=minimum)[0]


def of_side(rows, side, sky):
    """Rows of one side of the split, or all."""
    if side == "all":
        return rows
    return rows[sky.side(np.array(rows.table["ra"], float), np.array(rows.table["dec"], float)) == side]


def judged_columns(sources, detections, side):
    """N_H of the averaged table and of single detections."""
    numbers = column_numbers(sources[np.isin(sources.label, FIT_CLASSES)],
                             "N_H against the catalog's fits, averaged sources", side)
    return numbers + column_numbers(detections, "N_H against the catalog's fits, detections", side)


def judged_expected(data, model, sources, detections, side):
    """Classes and N_H of real rows beside those of simulated ones."""
    from astro_xlatent.table.add_latents import add_latents

    numbers = expected_classes(sources, csc_instruments(data), model, side, log=say)
    fitted = [rows.label[np.isin(rows.label, FIT_CLASSES) & np.isfinite(catalog_fits(rows.table)[0])]
              for rows in (sources, detections)]
    # Shares averaged over both tables: one of them has no AGN.
    shares = {name: float(np.mean([np.mean(label == name) for label in fitted])) for name in FIT_CLASSES}
    say("fits of simulated spectra")
    simulated = simulate_fits(1, SIMULATED_FITS, shares)
    for kind, rows, table in (("averaged sources", sources, as_averages(simulated)),
                              ("detections", detections, as_detections(simulated, detections.table))):
        table = add_latents(table, mission="csc", model=model)
        numbers += expected_fits(
            rows, table, f"N_H against the catalog's fits, {kind}: real rows beside simulated ones", side)
    return numbers


def judged_sets(part, side):
    """Conformal sets of one side."""
    sets = [str(text).split(",") for text in part.table["xl_class_set"]]
    return set_numbers(sets, part.label, part.field, np.random.default_rng(1), side)


def spectra_text(data, model):
    """Tables of the open spectra, and their summary."""
    compared = compare_spectra(data, model=model, log=say)
    lines = ["Open spectra", "============", "",
             "N_H as log10 in 1/cm2; \"ln p\": log probability of the literature's class for equal priors,",
             "\"set\": whether it is in the conformal set; \"like fits\": families of nearly the same",
             "likelihood; \"inside\": the fit's N_H lies in the model's 90 % interval (where the fit is",
             "an upper limit: both 90 % intervals overlap).", ""]
    lines += result_table(compared).pformat(max_lines=-1, max_width=-1)
    lines += ["", *evidence_table(compared).pformat(max_lines=-1, max_width=-1, align="<")]
    return "\n".join(line.rstrip() for line in lines), spectra_numbers(compared, np.random.default_rng(1))


def main():
    """Run the tests and print them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("data", type=Path, help="folder with labels/, responses/ and spectra/")
    parser.add_argument("--what", nargs="+", choices=WHAT, default=WHAT, help="some of the tests")
    parser.add_argument("--model", default=None, help="model name or folder")
    parser.add_argument("--side", choices=("JUDGE", "MATCH", "all"), default="JUDGE",
                        help="MATCH for developing; JUDGE for what counts; all open rows")
    parser.add_argument("--output", type=Path, help="file for the text")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    from astro_xlatent.model.pretrained import load_model

    model = load_model(options.model)
    results = Results("Real rows", {"model": f"{model.name}-{model.version}", "rows": options.side})
    text = ""
    if set(options.what) - {"spectra"}:
        rows = enriched(load_sources(options.data / SOURCES), model, minimum=[("significance", 5)])
        judged = of_side(rows, options.side, load_sky(options.data))
    if "classes" in options.what:
        results.add(class_numbers(judged, options.side, log=say))
    if {"columns", "expected"} & set(options.what):
        detections = of_side(enriched(load_detections(options.data / DETECTIONS), model), options.side,
                             load_sky(options.data))
        say(f"{len(detections)} detections")
    if "columns" in options.what:
        results.add(judged_columns(judged, detections, options.side))
    if "sets" in options.what:
        results.add(judged_sets(judged, options.side))
    if "expected" in options.what:
        results.add(judged_expected(options.data, model, judged, detections, options.side))
    if "spectra" in options.what:
        text, numbers = spectra_text(options.data, model)
        results.numbers[:0] = numbers
    text = f"{results.text()}\n\n{text}".rstrip() + "\n"
    print(text)
    if options.output:
        options.output.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
