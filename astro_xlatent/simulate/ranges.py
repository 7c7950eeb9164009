# Licensed under a 3-clause BSD style license - see LICENSE
"""Parameters of the simulation as shipped tables: value, range, unit and reference of each."""

import csv
from functools import cache
from importlib.resources import files

__all__ = ["read_ranges"]


@cache
def read_ranges(name: str) -> tuple[dict[str, dict[str, tuple]], dict[str, dict[str, float]]]:
    """Group -> parameter -> (value, low, high, unit, reference) of a table, and -> what replaces values."""
    literature: dict[str, dict[str, tuple]] = {}
    tuned: dict[str, dict[str, float]] = {}
    with (files("astro_xlatent.simulate") / "data" / f"{name}.csv").open(encoding="utf-8") as lines:
        for row in csv.DictReader(lines):
            numbers = (float(row[key]) for key in ("value", "low", "high"))
            entry = (*numbers, row["unit"], row["reference"])
            literature.setdefault(row["group"], {})[row["parameter"]] = entry
            if row.get("tuned"):
                tuned.setdefault(row["group"], {})[row["parameter"]] = float(row["tuned"])
    return literature, tuned
