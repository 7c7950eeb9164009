# Licensed under a 3-clause BSD style license - see LICENSE
"""
Source products of eRASS1, by DETUID.

One archive, packed with xz, holds everything of a source. Its files land in
a folder of that name, because those of different sources may have the same
names.

References
----------
https://erosita.mpe.mpg.de/dr1/AllSkySurveyData_dr1/ArchiveProducts_dr1/
"""

import re

import numpy as np
from requests import codes

from astro_xlatent.archive.download import download
from astro_xlatent.archive.manifest import FAILED, FETCHED, MISSING, PRESENT
from astro_xlatent.archive.unpack import unpack_tar
from astro_xlatent.archive.verify import check_fits
from astro_xlatent.archive.web import StatusError
from astro_xlatent.core.config import conf
from astro_xlatent.core.errors import ArchiveError, TableError
from astro_xlatent.core.files import building_folder
from astro_xlatent.missions._columns import Columns

__all__ = ["PRODUCTS", "fetch_source", "present", "read_detuids"]

#: Products by the word for them here, with that in the file's name.
PRODUCTS = {
    "spectrum": "SourceSpec",
    "background": "BackgrSpec",
    "arf": "ARF",
    "rmf": "RMF",
    "lightcurve": "LightCurve",
}
_DETUID = re.compile(r"[a-z]{2}\d{2}_\d{6}_\d{3}_ML\d{5}_\d{3}_c\d{3}")
_NAME = re.compile(
    r"(?:[a-z]{2}\d{2}_\d{6}_)?\d{3}_(?P<kind>SourceSpec|BackgrSpec|ARF|RMF|LightCurve)_\d{5}(?:_c\d{3})?"
    r"\.fits(?:\.gz)?"
)
_KINDS = {kind: product for product, kind in PRODUCTS.items()}


def read_detuids(table):
    """
    The DETUIDs of a table.

    Parameters
    ----------
    table : `~astropy.table.Table`

    Returns
    -------
    keys : list of str
        Each once.
    bad : dict of str to str
        Rows without one, and why.

    Raises
    ------
    TableError
        If the table has no column ``DETUID``.
    """
    cols = Columns(table)
    if "detuid" not in cols:
        msg = (
            f"the table has no column DETUID (it has {', '.join(table.colnames[:12])}), by which "
            "eRASS1's files are found; fetch the catalog erass1"
        )
        raise TableError(msg)
    keys, bad = [], {}
    for row, name in enumerate(cols.text_exact("detuid").tolist()):
        if _DETUID.fullmatch(name):
            keys.append(name)
        else:
            bad[f"row {row}"] = (
                f"DETUID {name[:50]!r} does not have the form em01_093126_020_ML00001_002_c010"
            )
    return list(dict.fromkeys(keys)), bad


def _product(name):
    found = _NAME.fullmatch(name)
    return _KINDS[found["kind"]] if found else None


def present(folder, manifest, key, products):
    """
    Whether all products of a source are there and whole; then they are noted.

    Parameters
    ----------
    folder : `~pathlib.Path`
    manifest : `~astro_xlatent.archive.manifest.Manifest`
    key : str
        DETUID.
    products : sequence of str

    Returns
    -------
    present : bool
    """
    place = folder / key
    files = {}
    for path in sorted(place.iterdir()) if place.is_dir() else ():
        files.setdefault(_product(path.name), []).append(path)
    if not all(files.get(product) for product in products):
        return False
    paths = [(product, path) for product in products for path in files[product]]
    if not all(manifest.is_whole(path) for _, path in paths):
        return False
    for product, path in paths:
        manifest.add(key, product, PRESENT, path=path)
    return True


def fetch_source(session, folder, manifest, key, products):
    """
    Fetch the files of one source; never raises for what an archive does.

    Parameters
    ----------
    session : `requests.Session`
    folder : `~pathlib.Path`
    manifest : `~astro_xlatent.archive.manifest.Manifest`
    key : str
        DETUID.
    products : sequence of str
        Of `PRODUCTS`.

    Returns
    -------
    n : int
        1, for the progress bar.
    """
    url = f"{conf.erosita_url.rstrip('/')}/data/download_source/{key}"
    try:
        with building_folder(folder) as building:
            tar, unpacked = building / f"{key}.tar.xz", building / "files"
            unpacked.mkdir()
            # Of a redirected request, the place that answered.
            url = download(session, url, tar).url
            _store(unpack_tar(tar, unpacked), folder / key, manifest, key, products, url)
    except ArchiveError as error:
        unknown = isinstance(error, StatusError) and error.status == codes.not_found
        status = MISSING if unknown else FAILED
        for product in products:
            manifest.add(key, product, status, url=url, reason=error)
    return 1


def _store(files, place, manifest, key, products, url):
    found = np.array([_product(path.name) for path in files], dtype=object)
    for product in products:
        paths = [path for path, kind in zip(files, found, strict=True) if kind == product]
        if not paths:
            manifest.add(key, product, MISSING, url=url, reason=f"the archive's file holds no {product}")
        for path in paths:
            _store_file(path, place, manifest, key, product, url)


def _store_file(path, place, manifest, key, product, url):
    target = place / path.name
    if target.exists() and manifest.is_whole(target):
        manifest.add(key, product, PRESENT, path=target, url=url)
        return
    try:
        check_fits(path)
        if target.exists():
            msg = f"{target.name} is there, but damaged or not as it was fetched; move it away"
            raise ArchiveError(msg)
    except ArchiveError as error:
        manifest.add(key, product, FAILED, url=url, reason=error)
        return
    place.mkdir(exist_ok=True)
    path.replace(target)
    manifest.add(key, product, FETCHED, path=target, url=url)
