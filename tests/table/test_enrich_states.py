# Licensed under a 3-clause BSD style license - see LICENSE
"""Random kills of an enrichment in pieces: the result is whole or absent, and that of a run left alone."""

import tempfile
from pathlib import Path

import numpy as np
from astropy.table import Table
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from kills import needs_fork, run_killed, visible

from astro_xlatent.table import stream
from astro_xlatent.table.files import write_table

ROWS, PIECE = 25, 10


def add_columns(table):
    """What an enrichment adds, without a model and a date."""
    table["xl_flag"] = np.asarray(table["a"]) * 2
    table["xl_reason"] = [f"row {k}" for k in table["a"]]
    table.meta["XLMODEL"] = "m-1"
    return table


def enrich(path, out):
    """Enrich a file in small pieces."""
    before, stream.PIECE = stream.PIECE, PIECE
    try:
        return stream.enrich_file(path, out, add_columns, {"model": "m-1"})
    finally:
        stream.PIECE = before


class Enrichments(RuleBasedStateMachine):
    """The output is either not there or the one that a run left alone makes."""

    def __init__(self):
        super().__init__()
        self.home = tempfile.TemporaryDirectory()
        self.folder = Path(self.home.name)
        (self.folder / "notes.txt").write_text("mine")

    @initialize(suffix=st.sampled_from([".fits", ".fits.gz", ".csv", ".ecsv", ".parquet"]))
    def choose(self, suffix):
        """One format a sequence; a run left alone tells what must come out."""
        self.path, self.out = self.folder / f"in{suffix}", self.folder / f"out{suffix}"
        write_table(Table({"a": np.arange(ROWS), "name": [f"n{k}" for k in range(ROWS)]}), self.path)
        whole = self.folder / f"whole{suffix}"
        enrich(self.path, whole)
        self.wanted, self.input = whole.read_bytes(), self.path.read_bytes()
        whole.unlink()

    @rule(at=st.integers(1, 40))
    def kill(self, at):
        """A killed run leaves its pieces, and nothing half under the output's name."""
        if not self.out.exists():
            run_killed(lambda: enrich(self.path, self.out), at)

    @rule()
    def finish(self):
        """The same command goes on to the end and cleans up what killed runs have left."""
        wanted = {self.path.name, self.out.name, "notes.txt"}
        if visible(self.folder) != wanted:
            found = enrich(self.path, self.out)
            assert found["xl_flag"].tolist() == (2 * np.arange(ROWS)).tolist()
        assert visible(self.folder) == wanted

    @rule()
    def again(self):
        """Somebody removes the result."""
        if self.out.exists() and not list(self.folder.glob("*.parts")):
            self.out.unlink()

    @invariant()
    def whole_or_absent(self):
        """Byte for byte; what is the user's stays."""
        if hasattr(self, "out"):
            assert not self.out.exists() or self.out.read_bytes() == self.wanted
            assert self.path.read_bytes() == self.input
        assert (self.folder / "notes.txt").read_text() == "mine"

    def teardown(self):
        """Remove the folder."""
        self.home.cleanup()


TestEnrichments = needs_fork(Enrichments.TestCase)
TestEnrichments.settings = settings(max_examples=25, stateful_step_count=8, deadline=None, derandomize=True)
