# Licensed under a 3-clause BSD style license - see LICENSE
"""
Source products of eRASS1, by DETUID: one archive a source, whose files get a folder of that name, as others
may have the same names. https://erosita.mpe.mpg.de/dr1/AllSkySurveyData_dr1/ArchiveProducts_dr1/
"""

import re

from astro_xlatent.core.config import conf
from astro_xlatent.core.errors import TableError
from astro_xlatent.missions._columns import Columns, name_columns

__all__ = ["BATCHED", "DEFAULTS", "FILES", "PRODUCTS", "file_key", "read_keys", "request"]

#: Products by the word for them here, with that in the file's name.
PRODUCTS = {"spectrum": "SourceSpec", "background": "BackgrSpec", "arf": "ARF", "rmf": "RMF",
            "lightcurve": "LightCurve"}
DEFAULTS = ("spectrum", "background", "arf", "rmf")
#: Where files lie in the folder.
FILES = "{key}/{name}"
#: Whether many objects are asked for in one request.
BATCHED = False
_DETUID = re.compile(r"[a-z]{2}\d{2}_\d{6}_\d{3}_ML\d{5}_\d{3}_c\d{3}")
_NAME = re.compile(r"(?:[a-z]{2}\d{2}_\d{6}_)?\d{3}_(SourceSpec|BackgrSpec|ARF|RMF|LightCurve)_\d{5}"
                   r"(?:_c\d{3})?\.fits(?:\.gz)?")
_KINDS = {kind: product for product, kind in PRODUCTS.items()}


def read_keys(table):
    """The DETUIDs of a table, each once, and rows without one with the reason."""
    cols = Columns(table)
    if "detuid" not in cols:
        msg = (f"the table has no column DETUID (it has {name_columns(table)}), by which eRASS1's files are "
               "found; fetch the catalog erass1")
        raise TableError(msg)
    names = cols.text_exact("detuid").tolist()
    bad = {f"row {row}": f"DETUID {name[:50]!r} does not have the form em01_093126_020_ML00001_002_c010"
           for row, name in enumerate(names) if not _DETUID.fullmatch(name)}
    return [name for name in dict.fromkeys(names) if _DETUID.fullmatch(name)], bad


def file_key(path):
    """Source and product that folder and name of a file tell, or None."""
    found = _NAME.fullmatch(path.name)
    return found and (path.parent.name, _KINDS[found[1]])


def request(pairs):
    """Address that gives all products of the source in (source, product) pairs."""
    return f"{conf.erosita_url.rstrip('/')}/data/download_source/{pairs[0][0]}", None
