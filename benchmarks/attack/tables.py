# Licensed under a 3-clause BSD style license - see LICENSE
"""Damaged tables of every format, read and enriched."""

import contextlib
import gzip
import tempfile
from pathlib import Path

import numpy as np
from astropy.table import MaskedColumn, Table

from astro_xlatent.core.errors import XlatentError
from astro_xlatent.table.add_latents import add_latents
from astro_xlatent.table.files import read_table, write_table
from benchmarks.attack.outcomes import Answer, Kind

__all__ = ["TABLES"]

NAMES = ("t.fits", "t.vot", "t.ecsv", "t.csv", "t.parquet", "z.fits.gz", "z.vot.gz", "z.csv.gz")


def _table():
    """Rows of a catalog with all kinds of columns."""
    rng = np.random.default_rng(1)
    n = 12
    table = Table({"name": [f"2CXO J{i:06d}" for i in range(n)], "obsid": np.arange(n),
                   "good": np.arange(n) % 2 == 0, "vector": rng.normal(size=(n, 3))})
    for band in "smh":
        flux = 10 ** rng.uniform(-15, -13, n)
        table[f"flux_aper_{band}"] = MaskedColumn(flux, mask=np.arange(n) == 3, unit="erg/(s cm2)")
        table[f"flux_aper_lolim_{band}"], table[f"flux_aper_hilim_{band}"] = 0.7 * flux, 1.3 * flux
    table.meta["MISSION"] = "csc"
    return table


def _prepare(folder):
    table = _table()
    plain = table.copy()
    plain.remove_column("vector")
    for name in NAMES:
        path = folder / name
        if name.endswith((".vot.gz", ".csv.gz")):
            write_table(plain, path.with_suffix(""))
            path.write_bytes(gzip.compress(path.with_suffix("").read_bytes()))
            path.with_suffix("").unlink()
        else:
            write_table(plain if name == "t.csv" else table, path)


def _answer(folder: Path) -> Answer:
    """Read the one that was hurt; a table that can be read must be enriched or refused, and written."""
    hurt = next((folder / name for name in NAMES if (folder / name).stat().st_nlink == 1), folder / NAMES[0])
    table = read_table(hurt)
    with contextlib.suppress(XlatentError):  # what it says of columns and arguments names no file
        add_latents(table)
    for suffix in (".fits", ".ecsv", ".vot"):
        with contextlib.suppress(XlatentError), tempfile.TemporaryDirectory() as out:
            write_table(table, Path(out) / f"again{suffix}")
    return Answer()


TABLES = Kind(_prepare, _answer)
