# Licensed under a 3-clause BSD style license - see LICENSE
"""Random sequences of writes, kills and damage: a table is always a whole one, the old or the new."""

import tempfile
from pathlib import Path

import numpy as np
from astropy.table import Table
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from kills import needs_fork, run_killed, visible

from astro_xlatent.core.errors import TableError
from astro_xlatent.table.files import read_table, write_table

NUMBERS, STEPS = st.integers(0, 99), st.integers(1, 8)


class Writes(RuleBasedStateMachine):
    """What may lie in the file: one of some numbers, nothing (None), or what the user broke."""

    def __init__(self):
        super().__init__()
        self.home = tempfile.TemporaryDirectory()
        self.folder = Path(self.home.name)
        self.possible, self.broken, self.killed = {None}, False, False
        (self.folder / "notes.txt").write_text("mine")
        (self.folder / ".hidden-t.fits").write_text("mine, too")

    @initialize(suffix=st.sampled_from([".fits", ".ecsv", ".csv", ".vot"]))
    def choose(self, suffix):
        """One format a sequence."""
        self.path = self.folder / f"t{suffix}"

    def _write(self, number):
        write_table(Table({"a": np.full(50, number)}), self.path, overwrite=True)

    @rule(number=NUMBERS)
    def write(self, number):
        """A run that is left alone replaces whatever is there, and leaves nothing else."""
        self._write(number)
        self.possible, self.broken = {number}, False
        assert visible(self.folder) == {self.path.name, "notes.txt", ".hidden-t.fits"}

    @rule(number=NUMBERS, at=STEPS)
    def kill(self, number, at):
        """A killed one leaves the old or the new."""
        died = run_killed(lambda: self._write(number), at)
        self.possible = self.possible | {number} if died else {number}
        self.broken = self.broken and died

    @rule(number=NUMBERS)
    def refused(self, number):
        """Without a word from the user nothing is replaced."""
        before = self.path.read_bytes() if self.path.exists() else None
        try:
            write_table(Table({"a": [number]}), self.path)
        except TableError:
            assert before is not None and self.path.read_bytes() == before
        else:
            assert before is None
            self.possible = {number}

    @rule(size=st.integers(0, 40))
    def damage(self, size):
        """Somebody cuts the file off."""
        if self.path.exists():
            self.path.write_bytes(self.path.read_bytes()[:size])
            self.broken = True

    @invariant()
    def whole(self):
        """What is there is one of the possible tables, and the user's files are as they were."""
        if not hasattr(self, "path") or self.broken:
            return
        found = set(read_table(self.path)["a"].tolist()) if self.path.exists() else {None}
        assert len(found) == 1 and found <= self.possible
        self.possible = found
        assert (self.folder / "notes.txt").read_text() == "mine"
        assert (self.folder / ".hidden-t.fits").read_text() == "mine, too"

    def teardown(self):
        """Leave nothing behind."""
        self.home.cleanup()


TestWrites = needs_fork(Writes.TestCase)
TestWrites.settings = settings(max_examples=12, stateful_step_count=8, deadline=None, derandomize=True)
