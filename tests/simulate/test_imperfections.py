# Licensed under a 3-clause BSD style license - see LICENSE
"""Imperfections: their sizes, what they leave alone, and that each can be left out."""

from types import SimpleNamespace

import numpy as np
import pytest

from astro_xlatent.core.errors import ParameterError
from astro_xlatent.physics.grid import ENERGY_MID, ENERGY_WIDTH, N_ENERGY
from astro_xlatent.simulate import imperfections as module
from astro_xlatent.simulate.imperfections import (
    PIECES,
    add_soft_gas,
    area_factor,
    check_pieces,
    deviate,
    gain_shift,
    imperfect,
    misjudge_background,
    pile_up,
)

SOFT = (ENERGY_MID > 0.5) & (ENERGY_MID < 2.0)
AREA = 400 * np.exp(-0.5 * (np.log(ENERGY_MID / 1.5) / 0.5) ** 2)


@pytest.fixture
def rng():
    """Repeatable draws."""
    return np.random.default_rng(5)


def power_law(rows, index=1.7):
    """Rows of the same power law."""
    return np.tile((ENERGY_MID**-index * ENERGY_WIDTH).astype(np.float32), (rows, 1))


def test_area(rng):
    """A few per cent everywhere, smooth but for steps at the edges."""
    log = np.log(area_factor(rng, 4000))
    spread = log.std(axis=0)
    soft, hard = spread[ENERGY_MID < 0.5], spread[ENERGY_MID > 2.1]
    np.testing.assert_allclose(soft, module.AREA_SMOOTH, rtol=0.06)
    np.testing.assert_allclose(hard, np.hypot(module.AREA_SMOOTH, module.AREA_STEP * 3**0.5), rtol=0.06)
    steps = np.diff(log, axis=1).std(axis=0)
    high = ENERGY_MID[1:][steps > 0.8 * module.AREA_STEP]
    np.testing.assert_allclose(high, module.AREA_EDGES, atol=0.011)
    others = np.all(np.abs(ENERGY_MID[1:, None] - module.AREA_EDGES) > 0.02, axis=1) & (ENERGY_MID[1:] > 0.4)
    assert steps[others].max() < 0.2 * module.AREA_STEP


def test_deviation(rng):
    """A third is left alone, the others are off by 2 to 25 per cent."""
    spectra = power_law(3000)
    log = np.log(deviate(spectra, rng) / spectra)
    alone = np.all(log == 0, axis=1)
    assert alone.mean() == pytest.approx(module.TRUE_TO_FAMILY, abs=0.03)
    size = log[~alone, 0]
    low, high = module.DEVIATION_RANGE
    expected = (high**2 - low**2) / (2 * np.log(high / low))  # mean square of a log-uniform size
    assert np.mean(size**2) == pytest.approx(expected, rel=0.15)


def test_soft_gas(rng):
    """A fifth gets soft photons between 1 and 50 per cent of its own; nothing hard, nothing is lost."""
    spectra = power_law(3000)
    excess = add_soft_gas(spectra, rng) - spectra
    share = excess[:, SOFT].sum(axis=1) / spectra[:, SOFT].sum(axis=1)
    some = share > 0
    assert some.mean() == pytest.approx(module.GAS_SHARE, abs=0.03)
    assert share[some].min() > 0.0099 and 0.4 < share[some].max() < 0.501
    assert excess.min() >= 0
    hard = ENERGY_MID > 5
    assert excess[:, hard].sum() < 1e-3 * excess[:, SOFT].sum()


def test_gain():
    """A line moves by the gain, counts stay, and where there is no area nothing happens."""
    spectra = np.zeros((1, N_ENERGY), np.float32)
    line = np.searchsorted(ENERGY_MID, 2.5)
    spectra[0, line] = 1
    counts = gain_shift(spectra, AREA, 0.02)[0] * AREA
    assert (counts * ENERGY_MID).sum() / counts.sum() == pytest.approx(1.02 * ENERGY_MID[line], abs=2e-3)
    assert counts.sum() == pytest.approx(AREA[line], rel=0.02)
    law = power_law(2)
    np.testing.assert_allclose(gain_shift(law, AREA, 0.0), law, rtol=1e-5)
    blind = np.where(ENERGY_MID > 3, 0.0, AREA)
    np.testing.assert_array_equal(gain_shift(law, blind, 0.02)[:, ENERGY_MID > 3], law[:, ENERGY_MID > 3])


def test_pile_up():
    """Pairs of a line appear at twice its energy, half as many as grades leave of them."""
    spectra = np.zeros((1, N_ENERGY), np.float32)
    line = np.searchsorted(ENERGY_MID, 1.5)
    spectra[0, line] = 1
    counts = pile_up(spectra, AREA, np.array([0.06]))[0] * AREA / AREA[line]
    assert counts[line] == pytest.approx(0.94, rel=1e-3)
    twice = np.abs(ENERGY_MID - 2 * ENERGY_MID[line]) < 0.0101
    assert counts[twice].sum() == pytest.approx(0.5 * module.PILE_UP_GRADE * 0.06, rel=1e-3)
    assert counts.sum() == pytest.approx(0.94 + 0.03 * module.PILE_UP_GRADE, rel=1e-3)
    law = power_law(1)
    np.testing.assert_allclose(pile_up(law, AREA, np.zeros(1)), law, rtol=1e-5)


def test_background(rng):
    """One factor a row, of a few per cent; zero stays zero."""
    told = misjudge_background(np.tile([3.0, 0.0, 7.0], (4000, 1)), rng)
    assert not told[:, 1].any()
    np.testing.assert_allclose(told[:, 0] / 3, told[:, 2] / 7)
    assert np.log(told[:, 0] / 3).std() == pytest.approx(module.BACKGROUND, rel=0.05)


def test_nothing_is_drawn_without_pieces(rng):
    """Without pieces the very arrays come back and the generator stays where it was."""
    state, spectra = rng.bit_generator.state, power_law(2)
    instrument = SimpleNamespace(matrix=AREA[None], mission="csc")
    assert imperfect(spectra, instrument, rng, ()) is spectra
    assert misjudge_background(spectra, rng, ()) is spectra
    assert rng.bit_generator.state == state


@pytest.mark.parametrize("piece", [p for p in PIECES if p != "background"])
def test_every_piece_alone(rng, piece):
    """Each changes spectra and leaves its argument as it was; pile-up is Chandra's."""
    spectra = power_law(64)
    before = spectra.copy()
    for mission in ("csc", "xmm"):
        seen = imperfect(spectra, SimpleNamespace(matrix=AREA[None], mission=mission), rng, (piece,))
        assert np.array_equal(seen, before) == (piece == "pile-up" and mission == "xmm")
        assert seen.dtype == np.float32 and np.isfinite(seen).all() and (seen >= 0).all()
    np.testing.assert_array_equal(spectra, before)


def test_unknown_piece():
    """It is named, with those there are."""
    with pytest.raises(ParameterError, match="weather.*gain"):
        check_pieces(["weather"])
