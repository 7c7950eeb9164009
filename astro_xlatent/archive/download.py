# Licensed under a 3-clause BSD style license - see LICENSE
"""Files that are fetched whole, in several goes if need be."""

import time

import requests
from urllib3.exceptions import HTTPError

from astro_xlatent.archive.web import broken, read_answer, shown
from astro_xlatent.core.config import conf
from astro_xlatent.core.errors import ArchiveError

__all__ = ["download"]


def download(session, url, path, params=None):
    """
    Fetch one file, going on after breaks where the server can; gives the address that answered.

    ``path`` is replaced if it exists, and of no use if an ArchiveError is raised, which
    names the address and what came back after the allowed retries.
    """
    validator = None
    for attempt in range(conf.archive_retries + 1):
        have = path.stat().st_size if validator and path.exists() else 0
        headers = {"Accept-Encoding": "identity"}
        if have:
            headers |= {"Range": f"bytes={have}-", "If-Range": validator}
        try:
            with session.get(url, params=params, headers=headers, stream=True) as response:
                validator = _validator(response)
                return _store(response, path, have if response.status_code == 206 else 0)
        except (requests.RequestException, HTTPError) as error:
            if attempt == conf.archive_retries or _is_retried(error):
                raise broken(url, error) from error
            time.sleep(min(conf.archive_backoff * 2**attempt, conf.archive_max_wait))
    raise AssertionError


def _validator(response):
    """What tells the server that a half-fetched file is still the same, or None."""
    if response.headers.get("Accept-Ranges", "").lower() != "bytes" and response.status_code != 206:
        return None
    tag = response.headers.get("ETag", "")
    return tag if tag and not tag.startswith("W/") else response.headers.get("Last-Modified")


def _store(response, path, have):
    """Write an answer to a file, behind the bytes that are there already."""
    if have and not response.headers.get("Content-Range", "").startswith(f"bytes {have}-"):
        msg = f"{shown(response.url)}: the server goes on at another place of the file than asked"
        raise ArchiveError(msg)
    with path.open("ab" if have else "wb") as file:
        read_answer(response, file.write)
    return response.url


def _is_retried(error):
    """Whether the adapter has done all retries before this error."""
    return isinstance(error, requests.exceptions.RetryError | requests.exceptions.ConnectTimeout) or (
        isinstance(error, requests.exceptions.ConnectionError) and "Max retries" in str(error)
    )
