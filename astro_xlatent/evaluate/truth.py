# Licensed under a 3-clause BSD style license - see LICENSE
"""
The truth beside a simulated catalog.
"""

from pathlib import Path

import numpy as np

from astro_xlatent.core.errors import TableError
from astro_xlatent.table.files import read_table

__all__ = ["TRUE_COLUMNS", "join_truth"]

_NAME = "truth.fits"
#: Quantities of the truth table that are evaluated, and what they are called in the joined table.
TRUE_COLUMNS = {
    "nh": "true_nh",
    "photon_index": "true_photon_index",
    "kt": "true_kt",
    "flux_05_2": "true_flux_05_2",
    "flux_2_7": "true_flux_2_7",
}


def join_truth(table, path, column):
    """
    Labels and true quantities of a catalog that ``astro-xlatent simulate`` wrote, and notes.

    ``truth.fits`` is looked for in the folder of ``path``. The table gets the label and
    the columns of `TRUE_COLUMNS`, or is unchanged if it has the label or there is no
    truth beside it; truth of another number of rows is refused.
    """
    truth_path = Path(path).parent / _NAME
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
    return joined, [f"{column} and {names} come from {_NAME} beside the table (simulated)"]
