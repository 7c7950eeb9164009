# Licensed under a 3-clause BSD style license - see LICENSE
"""What is asked, and what is made of the answers."""

import re
import subprocess
import sys

import numpy as np
import pytest
from archive_servers import data, page, slow, status, votable
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.table import MaskedColumn, Table

from astro_xlatent import conf
from astro_xlatent.archive.areas import Cone
from astro_xlatent.archive.catalogs import get_catalog
from astro_xlatent.archive.query import box, resolve_name, run_tap
from astro_xlatent.archive.web import open_session
from astro_xlatent.core.errors import ArchiveError, ParameterError

QUERY = "SELECT * FROM things"


@pytest.fixture
def ask(archive):
    """Ask the server's TAP service."""
    archive.tables["things"] = Table(
        {
            "name": ["a", "bb", "a very long name indeed"],
            "x": MaskedColumn([1.0, 2.0, 3.0], mask=[0, 1, 0]),
            "flux": np.array([1e-30, -2.5, np.nan]),
        }
    )
    archive.tables["things"]["flux"].unit = "erg / (s cm2)"

    def ask(**kwargs):
        with open_session() as session:
            return run_tap(session, f"{archive.url}/tap", QUERY, **kwargs)

    return ask


def test_table(ask):
    """Text, masks, units and numbers arrive as they were sent."""
    answer = ask()
    assert answer.table["name"].tolist() == ["a", "bb", "a very long name indeed"]
    assert answer.table["name"].dtype.kind == "U"
    assert answer.table["x"].tolist() == [1.0, None, 3.0]
    assert answer.table["flux"].unit == "erg / (s cm2)"
    assert answer.table["flux"].tolist()[:2] == [1e-30, -2.5]
    assert not answer.cut


def test_empty(ask, archive):
    """No row is an answer."""
    archive.tables["things"] = archive.tables["things"][:0]
    answer = ask()
    assert len(answer.table) == 0
    assert answer.table.colnames == ["name", "x", "flux"]


@pytest.mark.parametrize("whose", ["server", "own"])
def test_cut(ask, archive, whose):
    """An answer that lacks rows says so."""
    archive.limit = 2 if whose == "server" else None
    answer = ask(max_rows=None if whose == "server" else 2)
    assert (len(answer.table), answer.cut) == (2, True)


@pytest.mark.parametrize(
    ("deed", "what"),
    [
        (status(400, text="<VOTABLE><INFO>no column m.ra</INFO></VOTABLE>"), "status 400.*no column m.ra"),
        (status(503), "status 503"),
        (page(), "a web page came instead of data: Down for maintenance"),
        (data(b"name,ra\na,1\n", "text/csv"), "cannot be read"),
        (data(b"<VOTABLE><RESOURCE>", "text/xml"), "cannot be read"),
        (
            data(votable(Table({"a": [1]}), "ERROR", "query timed out"), "text/xml"),
            "the service refused.*query timed out",
        ),
        (data(b"<VOTABLE", "text/xml", length=5000), "broke before the end"),
        (data(b"", "text/xml", length=10**13), "MB, more than"),
        (
            data(b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "bbbb"><!ENTITY c "&b;&b;">]><a>&c;</a>'),
            "cannot be read",
        ),
    ],
    ids=["400", "503", "page", "csv", "broken XML", "refusal", "truncated", "huge", "entities"],
)
def test_bad_answers(ask, archive, deed, what):
    """Each names the address and what came back."""
    archive.plan("/tap", *[deed] * 3)
    with pytest.raises(ArchiveError, match=rf"127.0.0.1:\d+/tap/sync.*{what}"):
        ask()


def test_passing_failure(ask, archive):
    """A question that failed for a passing reason is asked again, with its text."""
    archive.plan("/tap", status(503), status(429, ("Retry-After", "0")))
    assert len(ask().table) == 3
    assert archive.queries == [QUERY]


