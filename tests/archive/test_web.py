# Licensed under a 3-clause BSD style license - see LICENSE
"""Downloads from a server that does what servers do."""

import gzip

import pytest
import urllib3.util.retry
from archive_servers import data, drip, hang_up, page, resumable, slow, status

from astro_xlatent import conf
from astro_xlatent.archive.web import download, open_session
from astro_xlatent.core.errors import ArchiveError

CONTENT = bytes(range(256)) * 1000


@pytest.fixture
def get(archive, tmp_path):
    """Download ``/file`` and give what was received with the file's content."""

    def get():
        with open_session() as session:
            url = download(session, f"{archive.url}/file", tmp_path / "file", {"a": "b c"})
        return url, (tmp_path / "file").read_bytes()

    return get


@pytest.fixture
def waits(monkeypatch):
    """The pauses between retries, which are not made."""
    made = []
    monkeypatch.setattr(urllib3.util.retry.time, "sleep", made.append)
    return made


def test_whole(archive, get):
    """Content and address are those of the file."""
    archive.plan("/file", data(CONTENT))
    assert get() == (f"{archive.url}/file?a=b+c", CONTENT)


@pytest.mark.parametrize("code", [429, 500, 502, 503, 504])
def test_passing_failures(archive, get, code):
    """What passes is waited for."""
    archive.plan("/file", status(code), status(code), data(CONTENT))
    assert get()[1] == CONTENT
    assert archive.count("/file") == 3


def test_backoff_grows(archive, get, waits, monkeypatch):
    """Each pause is twice the last."""
    monkeypatch.setattr(conf, "archive_backoff", 3.0)
    monkeypatch.setattr(conf, "archive_retries", 4)
    archive.plan("/file", *[status(503)] * 4, data(CONTENT))
    get()
    assert waits == [3.0, 6.0, 12.0, 24.0]


def test_retry_after(archive, get, waits):
    """A server that says how long to wait is heard."""
    archive.plan("/file", status(429, ("Retry-After", "7")), data(CONTENT))
    get()
    assert waits == [7]


def test_retry_after_too_long(archive, get, waits):
    """A wait of hours is not made; the message says when to come again."""
    archive.plan("/file", status(429, ("Retry-After", "5000")))
    with pytest.raises(
        ArchiveError, match=r"/file\?a=b\+c: status 429.*the server asks to wait 5000 s.*archive_max_wait"
    ):
        get()
    assert waits == []


@pytest.mark.parametrize(("code", "tries"), [(404, 1), (403, 1), (503, 3)])
def test_lasting_failures(archive, get, code, tries):
    """Address, status and the server's words are told, retries only where they help."""
    archive.plan("/file", *[status(code, text="closed on Sundays")] * 5)
    with pytest.raises(ArchiveError, match=rf"127.0.0.1:\d+/file.*status {code}.*closed on Sundays"):
        get()
    assert archive.count("/file") == tries


def test_truncated_then_whole(archive, get):
    """A connection that breaks is tried again from the start if the server cannot resume."""
    archive.plan("/file", data(CONTENT[:1000], length=len(CONTENT)), data(CONTENT))
    assert get()[1] == CONTENT


def test_truncated_for_good(archive, get):
    """A file that never comes whole is an error."""
    archive.plan("/file", *[data(CONTENT[:1000], length=len(CONTENT))] * 3)
    with pytest.raises(ArchiveError, match="broke before the end; check the network"):
        get()
    assert archive.count("/file") == 3


def test_resumed(archive, get):
    """Where the server can, the rest is asked for."""
    deed = resumable(CONTENT, stop=100_000)
    archive.plan("/file", deed, deed)
    assert get()[1] == CONTENT


def test_refused_between(archive, get):
    """A refusal between two parts begins the file anew."""
    archive.plan("/file", resumable(CONTENT, stop=100_000), status(503), resumable(CONTENT))
    assert get()[1] == CONTENT


@pytest.mark.parametrize(
    "deed",
    [page(), page(kind="text/plain"), page("wrong type, binary data")],
    ids=["html", "html called text", "called html"],
)
def test_web_page(archive, get, deed):
    """A page with status 200 is not taken for data."""
    archive.plan("/file", deed)
    with pytest.raises(
        ArchiveError, match=r"a web page came instead of data: (Down for maintenance|wrong type)"
    ):
        get()


def test_too_large_announced(archive, get):
    """A huge Content-Length is refused before anything is read."""
    archive.plan("/file", data(b"", length=10**15))
    with pytest.raises(ArchiveError, match=r"has 1e\+09 MB, more than the 2000 MB of conf.archive_max_mb"):
        get()


def test_too_large_packed(archive, get, monkeypatch):
    """What unpacks on the way counts as unpacked."""
    monkeypatch.setattr(conf, "archive_max_mb", 1.0)
    packed = gzip.compress(bytes(50_000_000))
    archive.plan(
        "/file", lambda handler: handler.send_body(packed, "text/plain", 200, [("Content-Encoding", "gzip")])
    )
    with pytest.raises(ArchiveError, match="grows beyond the 1 MB"):
        get()


def test_no_answer(archive, get, monkeypatch):
    """A server that does not answer in time is given up, after the retries."""
    monkeypatch.setattr(conf, "archive_timeout", 0.1)
    archive.plan("/file", *[slow(0.4)] * 3)
    with pytest.raises(ArchiveError, match="no answer within 0.1 s"):
        get()


def test_drip(archive, get, monkeypatch):
    """A byte now and then defeats no timeout, but the lowest speed."""
    monkeypatch.setattr(conf, "archive_timeout", 0.2)
    archive.plan("/file", drip(3.0))
    with pytest.raises(ArchiveError, match="too slow to wait for"):
        get()


def test_hang_up(archive, get):
    """A connection closed without a word is tried again."""
    archive.plan("/file", hang_up(), data(CONTENT))
    assert get()[1] == CONTENT


def test_refused(archive, tmp_path):
    """No server at all."""
    with (
        open_session() as session,
        pytest.raises(ArchiveError, match=r"127.0.0.1:1/x: the connection was refused"),
    ):
        download(session, "http://127.0.0.1:1/x", tmp_path / "file")
