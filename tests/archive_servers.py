# Licensed under a 3-clause BSD style license - see LICENSE
"""
An archive on loopback: TAP, cone search, VizieR, SIMBAD, CSC packages and eRASS archives.

It speaks what the services document and the clients of astroquery and pyvo ask, on small
tables and files, and can be told to misbehave: `Archive.plan` takes, for the next requests
on a path, what to do instead of answering. What goes to one of `HOSTS` arrives under its name.
"""

import io
import re
import tarfile
import threading
import time
import traceback
from contextlib import contextmanager
from email.parser import BytesParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import numpy as np
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.io.votable import from_table
from astropy.io.votable.exceptions import VOWarning
from astropy.io.votable.tree import Info
from astropy.table import Table, hstack
from astropy.units import UnitsWarning

from astro_xlatent.core import silence

#: Hosts whose addresses are astroquery's own.
HOSTS = ("vizier.cds.unistra.fr", "heasarc.gsfc.nasa.gov", "simbad.cds.unistra.fr")
_CIRCLE = re.compile(r"CONTAINS\(POINT\('ICRS',(\w+),(\w+)\),CIRCLE\('ICRS',([^,]+),([^,]+),([^,]+)\)\)=1")
_CAPABILITIES = b"""<?xml version="1.0"?><vosi:capabilities
 xmlns:vosi="http://www.ivoa.net/xml/VOSICapabilities/v1.0" xmlns:tr="http://www.ivoa.net/xml/TAPRegExt/v1.0"
 xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
 <capability standardID="ivo://ivoa.net/std/TAP" xsi:type="tr:TableAccess">
 <language><name>ADQL</name><version>2.0</version></language>
 <outputFormat><mime>text/xml</mime></outputFormat>
 <outputLimit><hard unit="row">2000000</hard></outputLimit></capability></vosi:capabilities>"""
_BETWEEN = re.compile(r"([\w.]+) BETWEEN (\S+) AND ([^\s)]+)")
_NAMES = re.compile(r"([\w.]+) IN \(((?:'[^']*'(?:, )?)+)\)")


@contextmanager
def lenient():
    """No warnings of units and VOTable; while the thread that asks waits, it has silenced them."""
    if silence._FILTERS.acquire(blocking=False):
        try:
            # VizieR's names and CGS units are no good style to the standard
            with silence.quiet(UnitsWarning, VOWarning):
                yield
        finally:
            silence._FILTERS.release()
    else:
        yield


def votable(table, status="OK", message="", limit=None):
    """A table, or a refusal, as TAP sends it."""
    cut = limit is not None and len(table) > limit
    with lenient():
        document = from_table(table[:limit] if cut else table)
    resource = document.resources[0]
    resource.type = "results"
    resource.tables[0].name = "table"
    info = Info(name="QUERY_STATUS", value=status)
    info.content = message
    resource.infos.append(info)
    if cut:
        resource.infos.append(Info(name="QUERY_STATUS", value="OVERFLOW"))
    body = io.BytesIO()
    with lenient():
        document.to_xml(body)
    return body.getvalue()


def tar_bytes(files, mode="w"):
    """A tar archive of (name, bytes) pairs; a `tarfile.TarInfo` in place of a name is taken as it is."""
    body = io.BytesIO()
    with tarfile.open(fileobj=body, mode=mode) as archive:
        for name, data in files:
            member = name if isinstance(name, tarfile.TarInfo) else tarfile.TarInfo(name)
            if data is not None:
                member.size = len(data)
            archive.addfile(member, io.BytesIO(data or b""))
    return body.getvalue()


