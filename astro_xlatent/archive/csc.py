# Licensed under a 3-clause BSD style license - see LICENSE
"""
Files of CSC detections, through the package interface ``csccli``.

A detection is (obsid, obi, region_id). Many are asked for in one request,
``retrieve?packageset=OBSID.OBI.REGION/TYPE/BAND,...``, which answers with a
tar; a file that is not in it is looked up singly (``browse``, JSON) and
fetched by its name (``retrieveFile``).

References
----------
https://cxc.cfa.harvard.edu/csc/cli/index.html
"""

import json

import requests
from urllib3.exceptions import HTTPError

from astro_xlatent.archive.csc_files import file_key, label
from astro_xlatent.archive.download import download
from astro_xlatent.archive.manifest import FAILED, MISSING
from astro_xlatent.archive.unpack import unpack_tar
from astro_xlatent.archive.web import StatusError, broken, read_answer
from astro_xlatent.core.config import conf
from astro_xlatent.core.errors import ArchiveError
from astro_xlatent.core.files import building_folder

__all__ = ["fetch_group", "groups"]


def groups(wanted):
    """
    Detections in groups for one request each.

    Parameters
    ----------
    wanted : dict of (int, int, int) to list of str
        Products by detection.

    Returns
    -------
    groups : list of dict
    """
    items, size = list(wanted.items()), conf.archive_batch
    return [dict(items[k : k + size]) for k in range(0, len(items), size)]


def fetch_group(session, package, group):
    """
    Fetch the files of some detections; never raises for what an archive does.

    Parameters
    ----------
    session : `requests.Session`
    package : Package
    group : dict of (int, int, int) to list of str
        Products by detection.

    Returns
    -------
    n : int
        Number of detections dealt with.
    """
    try:
        with building_folder(package.folder) as building:
            done = _fetch_tar(session, package, group, building)
            for key, product in _pairs(group):
                if (key, product) not in done:
                    _fetch_one(session, package, key, product, building)
    except ArchiveError as error:
        unknown = isinstance(error, StatusError) and error.status == requests.codes.not_found
        if unknown and len(group) > 1:
            # One unknown detection spoils the whole answer: halves find it in few requests.
            items = list(group.items())
            for half in (items[: len(items) // 2], items[len(items) // 2 :]):
                fetch_group(session, package, dict(half))
        else:
            status, url = (MISSING if unknown else FAILED), f"{conf.csc_package_url}/retrieve"
            for key, product in _pairs(group):
                package.manifest.add(label(key), product, status, url=url, reason=error)
    return len(group)


def _pairs(group):
    return [(key, product) for key, products in group.items() for product in products]


def _fetch_tar(session, package, group, building):
    """Fetch what one request brings: the (detection, product) pairs that are settled."""
    tar, folder = building / "answer.tar", building / "files"
    folder.mkdir()
    names = ",".join(f"{label(key)}/{product}/" for key, product in _pairs(group))
    url = f"{conf.csc_package_url.rstrip('/')}/retrieve"
    body = download(session, url, tar, {"packageset": names, "version": conf.csc_release})
    # Of a redirected request, the place that answered.
    url = body.url.partition("?")[0]
    done = set()
    for path in unpack_tar(tar, folder):
        key = file_key(path.name)
        # What was not asked for is dropped; what is damaged is tried again singly.
        if not key or key[1] not in group.get(key[0], ()) or key in done:
            continue
        # noted with the address that gives this file alone
        if package.store(path, *key,
                         f"{url}?packageset={label(key[0])}/{key[1]}/&version={conf.csc_release}"):
            done.add(key)
    return done


def _fetch_one(session, package, key, product, building):
    """One file by its name, which the service is asked for."""
    base = conf.csc_package_url.rstrip("/")
    url = f"{base}/browse"
    try:
        name = _browse(session, url, key, product)
        if name is None:
            package.manifest.add(label(key), product, MISSING, url=url,
                                 reason=f"the archive has no {product} of it")
            return
        url = f"{base}/retrieveFile"
        params = {"filetype": product, "filename": name, "version": conf.csc_release}
        path = building / name
        path.unlink(missing_ok=True)
        body = download(session, url, path, params)
        path = _named_by_content(path)
    except ArchiveError as error:
        package.manifest.add(label(key), product, FAILED, url=url, reason=error)
        return
    package.store(path, key, product, body.url)


def _browse(session, url, key, product):
    """Name of the newest file of a product, or None if there is none."""
    params = {"packageset": f"{label(key)}/{product}/", "version": conf.csc_release}
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
