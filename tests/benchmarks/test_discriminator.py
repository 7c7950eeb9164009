# Licensed under a 3-clause BSD style license - see LICENSE
"""Mock rows, the discriminator and the transfer experiment."""

from types import SimpleNamespace

import numpy as np
import pytest

from astro_xlatent.core.errors import ParameterError
from astro_xlatent.physics.grid import ENERGY_MID, ENERGY_WIDTH, N_ENERGY
from astro_xlatent.simulate.instruments import Instrument
from benchmarks.studies.discriminator import Rows, discriminate, hardness_features, simulate_like
from benchmarks.studies.mock import mock_rows, two_piece_mean
from benchmarks.studies.transfer import balanced_accuracy, transfer

EDGES = np.round(np.r_[np.arange(0.5, 2.0, 0.1), np.arange(2.0, 7.01, 0.5)], 2)


@pytest.fixture(scope="module")
def flat_instrument():
    """100 cm2 at all energies, perfect resolution."""
    matrix = np.zeros((EDGES.size - 1, N_ENERGY), np.float32)
    for k, (low, high) in enumerate(zip(EDGES[:-1], EDGES[1:], strict=True)):
        matrix[k, (ENERGY_MID > low) & (ENERGY_MID < high)] = 100.0
    unused = dict.fromkeys(("matrix", "e_lo", "e_hi", "area", "resolution", "valid"), np.zeros(0))
    return Instrument("flat", "csc", band_matrix=matrix, band_edges=EDGES, mono=np.full(4, 100.0),
                      epoch=2010.0, **unused)


def _power_law(n, gamma=1.8):
    return np.repeat((ENERGY_MID**-gamma * ENERGY_WIDTH)[None], n, axis=0) * 1e-5


def test_two_piece_mean_matches_sampling():
    """Mean and standard deviation agree with draws from the two-piece normal."""
    rng = np.random.default_rng(0)
    below, above = 0.5, 2.0
    # the density of a two-piece normal is continuous: sides weigh as their scales
    right = rng.random(400_000) < above / (above + below)
    size = np.abs(rng.standard_normal(400_000))
    draws = 3.0 + np.where(right, above * size, -below * size)
    mean, sd = two_piece_mean(3.0, below, above)
    np.testing.assert_allclose([mean, sd], [draws.mean(), draws.std()], rtol=0.01)


def test_bright_rows_have_true_fluxes_and_half_widths(flat_instrument):
    """At 50,000 counts the fluxes are those of the spectrum and the errors 1.15 sqrt(N)."""
    spectra = _power_law(400)
    flux, error = mock_rows(spectra, np.full(400, 50_000.0), [flat_instrument], np.random.default_rng(1))
    energy = ENERGY_MID * 1.602176634e-9
    for band, (low, high) in enumerate([(0.5, 1.2), (1.2, 2.0), (2.0, 7.0)]):
        inside = (ENERGY_MID > low) & (ENERGY_MID < high)
        truth = spectra[0, inside] @ energy[inside]
        # events are binned: the mean energy of a bin is within a per cent of its center
        assert abs(flux[:, band].mean() / truth - 1) < 0.015
        counts = (flux[:, band] / error[:, band] * 1.15) ** 2
        share = spectra[0, inside].sum() / spectra[0, (ENERGY_MID > 0.5) & (ENERGY_MID < 7)].sum()
        assert abs(np.median(counts) / (50_000 * share) - 1) < 0.05


def test_empty_bands_hold_limits(flat_instrument):
    """A band without counts holds 0.80 and 0.60 of its limit, or a tiny placeholder, in this ratio."""
    soft = _power_law(300) * (ENERGY_MID < 1.2)
    flux, error = mock_rows(soft, np.full(300, 12.0), [flat_instrument], np.random.default_rng(2))
    ratio = flux[:, 2] / error[:, 2]
    zero = np.isclose(ratio, np.sqrt(2 / np.pi) / np.sqrt(1 - 2 / np.pi))
    assert 0.4 < zero.mean() < 1.0
    # limits: 0.8 x 1.2 counts x 4.5 keV / (100 cm2 x exposure); exposure is 12 counts over the rate
    exposure = 12.0 / (soft[0, (ENERGY_MID > 0.5) & (ENERGY_MID < 7)].sum() * 100)
    limit = np.sqrt(2 / np.pi) * 1.2 * 4.5 * 1.602176634e-9 / (100 * exposure)
    near = np.abs(flux[zero, 2] / limit - 1) < 0.1
    assert 0.05 < near.mean() < 0.7


