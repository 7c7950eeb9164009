# Licensed under a 3-clause BSD style license - see LICENSE
"""
Requests that wait, try again, and never without end: passing failures (429, 5xx, broken connections) are
retried after growing pauses or the time the server asks for; answers have limits of size and speed.
"""

import io
import re
import socket
import threading
import time
from html import unescape
from http.client import HTTPException

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPResponse, HTTPSConnectionPool
from urllib3.exceptions import HTTPError
from urllib3.util import Retry

from astro_xlatent.core.config import conf
from astro_xlatent.core.errors import ArchiveError
from astro_xlatent.core.provenance import package_version

__all__ = ["StatusError", "download", "open_session", "shown"]

_PASSING = (429, 500, 502, 503, 504)
_CHUNK = 1 << 16
#: Slower than this, in bytes/s over any two timeouts, is as good as no answer.
_SLOWEST = 2000.0
#: What is said of an error of the connection, by words in it.
_SIGNS = {
    "refused": "the connection was refused",
    "resolve": "the host is not known",
    "IncompleteRead": "the connection broke before the end",
    "Connection broken": "the connection broke before the end",
    "RemoteDisconnected": "the server hung up without an answer",
    "reset by peer": "the server broke the connection",
}


class StatusError(ArchiveError):
    """An answer with a ``status`` that is no success; ``wait`` has the seconds that the server asks for."""

    def __init__(self, message, response):
        super().__init__(message)
        asked = response.headers.get("Retry-After")
        self.status, self.wait = response.status_code, Retry().parse_retry_after(asked) if asked else None


def _impatient(pool):
    """A class of pools whose connections do not wait for ever for headers that drip in."""

    class Connection(pool.ConnectionCls):
        def getresponse(self):
            # The timeout of the socket begins anew with every byte; this one does not.
            limit, cut = 2 * conf.archive_timeout, threading.Event()
            timer = threading.Timer(limit, lambda: (cut.set(), self.sock.shutdown(socket.SHUT_RDWR)))
            timer.daemon = True
            timer.start()
            try:
                response = super().getresponse()
            except (OSError, HTTPException, HTTPError):
                if not cut.is_set():
                    raise
            finally:
                timer.cancel()
            # Headers that were cut can look like whole ones.
            if cut.is_set():
                msg = f"no whole answer within {limit:g} s; try again later, or raise conf.archive_timeout"
                raise ArchiveError(msg)
            return response

    return type(pool.__name__, (pool,), {"ConnectionCls": Connection})


class _PoliteAdapter(HTTPAdapter):
    """Adds the timeout to requests that have none, and closes connections at once."""

    def init_poolmanager(self, *args, **kwargs):
        super().init_poolmanager(*args, **kwargs)
        pools = {"http": HTTPConnectionPool, "https": HTTPSConnectionPool}
        self.poolmanager.pool_classes_by_scheme = {name: _impatient(pool) for name, pool in pools.items()}

    def close(self):
        # urllib3 leaves this to the garbage collector, whenever that comes.
        for key in list(self.poolmanager.pools.keys()):
            self.poolmanager.pools[key].close()
        super().close()

    def send(self, request, **kwargs):
        kwargs["timeout"] = kwargs.get("timeout") or conf.archive_timeout
        try:
            return super().send(request, **kwargs)
        except ArchiveError as error:
            raise ArchiveError(f"{shown(request.url)}: {error}") from error


class _Session(requests.Session):
    """Sends no credentials of ``.netrc``; what clients ask for that have no limits is read here first."""

    def rebuild_auth(self, prepared_request, response):
        prepared_request.headers.pop("Authorization", None)

    def request(self, method, url, **kwargs):
        def ask():
            body = io.BytesIO()
            with requests.Session.request(self, method, url, **(kwargs | {"stream": True})) as response:
                _read_answer(response, body.write)
            response._content, response._content_consumed = body.getvalue(), True
            response.raw = HTTPResponse(io.BytesIO(body.getvalue()), preload_content=False)
            return response

        return _persist(url, ask)


def _persist(url, ask):
    """What ``ask`` gives, which is called again after passing failures; an ArchiveError in the end."""
    for trial in range(conf.archive_retries + 1):
        wait, last = conf.archive_backoff * 2.0**trial, trial == conf.archive_retries
        try:
            return ask()
        except StatusError as error:
            if last or error.status not in _PASSING:
                raise
            if error.wait and error.wait > conf.archive_max_wait:
                msg = (f"{error}; the server asks to wait {error.wait:.0f} s; try again after that, or raise "
                       f"conf.archive_max_wait ({conf.archive_max_wait:g} s)")
                raise ArchiveError(msg) from error
            wait = wait if error.wait is None else error.wait
        except (requests.RequestException, HTTPError) as error:
            if last:
                raise _broken(url, error) from error
        time.sleep(min(wait, conf.archive_max_wait))
    raise AssertionError


