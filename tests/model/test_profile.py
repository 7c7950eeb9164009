# Licensed under a 3-clause BSD style license - see LICENSE
"""The profiled normalization against a general root finder."""

import numpy as np
import torch
from scipy.optimize import brentq

from astro_xlatent.model.statistics import profile_normalization


def _solve(n, s, b):
    """The same equation by bisection."""
    def left_minus_right(k):
        return (n * s / (k * s + b)).sum() - s.sum()

    return 0.0 if left_minus_right(0.0) <= 0 else brentq(left_minus_right, 0, n.sum() / s.sum() + 1)


def test_against_root_finder():
    """Newton with a bracket finds what Brent's method finds, zero included."""
    rng = np.random.default_rng(1)
    shape = rng.random((300, 12)) * 10 ** rng.uniform(-1, 2, (300, 1))
    background = rng.random((300, 12)) * 10 ** rng.uniform(-3, 1, (300, 1)) + 1e-4
    counts = rng.poisson(shape * 10 ** rng.uniform(-2, 1, (300, 1)) + background).astype(float)
    valid = torch.ones(300, 12, dtype=torch.bool)
    got = profile_normalization(*(torch.as_tensor(a) for a in (counts, shape, background)), valid,
                                n_steps=40).numpy()
    wanted = np.array([_solve(*row) for row in zip(counts, shape, background, strict=True)])
    assert (wanted == 0).any() and (wanted > 0).any()
    np.testing.assert_allclose(got, wanted, rtol=1e-6, atol=1e-9)


def test_invalid_bins_do_not_count():
    """Values in bins that are not valid change nothing."""
    n = torch.tensor([[3.0, 100.0]])
    s, b = torch.ones(1, 2), torch.zeros(1, 2)
    valid = torch.tensor([[True, False]])
    torch.testing.assert_close(profile_normalization(n, s, b, valid), torch.tensor([3.0]))
