# Licensed under a 3-clause BSD style license - see LICENSE
"""Servers that drip are given up; what is sent to servers holds no passwords."""

import socket
import threading
import time

import pytest

pytest.importorskip("pyvo")

from astro_xlatent import conf  # noqa: E402
from astro_xlatent.archive.web import download, open_session  # noqa: E402
from astro_xlatent.core.errors import ArchiveError  # noqa: E402


@pytest.fixture
def serve():
    """Run a function on the first connections to a port; what they sent is kept."""
    server = socket.create_server(("127.0.0.1", 0))
    server.settimeout(10)
    asked, ended = [], threading.Event()

    def start(answer):
        def loop():
            try:
                while not ended.is_set():
                    with server.accept()[0] as connection:
                        asked.append(connection.recv(65536).decode())
                        answer(connection, ended)
            except OSError:
                pass

        threading.Thread(target=loop, daemon=True).start()
        return f"http://127.0.0.1:{server.getsockname()[1]}/file", asked

    yield start
    ended.set()
    server.close()


def drip(connection, ended, data):
    """Send a byte now and then."""
    for byte in data:
        if ended.wait(0.02):
            return
        connection.sendall(bytes([byte]))


@pytest.fixture
def hurry(monkeypatch):
    """Settings that waste no time."""
    monkeypatch.setattr(conf, "archive_timeout", 0.3)
    monkeypatch.setattr(conf, "archive_retries", 0)


def test_headers_that_drip(serve, hurry, tmp_path):
    """Every byte renews the socket's timeout; there is one for all of them."""
    url, _ = serve(lambda c, ended: drip(c, ended, b"HTTP/1.1 200 OK\r\n" + b"X-Slow: 1\r\n" * 500))
    start = time.monotonic()
    with open_session() as session, pytest.raises(ArchiveError, match="no whole answer within 0.6 s"):
        download(session, url, tmp_path / "x")
    assert time.monotonic() - start < 5


def test_body_that_drips_after_a_fast_start(serve, hurry, tmp_path):
    """A good start does not buy patience for ever."""
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 900000\r\n\r\n" + b"x" * 100000
    url, _ = serve(lambda c, ended: (c.sendall(head), drip(c, ended, b"x" * 10000)))
    start = time.monotonic()
    with open_session() as session, pytest.raises(ArchiveError, match="too slow to wait for"):
        download(session, url, tmp_path / "x")
    assert time.monotonic() - start < 5


def test_answer_without_end(serve, hurry, tmp_path, monkeypatch):
    """Fast enough, but longer than one answer may take."""
    monkeypatch.setattr(conf, "archive_max_time", 1.0)

    def flood(connection, ended):
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        try:
            while not ended.wait(0.01):
                connection.sendall(b"x" * 1000)
        except OSError:
            pass

    url, _ = serve(flood)
    with open_session() as session, pytest.raises(ArchiveError, match="and no end"):
        download(session, url, tmp_path / "x")


def test_no_password_of_netrc(serve, hurry, tmp_path, monkeypatch):
    """Neither the first request nor a redirected one sends it; the last address is the one noted."""
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password secret\n")
    (tmp_path / "netrc").chmod(0o600)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))

    def answer(connection, ended):
        if len(asked) == 1:
            connection.sendall(b"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n"
                               b"Connection: close\r\n\r\n")
        else:
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")

    url, asked = serve(answer)
    with open_session() as session:
        found = download(session, url, tmp_path / "x")
    assert found.endswith("/elsewhere")
    assert len(asked) == 2 and not any("Authorization" in request for request in asked)
