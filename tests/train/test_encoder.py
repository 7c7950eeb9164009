# Licensed under a 3-clause BSD style license - see LICENSE
"""Training: batches by counter, and a run that was cut goes on bit for bit."""

import itertools
import os
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from astro_xlatent.core.errors import ModelError
from astro_xlatent.model.network import Config, Encoder, Teacher
from astro_xlatent.simulate.imperfections import PIECES
from astro_xlatent.simulate.prepared import load_prepared
from astro_xlatent.train import encoder as encoder_module
from astro_xlatent.train.batches import Recipe, observation_arrays, steps
from astro_xlatent.train.encoder import LOSS_WEIGHTS, encoder_losses, stop_requests, train_encoder
from astro_xlatent.train.stream import PLAN, training_batch


def quiet(line):
    """A log that nobody reads."""


@pytest.fixture
def teacher(tiny):
    """A teacher that was never taught."""
    torch.manual_seed(0)
    return Teacher(tiny().network())


def test_batches_depend_on_seed_and_counter(instruments):
    """The same pair gives the same batch, another counter another one."""
    first, again, other = (training_batch(3, counter, instruments) for counter in (5, 5, 6))
    assert [len(bins) for bins, _ in first] == [part.rows for part in PLAN]
    for (bins, sources), (same, same_sources), (new, _) in zip(first, again, other, strict=True):
        np.testing.assert_array_equal(bins.counts, same.counts)
        np.testing.assert_array_equal(sources.spectrum, same_sources.spectrum)
        assert not np.array_equal(bins.counts, new.counts)


def same(one, other):
    """Whether two steps hold the same arrays."""
    return all(np.array_equal(a[k], b[k], equal_nan=a[k].dtype.kind == "f")
               for a, b in zip(one, other, strict=True) for k in a)


def test_workers_change_nothing(instrument_file):
    """Two processes give the very steps that none gives, each from counters of its own."""
    recipe = Recipe(str(instrument_file), 3, 2, PIECES)
    here = list(steps(recipe, range(3)))
    there = list(steps(recipe, range(3), 2))
    assert all(same(one, other) for one, other in zip(here, there, strict=True))
    assert not same(here[0], here[1])
    assert sum(len(g["nh"]) for g in here[0]) == 2 * sum(part.rows for part in PLAN)


def test_perfect_steps_are_the_batches(instrument_file):
    """Without imperfections a step holds the old batch; with them, sources are seen otherwise."""
    perfect, = steps(Recipe(str(instrument_file), 3), [5])
    faulty, = steps(Recipe(str(instrument_file), 3, 1, PIECES), [5])
    parts = training_batch(3, 5, load_prepared(instrument_file))
    assert same([perfect[-1]], [observation_arrays(*max(parts, key=lambda part: part[0].n_bins))])
    # The first part's sources are drawn before anything is observed.
    rows = slice(0, len(parts[0][0]))
    assert not np.array_equal(faulty[0]["counts"][rows], perfect[0]["counts"][rows])
    for name in ("teacher_input", "nh", "class_index"):
        np.testing.assert_array_equal(faulty[0][name][rows], perfect[0][name][rows])


def test_padding_changes_no_loss(instruments, teacher, tiny):
    """Joined and padded rows give the mean of the parts' losses."""
    bins, sources = training_batch(1, 0, instruments)[0]
    encoder = Encoder(tiny().network())
    narrow, wide = (encoder_losses(encoder, teacher, observation_arrays(bins, sources, width))
                    for width in (None, bins.n_bins + 5))
    for name in LOSS_WEIGHTS:
        assert narrow[name].item() == pytest.approx(wide[name].item(), rel=1e-4)


@pytest.fixture
def run(tmp_path, teacher, tiny, instrument_file):
    """Train in a folder of its own, below ``tmp_path``; weights and steps done."""
    def train(name, log=quiet, deadline=np.inf, **changed):
        settings = tiny(**changed)
        (tmp_path / name).mkdir(exist_ok=True)
        recipe = Recipe(str(instrument_file), settings.seed, 1, PIECES)
        encoder, step = train_encoder(settings, teacher, recipe, tmp_path / name, log=log, deadline=deadline)
        return encoder.state_dict(), step
    return train


def equal(one, other):
    """Whether two sets of weights are the same bit for bit."""
    return all(torch.equal(one[key], other[key]) for key in one)


