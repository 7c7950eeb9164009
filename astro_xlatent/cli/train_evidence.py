# Licensed under a 3-clause BSD style license - see LICENSE
"""``astro-xlatent train-evidence``: learn from labeled rows what other columns say of the class."""

import hashlib
from pathlib import Path

import numpy as np

from astro_xlatent.cli.shell import subcommand
from astro_xlatent.core.errors import TableError

#: Folds over fields of the sky.
N_FOLDS = 5
_CREDIT = {
    "labels": "Yang et al. 2022, ApJ 941, 104 (MUWCLASS; VizieR J/ApJ/941/104)",
    "flux, variability, extent, position, nh_gal": "Chandra Source Catalog 2 (Evans et al. 2010, ApJS 189, "
    "37; 2024, ApJS 274, 22), public, no license of its own",
    "G, BP, RP, parallax, proper motion": "Gaia (Gaia Collaboration 2023, A&A 674, A1), ESA/Gaia/DPAC, "
    "CC BY-SA 3.0 IGO",
    "J, H, K": "2MASS (Skrutskie et al. 2006, AJ 131, 1163), public, acknowledgment asked for",
    "W1, W2, W3": "AllWISE and CatWISE (Wright et al. 2010, AJ 140, 1868; Marocco et al. 2021, ApJS 253, 8), "
    "public, acknowledgment asked for",
}


def labeled_inputs(table, column, own=(), minimum=()):
    """
    Labeled rows of a table, enriched if they are not, as a model of evidence takes them: the rows that are
    used, inputs, labels, classes (ours where all labels are among them), fields of the sky, and the
    spectrum's probabilities for equal priors, which are equal for classes other than ours.
    """
    from astro_xlatent.compare.positions import sky_fields
    from astro_xlatent.core.columns import CLASSES
    from astro_xlatent.core.numbers import plain_floats
    from astro_xlatent.evaluate.rows import ALIASES, words_of
    from astro_xlatent.table.add_latents import add_latents
    from astro_xlatent.table.evidence import row_inputs

    missing = [name for name in (column, "ra", "dec", *(n for n, _ in minimum)) if name not in table.colnames]
    if missing:
        raise TableError(f"no column {', '.join(missing)}; the table has {', '.join(table.colnames[:20])}")
    raw = words_of(table, column)
    names = np.array([ALIASES.get(name, name) for name in raw.tolist()])
    keep = (names != "") & np.isfinite(plain_floats(table["ra"])) & (np.abs(plain_floats(table["dec"])) <= 90)
    for name, bound in minimum:
        with np.errstate(invalid="ignore"):
            keep &= plain_floats(table[name]) > bound
    table, names = table[keep], names[keep]
    if "xl_class_prob" not in table.colnames:
        table = add_latents(table)
    given = plain_floats(table["xl_class_prob"])
    seen = np.isfinite(given).all(axis=1)
    table, names, given = table[seen], names[seen], given[seen]
    if not len(table):
        raise TableError(f"no row has a class in {column!r}, a position, and a spectrum or bands")
    ours = set(names.tolist()) <= set(CLASSES)
    classes = CLASSES if ours else tuple(np.unique(names).tolist())
    inputs, _ = row_inputs(table, own)
    spectrum = given if ours else np.full((len(table), len(classes)), 1 / len(classes))
    field = sky_fields(plain_floats(table["ra"]), plain_floats(table["dec"]))[0]
    label = np.array([classes.index(name) for name in names.tolist()])
    return table, inputs, label, classes, field, spectrum


def run(args) -> int:
    """Train, write, and say how well fields that were not seen are classified."""
    from astro_xlatent.core.columns import CLASSES
    from astro_xlatent.evaluate.classification import evidence_scores
    from astro_xlatent.evaluate.scores import grouped_folds
    from astro_xlatent.model.evidence import BUNDLED_EVIDENCE, PIECES
    from astro_xlatent.table.files import read_table
    from astro_xlatent.train.evidence import train_evidence

    if (args.output is None) == (not args.bundle):
        raise TableError("give either -o FILE.json, or --bundle to renew the package's own model")
    own = tuple(name for name in (args.columns or "").split(",") if name)
    table, inputs, label, classes, field, spectrum = labeled_inputs(
        read_table(Path(args.table)), args.label, own, args.minimum)
    pieces = dict(PIECES)
    if classes != CLASSES:
        pieces["spectrum"] = ("spectrum",)
    if own:
        pieces["own"] = ("own",)
    fold = grouped_folds(label, field, N_FOLDS, args.seed)
    name = Path(args.output or "evidence").stem
    model, cross = train_evidence(inputs, label, classes, fold, spectrum, pieces, name)
    scores = evidence_scores(model, cross.log_factors(inputs), spectrum, label, field, fold, args.seed)
    numbers = np.bincount(label, minlength=len(classes))
    model.card |= {
        "rows": len(label), "fields": int(field.max() + 1),
        "rows by class": {c: int(n) for c, n in zip(classes, numbers, strict=True)},
        "table": Path(args.table).name, "spectrum model": str(table["xl_model"][0]),
        "minimum": [f"{n} > {bound:g}" for n, bound in args.minimum],
        "scores on fields that were not seen": scores,
        "credit": _CREDIT if not own else _CREDIT | {", ".join(own): "the table's maker"},
        "rows of the labeled table": "are not in this file; its numbers are coefficients",
    }
    path = BUNDLED_EVIDENCE if args.bundle else Path(args.output)
    model.write(path)
    print(f"{path}: {len(label)} rows, {field.max() + 1} fields, {len(classes)} classes; "
          f"sha256 {hashlib.sha256(path.read_bytes()).hexdigest()}"
          + (" (put it into BUNDLED_SHA256 of astro_xlatent/model/evidence.py)" if args.bundle else ""))
    for choice, values in scores.items():
        print(f"{choice:>14}: " + ", ".join(f"{key} {value:.3f}" for key, value in values.items()))
    return 0


add_parser = subcommand(
    "train-evidence", "learn from labeled rows what other columns say of the class",
    "Fit small logistic models of flux, position, variability and counterparts, and of any other columns, on "
    "rows with classes of any kind; print scores on fields of the sky not seen. Needs scikit-learn.",
    ("table", "TABLE", "labeled table with ra and dec, enriched or not"),
    ("--label", "COLUMN", "column with the classes (default: class_label)", {"default": "class_label"}),
    ("--columns", "NAME,...", "numeric columns of your own to learn from"),
    "minimum",
    ("-o --output", "FILE", "model to write (JSON)"),
    ("--bundle", None, "renew the package's own model"),
    ("--seed", "N", "of the folds (default: 1)", {"type": int, "default": 1}))
