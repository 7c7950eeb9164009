# Licensed under a 3-clause BSD style license - see LICENSE
"""Evaluation on a table with classes: the model beside baselines, same rows."""

from pathlib import Path

import numpy as np

from astro_xlatent.core.columns import CLASSES
from astro_xlatent.core.errors import TableError
from astro_xlatent.core.numbers import plain_floats
from astro_xlatent.evaluate import classification, regression
from astro_xlatent.evaluate.classification import COMPACT, Prediction, probe, probes
from astro_xlatent.evaluate.features import PCA_NAME, principal_components, with_pca
from astro_xlatent.evaluate.information import information_numbers, variability_columns
from astro_xlatent.evaluate.interpret import formula_numbers, traversal_summary
from astro_xlatent.evaluate.results import Results
from astro_xlatent.evaluate.rows import join_truth, prepare_rows
from astro_xlatent.evaluate.scores import calibration_error, grouped_folds, usable_classes
from astro_xlatent.model.evidence import PIECES
from astro_xlatent.model.pretrained import load_model
from astro_xlatent.spectra.bins import N_FINE
from astro_xlatent.table.evidence import flat_prior, row_inputs
from astro_xlatent.train.evidence import train_evidence

__all__ = ["evaluate_table"]

N_FOLDS = 5
_LATENT_SETS = {
    "": (),
    " + flux": ("flux",),
    " + flux + nh_gal": ("flux", "nh_gal"),
    " + flux + nh_gal + latitude": ("flux", "nh_gal", "latitude"),
}


def _model_probability(table, classes):
    """The model's own probabilities of the chosen classes."""
    given = plain_floats(table["xl_class_prob"])
    return given[:, [CLASSES.index(name) for name in classes]]


def _feature_sets(rows, suffixes=tuple(_LATENT_SETS)):
    """Names and features of all baselines and latents, with which baseline each is compared."""
    sets, pairs = {}, []
    for suffix in suffixes:
        names = {first: f"{name}{suffix}" for first, name in (
            ("hardness", f"{rows.hardness}hardness"), ("latents", "latents"), ("spectrum", PCA_NAME))}
        found = {first: rows.joined(first, *_LATENT_SETS[suffix]) for first in names}
        sets |= {names[first]: joined for first, joined in found.items() if joined is not None}
        if found["spectrum"] is not None:
            pairs.append((names["latents"], names["spectrum"]))
        if found["hardness"] is not None:
            both = f"latents + hardness{suffix}"
            sets[both] = rows.joined("latents", "hardness", *_LATENT_SETS[suffix])
            pairs += [(names["latents"], names["hardness"]), (both, names["hardness"])]
    if "catalog fits" in rows.features:
        sets["catalog's own fits"] = rows.features["catalog fits"]
        pairs.append(("latents", "catalog's own fits"))
    return sets, pairs


def _predictions(rows, label, classes, probability, grouping, seed, quick):
    """All predictions of one task, and the pairs whose differences count."""
    n_classes, main = len(classes), rows.grouping == grouping
    fold = grouped_folds(label, rows.field if main else rows.source, N_FOLDS, seed)
    rng = np.random.default_rng(seed)
    share = np.bincount(label, minlength=n_classes) / len(label)
    found = [Prediction("model, zero-shot", probability),
             Prediction("random", rng.random((len(label), n_classes))),
             Prediction("majority", np.tile(share, (len(label), 1))),
             *_with_evidence(rows, label, classes, probability, fold)]
    sets, pairs = _feature_sets(rows)
    pairs = [(f"{a}, {tool}", f"{b}, {tool}") for tool in ("random forest", "gradient boosting")
             for a, b in pairs]
    sets["model probabilities"] = np.log(np.maximum(probability, 1e-6))
    hardness = f"{rows.hardness}hardness, random forest"
    pairs += [("model, zero-shot", other) for other in (
        hardness, f"{PCA_NAME}, random forest", "random", "majority", "latents, random forest",
        "latents, logistic")]
    pairs += [("model probabilities, logistic", hardness)]
    tools = probes(seed, trees=80 if quick else 200)
    for name, features in sets.items():
        for tool in _tools_for(name, tools, quick, main):
            classifier = with_pca(tools[tool], N_FINE) if name.startswith(PCA_NAME) else tools[tool]
            found.append(Prediction(f"{name}, {tool}", probe(classifier, features, label, fold, n_classes)))
    if main:
        sizes = (8, 32) if quick else (8, 16, 32, 64)
        found += classification.cluster_predictions(rows.features["latents"], label, fold, n_classes, sizes,
                                                    seed)
    return found, pairs


