# Licensed under a 3-clause BSD style license - see LICENSE
"""
Write the page of the docs that says how real tables are read.

``python -m benchmarks.tables_page DATA [docs/tables.rst]`` reads every table of DATA/csc20,
DATA/labels and DATA/tables as a user's would be, and lists rows, rows with a detection
(a positive number in a band or in the broad band, or a hardness ratio; for Chandra only rows
of ACIS), the recipes, rows used and refused, and the most frequent reason. Prints the same
shares and fails below 95 % of the detections.
"""

import re
import sys
from collections import Counter
from pathlib import Path

import numpy as np

from astro_xlatent.core.flags import Flag
from astro_xlatent.missions._csc_names import CscColumns
from astro_xlatent.missions.base import identify_mission
from astro_xlatent.missions.erosita import ErositaColumns
from astro_xlatent.missions.xmm import XmmColumns
from astro_xlatent.table.files import read_table

#: What tells a detection, by mission: the columns of bands and the broad band.
_COLUMNS = {
    "csc": (CscColumns, re.compile(
        r"(phot)?flux_aper(90)?(_?mean|_?avg|_?ave)?_[smhb]|src_cnts_aper_[smhb]|hard_.{2}")),
    "xmm": (XmmColumns, re.compile(r"(sc_)?(ep|pn|m1|m2)_[12345]_(flux|rate)|(ep|sc)_hr\d")),
    "erosita": (ErositaColumns, re.compile(r"(ml|ape)_(cts|rate|flux)_p\d")),
}
_ASSUMED = (Flag.ERRORS_ASSUMED, Flag.LIMITS_MISSING, Flag.FROM_HARDNESS, Flag.PARTIAL_BANDS)
_HEAD = """\
Which tables are read
=====================

.. This page is written by a command; do not edit it:
   python -m benchmarks.tables_page DATA docs/tables.rst

Real tables as services and authors give them, read without any option. A row counts as a
detection where a band, the broad band or a hardness ratio has a positive number; Chandra's
other camera, HRC, has no energy resolution and is left out. Flags say what had to be
assumed (:doc:`flags`).

.. csv-table::
   :header: "table", "mission", "rows", "detections", "used", "recipes", "flagged", "refused, and why"

"""


def detections(table, mission):
    """Rows with a detection, bool (rows,)."""
    kind, pattern = _COLUMNS[mission.name]
    cols = kind(table)
    found = np.zeros(len(table), bool)
    for name in cols:
        if pattern.fullmatch(name):
            values = cols.number(name)
            found |= np.isfinite(values) if "hard" in name or "_hr" in name else values > 0
    return found & ~np.char.startswith(cols.text("instrument"), "hrc")


def describe(path):
    """One line of the page, and the numbers of detections and of used ones."""
    table = read_table(path)
    mission = identify_mission(table)
    result = mission.read_bands(table)
    used, seen = result.bins.valid.any(axis=1), detections(table, mission)
    recipes = Counter(result.recipe[used].tolist()).most_common()
    flagged = [(int(np.sum((result.flags[used] & flag) != 0)), flag.name) for flag in _ASSUMED]
    refused = Counter(reason.partition(";")[0] for reason, keep in zip(result.reason, used, strict=True)
                      if not keep).most_common(1)
    why = f"{int(np.sum(~used))}: {refused[0][0]}" if refused else "0"
    cells = (path.name, mission.name, len(table), int(seen.sum()), int((seen & used).sum()),
             ", ".join(f"{name} {n}" for name, n in recipes),
             ", ".join(f"{name} {n}" for n, name in flagged if n), why)
    return "   " + ", ".join(f'"{cell}"' for cell in cells), int(seen.sum()), int((seen & used).sum())


def main(data, output=None):
    """Write the page, or print it."""
    lines, poor = [], []
    for folder in ("csc20", "labels", "tables"):
        for path in sorted((Path(data) / folder).iterdir()):
            line, seen, used = describe(path)
            lines.append(line)
            print(f"{path.name}: {used} of {seen} detections used", flush=True)
            if used < 0.95 * seen:
                poor.append(path.name)
    page = _HEAD + "\n".join(lines) + "\n"
    if output is None:
        print(page)
    else:
        Path(output).write_text(page, encoding="utf-8")
    return 1 if poor else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]))