def test_resumed_run_is_the_same(run, tmp_path, monkeypatch):
    """A run cut by the deadline has a checkpoint and goes on as if it had not been cut."""
    whole, done = run("whole")
    assert done == 3
    with monkeypatch.context() as patch:
        # A clock that goes on whenever somebody looks.
        patch.setattr(encoder_module, "time", SimpleNamespace(monotonic=itertools.count().__next__))
        half, done = run("cut", deadline=0.5, save_every=100)
    assert done == 1 and not equal(half, whole)
    said = []
    rest, done = run("cut", log=said.append)
    assert done == 3 and equal(rest, whole)
    assert "goes on at step 1 of 3" in said[0]
    assert equal(load_file(tmp_path / "cut" / "encoder.safetensors"),
                 load_file(tmp_path / "whole" / "encoder.safetensors"))


def test_killed_run_is_the_same(run, tmp_path, teacher, tiny, instrument_file):
    """A process killed at any moment leaves a whole checkpoint."""
    torch.save(teacher.state_dict(), tmp_path / "teacher.pt")
    program = (
        "import sys, torch\n"
        "from astro_xlatent.model.network import Teacher\n"
        "from astro_xlatent.simulate.imperfections import PIECES\n"
        "from astro_xlatent.train.batches import Recipe\n"
        "from astro_xlatent.train.encoder import train_encoder\n"
        "from astro_xlatent.train.settings import Settings\n"
        f"settings = Settings(**{ {k: v for k, v in vars(tiny()).items()} !r})\n"
        "teacher = Teacher(settings.network())\n"
        "teacher.load_state_dict(torch.load(sys.argv[1], weights_only=True))\n"
        f"train_encoder(settings, teacher, Recipe({str(instrument_file)!r}, 1, 1, PIECES), sys.argv[2])\n")
    folder = tmp_path / "killed"
    folder.mkdir()
    environment = os.environ | {"OMP_NUM_THREADS": str(torch.get_num_threads())}
    process = subprocess.Popen([sys.executable, "-c", program, tmp_path / "teacher.pt", folder],
                               stdout=subprocess.DEVNULL, env=environment)
    while not (folder / "encoder.safetensors").exists() and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    rest, done = run("killed")
    whole, _ = run("whole")
    assert done == 3 and equal(rest, whole)


def test_interrupt_asks_to_stop():
    """The first one is remembered, the second one is an interrupt, and afterwards all is as before."""
    before = signal.getsignal(signal.SIGINT)
    with stop_requests() as stop:
        assert not stop()
        os.kill(os.getpid(), signal.SIGINT)
        assert stop()
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(1)
    assert signal.getsignal(signal.SIGINT) is before


def test_gradient_that_is_not_finite(run, monkeypatch):
    """Such a step is left out and told; a run of nothing else is given up."""
    said = []
    losses = encoder_module.encoder_losses

    def spoilt(*args):
        found = losses(*args)
        return found | {"nh": found["nh"] * np.inf}

    monkeypatch.setattr(encoder_module, "encoder_losses", spoilt)
    with pytest.raises(ModelError, match="not finite in 2 steps"):
        monkeypatch.setattr(encoder_module, "_PATIENCE", 2)
        run("spoilt", log=said.append)
    assert sum("left out" in line for line in said) == 2


def test_training_learns(run):
    """Losses of six steps fall, in brain floats, too."""
    for precision in ("float32", "bfloat16"):
        said = []
        run(precision, log=said.append, encoder_steps=6, precision=precision, learning_rate=0.05)
        first, last = (float(line.split("classes ")[1].split()[0]) for line in (said[0], said[-1]))
        assert last < first


def test_latent_loss_is_smallest_at_the_truth(instruments, tiny):
    """An encoder that says what the teacher says scores better than one that is off."""
    class Known(torch.nn.Module):
        def __init__(self, offset):
            super().__init__()
            self.config, self.offset = Config(), offset

        def forward(self, tensors, reference):
            rows = len(reference)
            heads = {k: torch.zeros(rows, getattr(self.config, f"n_{k}"))
                     for k in ("classes", "nh", "index", "kt")}
            return heads | {"mean": torch.full((rows, 8), self.offset),
                            "precision_chol": torch.eye(8).expand(rows, 8, 8)}

    bins, sources = training_batch(1, 0, instruments)[0]
    arrays = observation_arrays(bins, sources)
    right, wrong = (encoder_losses(Known(offset), lambda x: torch.ones(len(x), 8), arrays)
                    for offset in (1.0, 2.0))
    assert right["latent"].item() == pytest.approx(0.0, abs=1e-6)
    assert wrong["latent"].item() == pytest.approx(4.0, rel=1e-6)
    assert right["classes"].item() == pytest.approx(np.log(9), rel=1e-5)
