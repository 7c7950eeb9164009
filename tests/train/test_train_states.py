# Licensed under a 3-clause BSD style license - see LICENSE
"""Random sequences of kills and damage: training goes on, and its weights are those of a run left alone."""

import tempfile
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from kills import needs_fork, run_killed, visible
from safetensors.torch import load_file

from astro_xlatent.train.run import train

WEIGHTS = "encoder.safetensors"


class Trainings(RuleBasedStateMachine):
    """A run without calibration; whatever happened, it ends with the weights of ``whole``."""

    def __init__(self, settings, instruments, whole):
        super().__init__()
        self.settings, self.instruments, self.whole = settings, instruments, whole
        self.home = tempfile.TemporaryDirectory()
        self.folder = Path(self.home.name) / "run"
        self.folder.mkdir()
        (self.folder / "notes.txt").write_text("mine")

    def _train(self):
        train(None, self.folder, self.settings, instruments=self.instruments, resume=True)

    @rule()
    def go_on(self):
        """A run that is left alone comes to the same end, bit for bit."""
        self._train()
        found = load_file(self.folder / WEIGHTS)
        assert set(found) == set(self.whole)
        assert all(torch.equal(found[name], tensor) for name, tensor in self.whole.items())
        assert not [name for name in visible(self.folder) if name.startswith(".")]

    @rule(at=st.integers(1, 25))
    def kill(self, at):
        """A run that dies at any change of a file."""
        run_killed(self._train, at)

    @rule(name=st.sampled_from([WEIGHTS, "teacher.safetensors"]))
    def remove(self, name):
        """Somebody removes what can be made again; without its teacher an encoder is of no use."""
        (self.folder / name).unlink(missing_ok=True)
        (self.folder / WEIGHTS).unlink(missing_ok=True)

    @invariant()
    def whole_files(self):
        """What is there under its name can be read, and the user's file is as it was."""
        for path in self.folder.glob("[!.]*.safetensors"):
            load_file(path)
        assert (self.folder / "notes.txt").read_text() == "mine"

    def teardown(self):
        """Leave nothing behind."""
        self.home.cleanup()


@needs_fork
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_train_states(tiny, tmp_path, instrument_file):
    """Sequences of up to six steps."""
    chosen = tiny(calibration_batches=0)
    train(None, tmp_path / "whole", chosen, instruments=instrument_file)
    whole = load_file(tmp_path / "whole" / WEIGHTS)
    run_state_machine_as_test(
        lambda: Trainings(chosen, instrument_file, whole),
        settings=settings(max_examples=4, stateful_step_count=6, deadline=None, derandomize=True,
                          suppress_health_check=list(HealthCheck)))
