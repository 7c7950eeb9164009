# Licensed under a 3-clause BSD style license - see LICENSE
"""Questions to TAP and cone-search services, and their answers."""

import hashlib
import io
import tempfile
from pathlib import Path

import numpy as np
import requests
from astropy.io.votable import parse
from astropy.io.votable.exceptions import VOWarning
from astropy.table import MaskedColumn
from astropy.units import UnitsWarning
from astropy.utils.data import cache_contents, import_file_to_cache
from astropy.utils.exceptions import AstropyWarning
from urllib3.exceptions import HTTPError

from astro_xlatent.archive.adql import number
from astro_xlatent.archive.web import broken, read_answer, shown
from astro_xlatent.core.errors import ArchiveError
from astro_xlatent.core.silence import quiet

__all__ = ["Answer", "run_scs", "run_tap"]

_CACHE = "astro_xlatent"


class Answer:
    """
    A table from an archive.

    Attributes
    ----------
    table : `~astropy.table.Table`
    url : str
        Where from.
    cut : bool
        Whether the service says that it left out rows.
    """

    def __init__(self, table, url, cut):
        self.table, self.url, self.cut = table, url, cut


def run_tap(session, url, query, *, max_rows=None, cache=False, uploads=None):
    """
    Ask a TAP service, synchronously.

    Parameters
    ----------
    session : `requests.Session`
    url : str
    query : str
        ADQL.
    max_rows : int, optional
        MAXREC; the service's own limit if not given.
    cache : bool, optional
        Look in astropy's data cache first, and keep the answer there.
    uploads : dict of `~astropy.table.Table`, optional
        Tables that the query calls ``TAP_UPLOAD.NAME``.

    Returns
    -------
    answer : Answer

    Raises
    ------
    ArchiveError
        Naming the address and what the service said.
    """
    from pyvo.dal import TAPQuery, TAPResults

    asked = TAPQuery(url, query, maxrec=max_rows, uploads=uploads, session=session)
    key = f"{asked.queryurl}?{hashlib.sha256(f'{query} {max_rows}'.encode()).hexdigest()}"
    return _answer(asked.submit, TAPResults, asked.queryurl, key if cache else None)


def run_scs(session, url, catalog, cone, *, cache=False):
    """
    Ask a simple cone-search service for all columns.

    Parameters
    ----------
    session : `requests.Session`
    url, catalog : str
        Address, and its name for the catalog.
    cone : `~astro_xlatent.archive.areas.Cone`
    cache : bool, optional
        As for `run_tap`.

    Returns
    -------
    answer : Answer
    """
    from pyvo.dal.scs import SCSResults

    numbers = {"RA": number(cone.ra), "DEC": number(cone.dec), "SR": number(cone.radius)}
    params = {"CAT": catalog, **numbers, "VERB": "3"}

    def submit():
        return session.get(url, params=params, stream=True)

    key = requests.Request("GET", url, params=params).prepare().url
    return _answer(submit, SCSResults, url, key if cache else None)


def _answer(submit, kind, url, key):
    """The table in an answer from the cache or the network."""
    kept = _kept(key) if key else None
    if kept:
        return _read(Path(kept).read_bytes(), kind, url)
    body = io.BytesIO()
    try:
        with submit() as response:
            received = read_answer(response, body.write)
    except (requests.RequestException, HTTPError) as error:
        raise broken(url, error) from error
    answer = _read(body.getvalue(), kind, received.url)
    if key and not answer.cut:
        _keep(key, body.getvalue())
    return answer


def _kept(key):
    """File of an answer in astropy's data cache, or None."""
    # A cache that does not exist yet is no reason to warn.
    with quiet(AstropyWarning):
        return cache_contents(_CACHE).get(key)


def _keep(key, data):
    with quiet(AstropyWarning), tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "answer.vot"
        path.write_bytes(data)
        import_file_to_cache(key, path, remove_original=True, pkgname=_CACHE)


def _read(data, kind, url):
    from pyvo.dal.exceptions import DALAccessError, DALOverflowWarning

    try:
        # Archives are lax with VOTable and units; a cut answer is told by `Answer.cut`.
        with quiet(VOWarning, UnitsWarning, DALOverflowWarning):
            results = kind(parse(io.BytesIO(data)), url=url)
            table = results.to_table()
            cut = _is_cut(results)
    except DALAccessError as error:
        msg = f"{shown(url)}: the service refused: {' '.join(str(error).split())[:300]}"
        raise ArchiveError(msg) from error
    except Exception as error:
        # The XML parser raises whatever it meets in a damaged answer.
        start = " ".join(data[:100].decode("utf-8", "replace").split())
        said = (str(error).splitlines() or [type(error).__name__])[0][:200]
        msg = f"{shown(url)}: the answer is not a VOTable ({said}); it begins with {start!r}"
        raise ArchiveError(msg) from error
    for name in table.colnames:
        if table[name].dtype.kind in "OS":
            table[name] = _text(table[name])
    return Answer(table, url, cut)


def _is_cut(results):
    infos = [info for resource in results.votable.resources for info in resource.infos]
    return any(info.name == "QUERY_STATUS" and str(info.value).upper() == "OVERFLOW" for info in infos)


def _text(column):
    """A column of objects or bytes as str, masks kept; as it is if it holds anything else."""
    values = [
        v.decode("utf-8", "replace") if isinstance(v, bytes) else v for v in np.ma.getdata(column).tolist()
    ]
    mask = np.ma.getmaskarray(np.ma.asarray(column)) | np.array([v is None for v in values], bool)
    if not all(isinstance(v, str) for v, m in zip(values, mask, strict=True) if not m):
        return column
    data = np.array(["" if m else v for v, m in zip(values, mask, strict=True)], dtype=str)
    new = MaskedColumn(data, mask=mask) if mask.any() else MaskedColumn(data).filled()
    new.description, new.unit, new.meta = column.description, column.unit, dict(column.meta)
    return new
