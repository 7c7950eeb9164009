# Licensed under a 3-clause BSD style license - see LICENSE
"""Classes of a table's rows: spellings, simulated truth."""

from pathlib import Path

import numpy as np

from astro_xlatent.core.columns import CLASSES
from astro_xlatent.core.errors import TableError
from astro_xlatent.table.files import read_table

__all__ = ["ALIASES", "join_truth", "read_labels", "words_of"]

#: Spellings of the labeled samples.
ALIASES = {"NS_BIN": "LMXB", "PULSAR": "NS", "LMXB_NS": "LMXB", "LMXB_BH": "LMXB"}
_TRUTH = "truth.fits"
#: Quantities of the truth table that are evaluated, and what they are called in the joined table.
TRUE_COLUMNS = {name: f"true_{name}" for name in ("nh", "photon_index", "kt", "flux_05_2", "flux_2_7")}


def words_of(table, column):
    """A column of words as ndarray of str, stripped; empty where masked."""
    return np.char.strip(np.ma.filled(np.ma.asarray(table[column]).astype(str), "").astype(str))


def read_labels(table, column):
    """Classes (n,), empty where missing or not one of the eight, and notes on others and renamed ones."""
    if column not in table.colnames:
        msg = f"--label {column}: no such column; the table has {', '.join(table.colnames[:20])}"
        raise TableError(msg)
    raw = words_of(table, column)
    label = np.array([ALIASES.get(value, value) for value in raw.tolist()], dtype="<U32")
    notes = [f"{np.sum(raw == old)} rows of class {old} count as {new}"
             for old, new in ALIASES.items() if np.any(raw == old)]
    for name in np.unique(label[~np.isin(label, (*CLASSES, ""))]):
        notes.append(f"class {name}: {np.sum(label == name)} rows, not one of {', '.join(CLASSES)}: left out")
    label[~np.isin(label, CLASSES)] = ""
    if not np.any(label != ""):
        msg = f"--label {column}: no row has one of the classes {', '.join(CLASSES)}; e.g. {raw[:3].tolist()}"
        raise TableError(msg)
    return label, notes


def join_truth(table, path, column):
    """
    A table with labels and `TRUE_COLUMNS` from the ``truth.fits`` that ``astro-xlatent simulate`` wrote
    beside it, and notes; as it is if it has the label or there is none.
    """
    truth_path = Path(path).parent / _TRUTH
    if column in table.colnames or not truth_path.is_file():
        return table, []
    truth = read_table(truth_path)
    if column not in truth.colnames:
        return table, []
    if len(truth) != len(table):
        msg = (f"{truth_path} has {len(truth)} rows, {Path(path).name} has {len(table)}: they are not of one "
               f"simulation; add a column {column} to the table")
        raise TableError(msg)
    joined = table.copy()
    joined[column] = np.asarray(truth[column]).astype(str)
    found = {name: new for name, new in TRUE_COLUMNS.items() if name in truth.colnames}
    for name, new in found.items():
        joined[new] = truth[name]
    names = ", ".join(found.values())
    return joined, [f"{column} and {names} come from {_TRUTH} beside the table (simulated)"]
