# Licensed under a 3-clause BSD style license - see LICENSE
"""
How much the score of a baseline depends on how it is made.

``python -m benchmarks.studies.settings csc2_labelled_sources.csv -o settings.json``

A random forest of hardness ratios has settings that nobody reports: the size
of its leaves, class weights, what counts as one sky field, whether folds are
scored together or one by one, and the seed that deals the folds. Each is
changed alone, over several seeds.
"""

import argparse
from pathlib import Path

import numpy as np

from astro_xlatent.evaluate.classification import COMPACT, Prediction, probe
from astro_xlatent.evaluate.results import Number, Results
from astro_xlatent.evaluate.scores import auc, balanced_accuracy, confusion_by_group, grouped_folds

__all__ = ["SETTINGS", "cells", "main", "settings_results"]

_OURS = {"leaf": 5, "weight": "balanced", "fields": "friends of friends", "more": (), "fluxes": ""}
#: What is changed, alone, against the settings of ``astro-xlatent evaluate``.
SETTINGS = {
    "as in astro-xlatent evaluate": {},
    "leaves of one row": {"leaf": 1},
    "leaves of ten rows": {"leaf": 10},
    "cells of 2 degrees for fields": {"fields": "cells"},
    "folds by source": {"fields": "source"},
    "with the significance": {"more": ("significance",)},
    "averages over observations (flux_aper90_ave)": {"fluxes": "flux_aper90_ave_"},
}
FEATURES = {
    "hardness": ("hardness",),
    "hardness + flux": ("hardness", "flux"),
    "hardness + flux + nh_gal": ("hardness", "flux", "nh_gal"),
}
#: What others found, for 8 classes and for AGN against compact objects.
REFERENCE = {
    "hardness": (0.335, 0.78),
    "hardness + flux": (0.38, 0.78),
    "hardness + flux + nh_gal": (0.54, 0.95),
}
SECTION = "settings of the hardness baseline"
N_FOLDS = 5


def cells(ra, dec, size=2.0):
    """
    Squares of a grid in right ascension and declination.

    Parameters
    ----------
    ra, dec : ndarray, shape (n,)
        Degrees.
    size : float, optional
        Of a cell, degrees.

    Returns
    -------
    cell : ndarray of int, shape (n,)
        Neighbors on either side of an edge fall in different cells, so that
        one cluster may be trained on and tested.

    Examples
    --------
    >>> cells(np.array([1.9, 2.1, 2.2]), np.zeros(3)).tolist()
    [0, 1, 1]
    """
    grid = np.stack([np.floor(ra / size), np.floor(dec / size)], axis=1)
    return np.unique(grid, axis=0, return_inverse=True)[1].ravel()


def _score(prediction, label, rows, binary):
    if binary:
        return float(auc(label[rows] == 0, prediction.probability[rows, 0]))
    n = prediction.probability.shape[1]
    found = confusion_by_group(label[rows], prediction.index[rows], n, np.zeros(len(label), int)[rows])
    return float(balanced_accuracy(found[0]))


def _scores(features, label, group, setting, seed, trees):
    """Score of all folds together, and mean of the folds' scores."""
    from sklearn.ensemble import RandomForestClassifier

    n_classes = int(label.max()) + 1
    fold = grouped_folds(label, group, N_FOLDS, seed)
    forest = RandomForestClassifier(
        trees, min_samples_leaf=setting["leaf"], class_weight=setting["weight"], random_state=seed
    )
    found = Prediction("", probe(forest, features, label, fold, n_classes))
    parts = [_score(found, label, fold == k, n_classes == 2) for k in range(N_FOLDS)]
    return _score(found, label, np.ones(len(label), bool), n_classes == 2), np.nanmean(parts)


def _tasks(rows, classes):
    """Rows, labels and name of the score of both tasks."""
    eight = np.isin(rows.label, classes)
    yield "balanced accuracy", rows[eight], np.searchsorted(classes, rows.label[eight])
    compact = [name for name in COMPACT if name in classes]
    if "AGN" in classes and compact:
        part = rows[np.isin(rows.label, ("AGN", *compact))]
        yield "AUC, AGN against compact", part, (part.label != "AGN").astype(int)


def _groups(rows, kind):
    from astro_xlatent.core.numbers import plain_floats

    if kind == "cells":
        return cells(plain_floats(rows.table["ra"]), plain_floats(rows.table["dec"]))
    return rows.source if kind == "source" else rows.field


