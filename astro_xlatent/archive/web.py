# Licensed under a 3-clause BSD style license - see LICENSE
"""
Requests that wait, try again, and never without end.

Passing failures (429, 5xx, broken connections, timeouts) are retried with
growing pauses or after the time the server asks for. Answers are read under a
limit of size and a lowest speed, and recognized when they are a web page.
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
from urllib3.exceptions import HTTPError, IncompleteRead
from urllib3.util import Retry

from astro_xlatent.core.config import conf
from astro_xlatent.core.errors import ArchiveError
from astro_xlatent.core.provenance import package_version

__all__ = ["StatusError", "broken", "open_session", "read_answer", "shown"]

_PASSING = (429, 500, 502, 503, 504)
_CHUNK = 1 << 16
#: Slower than this, in bytes/s over any two timeouts, is as good as no answer.
_SLOWEST = 2000.0


class StatusError(ArchiveError):
    """An answer with a status that is no success."""

    def __init__(self, message, status):
        super().__init__(message)
        self.status = status


class _PoliteRetry(Retry):
    """A retry that pauses from the first time on, and gives up if the server asks for too long a pause."""

    def get_backoff_time(self):
        # urllib3's own makes the first retry at once
        pause = conf.archive_backoff * 2.0 ** (len(self.history) - 1)
        return min(pause, conf.archive_max_wait) if self.history else 0.0

    def sleep_for_retry(self, response):
        wait = self.get_retry_after(response)
        if wait and wait > conf.archive_max_wait:
            msg = (
                f"the server asks to wait {wait:.0f} s (status {response.status}); try again after that, "
                f"or raise conf.archive_max_wait ({conf.archive_max_wait:g} s)"
            )
            raise ArchiveError(msg)
        return super().sleep_for_retry(response)


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
            msg = f"{shown(request.url)}: {error}"
            raise ArchiveError(msg) from error


class _Session(requests.Session):
    """A session that sends no credentials of ``.netrc``: the archives need none."""

    def rebuild_auth(self, prepared_request, response):
        prepared_request.headers.pop("Authorization", None)


class _ReadingSession(_Session):
    """For the clients of others, which read without limits: answers are read and checked here first."""

    def request(self, method, url, **kwargs):
        body = io.BytesIO()
        try:
            with super().request(method, url, **(kwargs | {"stream": True})) as response:
                read_answer(response, body.write)
        except (requests.RequestException, HTTPError) as error:
            raise broken(url, error) from error
        response._content, response._content_consumed = body.getvalue(), True
        response.raw = HTTPResponse(io.BytesIO(body.getvalue()), preload_content=False)
        return response


def _no_credentials(request):
    return request


def open_session(read=False):
    """A session with the package's settings, for ``with``; ``read``: answers at once, by `read_answer`."""
    retry = _PoliteRetry(total=conf.archive_retries, status_forcelist=_PASSING, allowed_methods=None,
                         raise_on_status=False)
    adapter = _PoliteAdapter(max_retries=retry, pool_maxsize=conf.archive_connections, pool_block=True)
    session = _ReadingSession() if read else _Session()
    # Keeps requests from looking for a password itself.
    session.auth = _no_credentials
    session.mount("http://", adapter)
    session.mount("https://", adapter)
    session.headers["User-Agent"] = f"astro_xlatent/{package_version()}"
    return session


def shown(url, length=300):
    """An address as it is printed: shortened if it is very long."""
    return url if len(url) <= length else f"{url[:length]}..."


def read_answer(response, write):
    """
    Check an answer that was opened with ``stream=True`` and pass its bytes on, in chunks.

    ArchiveError if the status is no success, the answer is a web page, too large or too slow;
    what requests and urllib3 raise if the connection breaks before the end.
    """
    where, limit = shown(response.url), conf.archive_max_mb * 1e6
    announced = response.headers.get("Content-Length", "")
    if response.ok and announced.isdigit() and int(announced) > limit:
        msg = (
            f"{where}: the answer has {int(announced) / 1e6:.4g} MB, more than the {limit / 1e6:.4g} MB "
            "of conf.archive_max_mb; ask for less or raise it"
        )
        raise ArchiveError(msg)
    size, started, first = 0, time.monotonic(), True
    for chunk in _chunks(response, started, where):
        if first:
            _refuse_page(response, chunk, where)
            first = False
        size += len(chunk)
        if size > limit:
            msg = f"{where}: the answer grows beyond the {limit / 1e6:.4g} MB of conf.archive_max_mb"
            raise ArchiveError(msg)
        write(chunk)
    if first:
        _refuse_page(response, b"", where)


def _chunks(response, started, where):
    """Pieces of the body as they come in, as long as they come fast enough."""
    read = getattr(response.raw, "read1", response.raw.read)
    size, marked, since = 0, 0, started
    while chunk := read(_CHUNK, decode_content=True):
        size += len(chunk)
        now = time.monotonic()
        if now - since > 2 * conf.archive_timeout:
            if size - marked < _SLOWEST * (now - since):
                msg = (
                    f"{where}: {size - marked} bytes in {now - since:.0f} s is too slow to wait for; try "
                    f"again later, or raise conf.archive_timeout ({conf.archive_timeout:g} s)"
                )
                raise ArchiveError(msg)
            marked, since = size, now
        if now - started > conf.archive_max_time:
            msg = (
                f"{where}: {size} bytes in {now - started:.0f} s and no end; ask for less, or raise "
                f"conf.archive_max_time ({conf.archive_max_time:g} s)"
            )
            raise ArchiveError(msg)
        yield chunk
    announced = response.headers.get("Content-Length", "")
    if announced.isdigit() and "Content-Encoding" not in response.headers and size != int(announced):
        raise IncompleteRead(size, int(announced) - size)


def _refuse_page(response, start, where):
    """Refuse errors, and web pages that come in place of data with status 200."""
    page = "html" in response.headers.get("Content-Type", "").lower() or re.match(
        rb"\s*(<!doctype html|<html)", start[:200], re.IGNORECASE
    )
    said = _gist(start, response.encoding)
    said = f": {said}" if said else ""
    if not response.ok:
        msg = f"{where}: status {response.status_code} {response.reason or ''}".rstrip() + said
        raise StatusError(msg, response.status_code)
    if page:
        msg = (
            f"{where}: a web page came instead of data{said}; the service may be down or have moved: look at "
            "the address in a browser, and correct the setting in astro_xlatent.conf if it moved"
        )
        raise ArchiveError(msg)


def _gist(start, encoding):
    """The first words of an error page or message, if it is text."""
    if b"\0" in start[:1000] or start[:2] == b"\x1f\x8b":
        return ""
    text = start[:4000].decode(encoding or "utf-8", "replace")
    title = re.search(r"<title[^>]*>(.*?)</title>", text, re.IGNORECASE | re.DOTALL)
    text = re.sub(r"<[^>]*>", " ", title[1] if title else text)
    return " ".join(unescape(text).split())[:200]


def broken(url, error):
    """An error of the connection as one of this package's, in words that say what to do."""
    text = str(error)
    words = f"{type(error).__name__}: {text[:200]}"
    for sign, said in (
        ("timed out", f"no answer within {conf.archive_timeout:g} s"),
        ("refused", "the connection was refused"),
        ("resolve", "the host is not known"),
        ("IncompleteRead", "the connection broke before the end"),
        ("Connection broken", "the connection broke before the end"),
        ("RemoteDisconnected", "the server hung up without an answer"),
        ("reset by peer", "the server broke the connection"),
    ):
        if sign in text:
            words = said
            break
    return ArchiveError(f"{shown(url)}: {words}; check the network, or try again later")