def _with_evidence(rows, label, classes, probability, fold):
    """The model's class with other columns of the same rows, learned on the other folds."""
    if not flat_prior(rows.table):
        return []
    inputs, _ = row_inputs(rows.table)
    pieces = {name: groups for name, groups in PIECES.items()
              if any(inputs.groups[group].known.any() for group in groups)}
    if not pieces:
        return []
    spectrum = np.maximum(probability, 1e-9)
    spectrum = spectrum / spectrum.sum(axis=1, keepdims=True)
    model, cross = train_evidence(inputs, label, tuple(classes), fold, spectrum, pieces)
    found = classification.cross_probabilities(model, spectrum, cross.log_factors(inputs), label, fold)
    return [Prediction(f"model, evidence {choice}", values) for choice, values in found.items()]


def _tools_for(name, tools, quick, main):
    """
    Classifiers that see a set of features: all of them the latents, gradient boosting few other sets, and in
    the second grouping of folds (``main`` is False) random forests alone, of those.
    """
    few = not name.startswith("latents + ") or "hardness" not in name
    few &= not name.endswith(("+ flux", "latitude")) and "fits" not in name
    if not main:
        return ["random forest"] if few else []
    if name in ("latents", "model probabilities", PCA_NAME):
        return ["random forest", "logistic"] if quick else list(tools)
    return ["random forest", "gradient boosting"] if few and not quick else ["random forest"]


def _score_task(results, name, rows, label, classes, probability, grouping, seed, quick):
    """Evaluate one classification task with one grouping of the folds."""
    section = f"{name}, folds by {grouping}"
    predictions, pairs = _predictions(rows, label, classes, probability, grouping, seed, quick)
    subsets = rows.subsets()
    numbers, scored = classification.score_predictions(
        section, predictions, label, classes, rows.field, subsets, np.random.default_rng([seed, 17]),
        200 if quick else 500)
    results.add(numbers)
    counts = {subset: int(where.sum()) for subset, where in subsets.items()}
    quantity = "AUC" if len(classes) == 2 else "balanced accuracy"
    results.add(classification.difference_numbers(f"{section}: differences", scored, pairs, list(subsets),
                                                  quantity, counts))
    own = predictions[0]
    stated = own.probability.max(axis=1) / np.maximum(own.probability.sum(axis=1), 1e-12)
    curve = calibration_error(stated, own.index == label)[1]
    results.arrays[f"reliability {section}: {own.name}"] = curve.round(4).tolist()
    for prediction in predictions:
        if prediction.name in ("model, zero-shot", "latents, random forest"):
            recalls, confusion = classification.recall_numbers(f"{section}: recall", prediction, label,
                                                               classes)
            results.add(recalls)
            results.arrays[f"confusion {section}: {prediction.name}, all"] = confusion


def evaluate_table(table, column="class_label", *, model=None, minimum=(), path=None, spectra=None,
                   information=(), quick=False, seed=1, log=None):
    """
    Score the model, probes on its latents, and baselines on labeled rows, as `Results`.

    ``spectra`` (folder, or column of paths) are one more baseline; ``minimum`` has pairs of columns and what
    they must exceed, ``information`` columns whose mutual information is measured. The truth of a simulated
    catalog lies beside ``path``. ``quick``: fewer methods, trees and repeats.
    """
    log = log or (lambda line: None)
    table, joined = (table, []) if path is None else join_truth(table, path, column)
    missing = [name for name in information if name not in table.colnames]
    if missing:
        msg = f"--information {missing[0]}: no such column; the table has {', '.join(table.colnames[:20])}"
        raise TableError(msg)
    rows, notes = prepare_rows(table, column, model=model, minimum=minimum, spectra=spectra, log=log)
    classes, left_out = usable_classes(rows.label, rows.field, N_FOLDS)
    facts = {
        "table": (Path(path).name if path else "table") + (", simulated" if joined else ""),
        "rows": len(rows),
        "model": _model_name(rows.table),
        "command": _command(path, column, minimum, spectra, information, quick, seed),
    }
    title = "Simulated catalog" if joined else "Labeled rows"
    results = Results(title, facts, notes=joined + notes + left_out)
    results.arrays["classes"] = classes
    results.arrays["map"] = {"latent": rows.features["latents"][:, :2].round(3).tolist(),
                             "label": rows.label.tolist()}
    if len(classes) < 2:
        results.notes.append(f"classification left out: {len(classes)} classes with enough members")
    for grouping in dict.fromkeys((rows.grouping, "source")):
        for name, *task in _tasks(rows, classes):
            log(f"{name}, folds by {grouping}")
            _score_task(results, name, *task, grouping, seed, quick)
    log("regression, information, formulas")
    _describe(results, rows, information, seed, quick)
    _traverse(results, rows.table, model)
    return results