def _features(rows, names, setting):
    from astro_xlatent.core.numbers import plain_floats
    from astro_xlatent.evaluate.features import hardness_ratios

    more = [name for name in setting["more"] if name in rows.table.colnames]
    parts = dict(rows.features)
    columns = [f"{setting['fluxes']}{band}" for band in "smh"]
    if setting["fluxes"] and set(columns) <= set(rows.table.colnames):
        flux = np.stack([plain_floats(rows.table[name]) for name in columns], axis=1)
        parts |= {"hardness": hardness_ratios(flux), "flux": np.log10(flux.sum(axis=1))[:, None]}
    with np.errstate(invalid="ignore", divide="ignore"):
        added = [np.log10(plain_floats(rows.table[name]))[:, None] for name in more]
    return np.concatenate([*(parts[name] for name in names), *added], axis=1)


def settings_results(path, *, column="class_label", minimum=(), seeds=3, trees=60, log=None):
    """
    Scores of the hardness baseline under several settings.

    Parameters
    ----------
    path : path-like
        Labeled table with band columns.
    column, minimum
        As for `~astro_xlatent.evaluate.real.evaluate_table`.
    seeds, trees : int, optional
        Deals of the folds, and trees of a forest.
    log : callable, optional

    Returns
    -------
    results : Results
        Intervals run from the lowest to the highest of the seeds.
    """
    from astro_xlatent.evaluate.rows import prepare_rows
    from astro_xlatent.evaluate.scores import usable_classes
    from astro_xlatent.table.files import read_table

    log = log or (lambda line: None)
    table = read_table(Path(path))
    if "xl_latent" not in table.colnames:
        # Latents are not looked at here; only the rows matter.
        table["xl_latent"] = np.zeros((len(table), 8))
    rows, notes = prepare_rows(table, column, minimum=minimum)
    classes, left_out = usable_classes(rows.label, rows.field, N_FOLDS)
    bounds = "".join(f" --{name} {bound:g}" for name, bound in minimum)
    results = Results(
        "Settings of the hardness baseline",
        {
            "table": Path(path).name,
            "rows": len(rows),
            "command": f"python -m benchmarks.studies.settings {Path(path).name} --label {column}{bounds}"
            f" --seeds {seeds} --trees {trees}",
        },
        notes=notes + left_out,
    )
    for quantity, part, label in _tasks(rows, classes):
        for name, changes in SETTINGS.items():
            log(f"{quantity}: {name}")
            results.add(_numbers(part, label, quantity, name, _OURS | changes, seeds, trees))
    results.add(_reference(len(rows)))
    return results


def _numbers(rows, label, quantity, name, setting, seeds, trees):
    group, numbers = _groups(rows, setting["fields"]), []
    for features, names in FEATURES.items():
        if rows.joined(*names) is None:
            continue
        x = _features(rows, names, setting)
        found = np.array([_scores(x, label, group, setting, seed, trees) for seed in range(seeds)])
        for column, how in enumerate(("", ", mean of folds")):
            value = found[:, column]
            limits = (value.min(), value.max())
            numbers.append(
                Number.of(SECTION, quantity + how, name, features, len(label), value.mean(), limits)
            )
    return numbers


def _reference(n):
    name = "what others found (random forest, field-grouped)"
    return [
        Number.of(SECTION, quantity, name, features, n, values[k])
        for k, quantity in enumerate(("balanced accuracy", "AUC, AGN against compact"))
        for features, values in REFERENCE.items()
    ]


def main(argv=None):
    """Score the settings and write the numbers."""
    from astro_xlatent.cli.shell import check_extra

    check_extra("evaluate", "sklearn")
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.studies.settings",
        description="Scores of the hardness baseline under several settings.",
    )
    parser.add_argument("table", metavar="TABLE")
    parser.add_argument("--label", metavar="COLUMN", default="class_label")
    parser.add_argument("--significance", type=float, default=5.0, metavar="S/N",
                        help="only rows above this (default: 5)")
    parser.add_argument("--seeds", type=int, default=3, metavar="N", help="deals of the folds (default: 3)")
    parser.add_argument("--trees", type=int, default=60, metavar="N", help="of a forest (default: 60)")
    parser.add_argument("-o", "--output", required=True, metavar="OUT.json")
    args = parser.parse_args(argv)
    results = settings_results(
        args.table, column=args.label, minimum=[("significance", args.significance)],
        seeds=args.seeds, trees=args.trees, log=print,
    )
    results.write(args.output)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