class Archive:
    """
    The server's contents, record and plans.

    Attributes
    ----------
    tables : dict of str to Table
        By the name in ADQL or of the cone search.
    packages : dict of str to (str, bytes)
        ``"OBSID.OBI.REGION/TYPE"`` to file name and content.
    sources : dict of str to bytes
        DETUID to archive.
    limit : int or None
        Rows of one answer.
    queries, requests : list of str
        What was asked, in ADQL and by path.
    errors : list of str
        What went wrong in the server itself.
    """

    def __init__(self):
        self.tables, self.packages, self.sources = {}, {}, {}
        self.limit = None
        self.queries, self.requests = [], []
        self.busy = self.most_busy = 0
        self._plans, self._lock = {}, threading.Lock()
        self.errors = []
        self.server = _Server(("127.0.0.1", 0), type("Handler", (_Handler,), {"archive": self}))
        self.server.errors = self.errors
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def close(self):
        """Stop and leave no socket open."""
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    def plan(self, path, *deeds):
        """For the next requests whose path begins so: functions of the handler, one each."""
        self._plans.setdefault(path, []).extend(deeds)

    def next_deed(self, path):
        """The deed planned for a request, or None."""
        with self._lock:
            for start, deeds in self._plans.items():
                if path.startswith(start) and deeds:
                    return deeds.pop(0)
        return None

    def enter(self, path):
        """Note a request."""
        with self._lock:
            self.requests.append(path)
            self.busy += 1
            self.most_busy = max(self.most_busy, self.busy)

    def leave(self):
        """Note its end."""
        with self._lock:
            self.busy -= 1

    def count(self, part):
        """How many requests had this in their path."""
        return sum(part in path for path in self.requests)

    def adql(self, query, limit=None):
        """Answer the few forms of ADQL that are asked."""
        self.queries.append(query)
        source = re.search(r'FROM ("[^"]+"|[\w.]+)', query)[1].strip('"')
        if source not in self.tables:
            return votable(self._empty(), "ERROR", f"unknown table {source}"), 400
        table = self.tables[source]
        keep = np.ones(len(table), bool)
        if found := _CIRCLE.search(query):
            keep &= _in_circle(table[found[1]], table[found[2]], *map(float, found.groups()[2:]))
        ranges = {}
        for name, low, high in _BETWEEN.findall(query):
            values = table[name.split(".")[-1]]
            ranges[name] = ranges.get(name, False) | ((values >= float(low)) & (values <= float(high)))
        for part in ranges.values():
            keep &= part
        if found := _NAMES.search(query):
            column = table[found[1].split(".")[-1]]
            keep &= np.isin(column, re.findall(r"'([^']*)'", found[2]))
        limits = [value for value in (self.limit, limit) if value is not None]
        return votable(table[keep], limit=min(limits, default=None)), 200

    def simbad(self, query, limit=None):
        """Identifiers of one object; ``tables["ident"]`` has id, ra and dec."""
        self.queries.append(query)
        table, name = self.tables["ident"], re.search(r"id = '((?:[^']|'')*)'", query)[1].replace("''", "'")
        return votable(table[table["id"] == name], limit=limit), 200

    def vizier(self, script):
        """Rows of a table around the positions of an ASU script, all of them without one."""
        self.queries.append(script)
        lists = dict(re.findall(r"^(\S+)=<<====AstroqueryList\n(.*?)\n====", script, re.M | re.S))
        asked = dict(re.findall(r"^([^=\n]+)=(.*)$", script, re.M)) | lists
        table = self.tables[asked["-source"]]
        keep = np.zeros(len(table), bool)
        if "-c" not in asked:
            keep[:] = True
        for x, y in re.findall(r"([\d.]+)([+-][\d.]+)", asked.get("-c", "")):
            radius = float(asked["-c.rd"])
            keep |= _in_circle(table["RA_ICRS"], table["DE_ICRS"], float(x), float(y), radius)
        limit = None if asked["-out.max"] == "unlimited" else int(asked["-out.max"])
        return votable(table[keep][:limit])

    @staticmethod
    def _empty():
        return Table({"nothing": [0]})[:0]


