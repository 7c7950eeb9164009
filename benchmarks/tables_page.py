# Licensed under a 3-clause BSD style license - see LICENSE
"""
Write the page of the docs that says how real tables are read.

``python -m benchmarks.tables_page DATA [docs/tables.rst]`` reads every table of DATA/csc20,
DATA/labels and DATA/tables as a user's would be, and lists rows, rows with a detection
(a positive number in a band or in the broad band, or a hardness ratio; for Chandra only rows
of ACIS), the recipes, rows used and refused, and the most frequent reason. Prints the same
shares and fails below 95 % of the detections. Then it compares the ways to read a row of the
Chandra Source Catalog on all its ACIS rows and on simulated ones (``benchmarks.recipes``;
minutes).
"""

import re
import sys
from collections import Counter
from pathlib import Path

import numpy as np

from astro_xlatent.core.flags import Flag
from astro_xlatent.missions._columns import Columns
from astro_xlatent.missions._spellings import CscColumns, ErositaColumns, XmmColumns
from astro_xlatent.missions.base import identify_mission
from astro_xlatent.model.pretrained import load_model
from astro_xlatent.table.files import read_table
from benchmarks.recipes import compare, real_rows, simulated_rows

#: What tells a detection, by mission: the columns of bands and the broad band.
_COLUMNS = {
    "csc": (CscColumns, re.compile(
        r"(phot)?flux_aper(90)?(_?mean|_?avg|_?ave)?_[smhb]|src_cnts_aper_[smhb]|hard_.{2}")),
    "xmm": (XmmColumns, re.compile(r"(sc_)?(ep|pn|m1|m2)_[12345]_(flux|rate)|(ep|sc)_hr\d")),
    "swift": (Columns, re.compile(r"(rate|counts)_band[123]")),
    "erosita": (ErositaColumns, re.compile(r"(ml|ape)_(cts|rate|flux)_p\d")),
}
#: Simulated rows of the comparison of recipes.
SIMULATED = 8000
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
_PAIRS = """
Do the recipes agree?
---------------------

{rows} real rows of ACIS and {simulated} simulated ones, reduced to the columns of one recipe and
read by {model}. Latents of the second recipe against the first: the share within one sigma, and the
largest mean difference of any latent in sigma.

.. csv-table::
   :header: "recipe", "beside", "real rows", "within", "bias", "simulated rows", "within", "bias"

"""
_NOT_READ = """
What is not read
----------------

- Swift: of 2SXPS and LSXPS the tables of sources in the catalogs' own names
  (``Rate_band1``, ``Counts_band1``, ...); not the tables of single detections, and not the names
  that VizieR and HEASARC gave them, for which no public description was at hand. No model
  was trained on Swift: its rows have the flag ``OUTSIDE_MISSION``.
- HEASARC's names of Chandra's photon fluxes and hardness ratios, for the same reason; its energy
  fluxes (``s_flux_ap``) are read.
- eROSITA's catalogs publish no hardness ratios; ratios of others' making have no fixed names.
- The broad bands alone, and count rates of Chandra without a live time or flux.
"""


def pairs(data):
    """The section that compares recipes."""
    model, real = load_model(), real_rows(data)
    found = [compare(table, model) for table in (real, simulated_rows(SIMULATED))]
    lines = []
    for one, two in found[0]:
        cells = [f"{rows}\", \"{within:.3f}\", \"{bias:+.2f}" for rows, within, bias, _ in (
            result[one, two] for result in found)]
        lines.append("   " + ", ".join(f'"{cell}"' for cell in (two, one, *cells)))
    head = _PAIRS.format(rows=len(real), simulated=SIMULATED, model=f"{model.name}-{model.version}")
    return head + "\n".join(lines) + "\n"


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
    page = _HEAD + "\n".join(lines) + "\n" + pairs(data) + _NOT_READ
    if output is None:
        print(page)
    else:
        Path(output).write_text(page, encoding="utf-8")
    return 1 if poor else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]))
