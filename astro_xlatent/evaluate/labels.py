# Licensed under a 3-clause BSD style license - see LICENSE
"""
Classes of a table's rows: spellings, repeated detections, contradictions, simulated truth.
"""

from pathlib import Path

import numpy as np
from astropy.coordinates import angular_separation

from astro_xlatent.core.columns import CLASSES
from astro_xlatent.core.errors import TableError
from astro_xlatent.core.numbers import plain_floats
from astro_xlatent.table.files import read_table

__all__ = ["ALIASES", "clean_detections", "is_detections", "join_truth", "read_labels", "words_of"]

#: Spellings of the labeled samples.
ALIASES = {"NS_BIN": "LMXB", "PULSAR": "NS", "LMXB_NS": "LMXB", "LMXB_BH": "LMXB"}
_KEY = ("obsid", "obi", "region_id")
# Optical novae of M31 lie in its crowded bulge, most X-ray counterparts are chance or supersoft.
_M31 = (10.6847, 41.2688, 1.5)
_TRUTH = "truth.fits"
#: Quantities of the truth table that are evaluated, and what they are called in the joined table.
TRUE_COLUMNS = {
    "nh": "true_nh",
    "photon_index": "true_photon_index",
    "kt": "true_kt",
    "flux_05_2": "true_flux_05_2",
    "flux_2_7": "true_flux_2_7",
}


def words_of(table, column):
    """A column of words as ndarray of str, stripped; empty where masked."""
    return np.char.strip(np.ma.filled(np.ma.asarray(table[column]).astype(str), "").astype(str))


def read_labels(table, column):
    """
    Classes of a table's rows (n,), empty where missing or not one of the eight, and notes on what was
    renamed or left out; a column without any is refused.
    """
    if column not in table.colnames:
        msg = f"--label {column}: no such column; the table has {', '.join(table.colnames[:20])}"
        raise TableError(msg)
    raw = words_of(table, column)
    label = np.array([ALIASES.get(value, value) for value in raw.tolist()], dtype="<U32")
    notes = [
        f"{np.sum(raw == old)} rows of class {old} count as {new}"
        for old, new in ALIASES.items()
        if np.any(raw == old)
    ]
    for name in np.unique(label[~np.isin(label, (*CLASSES, ""))]):
        notes.append(f"class {name}: {np.sum(label == name)} rows, not one of {', '.join(CLASSES)}: left out")
    label[~np.isin(label, CLASSES)] = ""
    if not np.any(label != ""):
        msg = f"--label {column}: no row has one of the classes {', '.join(CLASSES)}; e.g. {raw[:3].tolist()}"
        raise TableError(msg)
    return label, notes


def is_detections(table, column):
    """Whether rows are detections, which may repeat: they name observation and region."""
    return {*_KEY, "ra", "dec", column} <= set(table.colnames)


def clean_detections(table, column):
    """
    One row per detection, with a label that nothing contradicts, and the rows left out, by reason.

    The table has a row for every detection and catalog entry near it, with ``obsid``,
    ``obi``, ``region_id``, ``ra`` and ``dec``.
    """
    # A row whose key is not complete stands alone.
    keys = [(number,) if None in key else key for number, key in
            enumerate(zip(*(table[name].tolist() for name in _KEY), strict=True))]
    names, first = {}, np.zeros(len(table), bool)
    for number, (key, word) in enumerate(zip(keys, words_of(table, column).tolist(), strict=True)):
        first[number] = key not in names
        names[key] = names.get(key, frozenset()) | ({word} - {""})
    label = np.array([_joint_label(names[key]) for key in keys], dtype="<U32")
    position = np.radians([plain_floats(table["ra"]), plain_floats(table["dec"])])
    near = np.degrees(angular_separation(*position, *np.radians(_M31[:2]))) < _M31[2]
    keep, dropped = np.ones(len(table), bool), {}
    for reason, gone in (
        ("detection repeated", ~first),
        ("no label", np.array([not names[key] for key in keys], bool)),
        ("labels contradict", label == ""),
        ("nova near M31", near & np.array([names[key] == {"CV_or_nova"} for key in keys], bool)),
    ):
        dropped |= {reason: int(np.sum(keep & gone))} if np.any(keep & gone) else {}
        keep &= ~gone
    kept = table[keep]
    kept[column] = label[keep]
    return kept, dropped


def _joint_label(names):
    """What the labels of one detection say together; empty if they contradict one another."""
    if {"LMXB_NS", "LMXB_BH"} <= names:
        return ""
    known = {"CV" if name == "CV_or_nova" else ALIASES.get(name, name) for name in names}
    return known.pop() if len(known) == 1 else ""


def join_truth(table, path, column):
    """
    Labels and true quantities of a catalog that ``astro-xlatent simulate`` wrote, and notes.

    ``truth.fits`` is looked for in the folder of ``path``. The table gets the label and
    the columns of `TRUE_COLUMNS`, or is unchanged if it has the label or there is no
    truth beside it; truth of another number of rows is refused.
    """
    truth_path = Path(path).parent / _TRUTH
    if column in table.colnames or not truth_path.is_file():
        return table, []
    truth = read_table(truth_path)
    if column not in truth.colnames:
        return table, []
    if len(truth) != len(table):
        msg = (
            f"{truth_path} has {len(truth)} rows, {Path(path).name} has {len(table)}: they are not of one "
            f"simulation; add a column {column} to the table"
        )
        raise TableError(msg)
    joined = table.copy()
    joined[column] = np.asarray(truth[column]).astype(str)
    found = {name: new for name, new in TRUE_COLUMNS.items() if name in truth.colnames}
    for name, new in found.items():
        joined[new] = truth[name]
    names = ", ".join(found.values())
    return joined, [f"{column} and {names} come from {_TRUTH} beside the table (simulated)"]
