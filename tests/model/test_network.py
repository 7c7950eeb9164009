# Licensed under a 3-clause BSD style license - see LICENSE
"""Tokens, decoder and encoder against what their docstrings say, in numpy."""

import numpy as np
import pytest
import torch
from scipy.integrate import quad
from scipy.special import expit

from astro_xlatent import load_model
from astro_xlatent.model import posterior
from astro_xlatent.model.network import token_features
from astro_xlatent.model.posterior import covariance_of
from astro_xlatent.model.tokens import REFERENCE_INDEX, merge_steps, merged_edges, to_tensors
from astro_xlatent.physics.grid import CELLS, ENERGY_EDGES, ENERGY_MID, sum_cells
from astro_xlatent.spectra.bins import FINE_EDGES


def test_decoder_is_continuum_times_screen_times_lines():
    """The released decoder written out in numpy, its knots interpolated by numpy."""
    model = load_model()
    weights = {k: v.numpy().astype(float) for k, v in model.decoder.state_dict().items()}
    z = np.random.default_rng(1).normal(size=(5, 8))

    def layer(x, name):
        return x @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]

    def gelu(x):
        from scipy.special import erf

        return 0.5 * x * (1 + erf(x / np.sqrt(2)))

    h = gelu(layer(gelu(layer(z @ weights["rotation"].T + weights["offset"], "trunk.0")), "trunk.2"))
    knots = np.linspace(np.log(ENERGY_MID[0]), np.log(ENERGY_MID[-1]), model.config.n_knots)
    continuum = np.exp([np.interp(np.log(ENERGY_MID), knots, row) for row in layer(h, "continuum")])
    column, leak = layer(h, "absorber").T[..., None]
    leak = expit(leak)
    screen = leak + (1 - leak) * np.exp(-np.logaddexp(0, column) * weights["sigma"])
    lines = np.logaddexp(0, layer(h, "line_strength")) @ np.logaddexp(0, weights["line_shape"])
    spectrum = continuum * screen * (1 + lines)
    spectrum /= spectrum.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(model.decode(z), spectrum, rtol=2e-3, atol=1e-9)


def test_reference_is_a_power_law(fine_rows):
    """Counts of the reference: area times the integral of E^-1.7, to a common factor."""
    bins = fine_rows[0]
    _, reference = to_tensors(bins)
    row = 3
    used = np.flatnonzero(bins.valid[row])[::25]
    wanted = np.array([bins.area[row, k] * quad(lambda e: e**-REFERENCE_INDEX, bins.e_lo[row, k],
                                                bins.e_hi[row, k])[0] for k in used])
    found = reference[row].numpy()[used]
    np.testing.assert_allclose(found / found[0], wanted / wanted[0], rtol=1e-4)
    assert float(reference[row].sum()) == pytest.approx(1, rel=1e-5)
    assert np.all(reference.numpy()[~bins.valid] == 0)


def test_faint_rows_are_merged_more():
    """Ever finer with the counts, and the merged edges are every so-manieth of the fine ones."""
    steps = merge_steps(np.array([-5.0, 10, 100, 500, 1e5]))
    assert list(steps) == [8, 8, 4, 2, 1]
    for step in (1, 2, 4, 8):
        edges = merged_edges(step)
        assert np.all(np.diff(edges) > 0)
        assert edges[0] == FINE_EDGES[0] and edges[-1] == FINE_EDGES[-1]
        assert set(edges) <= set(FINE_EDGES)


def test_tokens_hold_the_counts(fine_rows):
    """Logarithms of counts and background where a docstring says; zero in invalid bins."""
    bins = fine_rows[0]
    tensors, reference = to_tensors(bins)
    tokens, summary = token_features(tensors, reference, 8)
    assert tokens.shape == (*bins.counts.shape, 26)
    valid = bins.valid
    np.testing.assert_allclose(tokens.numpy()[..., 3][valid], np.log1p(bins.counts[valid]), rtol=1e-5)
    total = np.where(valid, bins.counts, 0).sum(axis=1)
    np.testing.assert_allclose(summary.numpy()[:, 0], np.log1p(total), rtol=1e-5)
    assert np.all(tokens.numpy()[~valid] == 0)
    # Sine and cosine of doubling frequencies of the log energy.
    phase = 0.5 * np.log(bins.e_lo * bins.e_hi)[..., None] * 2.0 ** np.arange(8)
    np.testing.assert_allclose(tokens.numpy()[valid][:, 10:], np.concatenate(
        [np.sin(phase), np.cos(phase)], -1)[valid], atol=1e-3)


def test_covariances_are_inverses(random_model, fine_rows):
    """The encoder's factor is lower triangular, and covariance times precision is one."""
    out = random_model.encode(fine_rows[0])
    chol = out["precision_chol"]
    assert np.all(chol == np.tril(chol))
    product = covariance_of(chol) @ chol @ chol.transpose(0, 2, 1)
    np.testing.assert_allclose(product, np.broadcast_to(np.eye(8), product.shape), atol=1e-6)


def test_pieces_do_not_matter(random_model, fine_rows, monkeypatch):
    """Rows are encoded alike one by one and all at once."""
    found = []
    for tokens in (1, 10**6):
        monkeypatch.setattr(posterior, "TOKENS_AT_ONCE", tokens)
        found.append(random_model.encode(fine_rows[0]))
    for name, values in found[0].items():
        np.testing.assert_allclose(values, found[1][name], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("cells", CELLS)
def test_spectra_in_cells(random_model, cells):
    """Decoded in cells, a spectrum above 0.2 keV is nearly the mean over each, up to its unit."""
    latent = np.random.default_rng(3).standard_normal((4, 8))
    fine, coarse = random_model.decode(latent), random_model.decode(latent, cells)
    size = np.diff(CELLS[cells], append=fine.shape[1])
    used = ENERGY_EDGES[CELLS[cells]] > 0.19
    got, wanted = (coarse * size)[:, used], sum_cells(fine, cells)[:, used]
    np.testing.assert_allclose(*(a / a.sum(axis=1, keepdims=True) for a in (got, wanted)), rtol=0.05)


def test_whitening_keeps_the_latents_apart():
    """The teacher's latents are raw ones, moved and turned."""
    model = load_model()
    x = torch.tensor(np.random.default_rng(2).random((4, model.config.n_teacher_input)), dtype=torch.float32)
    with torch.no_grad():
        raw, z = model.teacher.net(x), model.teacher(x)
    turned = (raw - model.teacher.offset) @ model.teacher.rotation.T
    np.testing.assert_allclose(z.numpy(), turned.numpy(), atol=1e-5)
