# Licensed under a 3-clause BSD style license - see LICENSE
"""
Evaluation on a table with classes: the model beside baselines, same rows.
"""

from pathlib import Path

import numpy as np

from astro_xlatent.columns import CLASSES
from astro_xlatent.evaluate.classification import (
    Prediction,
    cluster_predictions,
    difference_numbers,
    probe,
    probes,
    recall_numbers,
    score_predictions,
)
from astro_xlatent.evaluate.fits import fit_numbers
from astro_xlatent.evaluate.folds import grouped_folds, usable_classes
from astro_xlatent.evaluate.independence import independence_notes
from astro_xlatent.evaluate.information import information_numbers
from astro_xlatent.evaluate.interpret import formula_numbers
from astro_xlatent.evaluate.regression import correlation_numbers, quantities_of, regression_numbers
from astro_xlatent.evaluate.results import Results
from astro_xlatent.evaluate.rows import prepare_rows
from astro_xlatent.evaluate.split import JUDGE

__all__ = ["COMPACT", "evaluate_file", "evaluate_table"]

#: Stellar-mass compact objects and accreting white dwarfs, against AGN.
COMPACT = ("LMXB", "HMXB", "CV", "NS")
N_FOLDS = 5
_LATENT_SETS = {
    "": (),
    " + flux": ("flux",),
    " + flux + nh_gal": ("flux", "nh_gal"),
    " + flux + nh_gal + latitude": ("flux", "nh_gal", "latitude"),
}


def _model_probability(table, classes):
    """The model's own probabilities of the chosen classes."""
    given = np.ma.filled(np.ma.asarray(table["xl_class_prob"]).astype(float), np.nan)
    return given[:, [CLASSES.index(name) for name in classes]]


def _feature_sets(rows):
    """Names and features of all baselines and latents, with which baseline each is compared."""
    sets, pairs = {}, []
    for suffix, extra in _LATENT_SETS.items():
        baseline = f"{rows.hardness}hardness{suffix}"
        for name, first in ((baseline, "hardness"), (f"latents{suffix}", "latents")):
            joined = rows.joined(first, *extra)
            if joined is not None:
                sets[name] = joined
        if baseline in sets and f"latents{suffix}" in sets:
            both = f"latents + hardness{suffix}"
            sets[both] = rows.joined("latents", "hardness", *extra)
            pairs += [(f"latents{suffix}", baseline), (both, baseline)]
    if "catalogue fits" in rows.features:
        sets["catalogue's own fits"] = rows.features["catalogue fits"]
        pairs.append(("latents", "catalogue's own fits"))
    return sets, pairs


def _predictions(rows, label, classes, probability, group, seed, quick):
    """All predictions of one task, and the pairs whose differences count."""
    n_classes = len(classes)
    fold = grouped_folds(label, group, N_FOLDS, seed)
    rng = np.random.default_rng(seed)
    found = [
        Prediction("model, zero-shot", probability),
        Prediction("random", rng.random((len(label), n_classes))),
        Prediction(
            "majority", np.tile(np.bincount(label, minlength=n_classes) / len(label), (len(label), 1))
        ),
    ]
    sets, pairs = _feature_sets(rows)
    forests = [(f"{a}, random forest", f"{b}, random forest") for a, b in pairs]
    boosting = [(f"{a}, gradient boosting", f"{b}, gradient boosting") for a, b in pairs]
    pairs = forests + ([] if quick else boosting)
    with np.errstate(divide="ignore"):
        sets["model probabilities"] = np.log(np.maximum(probability, 1e-6))
    hardness = f"{rows.hardness}hardness, random forest"
    pairs += [("model, zero-shot", other) for other in (hardness, "random", "majority")]
    pairs += [("model probabilities, logistic", hardness)]
    tools = probes(seed, trees=100 if quick else 300)
    for name, features in sets.items():
        wanted = ["random forest"] if quick else ["random forest", "gradient boosting"]
        if name in ("latents", "model probabilities"):
            wanted = ["random forest", "logistic"] if quick else list(tools)
        for tool in wanted:
            found.append(Prediction(f"{name}, {tool}", probe(tools[tool], features, label, fold, n_classes)))
    found += cluster_predictions(
        rows.features["latents"], label, fold, n_classes, (8, 32) if quick else (8, 16, 32, 64), seed
    )
    return found, pairs


def _task(results, name, rows, label, classes, probability, grouping, seed, quick):
    """Evaluate one classification task with one grouping of the folds."""
    section = f"{name}, folds by {grouping}"
    group = rows.field if grouping == "sky field" else rows.source
    rng = np.random.default_rng([seed, 17])
    predictions, pairs = _predictions(rows, label, classes, probability, group, seed, quick)
    subsets = rows.subsets()
    numbers, scored = score_predictions(
        section, predictions, label, classes, rows.field, subsets, rng, 200 if quick else 500
    )
    results.add(numbers)
    counts = {subset: int(where.sum()) for subset, where in subsets.items()}
    quantity = "AUC" if len(classes) == 2 else "balanced accuracy"
    results.add(difference_numbers(f"{section}: differences", scored, pairs, list(subsets), quantity, counts))
    for prediction in predictions:
        if prediction.name in ("model, zero-shot", "latents, random forest"):
            for subset in ("all", JUDGE):
                if subset in subsets:
                    recalls, confusion = recall_numbers(
                        f"{section}: recall", prediction, label, classes, subset, subsets[subset]
                    )
                    results.add(recalls)
                    results.arrays[f"confusion {section}: {prediction.name}, {subset}"] = confusion


