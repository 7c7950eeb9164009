# Licensed under a 3-clause BSD style license - see LICENSE
"""
Files of CSC detections: their names, and which are there.

A detection is (obsid, obi, region_id).

References
----------
https://cxc.cfa.harvard.edu/csc/data_products/
"""

import re

from astro_xlatent.archive.manifest import FAILED, FETCHED, PRESENT
from astro_xlatent.archive.verify import check_fits
from astro_xlatent.core.errors import ArchiveError, TableError
from astro_xlatent.missions._columns import Columns

__all__ = ["PRODUCTS", "Package", "file_key", "label", "read_detections"]

#: Products by the service's word for the type, with the ending of the file's name.
PRODUCTS = {"spectrum": "pha3", "arf": "arf3", "rmf": "rmf3", "regevt3": "regevt3", "srcreg": "reg3"}
_NAME = re.compile(
    r"(?P<instrument>acis|hrc)f(?P<obsid>\d{5,6})_(?P<obi>\d{3})N(?P<version>\d{3})(?:_[a-z]\d)?"
    r"_r(?P<region>\d{4,5})_(?P<kind>pha3|arf3|rmf3|regevt3|reg3)\.fits(?P<packed>\.gz)?",
    re.IGNORECASE,
)
_KINDS = {kind: product for product, kind in PRODUCTS.items()}


def read_detections(table):
    """
    The detections of a table.

    Parameters
    ----------
    table : `~astropy.table.Table`
        With ``obsid`` and ``region_id``; ``obi`` where it is not 0.

    Returns
    -------
    keys : list of (int, int, int)
        Each detection once.
    bad : dict of str to str
        Rows without a detection, or of HRC, and why nothing is fetched.

    Raises
    ------
    TableError
        If the table has no such columns.
    """
    cols = Columns(table)
    if "obsid" not in cols or "region_id" not in cols:
        msg = (
            f"the table has no columns obsid and region_id (it has {', '.join(table.colnames[:12])}): "
            "sources have no files of their own, detections have; fetch the catalog csc-detections"
        )
        raise TableError(msg)
    keys, bad = [], {}
    numbers = zip(*(cols.number(name, default=0).tolist() for name in ("obsid", "obi", "region_id")),
                  strict=True)
    for row, (number, instrument) in enumerate(zip(numbers, cols.text("instrument").tolist(), strict=True)):
        if not all(value == value and value >= 0 and value == int(value) for value in number):
            bad[f"row {row}"] = f"obsid, obi, region_id are {number}, no detection"
        elif instrument.startswith("hrc"):
            bad[".".join(str(int(value)) for value in number)] = (
                "HRC has no energy resolution, and no spectra"
            )
        else:
            keys.append(tuple(int(value) for value in number))
    return list(dict.fromkeys(keys)), bad


class Package:
    """
    Where files lie, which are there already, and the list of them.

    Parameters
    ----------
    folder : `~pathlib.Path`
    manifest : `~astro_xlatent.archive.manifest.Manifest`
    products : sequence of str
        Of `PRODUCTS`.
    """

    def __init__(self, folder, manifest, products):
        self.folder, self.manifest, self.products = folder, manifest, tuple(products)
        self._files = {}
        for path in sorted(folder.iterdir()):
            if found := file_key(path.name):
                self._files.setdefault(found, []).append(path)

    def whole(self, key, product):
        """The file of a detection if it is there and whole, or None."""
        return next(
            (path for path in reversed(self._files.get((key, product), [])) if self.manifest.is_whole(path)),
            None,
        )

    def wanted(self, key):
        """Products that are still to be fetched; those that are there are noted."""
        missing = []
        for product in self.products:
            path = self.whole(key, product)
            if path is None:
                missing.append(product)
            else:
                self.manifest.add(label(key), product, PRESENT, path=path)
        return missing

    def store(self, source, key, product, url):
        """Check a fetched file and give it its place; a damaged one is noted as failed."""
        target = self.folder / source.name
        try:
            check_fits(source)
        except ArchiveError as error:
            self.manifest.add(label(key), product, FAILED, url=url, reason=error)
            return False
        if target.exists():
            reason = f"{target.name} is there, but damaged or not as it was fetched; move it away"
            self.manifest.add(label(key), product, FAILED, url=url, reason=reason)
        else:
            source.replace(target)
            self.manifest.add(label(key), product, FETCHED, path=target, url=url)
        return True


def label(key):
    """``OBSID.OBI.REGION`` of a detection."""
    return ".".join(map(str, key))


def file_key(name):
    """Detection and product that a file name tells, or None."""
    found = _NAME.fullmatch(name)
    if not found:
        return None
    key = tuple(int(found[part]) for part in ("obsid", "obi", "region"))
    return key, _KINDS[found["kind"].lower()]
