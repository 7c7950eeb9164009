# Licensed under a 3-clause BSD style license - see LICENSE
"""Random sequences of fetches, kills, failures and damage: what is there is whole, and the user's stays."""

import gzip
import tempfile
from pathlib import Path

import numpy as np
import pytest
from archive_servers import hang_up, status
from astropy.io import fits
from astropy.table import Table
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from kills import needs_fork, run_killed, visible

from astro_xlatent.archive import fetch_spectra
from astro_xlatent.archive.csc_files import PRODUCTS
from astro_xlatent.archive.manifest import MANIFEST_NAME

KEYS = [(4487, 0, 9), (4487, 0, 10), (99, 0, 1)]
KINDS = ("spectrum", "arf", "rmf")
CHOICES = st.lists(st.sampled_from(KEYS), min_size=1, max_size=3, unique=True)


def file_name(key, product):
    """File name of a product."""
    return f"acisf{key[0]:05d}_{key[1]:03d}N001_r{key[2]:04d}_{PRODUCTS[product]}.fits.gz"


class Fetches(RuleBasedStateMachine):
    """What the folder must hold: what was fetched, whole; what was damaged, as it was damaged."""

    def __init__(self, server, contents):
        super().__init__()
        self.server, self.contents = server, contents
        self.home = tempfile.TemporaryDirectory()
        self.folder = Path(self.home.name) / "spectra"
        self.folder.mkdir()
        (self.folder / "notes.txt").write_text("mine")
        self.hurt = {}

    def _fetch(self, keys):
        return fetch_spectra(Table(rows=keys, names=["obsid", "obi", "region_id"]), self.folder)

    @rule(keys=CHOICES)
    def fetch(self, keys):
        """All that is asked for is there afterwards, or said to be damaged, and nothing else."""
        rows = {(row["object"], row["product"]): row for row in self._fetch(keys)}
        for key in keys:
            for product in KINDS:
                name, row = file_name(key, product), rows[".".join(map(str, key)), product]
                assert row["status"] in (("failed",) if name in self.hurt else ("fetched", "present"))
                assert name in self.hurt or row["file"] == name
        assert not [name for name in visible(self.folder) if name.startswith(".")]

    @rule(keys=CHOICES, at=st.integers(1, 40))
    def kill(self, keys, at):
        """A fetch that dies anywhere; `whole` says what must hold."""
        run_killed(lambda: self._fetch(keys), at)

    @rule(keys=CHOICES, deed=st.sampled_from([status(500), status(404), hang_up()]), times=st.integers(1, 4))
    def fail(self, keys, deed, times):
        """A server in trouble raises nothing."""
        self.server.plan("/csccli", *[deed] * times)
        self._fetch(keys)
        self.server._plans.clear()

    @rule(key=st.sampled_from(KEYS), product=st.sampled_from(KINDS), size=st.integers(0, 60))
    def damage(self, key, product, size):
        """Somebody cuts a file off."""
        path = self.folder / file_name(key, product)
        if path.exists():
            path.write_bytes(path.read_bytes()[:size])
            self.hurt[path.name] = path.read_bytes()

    @rule(key=st.sampled_from(KEYS), product=st.sampled_from(KINDS))
    def remove(self, key, product):
        """Somebody removes a file."""
        path = self.folder / file_name(key, product)
        path.unlink(missing_ok=True)
        self.hurt.pop(path.name, None)

    @rule()
    def lose_manifest(self):
        """Somebody removes the list."""
        (self.folder / MANIFEST_NAME).unlink(missing_ok=True)

    @invariant()
    def whole(self):
        """Every file is the archive's, or as it was damaged; the user's is the user's."""
        for name in visible(self.folder):
            if name.startswith(".") or name == MANIFEST_NAME:
                continue
            expected = b"mine" if name == "notes.txt" else self.hurt.get(name, self.contents.get(name))
            assert (self.folder / name).read_bytes() == expected

    def teardown(self):
        """Leave nothing behind."""
        self.home.cleanup()


@pytest.fixture
def contents(archive):
    """What the server has of all products, by file name."""
    contents = {}
    for number, key in enumerate(KEYS):
        table = fits.BinTableHDU.from_columns([fits.Column("x", "J", array=np.full(300, number))])
        with tempfile.TemporaryDirectory() as folder:
            fits.HDUList([fits.PrimaryHDU(), table]).writeto(Path(folder) / "a.fits")
            data = gzip.compress((Path(folder) / "a.fits").read_bytes())
        label = ".".join(map(str, key))
        for product in KINDS:
            contents[file_name(key, product)] = data
            archive.packages[f"{label}/{product}"] = (f"{label}/{file_name(key, product)}", data)
    return contents


pytestmark = [needs_fork, pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")]


def test_fetch_states(archive, contents):
    """Sequences of up to ten steps."""
    run_state_machine_as_test(
        lambda: Fetches(archive, contents),
        settings=settings(max_examples=8, stateful_step_count=10, deadline=None, derandomize=True,
                          suppress_health_check=list(HealthCheck)))


def test_every_moment(archive, contents):
    """Killed at each of its changes of a file, one after the other; the next fetch leaves nothing of it."""
    died, at = True, 0
    while died:
        at += 1
        machine = Fetches(archive, contents)
        died = run_killed(lambda fetches=machine: fetches._fetch(KEYS[:1]), at)
        machine.whole()
        machine.fetch(KEYS[:1])
        machine.whole()
        machine.teardown()
    assert at > 10