def evaluate_table(
    table, column="class_label", *, model=None, minimum=(), path=None, quick=False, seed=1, log=None
):
    """
    Score the model, probes on its latents, and baselines on labelled rows.

    Parameters
    ----------
    table : `~astropy.table.Table`
        With positions (``ra``, ``dec``), classes, and band columns; enriched
        first if it is not yet.
    column : str, optional
        Column with the classes.
    model : str or Model, optional
        See `~astro_xlatent.load_model`.
    minimum : sequence of (str, float), optional
        Columns that must exceed a value.
    path : path-like, optional
        Where the table came from.
    quick : bool, optional
        Fewer methods and bootstrap repeats, folds by sky field only.
    seed : int, optional
        Of folds, forests and bootstrap.
    log : callable, optional
        Receives lines on progress.

    Returns
    -------
    results : Results

    Raises
    ------
    TableError
        If there are no labels, no positions, or no row is left.
    """
    log = log or (lambda line: None)
    rows, notes = prepare_rows(table, column, model=model, minimum=minimum, path=path, log=log)
    classes, left_out = usable_classes(rows.label, rows.field, N_FOLDS)
    notes += left_out
    facts = {
        "table": Path(path).name if path else "table",
        "rows": len(rows),
        "model": _model_name(rows.table),
        "command": _command(path, column, minimum, quick, seed),
    }
    results = Results("Labelled rows", facts, notes=notes)
    results.arrays["classes"] = classes
    results.arrays["map"] = {
        "latent": rows.features["latents"][:, :2].round(3).tolist(),
        "label": rows.label.tolist(),
    }
    for grouping in ("sky field",) if quick else ("sky field", "source"):
        if len(classes) >= 2:
            log(f"{len(classes)} classes, folds by {grouping}")
            part = rows[np.isin(rows.label, classes)]
            label = np.searchsorted(classes, part.label)
            _task(
                results,
                f"{len(classes)} classes",
                part,
                label,
                classes,
                _model_probability(part.table, classes),
                grouping,
                seed,
                quick,
            )
        compact = [name for name in COMPACT if name in rows.label]
        if "AGN" in classes and any(name in classes for name in compact):
            log(f"AGN against compact objects, folds by {grouping}")
            _binary_task(results, rows, compact, grouping, seed, quick)
    results.add(fit_numbers(rows.table, rows.label, rows.field, rows.subsets(), np.random.default_rng(seed)))
    log("regression, information, formulas")
    _describe(results, rows, seed, quick)
    results.notes += independence_notes(rows.table)
    return results


def _describe(results, rows, seed, quick):
    """What the latents know of other columns, and how they are made of hardness ratios."""
    latent, hardness = rows.features["latents"], rows.features.get("hardness")
    quantities = quantities_of(rows.table, rows.features, rows.hardness)
    features = {"latents": latent}
    if hardness is not None:
        features[f"{rows.hardness}hardness"] = hardness
    numbers, notes = regression_numbers(quantities, features, rows.field, seed, quick)
    results.add(numbers + correlation_numbers(quantities, latent))
    found, more = information_numbers(rows.table, latent, hardness, seed=seed, quick=quick)
    results.add(found)
    results.notes += notes + more
    if hardness is not None:
        names = [f"HR{k + 1}" for k in range(hardness.shape[1])]
        results.add(formula_numbers(latent, hardness, names, rows.field, seed))


def _binary_task(results, rows, compact, grouping, seed, quick):
    part = rows[np.isin(rows.label, ("AGN", *compact))]
    label = (part.label != "AGN").astype(int)
    agn = _model_probability(part.table, ("AGN",))[:, 0]
    others = _model_probability(part.table, COMPACT).sum(axis=1)
    probability = np.stack([agn, others], axis=1) / np.maximum(agn + others, 1e-12)[:, None]
    _task(
        results,
        f"AGN against {', '.join(compact)}",
        part,
        label,
        ("AGN", "compact"),
        probability,
        grouping,
        seed,
        quick,
    )


def _command(path, column, minimum, quick, seed):
    """The command that gives these results."""
    words = [f"astro-xlatent evaluate {Path(path).name if path else 'TABLE'} --label {column}"]
    words += [f"--minimum {name}={bound:g}" for name, bound in minimum]
    return " ".join(words + (["--quick"] if quick else []) + [f"--seed {seed}"])


def _model_name(table):
    return str(table["xl_model"][0]) if "xl_model" in table.colnames and len(table) else "?"


def evaluate_file(path, column, *, model=None, quick=False, minimum=(), seed=1, log=None):
    """
    Read a table and evaluate it.

    Parameters
    ----------
    path : path-like
        Any format of `~astro_xlatent.tableio.read_table`.
    column, model, quick, minimum, seed, log
        As for `evaluate_table`.

    Returns
    -------
    results : Results
    """
    from astro_xlatent.tableio import read_table

    return evaluate_table(
        read_table(Path(path)),
        column,
        model=model,
        minimum=minimum,
        path=path,
        quick=quick,
        seed=seed,
        log=log,
    )
