# Licensed under a 3-clause BSD style license - see LICENSE
"""What belongs to the whole process is as it was: warning filters, random generators, threads of torch."""

import subprocess
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from astropy.table import Table
from band_rows import csc_table

from astro_xlatent import conf
from astro_xlatent.table.add_latents import add_latents
from astro_xlatent.table.files import read_table, write_table


@pytest.mark.parametrize("suffix", [".fits", ".vot", ".ecsv"])
def test_filters_after_threads(tmp_path, suffix):
    """Tables read and written in threads leave the filters of warnings alone."""
    path = tmp_path / f"t{suffix}"
    table = Table({"a": np.arange(5), "b": ["x"] * 5})
    write_table(table, path)

    def work(number):
        write_table(table, tmp_path / f"t{number}{suffix}")
        return len(read_table(path))

    before = list(warnings.filters)
    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(work, range(40))) == {5}
    assert list(warnings.filters) == before


CODE = """
import random, numpy as np, torch
from astropy.table import Table
torch.manual_seed(3); np.random.seed(3); random.seed(3)
before = torch.get_rng_state(), np.random.get_state(), random.getstate(), torch.get_num_threads()
default = torch.get_default_dtype(), torch.is_grad_enabled()
from astro_xlatent import add_latents, conf
flux = [1e-14, 2e-14]
table = Table({f"flux_aper{kind}_{band}": [scale * f for f in flux] for band in "smh"
               for kind, scale in (("", 1), ("_lolim", 0.7), ("_hilim", 1.3))})
with conf.set_temp("threads", before[3] + 1):
    add_latents(table)
assert torch.equal(before[0], torch.get_rng_state()), "torch's generator was drawn from"
assert (before[1][1] == np.random.get_state()[1]).all(), "numpy's generator was drawn from"
assert before[2] == random.getstate(), "Python's generator was drawn from"
assert before[3] == torch.get_num_threads(), "torch keeps another number of threads"
assert default == (torch.get_default_dtype(), torch.is_grad_enabled())
"""


def test_first_call():
    """The first call loads the model, and draws no number that belongs to the user."""
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", CODE], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_threads_of_calls_at_once(random_model):
    """Calls at once, with and without a number of threads of their own, leave torch's number as it was."""
    import torch

    before, table = torch.get_num_threads(), csc_table()
    with conf.set_temp("threads", before + 1), ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: add_latents(table, model=random_model), range(8)))
    assert torch.get_num_threads() == before
