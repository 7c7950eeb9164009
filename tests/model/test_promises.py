# Licensed under a 3-clause BSD style license - see LICENSE
"""The released model keeps its promises on fresh simulated rows, bands and spectra."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from scipy.spatial import cKDTree
from scipy.stats import kstest

from astro_xlatent import load_model
from astro_xlatent.model.checks import unmodeled
from astro_xlatent.model.posterior import Posterior
from astro_xlatent.simulate.instruments import default_instruments
from astro_xlatent.spectra.bins import EnergyBins
from astro_xlatent.train.stream import draw_training_sources, observe_full, teacher_input

ROWS = 512
#: Enough for every share below to lie within its bounds by four standard deviations.
COVERED = (0.60, 0.76)
THREE_BANDS = (0.5, 1.2, 2.0, 7.0)
# Rows that a classifier on hardness ratios learns from, a mode.
LEARNED = 2048


@dataclass
class Seen:
    """Simulated rows, what the model says of them, and the truth."""

    mode: str
    bins: EnergyBins
    matrices: np.ndarray | None
    posterior: Posterior
    sources: object
    latent: np.ndarray


@pytest.fixture(scope="module", params=["bands", "spectra"])
def seen(request):
    """Fresh rows of one mode, far from the seeds of training and calibration."""
    rng = np.random.default_rng([44, request.param == "bands"])
    sources = draw_training_sources(ROWS, rng)
    bins, matrices, _ = observe_full(request.param, sources.spectrum, default_instruments(), rng)
    model = load_model()
    with torch.no_grad():
        latent = model.teacher(torch.as_tensor(teacher_input(sources.spectrum))).numpy()
    return Seen(request.param, bins, matrices, model.infer(bins, matrices), sources, latent)


def test_latents_are_covered(seen):
    """One standard deviation about the mean holds the true latent of 60 to 76 % of sources."""
    error = np.sqrt(np.diagonal(seen.posterior.latent_cov, axis1=1, axis2=2))
    inside = np.abs(seen.latent - seen.posterior.latent) < error
    detected = seen.posterior.detected
    assert COVERED[0] < inside[detected].mean() < COVERED[1]


def test_column_is_covered(seen):
    """The 68 % interval holds the true N_H of 60 to 76 % of sources, the 90 % limit that of 86 to 95 %."""
    truth, detected = seen.sources.truth["nh"], seen.posterior.detected
    low, high, limit = seen.posterior.nh_quantiles([0.16, 0.84, 0.9]).T
    assert COVERED[0] < np.mean((truth > low) & (truth < high), where=detected) < COVERED[1]
    assert 0.86 < np.mean(truth < limit, where=detected) < 0.95


def test_column_is_covered_whatever_class_is_named(seen):
    """The 68 % interval holds the true N_H about as often, four deviations aside, for every class named."""
    truth, detected = seen.sources.truth["nh"], seen.posterior.detected & (seen.sources.class_index >= 0)
    low, high = seen.posterior.nh_quantiles([0.16, 0.84]).T
    named, told = seen.posterior.class_prob.argmax(axis=1), 0
    for k in range(9):
        rows = detected & (named == k)
        if rows.sum() >= 40:
            told += 1
            inside = np.mean((truth > low) & (truth < high), where=rows)
            assert abs(inside - 0.68) < 0.05 + 4 * np.sqrt(0.68 * 0.32 / rows.sum())
    assert told >= 3


def test_checks_seldom_call_ordinary_spectra_odd(seen):
    """At 1 % a row, and more often above 1,000 counts, where the decoder's own errors show."""
    if seen.mode == "bands":
        assert seen.matrices is None
        return
    told = seen.posterior.detected & seen.bins.background_known
    rows = np.flatnonzero(told & (seen.bins.net_counts < 1000))
    reasons = unmodeled(load_model(), seen.posterior[rows], seen.bins[rows], seen.matrices[rows])
    assert np.mean(reasons != "") < 0.06
    assert all("not in the decoded spectrum" in reason for reason in reasons if reason)


@pytest.mark.parametrize("band", ["05_2", "2_7", "02_23"])
def test_fluxes_are_in_order(seen, band):
    """Limits lie about the median, none is negative, and wide ones belong to faint rows."""
    low, median, high = seen.posterior.flux[band].T
    assert np.all((0 <= low) & (low <= median) & (median <= high))
    width = (high - low) / np.maximum(median, 1e-30)
    faint, bright = seen.bins.net_counts < 30, seen.bins.net_counts > 1000
    assert np.median(width[faint]) > 2 * np.median(width[bright])


