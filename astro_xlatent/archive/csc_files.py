# Licensed under a 3-clause BSD style license - see LICENSE
"""
Files of CSC detections, ``OBSID.OBI.REGION``, many at once through the package interface ``csccli``:
https://cxc.cfa.harvard.edu/csc/cli/index.html and https://cxc.cfa.harvard.edu/csc/data_products/
"""

import re

from astro_xlatent.core.config import conf
from astro_xlatent.core.errors import TableError
from astro_xlatent.missions._columns import Columns, name_columns

__all__ = ["BATCHED", "DEFAULTS", "FILES", "PRODUCTS", "file_key", "read_keys", "request"]

#: Products by the service's word for the type, with the ending of the file's name.
PRODUCTS = {"spectrum": "pha3", "arf": "arf3", "rmf": "rmf3", "regevt3": "regevt3", "srcreg": "reg3"}
DEFAULTS = ("spectrum", "arf", "rmf")
#: Where files lie in the folder.
FILES = "{name}"
#: Whether many objects are asked for in one request.
BATCHED = True
_NAME = re.compile(
    r"(?:acis|hrc)f(\d{5,6})_(\d{3})N\d{3}(?:_[a-z]\d)?_r(\d{4,5})_(pha3|arf3|rmf3|regevt3|reg3)\.fits(?:\.gz)?",
    re.IGNORECASE)
_KINDS = {kind: product for product, kind in PRODUCTS.items()}


def read_keys(table):
    """The detections of a table, each once, and rows without one, or of HRC, with the reason."""
    cols = Columns(table)
    if "obsid" not in cols or "region_id" not in cols:
        msg = (f"the table has no columns obsid and region_id (it has {name_columns(table)}): sources have "
               "no files of their own, detections have; fetch the catalog csc-detections")
        raise TableError(msg)
    keys, bad = [], {}
    numbers = zip(*(cols.number(name, default=0).tolist() for name in ("obsid", "obi", "region_id")),
                  strict=True)
    for row, (number, instrument) in enumerate(zip(numbers, cols.text("instrument").tolist(), strict=True)):
        if not all(value >= 0 and value == int(value) for value in number):
            bad[f"row {row}"] = f"obsid, obi, region_id are {number}, no detection"
        elif instrument.startswith("hrc"):
            bad[_label(number)] = "HRC has no energy resolution, and no spectra"
        else:
            keys.append(_label(number))
    return list(dict.fromkeys(keys)), bad


def _label(number):
    return ".".join(str(int(value)) for value in number)


def file_key(path):
    """Detection and product that the name of a file tells, or None."""
    found = _NAME.fullmatch(path.name)
    return found and (_label(found.groups()[:3]), _KINDS[found[4].lower()])


def request(pairs):
    """Address and parameters that ask for (detection, product) pairs."""
    return f"{conf.csc_package_url.rstrip('/')}/retrieve", {
        "packageset": ",".join(f"{key}/{product}/" for key, product in pairs), "version": conf.csc_release}
