# Licensed under a 3-clause BSD style license - see LICENSE
"""Parameters of the simulation as shipped tables: value, range, unit and reference of each."""

import csv
from functools import cache
from importlib.resources import files

__all__ = ["read_ranges"]


@cache
def read_ranges(name: str) -> tuple[dict[str, dict[str, tuple]], dict[str, dict[str, float]]]:
    """
    Read one of the tables of parameters.

    Parameters
    ----------
    name : {'populations', 'observations'}

    Returns
    -------
    literature : dict of dict of tuple
        Group -> parameter -> (initial value, low, high, unit, reference).
    tuned : dict of dict of float
        Group -> parameter -> what replaces the initial value.
    """
    literature, tuned = {}, {}
    with (files("astro_xlatent.simulate") / "data" / f"{name}.csv").open(encoding="utf-8") as lines:
        for row in csv.DictReader(lines):
            numbers = (float(row[key]) for key in ("value", "low", "high"))
            literature.setdefault(row["group"], {})[row["parameter"]] = (*numbers, row["unit"], row["reference"])
            if row.get("tuned"):
                tuned.setdefault(row["group"], {})[row["parameter"]] = float(row["tuned"])
    return literature, tuned