def test_classes_beat_hardness_ratios(seen):
    """More often right than the 15 nearest of simulated rows in two hardness ratios and brightness."""
    rng = np.random.default_rng([45, seen.mode == "bands"])
    learned = draw_training_sources(LEARNED, rng)
    bins, _, _ = observe_full(seen.mode, learned.spectrum, default_instruments(), rng, folding=False)
    known = seen.posterior.detected & (seen.sources.class_index >= 0)
    tree = cKDTree(_hardness(bins)[learned.class_index >= 0])
    labels = learned.class_index[learned.class_index >= 0]
    votes = labels[tree.query(_hardness(seen.bins)[known], 15)[1]]
    nearest = np.array([np.bincount(row, minlength=9).argmax() for row in votes])
    truth = seen.sources.class_index[known]
    right = np.mean(seen.posterior.class_prob[known].argmax(axis=1) == truth)
    assert right > np.mean(nearest == truth) + 0.03
    # Probabilities, too: better than flat by a quarter of a nat.
    of_truth = seen.posterior.class_prob[known][np.arange(known.sum()), truth]
    assert np.log(of_truth).mean() > np.log(1 / 9) + 0.25


def _hardness(bins):
    """Two ratios and the logarithm of the counts, in the bands that all missions have."""
    if bins.n_bins > 5:
        bins = bins.merge(THREE_BANDS)
    net = np.where(bins.valid, bins.counts - bins.background, 0.0).clip(0)
    area = np.where(bins.valid & (bins.area > 0), bins.area, np.inf)
    rate = np.pad(net / area, ((0, 0), (0, 5 - net.shape[1])))
    ratios = (rate[:, 1:] - rate[:, :-1]) / np.maximum(rate[:, 1:] + rate[:, :-1], 1e-300)
    return np.column_stack([ratios, 0.3 * np.log10(net.sum(axis=1).clip(1))])


def test_outliers_are_uniform(seen):
    """The p-value of ordinary rows is uniform where a background was measured, as in every band row."""
    known = seen.posterior.detected & (seen.bins.background_known | (seen.mode == "bands"))
    p = seen.posterior.outlier[known]
    assert kstest(p, "uniform").pvalue > 1e-3
    assert 0.05 < np.mean(p < 0.1) < 0.16
    assert seen.posterior.not_this_model[known].mean() < 0.01


def test_undetected_rows_say_nothing(seen):
    """Rows without an excess are the prior: no class, no error smaller than the prior's, no p-value."""
    nothing = seen.posterior[~seen.posterior.detected]
    np.testing.assert_allclose(nothing.class_prob, 1 / 9)
    np.testing.assert_array_equal(nothing.latent, 0)
    assert np.isnan(nothing.outlier).all()
    assert not nothing.poor_fit.any()
    assert all(len(row) == 9 for row in nothing.class_set)


def test_rows_are_independent(seen):
    """In another order, in other batches, with bins that do not count beside: the same answers."""
    rows = np.random.default_rng(0).permutation(ROWS)[:40]
    wanted = seen.posterior[rows]
    bins = seen.bins[rows]
    matrices = None if seen.matrices is None else seen.matrices[rows]
    model = load_model()
    answers = [model.infer(bins, matrices),
               Posterior.concatenate([model.infer(bins[i], None if matrices is None else matrices[i:i + 1])
                                      for i in range(len(rows))])]
    if seen.mode == "bands":
        lo = np.linspace(1, 2, 31)[None]
        fine = EnergyBins(e_lo=lo[:, :-1], e_hi=lo[:, 1:], **{name: np.ones((1, 30)) for name in (
            "counts", "background", "background_error", "area", "resolution")}, valid=np.ones((1, 30), bool))
        answers.append(model.infer(EnergyBins.concatenate([bins, fine])[np.arange(len(rows))]))
    for found in answers:
        np.testing.assert_allclose(found.latent, wanted.latent, atol=5e-4)
        np.testing.assert_allclose(found.class_prob, wanted.class_prob, atol=1e-4)
        np.testing.assert_allclose(found.nh_density, wanted.nh_density, atol=1e-4)
        np.testing.assert_array_equal(found.detected, wanted.detected)


def test_conformal_sets_hold_the_class(seen):
    """Sets for 90 % hold the true class of 85 to 95 % of sources, most probable first."""
    known = seen.posterior.detected & (seen.sources.class_index >= 0)
    sets, truth = seen.posterior.class_set[known], seen.sources.class_index[known]
    held = np.mean([k in row for k, row in zip(truth, sets, strict=True)])
    assert 0.85 < held < 0.95
    best = seen.posterior.class_prob[known].argmax(axis=1)
    assert all(row[0] == k for row, k in zip(sets, best, strict=True))
