# Licensed under a 3-clause BSD style license - see LICENSE
"""A server on loopback in place of all archives, and settings that waste no time."""

import pytest
from archive_servers import Archive

from astro_xlatent import conf


@pytest.fixture
def archive(tmp_path_factory):
    """A running server; every address in the settings is its own."""
    server = Archive()
    settings = {
        "csc_tap_url": f"{server.url}/csc21tap",
        "csc20_tap_url": f"{server.url}/csc2tap",
        "csc_package_url": f"{server.url}/csccli",
        "heasarc_tap_url": f"{server.url}/xamin/vo/tap",
        "vizier_tap_url": f"{server.url}/TAPVizieR/tap",
        "erosita_url": f"{server.url}/dr1/erodat",
        "archive_backoff": 0.01,
        "archive_timeout": 5.0,
        "archive_retries": 2,
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in settings.items():
            patch.setattr(conf, name, value)
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield server
    server.close()
    assert server.errors == []
