# Licensed under a 3-clause BSD style license - see LICENSE
"""Inference: independence of batch, padding, order; fluxes; the prior without a source."""

import numpy as np
import pytest

from astro_xlatent.model.density import density_below, density_quantiles
from astro_xlatent.spectra.bins import EnergyBins


def _values(posterior):
    """Everything a posterior holds, as one matrix."""
    parts = [posterior.latent, posterior.class_prob, posterior.nh_density,
             posterior.latent_cov.reshape(len(posterior.latent), -1), posterior.outlier[:, None]]
    return np.concatenate(parts, axis=1)


def test_rows_are_independent(random_model, fine_rows):
    """One by one, all at once, or shuffled: the same to 1e-5."""
    bins, matrices = fine_rows
    together = random_model.infer(bins, matrices)
    order = np.random.default_rng(0).permutation(len(bins))
    shuffled = random_model.infer(bins[order], matrices[order])
    np.testing.assert_allclose(_values(shuffled), _values(together)[order], atol=1e-5)
    for row in range(0, len(bins), 5):
        alone = random_model.infer(bins[row], matrices[row:row + 1])
        np.testing.assert_allclose(_values(alone), _values(together)[row:row + 1], atol=1e-5)
        for band, limits in alone.flux.items():
            np.testing.assert_allclose(limits[0], together.flux[band][row], rtol=1e-3)


def test_padding_changes_nothing(random_model, fine_rows):
    """Invalid bins beside valid ones are not seen."""
    bands = fine_rows[0].merge([0.5, 1.2, 2.0, 7.0])
    padded = EnergyBins.concatenate([bands, fine_rows[0]])[np.arange(len(bands))]
    np.testing.assert_allclose(_values(random_model.infer(padded)), _values(random_model.infer(bands)),
                               atol=1e-5)


def test_bin_order_changes_nothing(random_model, fine_rows):
    """Bins are a set."""
    bands = fine_rows[0].merge([0.5, 1.2, 2.0, 7.0])
    turned = EnergyBins(**{k: v[:, ::-1] if v.ndim == 2 else v for k, v in vars(bands).items()})
    np.testing.assert_allclose(_values(random_model.infer(turned)), _values(random_model.infer(bands)),
                               atol=1e-5)


def test_twice_is_the_same(random_model, fine_rows):
    """Inference draws no random numbers of its own."""
    first, second = (random_model.infer(*fine_rows) for _ in range(2))
    np.testing.assert_array_equal(_values(first), _values(second))
    np.testing.assert_array_equal(first.flux["2_7"], second.flux["2_7"])


def test_no_source_returns_the_prior(random_model, fine_rows):
    """Counts below background: zero latents of unit variance, all classes alike."""
    bins, matrices = fine_rows
    values = {k: np.array(v) for k, v in vars(bins[:2]).items()}
    values["counts"][:] = 0.0
    posterior = random_model.infer(EnergyBins(**values), matrices[:2])
    assert not posterior.detected.any()
    np.testing.assert_array_equal(posterior.latent, 0)
    np.testing.assert_array_equal(posterior.latent_cov, np.broadcast_to(np.eye(8), (2, 8, 8)))
    np.testing.assert_allclose(posterior.class_prob, 1 / 9)
    assert np.isnan(posterior.gof).all()
    assert np.all(posterior.flux["2_7"][:, 2] > 0)


def test_flux_scales_with_area(random_model, fine_rows):
    """Ten times the area for the same counts is a tenth of the flux."""
    bins, matrices = fine_rows
    values = {k: np.array(v) for k, v in vars(bins).items()}
    values["area"] *= 10
    more = random_model.infer(EnergyBins(**values), 10 * matrices)
    for band, limits in random_model.infer(bins, matrices).flux.items():
        np.testing.assert_allclose(more.flux[band], limits / 10, rtol=1e-3)


def test_quantiles_of_a_density():
    """Quantiles of a flat density, and the probability below them, agree."""
    density = np.full((1, 11), 1 / 11)
    quantiles = density_quantiles(density, (0.0, 10.0), [0.25, 0.5])
    np.testing.assert_allclose(quantiles, [[-0.5 + 0.25 * 11, 5.0]], atol=1e-6)
    assert density_below(density, (0.0, 10.0), quantiles[0, 0])[0] == pytest.approx(0.25)


def test_decoded_spectra_are_positive(random_model):
    """Every latent vector gives a positive spectrum that sums to one."""
    spectra = random_model.decode(np.random.default_rng(2).normal(0, 3, (50, 8)))
    assert np.all(spectra >= 0)
    np.testing.assert_allclose(spectra.sum(axis=1), 1, rtol=1e-4)
