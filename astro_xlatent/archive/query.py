# Licensed under a 3-clause BSD style license - see LICENSE
"""
Questions to the archives' tables, asked through the clients of astroquery and pyvo in an `open_session`. What
a user typed reaches a query only as numbers, or as names of the form that the catalog gives them.
"""

import math
from contextlib import contextmanager
from dataclasses import dataclass

from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.io.votable.exceptions import VOWarning
from astropy.table import MaskedColumn, Table
from astropy.units import UnitsWarning

from astro_xlatent.archive.areas import Cone, parse_cone
from astro_xlatent.archive.web import open_session, shown
from astro_xlatent.core.config import conf
from astro_xlatent.core.errors import ArchiveError, ParameterError
from astro_xlatent.core.numbers import plain_floats
from astro_xlatent.core.silence import quiet

__all__ = ["Answer", "ask", "asking", "box", "clients", "named", "read_text", "resolve_name", "run_tap",
           "vizier_service"]


@dataclass
class Answer:
    """A table from an archive, where it is from, and whether the service says that it left out rows."""

    table: Table
    url: str
    cut: bool = False


def ask(session, catalog, question, max_rows=None):
    """An `Answer` on a catalog's rows in a `Cone` or with checked names; MPE takes a cone only."""
    return {"csc": _csc, "heasarc": _heasarc, "vizier": _vizier, "mpe": _mpe}[catalog.service](
        session, catalog, question, max_rows)


def clients():
    """The package, whose first import would take over how warnings are shown from then on."""
    with quiet():
        import astroquery.heasarc
        import astroquery.simbad
        import astroquery.vizier
        import astroquery.xmatch

    return astroquery


@contextmanager
def asking(url):
    """What clients of others raise as an error of this package; no warnings of theirs, no pickled answers."""
    astroquery = clients()
    from pyvo.dal.exceptions import DALOverflowWarning, DALQueryError

    try:
        # Archives are lax with VOTable and units; a cut answer is told by `Answer.cut`.
        with (quiet(VOWarning, UnitsWarning, astroquery.exceptions.NoResultsWarning, DALOverflowWarning),
              astroquery.cache_conf.set_temp("cache_active", False)):
            yield
    except Exception as error:
        own = error
        while own is not None and not isinstance(own, ArchiveError):
            own = own.__cause__ or own.__context__
        if own is not None:
            raise own from None
        # The XML parsers raise whatever they meet in a damaged answer.
        what = "the service refused" if isinstance(error, DALQueryError) else "the answer cannot be read"
        said = " ".join(str(error).split())[:300] or type(error).__name__
        raise ArchiveError(f"{shown(url)}: {what}: {said}") from error


def run_tap(session, url, query, max_rows=None, uploads=None):
    """Ask a TAP service in ADQL, as `ask`; there ``uploads`` are called TAP_UPLOAD.NAME."""
    from pyvo.dal import TAPService

    url = url.rstrip("/")
    with asking(f"{url}/sync"):
        return _answer(TAPService(url, session=session).search(query, maxrec=max_rows, uploads=uploads),
                       f"{url}/sync")


def _answer(results, url):
    infos = [info for resource in results.votable.resources for info in resource.infos]
    cut = any(info.name == "QUERY_STATUS" and str(info.value).upper() == "OVERFLOW" for info in infos)
    return Answer(read_text(results.to_table()), url, cut)


def _csc(session, catalog, question, max_rows):
    """The TAP service of the CXC; it knows no circles and gets a box, whose corners are cut off here."""
    cone = isinstance(question, Cone)
    condition = box("m.ra", "m.dec", question) if cone else named("m.name", question)
    query = f"SELECT {catalog.select}\nFROM {catalog.table}\nWHERE {condition}{catalog.condition}"
    answer = run_tap(session, conf.csc_tap_url, query, max_rows)
    if cone:
        places = SkyCoord(*(plain_floats(answer.table[name]) for name in ("ra", "dec")), unit="deg")
        answer.table = answer.table[places.separation(question.center).deg <= question.radius]
    return answer


