# Licensed under a 3-clause BSD style license - see LICENSE
"""
Questions to TAP and cone-search services.

ADQL is put together from fixed text, numbers that were checked as floats, and
names that were checked against the form the catalogue gives them; nothing
that a user typed reaches it as it is.
"""

import hashlib
import io
import math
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

from astro_xlatent.archive.verify import quiet
from astro_xlatent.archive.web import broken, read_answer, shown
from astro_xlatent.errors import ArchiveError, ParameterError

__all__ = ["Answer", "cone_query", "literal", "names_query", "number", "run_scs", "run_tap"]

_CACHE = "astro_xlatent"


def number(value):
    """
    A finite number as ADQL.

    Parameters
    ----------
    value : float

    Returns
    -------
    text : str

    Raises
    ------
    ParameterError
        If it is not finite.

    Examples
    --------
    >>> from astro_xlatent.archive.query import number
    >>> number(1e-7)
    '0.000000100000'
    """
    value = float(value)
    if not math.isfinite(value) or abs(value) > 1e6:
        msg = f"a query takes finite numbers up to 1e6, got {value!r}"
        raise ParameterError(msg)
    return f"{value:.12f}"


def literal(text):
    """
    A string of printable ASCII as ADQL, quotes doubled.

    Parameters
    ----------
    text : str

    Returns
    -------
    quoted : str

    Examples
    --------
    >>> from astro_xlatent.archive.query import literal
    >>> literal("it's")
    "'it''s'"
    """
    if not (text.isascii() and text.isprintable()):
        msg = f"a query takes printable ASCII, got {text!r}"
        raise ParameterError(msg)
    return "'" + text.replace("'", "''") + "'"


def _query(catalog, condition):
    conditions = [condition, *([catalog.condition] if catalog.condition else [])]
    return f"SELECT {catalog.select}\nFROM {catalog.source}\nWHERE " + "\n  AND ".join(conditions)


def cone_query(catalog, cone):
    """
    ADQL for the rows of a catalogue in a cone.

    Parameters
    ----------
    catalog : `~astro_xlatent.archive.catalogs.Catalog`
    cone : `~astro_xlatent.archive.areas.Cone`

    Returns
    -------
    query : str

    Examples
    --------
    >>> from astro_xlatent.archive.areas import Cone
    >>> from astro_xlatent.archive.catalogs import get_catalog
    >>> from astro_xlatent.archive.query import cone_query
    >>> print(cone_query(get_catalog("csc"), Cone(10.0, -5.0, 0.1)))
    SELECT m.*
    FROM csc21.master_source AS m
    WHERE 1 = CONTAINS(POINT('ICRS', m.ra, m.dec),
      CIRCLE('ICRS', 10.000000000000, -5.000000000000, 0.100000000000))
    """
    circle = f"CIRCLE('ICRS', {number(cone.ra)}, {number(cone.dec)}, {number(cone.radius)})"
    return _query(catalog, f"1 = CONTAINS(POINT('ICRS', {catalog.ra}, {catalog.dec}),\n  {circle})")


def names_query(catalog, names):
    """
    ADQL for the rows of a catalogue with certain names.

    Parameters
    ----------
    catalog : `~astro_xlatent.archive.catalogs.Catalog`
    names : sequence of str

    Returns
    -------
    query : str
    """
    checked = ", ".join(literal(catalog.check_name(name)) for name in names)
    return _query(catalog, f"{catalog.name} IN ({checked})")


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


def run_tap(session, url, query, *, max_rows=None, cache=False):
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

    Returns
    -------
    answer : Answer

    Raises
    ------
    ArchiveError
        Naming the address and what the service said.
    """
    from pyvo.dal import TAPQuery, TAPResults

    asked = TAPQuery(url, query, maxrec=max_rows, session=session)
    key = f"{asked.queryurl}?{hashlib.sha256(f'{query} {max_rows}'.encode()).hexdigest()}"
    return _answer(asked.submit, TAPResults, asked.queryurl, key if cache else None)


def run_scs(session, url, catalog, cone, *, cache=False):
    """
    Ask a simple cone-search service for all columns.

    Parameters
    ----------
    session : `requests.Session`
    url, catalog : str
        Address, and its name for the catalogue.
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
        msg = (f"{shown(url)}: the answer is not a VOTable ({(str(error).splitlines() or [''])[0][:200]}); it begins "
               f"with {start!r}")
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
    values = [v.decode("utf-8", "replace") if isinstance(v, bytes) else v for v in np.ma.getdata(column).tolist()]
    mask = np.ma.getmaskarray(np.ma.asarray(column)) | np.array([v is None for v in values], bool)
    if not all(isinstance(v, str) for v, m in zip(values, mask, strict=True) if not m):
        return column
    data = np.array(["" if m else v for v, m in zip(values, mask, strict=True)], dtype=str)
    new = MaskedColumn(data, mask=mask) if mask.any() else MaskedColumn(data).filled()
    new.description, new.unit, new.meta = column.description, column.unit, dict(column.meta)
    return new