def _tasks(rows, classes):
    """What is classified: name, rows, labels, classes, and the model's own probabilities."""
    if len(classes) >= 2:
        part = rows[np.isin(rows.label, classes)]
        yield (f"{len(classes)} classes", part, np.searchsorted(classes, part.label), classes,
               _model_probability(part.table, classes))
    compact = [name for name in COMPACT if name in classes]
    if "AGN" in classes and compact:
        part = rows[np.isin(rows.label, ("AGN", *compact))]
        agn = _model_probability(part.table, ("AGN",))[:, 0]
        others = _model_probability(part.table, COMPACT).sum(axis=1)
        yield (f"AGN against {', '.join(compact)}", part, (part.label != "AGN").astype(int),
               ("AGN", "compact"), np.stack([agn, others], axis=1) / np.maximum(agn + others, 1e-12)[:, None])


def _traverse(results, table, model):
    """Decode a walk along each latent, if the model is that of the table."""
    model = load_model(model) if model is None or isinstance(model, (str, Path)) else model
    label, made = f"{model.name}-{model.version}", _model_name(table)
    if label == made:
        results.arrays["traversals"] = traversal_summary(model)
    else:
        results.notes.append(f"no decoded traversals: the table is of {made}, the model is {label}")


def _usual(features):
    """Columns known in half of the rows or more: of two kinds of flux, those of the more frequent one."""
    return features[:, np.isfinite(features).mean(axis=0) >= 0.5]


def _describe(results, rows, information, seed, quick):
    """What the latents know of other columns, and how they are made of hardness ratios."""
    latent, hardness = rows.features["latents"], rows.features.get("hardness")
    hardness = None if hardness is None else _usual(hardness)
    quantities = regression.quantities_of(rows.table, hardness, rows.hardness)
    features = {name: _usual(joined) for name, joined in _feature_sets(rows, ("", " + flux"))[0].items()
                if not name.startswith(("latents + hardness", "catalog"))}
    numbers, notes = regression.regression_numbers(
        quantities, features, rows.field, seed, quick,
        answers=regression.head_answers(rows.table, quantities), grouping=rows.grouping)
    correlations, results.arrays["correlations"] = regression.correlation_numbers(quantities, latent)
    results.add(numbers + correlations)
    spectrum = rows.features.get("spectrum")
    columns = [*variability_columns(rows.table), *information]
    if not columns:
        notes.append("no time-domain columns, and none named by --information: no mutual information")
    components = principal_components(spectrum) if spectrum is not None and columns else None
    found, more = information_numbers(rows.table, latent, hardness, columns, seed=seed, quick=quick,
                                      components=components)
    results.add(found)
    results.notes += notes + more
    if hardness is not None:
        names = [f"HR{k + 1}" for k in range(hardness.shape[1])]
        results.add(formula_numbers(latent, hardness, names, rows.field, seed))


def _command(path, column, minimum, spectra, information, quick, seed):
    """The command that gives these results."""
    words = [f"astro-xlatent evaluate {Path(path).name if path else 'TABLE'} --label {column}"]
    words += [f"--spectra {Path(spectra).name or '.'}"] if spectra is not None else []
    words += [f"--minimum {name}={bound:g}" for name, bound in minimum]
    words += [f"--information {name}" for name in information]
    return " ".join(words + (["--quick"] if quick else []) + [f"--seed {seed}"])


def _model_name(table):
    return str(table["xl_model"][0]) if "xl_model" in table.colnames and len(table) else "?"