def open_session():
    """A session with the package's settings, for ``with``; its answers are whole, or an ArchiveError."""
    adapter = _PoliteAdapter(pool_maxsize=conf.archive_connections, pool_block=True)
    session = _Session()
    # Keeps requests from looking for a password itself.
    session.auth = lambda request: request
    session.mount("http://", adapter)
    session.mount("https://", adapter)
    session.headers["User-Agent"] = f"astro_xlatent/{package_version()}"
    return session


def download(session, url, path, params=None):
    """
    Fetch one file, going on after breaks where the server can, and replacing ``path``; gives the address that
    answered. After an ArchiveError the file is of no use.
    """
    headers = {"Accept-Encoding": "identity"}

    def ask():
        have = path.stat().st_size if "If-Range" in headers and path.exists() else 0
        rest = {"Range": f"bytes={have}-"} if have else {}
        with requests.Session.request(session, "GET", url, params=params, headers=headers | rest,
                                      stream=True) as response:
            # Tells a server that can go on that the file is still the same; others begin anew.
            tag = response.headers.get("ETag", "W/")
            tag = response.headers.get("Last-Modified") if tag.startswith("W/") else tag
            if tag:
                headers["If-Range"] = tag
            more = have and response.status_code == requests.codes.partial
            if more and not response.headers.get("Content-Range", "").startswith(f"bytes {have}-"):
                msg = f"{shown(response.url)}: the server goes on at another place of the file than asked"
                raise ArchiveError(msg)
            with path.open("ab" if more else "wb") as file:
                _read_answer(response, file.write)
            return response.url

    return _persist(url, ask)


def shown(url, length=300):
    """An address as it is printed: shortened if it is very long."""
    return url if len(url) <= length else f"{url[:length]}..."


def _read_answer(response, write):
    """Pass on the bytes of a streamed answer, if it is no failure, web page, too large or too slow."""
    where, limit = shown(response.url), conf.archive_max_mb * 1e6
    announced = response.headers.get("Content-Length", "")
    if response.ok and announced.isdigit() and int(announced) > limit:
        msg = (f"{where}: the answer has {int(announced) / 1e6:.4g} MB, more than the {limit / 1e6:.4g} MB "
               "of conf.archive_max_mb; ask for less or raise it")
        raise ArchiveError(msg)
    size = marked = 0
    started = since = time.monotonic()
    chunk = response.raw.read1(_CHUNK, decode_content=True)
    _refuse_page(response, chunk, where)
    while chunk:
        size, now = size + len(chunk), time.monotonic()
        if size > limit:
            msg = f"{where}: the answer grows beyond the {limit / 1e6:.4g} MB of conf.archive_max_mb"
            raise ArchiveError(msg)
        if now - since > 2 * conf.archive_timeout:
            if size - marked < _SLOWEST * (now - since):
                msg = (f"{where}: {size - marked} bytes in {now - since:.0f} s is too slow to wait for; try "
                       f"again later, or raise conf.archive_timeout ({conf.archive_timeout:g} s)")
                raise ArchiveError(msg)
            marked, since = size, now
        if now - started > conf.archive_max_time:
            msg = (f"{where}: {size} bytes in {now - started:.0f} s and no end; ask for less, or raise "
                   f"conf.archive_max_time ({conf.archive_max_time:g} s)")
            raise ArchiveError(msg)
        write(chunk)
        chunk = response.raw.read1(_CHUNK, decode_content=True)


def _refuse_page(response, start, where):
    """Refuse errors, and web pages that come in place of data with status 200."""
    said = _gist(start, response.encoding)
    said = f": {said}" if said else ""
    if not response.ok:
        msg = f"{where}: status {response.status_code} {response.reason or ''}".rstrip() + said
        raise StatusError(msg, response)
    if "html" in response.headers.get("Content-Type", "").lower() or re.match(
            rb"\s*(<!doctype html|<html)", start[:200], re.IGNORECASE):
        msg = (f"{where}: a web page came instead of data{said}; the service may be down or have moved: look "
               "at the address in a browser, and correct the setting in astro_xlatent.conf if it moved")
        raise ArchiveError(msg)


def _gist(start, encoding):
    """The first words of an error page or message, if it is text."""
    if b"\0" in start[:1000] or start[:2] == b"\x1f\x8b":
        return ""
    text = start[:4000].decode(encoding or "utf-8", "replace")
    title = re.search(r"<title[^>]*>(.*?)</title>", text, re.IGNORECASE | re.DOTALL)
    text = re.sub(r"<[^>]*>", " ", title[1] if title else text)
    return " ".join(unescape(text).split())[:200]


def _broken(url, error):
    """An error of the connection as one of this package's, in words that say what to do."""
    signs = {"timed out": f"no answer within {conf.archive_timeout:g} s"} | _SIGNS
    words = f"{type(error).__name__}: {str(error)[:200]}"
    words = next((said for sign, said in signs.items() if sign in str(error)), words)
    return ArchiveError(f"{shown(url)}: {words}; check the network, or try again later")
