# Licensed under a 3-clause BSD style license - see LICENSE
"""
Files of CSC detections, through the package interface ``csccli``.

A detection is (obsid, obi, region_id). Many are asked for in one request,
``retrieve?packageset=OBSID.OBI.REGION/TYPE/BAND,...``, which answers with a
tar; a file that is not in it is looked up singly (``browse``, JSON) and
fetched by its name (``retrieveFile``).

References
----------
https://cxc.cfa.harvard.edu/csc/cli/index.html and https://cxc.cfa.harvard.edu/csc/data_products/
"""

import json
import re
from functools import partial

import requests
from urllib3.exceptions import HTTPError

from astro_xlatent.archive.download import download
from astro_xlatent.archive.manifest import FAILED, MISSING, PRESENT
from astro_xlatent.archive.unpack import unpack_tar
from astro_xlatent.archive.web import StatusError, broken, read_answer
from astro_xlatent.core.config import conf
from astro_xlatent.core.errors import ArchiveError, TableError
from astro_xlatent.core.files import building_folder
from astro_xlatent.missions._columns import Columns

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
    for path in sorted(folder.iterdir()):
        there.setdefault(file_key(path.name), []).append(path)
    for key in keys:
        missing = []
        for product in products:
            found = reversed(there.get((key, product), []))
            path = next((path for path in found if manifest.is_whole(path)), None)
            if path is None:
                missing.append(product)
            else:
                manifest.add(_label(key), product, PRESENT, path=path)
        if missing:
            wanted.append((key, missing))
    groups = [dict(wanted[k : k + size]) for k in range(0, len(wanted), size)]
    return [([(_label(key), product) for key, product in _pairs(group)],
             partial(_fetch_group, session, folder, manifest, group)) for group in groups]


def _label(key):
    """``OBSID.OBI.REGION`` of a detection."""
    return ".".join(map(str, key))


def _pairs(group):
    return [(key, product) for key, products in group.items() for product in products]


def _fetch_group(session, folder, manifest, group):
    """Fetch the files of some detections; never raises for what an archive does. Gives their number."""
    try:
        with building_folder(folder) as building:
            done = _fetch_tar(session, folder, manifest, group, building)
            for key, product in _pairs(group):
                if (key, product) not in done:
                    _fetch_one(session, folder, manifest, key, product, building)
    except ArchiveError as error:
        unknown = isinstance(error, StatusError) and error.status == requests.codes.not_found
        if unknown and len(group) > 1:
            # One unknown detection spoils the whole answer: halves find it in few requests.
            items = list(group.items())
            for half in (items[: len(items) // 2], items[len(items) // 2 :]):
                _fetch_group(session, folder, manifest, dict(half))
        else:
            status, url = (MISSING if unknown else FAILED), f"{conf.csc_package_url}/retrieve"
            for key, product in _pairs(group):
                manifest.add(_label(key), product, status, url=url, reason=error)
    return len(group)


def _fetch_tar(session, folder, manifest, group, building):
    """Fetch what one request brings: the (detection, product) pairs that are settled."""
    tar, unpacked = building / "answer.tar", building / "files"
    unpacked.mkdir()
    names = ",".join(f"{_label(key)}/{product}/" for key, product in _pairs(group))
    url = f"{conf.csc_package_url.rstrip('/')}/retrieve"
    # Of a redirected request, the place that answered.
    url = download(session, url, tar, {"packageset": names, "version": conf.csc_release}).partition("?")[0]
    done = set()
    for path in unpack_tar(tar, unpacked):
        key = file_key(path.name)
        # What was not asked for is dropped; what is damaged is tried again singly.
        if not key or key[1] not in group.get(key[0], ()) or key in done:
            continue
        # noted with the address that gives this file alone
        alone = f"{url}?packageset={_label(key[0])}/{key[1]}/&version={conf.csc_release}"
        if manifest.store(path, folder / path.name, _label(key[0]), key[1], alone):
            done.add(key)
    return done


def _fetch_one(session, folder, manifest, key, product, building):
    """One file by its name, which the service is asked for."""
    base = conf.csc_package_url.rstrip("/")
    url = f"{base}/browse"
    try:
        name = _browse(session, url, key, product)
        if name is None:
            manifest.add(_label(key), product, MISSING, url=url, reason=f"the archive has no {product} of it")
            return
        url = f"{base}/retrieveFile"
        params = {"filetype": product, "filename": name, "version": conf.csc_release}
        path = building / name
        path.unlink(missing_ok=True)
        url = download(session, url, path, params)
        path = _named_by_content(path)
    except ArchiveError as error:
        manifest.add(_label(key), product, FAILED, url=url, reason=error)
        return
    manifest.store(path, folder / path.name, _label(key), product, url)


def _browse(session, url, key, product):
    """Name of the newest file of a product, or None if there is none."""
    params = {"packageset": f"{_label(key)}/{product}/", "version": conf.csc_release}
    said = bytearray()
    try:
        with session.get(url, params=params, stream=True) as response:
            if response.status_code == requests.codes.not_found:
                return None
            read_answer(response, said.extend)
    except (requests.RequestException, HTTPError) as error:
        raise broken(url, error) from error
    try:
        names = [str(item["filename"]) for item in json.loads(said)]
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        msg = f"{url}: the answer is no list of file names: {bytes(said[:100])!r}"
        raise ArchiveError(msg) from error
    # The names become paths here: nothing but the catalog's own form passes.
    fitting = [name for name in names if file_key(name) == (key, product)]
    if names and not fitting:
        msg = f"{url}: files of another detection came than asked for: {', '.join(names[:3])}"
        raise ArchiveError(msg)
    return max(fitting, default=None)


def _named_by_content(path):
    """The service packs files whose names do not say so."""
    with path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    return path.rename(path.with_name(path.name + ".gz")) if packed and path.suffix != ".gz" else path