class _Server(ThreadingHTTPServer):
    daemon_threads = False

    def handle_error(self, request, client_address):
        """Keep what went wrong here, for the test to fail."""
        self.errors.append(traceback.format_exc())


def _in_circle(ra, dec, x, y, radius):
    middle = SkyCoord(x, y, unit="deg")
    return SkyCoord(ra, dec, unit="deg").separation(middle).deg <= radius


def _pairs(sent, ra, dec, objects, arcsec, names=("ra", "dec")):
    here = SkyCoord(sent[ra], sent[dec], unit="deg")
    there = SkyCoord(objects[names[0]], objects[names[1]], unit="deg")
    first, second, apart, _ = there.search_around_sky(here, arcsec * u.arcsec)
    return hstack([Table({"angDist": apart.to(u.arcsec)}), sent[first], objects[second]])


class _Handler(BaseHTTPRequestHandler):
    archive = None
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        """Say nothing."""

    def handle(self):
        try:
            super().handle()
        except (ConnectionError, TimeoutError):
            # The client has given up, as the test wants.
            pass

    def do_GET(self):
        self._answer(b"")

    def do_POST(self):
        self._answer(self.rfile.read(int(self.headers.get("Content-Length", 0))))

    def _answer(self, body):
        self.archive.enter(self.path)
        try:
            deed = self.archive.next_deed(self.path)
            if deed is None or deed(self) == "answer":
                self._serve(body)
        finally:
            self.archive.leave()

    def _serve(self, body):
        parts = urlsplit(self.path)
        asked = {key: values[0] for key, values in parse_qs(parts.query).items()}
        if parts.path.endswith("/sync"):
            form = self._form(body)
            limit = int(form["MAXREC"]) if "MAXREC" in form else None
            if "UPLOAD" in form:
                data, status = self._join(form), 200
            else:
                answer = self.archive.simbad if "/sim-tap/" in parts.path else self.archive.adql
                data, status = answer(form["QUERY"], limit)
            self.send_body(data, "application/x-votable+xml", status)
        elif parts.path.endswith("/capabilities"):
            self.send_body(_CAPABILITIES, "text/xml")
        elif parts.path.endswith("/viz-bin/votable"):
            self.send_body(self.archive.vizier(body.decode()), "text/xml")
        elif parts.path.endswith("/xmatch"):
            self._cross_match(self._form(body))
        elif parts.path.endswith("/SCS"):
            self._cone(asked)
        elif parts.path.endswith("/retrieve"):
            self._retrieve(asked)
        elif "/download_source/" in parts.path:
            data = self.archive.sources.get(parts.path.rsplit("/", 1)[1])
            self.send_body(*((data, "application/x-xz") if data else (b"no such source", "text/plain", 404)))
        else:
            self.send_body(b"<html><title>Not Found</title></html>", "text/html", 404)

    def _form(self, body):
        kind = self.headers["Content-Type"]
        if kind.startswith("multipart"):
            message = BytesParser().parsebytes(f"Content-Type: {kind}\r\n\r\n".encode() + body)
            return {
                part.get_param("name", header="content-disposition"): part.get_payload()
                for part in message.get_payload()
            }
        return {key: values[0] for key, values in parse_qs(body.decode()).items()}

    def _cross_match(self, form):
        """The CDS: every pair of an uploaded position and an object within the distance."""
        sent = Table.read(form["cat1"], format="ascii.csv")
        objects = self.archive.tables[form["cat2"].removeprefix("vizier:")]
        pairs = _pairs(sent, form["colRA1"], form["colDec1"], objects, float(form["distMaxArcsec"]))
        self.send_body(votable(pairs), "text/xml")

    def _join(self, form):
        """TAP with a table of positions: the one form of a join that is asked, with the columns named."""
        self.archive.queries.append(form["QUERY"])
        name, _, where = form["UPLOAD"].partition(",param:")
        sent = Table.read(io.BytesIO(form[where].encode()), format="votable")
        found = re.fullmatch(
            r"SELECT p\.xl_row, DISTANCE\(POINT\('ICRS', s\.\"(\w+)\", s\.\"(\w+)\"\), .*AS \"angDist\", (.+)"
            r' FROM TAP_UPLOAD\.(\w+) AS p JOIN "?([^"\s]+)"? AS s ON 1 = CONTAINS\(.*p\.dec_x, (\S+)\)\)',
            form["QUERY"])
        assert found and found[4] == name and "CIRCLE('ICRS', p.ra_x, p.dec_x" in form["QUERY"]
        objects = self.archive.tables[found[5]].copy()
        objects.rename_columns(["ra", "dec"], [found[1], found[2]])
        pairs = _pairs(sent, "ra_x", "dec_x", objects, 3600 * float(found[6]), (found[1], found[2]))
        names = [item.split(".")[1].strip('"') for item in found[3].split(", ")]
        return votable(pairs["xl_row", "angDist", *(n for n in names if n in pairs.colnames)],
                       limit=self.archive.limit)

    def _cone(self, asked):
        table = self.archive.tables[asked["CAT"]]
        assert asked["VERB"] == "3"
        keep = _in_circle(table["RA"], table["DEC"], *(float(asked[key]) for key in ("RA", "DEC", "SR")))
        self.send_body(votable(table[keep]), "text/xml")

    def _retrieve(self, asked):
        wanted = [name.rsplit("/", 1)[0] for name in asked["packageset"].split(",")]
        found = [self.archive.packages.get(name) for name in wanted]
        if all(item is None for item in found) or "unknown" in self.archive.packages and None in found:
            self.send_body(b"No file found matching these parameters", "text/plain", 404)
            return
        self.send_body(tar_bytes([item for item in found if item]), "application/x-tar")

    def send_body(self, data, kind, status=200, headers=(), length=None):
        """Answer with some bytes."""
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data) if length is None else length))
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)
        if length is not None:
            self.close_connection = True


