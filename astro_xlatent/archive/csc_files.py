# Licensed under a 3-clause BSD style license - see LICENSE
"""
Files of CSC detections, (obsid, obi, region_id), through the package interface ``csccli``.

Many are asked for in one request, ``retrieve?packageset=OBSID.OBI.REGION/TYPE/,...``, which answers with a
tar; a file that is not in it, or damaged, is asked for singly.

References
----------
https://cxc.cfa.harvard.edu/csc/cli/index.html and https://cxc.cfa.harvard.edu/csc/data_products/
"""

import re
from functools import partial

from requests import codes

from astro_xlatent.archive.manifest import FAILED, MISSING, PRESENT
from astro_xlatent.archive.unpack import unpack_tar
from astro_xlatent.archive.web import StatusError, download
from astro_xlatent.core.config import conf
from astro_xlatent.core.errors import ArchiveError, TableError
from astro_xlatent.core.files import building_folder
from astro_xlatent.missions._columns import Columns, name_columns

__all__ = ["DEFAULTS", "PRODUCTS", "file_key", "jobs", "read_keys"]

#: Products by the service's word for the type, with the ending of the file's name.
PRODUCTS = {"spectrum": "pha3", "arf": "arf3", "rmf": "rmf3", "regevt3": "regevt3", "srcreg": "reg3"}
DEFAULTS = ("spectrum", "arf", "rmf")
_NAME = re.compile(
    r"(?P<instrument>acis|hrc)f(?P<obsid>\d{5,6})_(?P<obi>\d{3})N(?P<version>\d{3})(?:_[a-z]\d)?"
    r"_r(?P<region>\d{4,5})_(?P<kind>pha3|arf3|rmf3|regevt3|reg3)\.fits(?P<packed>\.gz)?",
    re.IGNORECASE,
)
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
        if not all(value == value and value >= 0 and value == int(value) for value in number):
            bad[f"row {row}"] = f"obsid, obi, region_id are {number}, no detection"
        elif instrument.startswith("hrc"):
            bad[_label(map(int, number))] = "HRC has no energy resolution, and no spectra"
        else:
            keys.append(tuple(int(value) for value in number))
    return list(dict.fromkeys(keys)), bad


def file_key(name):
    """Detection and product that a file name tells, or None."""
    found = _NAME.fullmatch(name)
    return found and (tuple(int(found[part]) for part in ("obsid", "obi", "region")),
                      _KINDS[found["kind"].lower()])


def jobs(session, folder, manifest, keys, products):
    """What is to be done, as pairs of [(object, product), ...] and a function; what is there is noted."""
    there, wanted, size = {}, [], conf.archive_batch
    for path in sorted(folder.iterdir(), reverse=True):
        there.setdefault(file_key(path.name), []).append(path)
    for key in keys:
        missing = []
        for product in products:
            path = next(filter(manifest.is_whole, there.get((key, product), ())), None)
            if path is None:
                missing.append(product)
            else:
                manifest.add(_label(key), product, PRESENT, path=path)
        if missing:
            wanted.append((key, missing))
    groups = [dict(wanted[k : k + size]) for k in range(0, len(wanted), size)]
    return [([(_label(key), product) for key, product in _pairs(group)],
             partial(_fetch, session, folder, manifest, group)) for group in groups]


def _label(key):
    """``OBSID.OBI.REGION`` of a detection."""
    return ".".join(map(str, key))


def _pairs(group):
    return [(key, product) for key, products in group.items() for product in products]


def _fetch(session, folder, manifest, group):
    """Fetch the products of some detections; never raises for what an archive does."""
    pairs, url = _pairs(group), f"{conf.csc_package_url.rstrip('/')}/retrieve"
    try:
        url, done = _fetch_tar(session, folder, manifest, group, url)
    except ArchiveError as error:
        unknown = isinstance(error, StatusError) and error.status == codes.not_found
        if unknown and len(group) > 1:
            # One unknown detection spoils the whole answer: halves find it in few requests.
            items = list(group.items())
            for half in (items[: len(items) // 2], items[len(items) // 2 :]):
                _fetch(session, folder, manifest, dict(half))
        else:
            for key, product in pairs:
                manifest.add(_label(key), product, MISSING if unknown else FAILED, url=url, reason=error)
        return
    for key, product in pairs:
        if (key, product) not in done and len(pairs) > 1:
            _fetch(session, folder, manifest, {key: [product]})
        elif (key, product) not in done:
            manifest.add(_label(key), product, MISSING, url=url, reason=f"the archive has no {product} of it")


def _fetch_tar(session, folder, manifest, group, url):
    """Fetch what one request brings: the address that answered, and the pairs that are settled."""
    done, pairs = set(), _pairs(group)
    with building_folder(folder) as building:
        tar, unpacked = building / "answer.tar", building / "files"
        unpacked.mkdir()
        names = ",".join(f"{_label(key)}/{product}/" for key, product in pairs)
        params = {"packageset": names, "version": conf.csc_release}
        url = download(session, url, tar, params).partition("?")[0]
        for path in unpack_tar(tar, unpacked):
            pair = file_key(path.name)
            # What was not asked for is dropped.
            if pair not in pairs or pair in done:
                continue
            # Noted with the address that gives this file alone.
            alone = f"{url}?packageset={_label(pair[0])}/{pair[1]}/&version={conf.csc_release}"
            if manifest.store(path, folder / path.name, _label(pair[0]), pair[1], alone) or len(pairs) == 1:
                done.add(pair)
    return url, done
