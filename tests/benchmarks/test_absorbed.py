# Licensed under a 3-clause BSD style license - see LICENSE
"""Absorbed AGN in three bands: what is counted, and that both classifiers see the same rows."""

import numpy as np
import pytest

from astro_xlatent import load_model
from astro_xlatent.simulate.instruments import default_instruments
from benchmarks.studies.absorbed import (
    AGN,
    RANGES,
    band_features,
    evaluate_absorbed,
    recall_numbers,
    simulate_bands,
)


def test_recall_is_counted_by_range():
    """Named, in the set, and the mean probability, of the rows of each range alone."""
    net = np.array([20.0, 20.0, 50.0])
    probability = np.full((3, 9), 0.05)
    probability[[0, 2], AGN] = 0.6
    probability[1, AGN + 1] = 0.6
    sets = [(AGN,), (AGN + 1,), (AGN, 3)]
    numbers = recall_numbers("model", net, probability, sets, np.random.default_rng(1))
    found = {(n.quantity, n.subset): n.value for n in numbers}
    assert found["share called AGN", "10-30 counts"] == found["share with AGN in the conformal set",
                                                              "10-30 counts"] == 0.5
    assert found["mean probability of AGN", "10-30 counts"] == pytest.approx(0.325)
    assert found["share called AGN", "30-100 counts"] == 1.0
    assert len(numbers) == 3 * len(RANGES)


def test_bands_of_a_seed():
    """The same seed gives the same bands; features are finite where a band is missing, too."""
    label = np.array([AGN, 3, 8])
    bins, nh = simulate_bands(default_instruments(), label, 5)
    again, _ = simulate_bands(default_instruments(), label, 5)
    np.testing.assert_array_equal(bins.counts, again.counts)
    assert np.all(nh > 0) and len(bins) == 3
    bins.valid[0, 1] = False
    assert np.isfinite(band_features(bins)).all()


def test_absorbed_agn_by_both():
    """The model and boosting are asked of as many rows; shares are shares."""
    pytest.importorskip("sklearn")
    numbers = evaluate_absorbed(load_model(), default_instruments(), n=1200).numbers
    counted = {m: [n.n for n in numbers if n.method == m and n.quantity == "share called AGN"]
               for m in {n.method for n in numbers}}
    assert len({tuple(c) for c in counted.values()}) == 1 and len(counted) == 2
    assert all(0 <= n.value <= 1 for n in numbers if n.n)