def test_plain_rows_are_as_the_catalog_prints_them(flat_instrument):
    """A band without events is zero, with half the upper limit for an error."""
    counts = np.full(500, 3.0)
    rows = _power_law(500), counts, [flat_instrument]
    plain, error = mock_rows(*rows, np.random.default_rng(5), averaged=False)
    means, _ = mock_rows(*rows, np.random.default_rng(5))
    empty = plain == 0
    assert empty.any() and np.all(error[empty] > 0) and np.all(means[empty] > 0)


def test_other_missions_are_refused():
    """The sample is Chandra's: other instruments are refused by name."""
    other = SimpleNamespace(mission="xmm")
    with pytest.raises(ParameterError, match="xmm"):
        mock_rows(_power_law(2), np.ones(2), [other], np.random.default_rng(0))


def test_hardness_of_known_fluxes():
    """Hardness ratios and significance of simple numbers."""
    features = hardness_features(np.array([[1.0, 3.0, 1.0]]), np.array([[0.1, 0.3, 0.1]]))
    np.testing.assert_allclose(features, [[0.5, -0.5, np.log10(np.sqrt(300.0))]])


def test_discriminator_sees_a_shift_and_nothing_else():
    """Equal samples give an AUC near one half, a shift by two widths one near the closed form."""
    from scipy.stats import norm

    rng = np.random.default_rng(3)
    same, _ = discriminate(rng.standard_normal((600, 3)), rng.standard_normal((1200, 3)))
    assert 0.42 < same < 0.58
    shifted = rng.standard_normal((1200, 3)) + [2.0, 0.0, 0.0]
    auc, upper = discriminate(rng.standard_normal((600, 3)), shifted)
    assert abs(auc - norm.cdf(2 / np.sqrt(2))) < 0.03 and auc < upper < 1


def test_too_few_rows_are_refused():
    """Fewer than ten rows cannot be discriminated."""
    with pytest.raises(ParameterError, match="10 rows"):
        discriminate(np.zeros((5, 3)), np.zeros((50, 3)))


def test_simulation_takes_the_significances(flat_instrument):
    """Simulated rows have the significances of the rows they imitate."""
    rng = np.random.default_rng(5)
    hardness = rng.uniform(-1, 1, (800, 2))
    real = np.column_stack([hardness, rng.normal(1.1, 0.3, 800).clip(0.6)])
    rows = simulate_like("AGN", real, 2000, [flat_instrument], np.random.default_rng(6))
    found, wanted = (np.quantile(x[:, 2], [0.1, 0.5, 0.9]) for x in (rows, real))
    # Rows that noise carries below the faintest real one are dropped, which thins the faint end.
    assert np.all(np.abs(found - wanted) < [0.2, 0.1, 0.1])
    assert rows[:, 2].min() >= real[:, 2].min()


def test_balanced_accuracy_weights_rows():
    """Rows of weight zero, and classes made of them, do not count."""
    truth, predicted = np.array(["a", "a", "b", "c"]), np.array(["a", "b", "b", "a"])
    assert balanced_accuracy(truth, predicted) == pytest.approx((0.5 + 1 + 0) / 3)
    assert balanced_accuracy(truth, predicted, np.array([1, 0, 1, 0])) == 1.0


def test_transfer_finds_no_loss_when_simulations_are_real(flat_instrument):
    """With "real" rows drawn from the simulator itself, training on either is as good."""
    from astro_xlatent.simulate.populations import CLASSES, draw_sources

    rng = np.random.default_rng(8)
    index = np.repeat([CLASSES.index("AGN"), CLASSES.index("LM-STAR"), CLASSES.index("HMXB")], 250)
    sources = draw_sources(index, rng)
    flux, error = mock_rows(sources.spectrum, 10 ** rng.uniform(1.5, 3, index.size), [flat_instrument], rng)
    rows = Rows(np.array(CLASSES)[index], flux, error)
    odd = np.arange(index.size) % 2 == 1
    field = rng.integers(0, 60, odd.sum())
    result = transfer(rows[~odd], rows[odd], field, [flat_instrument], per_class=300, n_boot=50)
    assert result["interval"][0] <= result["difference"] <= result["interval"][1]
    assert abs(result["difference"]) < 0.08 and result["real"] > 0.6