def test_no_answer(ask, archive, monkeypatch):
    """Nor does a silent service hold one up."""
    monkeypatch.setattr(conf, "archive_timeout", 0.1)
    archive.plan("/tap", *[slow(0.3)] * 3)
    with pytest.raises(ArchiveError, match="no answer within 0.1 s"):
        ask()


@pytest.mark.parametrize("ra", [0.0, 0.01, 123.0, 359.99])
@pytest.mark.parametrize("dec", [-90.0, -89.95, -60.0, 0.0, 75.0, 89.8, 90.0])
def test_box_encloses(ra, dec):
    """The box that stands for a cone holds it, at the poles and across RA 0, and is no wider than needed."""
    cone = Cone(ra, dec, 0.2)
    middle = SkyCoord(ra, dec, unit="deg")
    rim = middle.directional_offset_by(np.linspace(0, 360, 721) * u.deg, 0.199999 * u.deg)
    query = box("m.ra", "m.dec", cone)
    inside = np.ones(len(rim), bool)
    for name, values in (("dec", rim.dec.deg), ("ra", rim.ra.deg)):
        ranges = re.findall(rf"m.{name} BETWEEN (\S+) AND ([^\s)]+)", query)
        hits = [(values >= float(low)) & (values <= float(high)) for low, high in ranges]
        inside &= np.any(hits, axis=0) if hits else True
        if name == "ra" and hits:
            width = sum(float(high) - float(low) for low, high in ranges)
            spread = np.ptp(((values - ra + 180) % 360) - 180)
            assert spread <= width <= 1.01 * spread
    assert inside.all()


@pytest.mark.parametrize(
    "name",
    [
        "2CXO J004244.3+411608' OR 1=1 --",
        "'; DROP TABLE master_source; --",
        "2CXO J004244.3+411608\n",
        "",
        "M31",
        "2CXO J004244.3\N{MINUS SIGN}411608",
        "1eRASS J052334.5-691545",
        "2CXO J004244.3+411608'",
        None,
        3,
    ],
)
def test_names_refused(name):
    """A name that has not the catalog's form never reaches a query."""
    if name == "2CXO J004244.3+411608\n":
        assert get_catalog("csc").check_name(name) == "2CXO J004244.3+411608"
        return
    with pytest.raises(ParameterError, match="is no name of CSC 2.1"):
        get_catalog("csc").check_name(name)


def test_unknown_catalog():
    """The keys there are are listed."""
    with pytest.raises(ParameterError, match="unknown catalog 'cscc'; there are csc, csc-detections"):
        get_catalog("cscc")


def test_resolve_name(archive):
    """SIMBAD is asked for the identifier, quotes doubled, and its position becomes a cone."""
    archive.tables["ident"] = Table({"id": ["Barnard's star"], "ra": [10.0], "dec": [20.0]})
    assert resolve_name("Barnard's star", "6arcmin") == Cone(10.0, 20.0, 0.1)
    assert "id = 'Barnard''s star'" in archive.queries[0]


@pytest.mark.parametrize(("deed", "why"), [(None, "SIMBAD does not know it"), (status(404), "status 404")])
def test_resolve_name_fails(archive, deed, why):
    """An unknown object, or no answer, says what to do instead."""
    archive.tables["ident"] = Table({"id": ["M 31"], "ra": [10.0], "dec": [20.0]})
    archive.plan("/simbad", *[deed] * 4 if deed else [])
    with pytest.raises(ParameterError, match=f"'Xyz' was not found.*{why}.*--cone RA DEC RADIUS"):
        resolve_name("Xyz", "1arcmin")


def test_astroquery_leaves_warnings_alone():
    """Its first import does not take over how warnings are shown."""
    code = ("import warnings\nfrom astro_xlatent.archive import query\nbefore = warnings.showwarning\n"
            "query.clients()\nprint(warnings.showwarning is before)")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "True"