# --- what a server can do wrong ---------------------------------------------------------


def status(code, *headers, text="try later"):
    """Answer with an error."""

    def deed(handler):
        handler.send_body(text.encode(), "text/plain", code, headers)

    return deed


def page(text="<!DOCTYPE html><html><title>Down for maintenance</title></html>", kind="text/html"):
    """Answer with a web page and status 200."""

    def deed(handler):
        handler.send_body(text.encode(), kind)

    return deed


def data(content, kind="application/octet-stream", length=None):
    """Answer with these bytes; ``length`` is announced in place of theirs."""

    def deed(handler):
        handler.send_body(content, kind, length=length)

    return deed


def slow(seconds):
    """Answer only after a while."""

    def deed(handler):
        time.sleep(seconds)
        handler.close_connection = True
        return "answer"

    return deed


def drip(seconds, size=10_000):
    """Send a byte at a time, for so long."""

    def deed(handler):
        handler.send_response(200)
        handler.send_header("Content-Type", "application/octet-stream")
        handler.send_header("Content-Length", str(size))
        handler.end_headers()
        handler.close_connection = True
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            handler.wfile.write(b".")
            time.sleep(0.02)

    return deed


def hang_up():
    """Close the connection without a word."""

    def deed(handler):
        handler.close_connection = True

    return deed


def resumable(content, stop=None):
    """Serve a file with ranges, breaking off after ``stop`` bytes the first time."""

    def deed(handler):
        start = 0
        if found := re.fullmatch(r"bytes=(\d+)-", handler.headers.get("Range", "")):
            assert handler.headers["If-Range"] == '"one"'
            start = int(found[1])
        rest = content[start:]
        headers = [("Accept-Ranges", "bytes"), ("ETag", '"one"')]
        if start:
            headers.append(("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}"))
        cut = rest[:stop] if stop is not None and not start else rest
        handler.send_body(cut, "application/octet-stream", 206 if start else 200, headers, length=len(rest))

    return deed
