# Licensed under a 3-clause BSD style license - see LICENSE
"""The same source through several instruments, and twice through one."""

import sys

import numpy as np
import pytest

from astro_xlatent.simulate.instruments import default_instruments
from benchmarks.studies.instruments import (
    evaluate_instruments,
    fine_tune,
    observe_same_sources,
    paired_numbers,
)
from benchmarks.studies.repeats import (
    change_p_values,
    chi2_numbers,
    disjoint_pairs,
    evaluate_repeats,
    repeat_numbers,
)

pytest.importorskip("sklearn", reason="evaluation needs scikit-learn")


@pytest.fixture(scope="module")
def two():
    """ACIS-I and eROSITA."""
    found = default_instruments(years=(2005,))
    return {"ACIS": found[0], "eROSITA": next(i for i in found if i.mission == "erosita")}


def _posteriors(rng, truth):
    """Noisy measurements of latents, times the prior N(0, 1)."""
    spread = rng.uniform(0.1, 0.5, truth.shape)
    variance = 1 / (1 + spread**-2)
    covariance = np.zeros((*truth.shape, 8))
    covariance[:, range(8), range(8)] = variance
    return {"latent": variance * spread**-2 * rng.normal(truth, spread), "latent_cov": covariance}


def test_same_sources_have_the_same_counts(two):
    """Net counts of both instruments scatter about the expectation; the noise is not the same."""
    sources, counts, bins = observe_same_sources(200, two, 3)
    assert len(sources) == 200
    for found in bins.values():
        known = found.background_known & (found.valid.sum(axis=1) > 140)
        assert np.median(found.net_counts[known] / counts[known]) == pytest.approx(1, abs=0.05)
    assert not np.array_equal(bins["ACIS"].counts, bins["eROSITA"].counts)


def test_paired_difference_of_a_known_offset():
    """An offset of a third of the error in one latent is found, the others are zero within the noise."""
    rng = np.random.default_rng(1)
    n = 4000
    covariance = np.broadcast_to(0.09 * np.eye(8), (n, 8, 8))
    answers = [{"latent": 0.2 * rng.normal(size=(n, 8)), "latent_cov": covariance} for _ in range(2)]
    answers[0]["latent"][:, 2] += 0.1
    numbers = paired_numbers(*answers, "a - b", "all", np.ones(n, bool))
    means = [x.value for x in numbers if x.quantity.startswith("mean difference")]
    np.testing.assert_allclose(means, np.eye(8)[2] / 3, atol=0.05)
    largest = next(x for x in numbers if x.quantity.startswith("largest"))
    assert largest.value == pytest.approx(1 / 3, abs=0.05)
    spread = next(x for x in numbers if x.quantity.startswith("standard"))
    assert spread.value == pytest.approx(np.sqrt(2) * 0.2 / 0.3, rel=0.03)


def test_fine_tuning_leaves_the_model_alone(random_model, two):
    """A copy of the encoder changes, the model does not."""
    before = {k: v.clone() for k, v in random_model.encoder.state_dict().items()}
    tuned = fine_tune(random_model, two["ACIS"], 2)
    assert all(v.equal(before[k]) for k, v in random_model.encoder.state_dict().items())
    assert not all(v.equal(before[k]) for k, v in tuned.encoder.state_dict().items())
    assert not any(p.requires_grad for p in tuned.encoder.parameters())


def test_whole_comparison(random_model):
    """All pairs, the model, the tuned encoders and the autoencoder of raw counts are there."""
    results = evaluate_instruments(random_model, 64, fine_tune_steps=1, paper_steps=1)
    pairs = {"ACIS 2000 - ACIS 2017", "ACIS 2000 - eROSITA", "ACIS 2017 - eROSITA"}
    assert {n.method for n in results.find("same source: latents")} == pairs
    methods = {n.method for n in results.find("same source: 8 classes", "balanced accuracy", subset="all")}
    assert {"ACIS 2000", "eROSITA, trained further on it alone"} <= methods
    assert {n.method for n in results.find("same source: latents without errors")} == {
        "model", "autoencoder of raw counts"}
    assert len(results.find("same source: 8 classes", "difference", subset="all")) == 3


def test_p_values_of_unchanged_and_changed_latents(monkeypatch):
    """Uniform for the same latents of Gaussian posteriors; small for others."""
    monkeypatch.setattr(sys.modules["astro_xlatent.compare.observations"], "REPEATED", 1.0)
    rng = np.random.default_rng(2)
    truth = rng.normal(size=(3000, 8))
    first = _posteriors(rng, truth)
    same, other = (change_p_values(first, _posteriors(rng, truth + offset)) for offset in (0.0, 1.0))
    assert np.mean(same < 0.1) == pytest.approx(0.1, abs=0.02)
    assert np.median(other) < 1e-3


def test_pairs_are_of_one_source_and_use_no_row_twice():
    """Compared with counting by name."""
    rng = np.random.default_rng(3)
    names, usable = rng.choice(list("abcde"), 101), rng.random(101) < 0.8
    pairs = disjoint_pairs(names, usable)
    assert np.unique(pairs).size == pairs.size
    assert (names[pairs[:, 0]] == names[pairs[:, 1]]).all()
    assert usable[pairs].all()
    assert len(pairs) == sum(np.sum(usable[names == name]) // 2 for name in "abcde")


def test_real_and_simulated_p_values_are_compared():
    """Equal distributions agree by the KS test, an excess of small values does not."""
    rng = np.random.default_rng(4)
    quiet, varying = rng.random(500), rng.random(500) ** 3
    found = [repeat_numbers(p, rng.random(500), "all") for p in (quiet, varying)]
    ks = [next(n.value for n in f if n.quantity == "KS p, against simulated") for f in found]
    assert ks[0] > 0.01 > ks[1]
    assert repeat_numbers(quiet[:3], quiet, "few") == []
    share = [next(n.value for n in f if n.quantity == "share with p < 0.1 against simulated") for f in found]
    assert share[0] == pytest.approx(0.1, abs=0.04)
    assert share[1] == pytest.approx(0.1 ** (1 / 3), abs=0.08)


def test_real_repeats(random_model, shared_data):
    """Pairs of real detections of steady sources, with simulated ones beside them."""
    results = evaluate_repeats(random_model, shared_data / "csc20" / "csc20_detections.csv.gz")
    real, simulated = (results.find(method=m, quantity="share with p < 0.1", subset="photon flux, all")[0]
                       for m in ("real", "simulated, unchanged"))
    assert real.n > 100
    assert simulated.n > 0.9 * real.n


def test_chi2_of_repeats_is_a_ratio_of_means():
    """Twice the scatter doubles the mean; few pairs give nothing."""
    rng = np.random.default_rng(5)
    steady = rng.chisquare(8, 4000)
    mean = chi2_numbers(2 * rng.chisquare(8, 4000), steady, "all")[0]
    assert mean.value == pytest.approx(2.0, rel=0.03) and mean.low < mean.value < mean.high
    assert chi2_numbers(steady[:5], steady, "few") == []
