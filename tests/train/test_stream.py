# Licensed under a 3-clause BSD style license - see LICENSE
"""What training sees: missions, modes, tokens, and arrays for the encoder."""

import numpy as np
import pytest

from astro_xlatent.physics.grid import N_ENERGY
from astro_xlatent.simulate.conditions import MISSION_SHARE
from astro_xlatent.simulate.populations import CLASSES
from astro_xlatent.spectra.bins import N_FINE
from astro_xlatent.train.batches import TRUTHS, draw_faults, observation_arrays
from astro_xlatent.train.stream import (
    CHUNK,
    GENERIC_SHARE,
    PLAN,
    Part,
    draw_training_sources,
    observe_full,
    training_batch,
)


@pytest.fixture(scope="module")
def sources():
    """Sources of four chunks."""
    return draw_training_sources(4 * CHUNK, np.random.default_rng(2))


def test_sources_have_all_classes_alike():
    """And a share of generic ones without a class."""
    index = draw_training_sources(6000, np.random.default_rng(1)).class_index
    assert np.mean(index == -1) == pytest.approx(GENERIC_SHARE, abs=0.02)
    share = np.bincount(index[index >= 0], minlength=len(CLASSES)) / np.sum(index >= 0)
    np.testing.assert_allclose(share, 1 / len(CLASSES), atol=0.02)


def test_plan_is_kept(instruments):
    """Every part has its rows, its mission's number of bands and at most its number of tokens."""
    for part, (bins, sources) in zip(PLAN, training_batch(1, 7, instruments), strict=True):
        assert len(bins) == len(sources) == part.rows
        assert bins.n_bins <= part.max_tokens
        assert bins.valid.any(axis=1).mean() > 0.9
        assert np.all(bins.counts[bins.valid] >= 0) and np.all(bins.area[bins.valid] > 0)


def test_tokens_of_a_row_do_not_overlap(instruments):
    """Merged bins of spectra lie one behind another."""
    bins, _ = training_batch(1, 3, instruments, (Part("spectra", 64, 32),))[0]
    for row in range(len(bins)):
        lo, hi = bins.e_lo[row][bins.valid[row]], bins.e_hi[row][bins.valid[row]]
        order = np.argsort(lo)
        assert np.all(lo[order][1:] >= hi[order][:-1] - 1e-9)
    assert len(set(bins.valid.sum(axis=1).tolist())) > 5


@pytest.mark.parametrize("mission", list(MISSION_SHARE))
@pytest.mark.parametrize("mode", ["bands", "spectra"])
def test_a_mission_may_be_asked_for(mode, mission, sources, instruments):
    """All rows are its own; folding matrices come with spectra where they are wanted."""
    bins, matrices, missions = observe_full(mode, sources.spectrum, instruments, np.random.default_rng(0),
                                            mission=mission)
    assert set(missions) == {mission} and len(bins) == len(sources)
    if mode == "bands":
        assert matrices is None and bins.n_bins <= 5
    else:
        assert matrices.shape == (len(sources), N_FINE, N_ENERGY) and matrices.dtype == np.float32
        unfolded = observe_full(mode, sources.spectrum, instruments, np.random.default_rng(0), folding=False)
        assert unfolded[1] is None


def test_matrices_give_the_area(sources, instruments):
    """A folding matrix is exposure times response: its flat-spectrum counts are area times width."""
    bins, matrices, _ = observe_full("spectra", sources.spectrum[:CHUNK], instruments,
                                     np.random.default_rng(3), mission="csc")
    from astro_xlatent.physics.grid import ENERGY_WIDTH

    width = np.where(bins.valid, bins.e_hi - bins.e_lo, 1.0)
    found = (matrices @ ENERGY_WIDTH) / width
    np.testing.assert_allclose(found[bins.valid], bins.area[bins.valid], rtol=1e-3)


def test_missions_are_drawn_by_chunk(instruments):
    """Rows of a chunk share one; all occur."""
    many = draw_training_sources(30 * CHUNK, np.random.default_rng(4))
    missions = observe_full("spectra", many.spectrum, instruments, np.random.default_rng(5), folding=False)[2]
    chunks = np.array(missions).reshape(-1, CHUNK)
    assert np.all(chunks == chunks[:, :1])
    assert set(chunks[:, 0].tolist()) == set(MISSION_SHARE)


def test_what_falls_on_the_detector_may_differ(sources, instruments):
    """``see`` changes the counts, not the sources; nothing seen is nothing counted beside the background."""
    seen = []

    def dark(spectra, instrument):
        seen.append((len(spectra), instrument.mission))
        return spectra * np.where(np.arange(N_ENERGY) < 200, 1.0, 1e-6).astype(np.float32)

    soft, plain = (observe_full("spectra", sources.spectrum, instruments, np.random.default_rng(6),
                                folding=False, see=see, mission="csc")[0] for see in (dark, None))
    assert seen == [(CHUNK, "csc")] * 4
    hard = (soft.e_lo > 3.5) & soft.valid & plain.valid
    seen_soft, seen_plain = (((b.counts - b.background) * hard).sum(axis=1) for b in (soft, plain))
    bright = seen_plain > 30
    # Where a column takes all soft photons, the hard ones are all that counts are drawn from.
    assert np.median(seen_soft[bright] / seen_plain[bright]) < 0.05


def test_arrays_are_padded_with_nothing(instruments):
    """Further tokens are invalid and zero, types are those that torch takes, truths are doubles."""
    bins, sources = training_batch(2, 0, instruments)[0]
    plain, wide = observation_arrays(bins, sources), observation_arrays(bins, sources, 8)
    assert set(plain) == set(wide) >= {"teacher_input", "class_index", *TRUTHS}
    for name, values in wide.items():
        assert len(values) == len(bins)
        if values.ndim == 2 and name != "teacher_input":
            assert values.shape[1] == 8 and not np.any(values[:, bins.n_bins:])
            np.testing.assert_array_equal(values[:, :bins.n_bins], plain[name])
    assert all(wide[name].dtype == float for name in TRUTHS)


def test_faults_have_draws_of_their_own():
    """The same seed gives the same faults; without imperfections there is nothing to see."""
    (one, see), (other, _) = draw_faults((1, 2), ()), draw_faults((1, 2), ())
    assert see is None and one.random() == other.random()
    assert draw_faults((1, 3), ())[0].random() != draw_faults((1, 2), ())[0].random()
