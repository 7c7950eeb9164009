# Licensed under a 3-clause BSD style license - see LICENSE
"""A table goes to a program at a SAMP hub and arrives whole."""

import numpy as np
import pytest
from astropy.io.votable import parse_single_table
from astropy.table import Table
from enriched import make_enriched

from astro_xlatent.core.errors import TableError
from astro_xlatent.plotting import send
from astro_xlatent.plotting.desktop import samp_package

# astropy's hub and its clients leave sockets of their threads to the garbage collector.
pytestmark = [pytest.mark.filterwarnings("ignore::ResourceWarning"),
              pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")]


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """Start a hub, known to this test alone."""
    samp = samp_package()
    monkeypatch.setenv("SAMP_HUB", (tmp_path / "samp").as_uri().replace("file://", "std-lockurl:file://"))
    with samp.conf.set_temp("use_internet", False):
        server = samp.SAMPHubServer(web_profile=False, lockfile=str(tmp_path / "samp"))
        server.start()
        yield server
        server.stop()


@pytest.fixture
def receiver(hub):
    """A program that takes tables as TOPCAT does; gives what it received and how it answers."""
    client = samp_package().SAMPIntegratedClient(name="a table program")
    client.connect(hub)
    state = {"answer": {"samp.status": "samp.ok", "samp.result": {}}}

    def load(private_key, sender, number, mtype, params, extra):
        state["name"] = params["name"]
        state["table"] = parse_single_table(params["url"].removeprefix("file://"))
        client.reply(number, state["answer"])

    client.bind_receive_call("table.load.votable", load)
    yield state
    client.disconnect()


def test_table_arrives_whole(receiver):
    """Rows, units, UCDs and descriptions are those of the table."""
    table = make_enriched()
    assert send(table, "sources") == ["a table program"]
    assert receiver["name"] == "sources"
    got = receiver["table"]
    fields = {field.name: field for field in got.fields}
    assert fields["xl_nh"].ucd == "phys.columnDensity;meta.modelled"
    assert fields["xl_nh"].unit == table["xl_nh"].unit
    assert fields["xl_nh"].description.startswith("total column")
    np.testing.assert_array_equal(got.array["xl_latent"].data[:-1], np.asarray(table["xl_latent"])[:-1])


def test_refusal_is_told(receiver):
    """What the program says against the table reaches the user."""
    receiver["answer"] = {
        "samp.status": "samp.error",
        "samp.result": {},
        "samp.error": {"samp.errortxt": "full"},
    }
    with pytest.raises(TableError, match="a table program refused the table: full"):
        send(make_enriched())


def test_nobody_takes_tables(hub):
    """A hub alone is not enough."""
    with pytest.raises(TableError, match="no program at the SAMP hub takes tables; start TOPCAT"):
        send(Table({"a": [1]}))


def test_no_hub(tmp_path, monkeypatch):
    """Without a hub the remedy is named."""
    monkeypatch.setenv("SAMP_HUB", f"std-lockurl:file://{tmp_path}/nothing")
    with pytest.raises(TableError, match="no SAMP hub is running; start TOPCAT"):
        send(Table({"a": [1]}))