def _heasarc(session, catalog, question, max_rows):
    if isinstance(question, Cone):
        condition = (f"CONTAINS(POINT('ICRS',ra,dec),CIRCLE('ICRS',{question.ra!r},{question.dec!r},"
                     f"{question.radius!r}))=1")
    else:
        condition = named("name", question)
    url = f"{clients().heasarc.HeasarcClass().VO_URL}/tap"
    return run_tap(session, url, f"SELECT * FROM {catalog.table} WHERE {condition}", max_rows)


def vizier_service(session, max_rows=None):
    """VizieR for all columns of a table, and one row more than wanted, which tells that there are more."""
    vizier = clients().vizier
    service = vizier.VizierClass(columns=["**"], row_limit=-1 if max_rows is None else max_rows + 1,
                                 timeout=conf.archive_timeout, vizier_server=vizier.conf.server)
    service._session = session
    return service


def _vizier(session, catalog, question, max_rows):
    service = vizier_service(session, max_rows)
    url = service._server_to_url()
    cones = [question] if isinstance(question, Cone) else [catalog.cone_of_name(name) for name in question]
    center = SkyCoord([cone.ra for cone in cones], [cone.dec for cone in cones], unit="deg")
    with asking(url):
        found = service.query_region(center, radius=cones[0].radius * u.deg, catalog=catalog.table,
                                     frame="icrs", cache=False, verbose=True)
    # Where nothing is found, there are no columns either.
    table = found[0] if len(found) else Table()
    kept = read_text(table[:max_rows][[name for name in table.colnames if name != "_q"]])
    return Answer(kept, url, max_rows is not None and len(table) > max_rows)


def _mpe(session, catalog, question, max_rows):
    from pyvo.dal import SCSService

    url = f"{conf.erosita_url.rstrip('/')}/catalogue/SCS"
    with asking(url):
        return _answer(SCSService(url, session=session).search(
            question.center, question.radius * u.deg, verbosity=3, CAT=catalog.table), url)


def resolve_name(name, radius):
    """A cone around an object, whose position SIMBAD is asked for; ParameterError if it does not tell."""
    service = clients().simbad.SimbadClass()
    try:
        with open_session() as service._session, asking(service.tap.baseurl):
            found = service.query_object(name)
    except ArchiveError as error:
        found, why = (), str(error)
    else:
        why = "SIMBAD does not know it"
    if len(found) == 0:
        msg = f"the position of {name!r} was not found ({why}); give it with --cone RA DEC RADIUS"
        raise ParameterError(msg)
    return parse_cone(float(found["ra"][0]), float(found["dec"][0]), radius)


def named(column, names):
    """ADQL for rows with certain names, which `Catalog.check_name` has passed."""
    listed = ", ".join(f"'{name}'" for name in names)
    return f"{column} IN ({listed})"


def box(ra, dec, cone):
    """ADQL for the smallest box in the columns ``ra`` and ``dec`` (degrees) that holds a cone."""
    low, high = cone.dec - cone.radius, cone.dec + cone.radius
    condition = _between(dec, max(low, -90.0), min(high, 90.0))
    if low <= -90.0 or high >= 90.0:
        return condition
    width = math.degrees(math.asin(math.sin(math.radians(cone.radius)) / math.cos(math.radians(cone.dec))))
    left, right = cone.ra - width, cone.ra + width
    parts = [(max(left + turn, 0.0), min(right + turn, 360.0)) for turn in (0.0, 360.0, -360.0)]
    parts = [part for part in parts if part[0] < part[1]]
    return f"{condition}\n  AND (" + "\n    OR ".join(_between(ra, *part) for part in parts) + ")"


def _between(column, low, high):
    return f"{column} BETWEEN {low:.12f} AND {high:.12f}"


def read_text(table):
    """Columns of objects that are text as text, masks kept; in place."""
    for name in [name for name in table.colnames if table[name].dtype.kind == "O"]:
        old, values = table[name], table[name].tolist()
        if all(value is None or isinstance(value, str) for value in values):
            missing = [value is None for value in values]
            new = MaskedColumn([value or "" for value in values], mask=missing, dtype=str, unit=old.unit,
                               description=old.description, meta=dict(old.meta))
            table[name] = new if any(missing) else new.filled()
    return table
