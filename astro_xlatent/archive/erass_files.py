# Licensed under a 3-clause BSD style license - see LICENSE
"""
Source products of eRASS1, by DETUID.

One archive, packed with xz, holds everything of a source. Its files land in a folder of that name, because
those of different sources may have the same names.

References
----------
https://erosita.mpe.mpg.de/dr1/AllSkySurveyData_dr1/ArchiveProducts_dr1/
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

__all__ = ["DEFAULTS", "PRODUCTS", "jobs", "read_keys"]

#: Products by the word for them here, with that in the file's name.
PRODUCTS = {"spectrum": "SourceSpec", "background": "BackgrSpec", "arf": "ARF", "rmf": "RMF",
            "lightcurve": "LightCurve"}
DEFAULTS = ("spectrum", "background", "arf", "rmf")
_DETUID = re.compile(r"[a-z]{2}\d{2}_\d{6}_\d{3}_ML\d{5}_\d{3}_c\d{3}")
_NAME = re.compile(
    r"(?:[a-z]{2}\d{2}_\d{6}_)?\d{3}_(?P<kind>SourceSpec|BackgrSpec|ARF|RMF|LightCurve)_\d{5}(?:_c\d{3})?"
    r"\.fits(?:\.gz)?"
)
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


def jobs(session, folder, manifest, keys, products):
    """What is to be done, as pairs of [(object, product), ...] and a function; what is there is noted."""
    return [([(key, product) for product in products],
             partial(_fetch, session, folder, manifest, key, products))
            for key in keys if not _present(folder / key, manifest, key, products)]


def _by_product(paths):
    files = {}
    for path in sorted(paths):
        if found := _NAME.fullmatch(path.name):
            files.setdefault(_KINDS[found["kind"]], []).append(path)
    return files


def _present(place, manifest, key, products):
    """Whether all products of a source are there and whole; then they are noted."""
    files = _by_product(place.iterdir() if place.is_dir() else ())
    paths = [(product, path) for product in products for path in files.get(product, ())]
    if not (files.keys() >= set(products) and all(manifest.is_whole(path) for _, path in paths)):
        return False
    for product, path in paths:
        manifest.add(key, product, PRESENT, path=path)
    return True


def _fetch(session, folder, manifest, key, products):
    """Fetch the files of one source; never raises for what an archive does."""
    url = f"{conf.erosita_url.rstrip('/')}/data/download_source/{key}"
    try:
        with building_folder(folder) as building:
            tar, unpacked = building / f"{key}.tar.xz", building / "files"
            unpacked.mkdir()
            # Of a redirected request, the place that answered.
            url = download(session, url, tar)
            files = _by_product(unpack_tar(tar, unpacked))
            for product in products:
                for path in files.get(product, ()):
                    manifest.store(path, folder / key / path.name, key, product, url)
                if product not in files:
                    reason = f"the archive's file holds no {product}"
                    manifest.add(key, product, MISSING, url=url, reason=reason)
    except ArchiveError as error:
        unknown = isinstance(error, StatusError) and error.status == codes.not_found
        for product in products:
            manifest.add(key, product, MISSING if unknown else FAILED, url=url, reason=error)
