# Licensed under a 3-clause BSD style license - see LICENSE
"""The teacher: its loss, and what fixes the latent space."""

import numpy as np
import pytest
import torch

from astro_xlatent.model.network import Head
from astro_xlatent.physics.grid import ENERGY_MID, N_ENERGY
from astro_xlatent.simulate.populations import CLASSES, draw_sources
from astro_xlatent.spectra.bins import N_FINE
from astro_xlatent.train.stream import teacher_input
from astro_xlatent.train.teacher import expected_cash, new_decoder, train_teacher


@pytest.fixture(scope="module")
def pool():
    """Sources of all classes."""
    return draw_sources(np.arange(400) % len(CLASSES), np.random.default_rng(5))


@pytest.fixture(scope="module")
def taught(pool, instruments):
    """A teacher of a few steps with its decoder, and what it said."""
    from astro_xlatent.model.network import Config

    said = []
    matrices = [i.matrix for i in instruments]
    pair = train_teacher(Config(width=16, n_layers=1), pool, matrices, 6, said.append, seed=3, batch=64)
    return *pair, matrices, said


def latents(teacher, pool):
    """z* of sources."""
    with torch.no_grad():
        return teacher(torch.as_tensor(teacher_input(pool.spectrum))).double().numpy()


def test_latents_are_white(taught, pool):
    """Mean zero, variance one, no correlation, over the sources that were learned from."""
    z = latents(taught[0], pool)
    np.testing.assert_allclose(z.mean(axis=0), 0.0, atol=1e-3)
    np.testing.assert_allclose(np.cov(z.T), np.eye(z.shape[1]), atol=0.02)


def test_latents_go_with_hardness(taught, pool):
    """Signs are fixed: every latent rises with the mean log energy, or does not depend on it."""
    z = latents(taught[0], pool)
    hardness = (np.log(ENERGY_MID) * pool.spectrum).sum(axis=1) / pool.spectrum.sum(axis=1)
    assert np.all(((hardness - hardness.mean())[:, None] * z).mean(axis=0) > -1e-4)


def test_latents_are_in_order_of_information(taught, pool):
    """A step along the first latent changes the counts more than one along the last."""
    teacher, decoder, matrices, _ = taught
    fold = torch.as_tensor(matrices[0], dtype=torch.float32)
    z = torch.as_tensor(latents(teacher, pool)[:200])

    def counts(values):
        with torch.no_grad():
            raw = (decoder.rotation.double() @ values.T).T + decoder.offset.double()
            m = decoder(raw.float()) @ fold.T
        return torch.sqrt(1000 * m / m.sum(-1, keepdim=True))

    moved = [(counts(z + 0.05 * d) - counts(z - 0.05 * d)).square().sum().item()
             for d in torch.eye(z.shape[1], dtype=torch.float64)]
    assert moved[0] > moved[-1]


def test_the_same_seed_gives_the_same_teacher(taught, pool):
    """Bit for bit; another seed another one."""
    teacher, _, matrices, _ = taught
    again, other = (train_teacher(teacher.config, pool, matrices, 6, lambda line: None, seed=s, batch=64)[0]
                    for s in (3, 4))
    assert all(torch.equal(v, again.state_dict()[k]) for k, v in teacher.state_dict().items())
    assert not torch.equal(teacher.offset, other.offset)


def test_progress_is_said(taught):
    """The first and the last step, with every term of the loss."""
    first, last = taught[3][0], taught[3][-1]
    assert first.startswith("teacher step 0:") and last.startswith("teacher step 5:")
    for name in ("cash", "classes", "nh", "index", "kt", "moments"):
        assert f"{name} " in last


def test_expected_cash_is_smallest_at_the_truth(pool, instruments):
    """Zero for the true spectrum whatever its flux, above zero for every other."""
    fold = torch.as_tensor(instruments[0].matrix)
    true = torch.as_tensor(pool.spectrum[:50])
    np.testing.assert_allclose(expected_cash(7.0 * true, true, fold).numpy(), 0.0, atol=0.02)
    assert torch.all(expected_cash(true.roll(1, 0), true, fold) > 1.0)


def test_decoder_starts_on_the_grid():
    """Positive, of unit sum, one value a bin of the incident grid."""
    from astro_xlatent.model.network import Config

    config = Config(width=16, n_layers=1)
    with torch.no_grad():
        spectra = new_decoder(config)(torch.randn(3, config.n_latent))
    assert spectra.shape == (3, N_ENERGY) and torch.all(spectra >= 0) and torch.isfinite(spectra).all()


def test_teacher_input_knows_no_flux(pool):
    """Only the shape counts; squares add up to a hundred counts in either area."""
    x = teacher_input(pool.spectrum[:20])
    assert x.shape == (20, 2 * N_FINE) and x.dtype == np.float32
    np.testing.assert_allclose(teacher_input(1e3 * pool.spectrum[:20]), x, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose((x.reshape(20, 2, -1) ** 2).sum(axis=2), 100.0, rtol=1e-4)


@pytest.mark.parametrize(("value", "logarithmic"), [(3.3e21, True), (1.7, False)])
def test_targets_have_their_mean_at_the_value(value, logarithmic):
    """Two neighboring cells share a value; their weights add up to one."""
    limits, n = ((20.0, 24.0), 41) if logarithmic else ((0.0, 4.0), 41)
    target = Head("", limits, logarithmic).target(np.array([value]), n).double().numpy()[0]
    assert np.count_nonzero(target) <= 2 and target.sum() == pytest.approx(1.0)
    wanted = np.log10(value) if logarithmic else value
    assert target @ np.linspace(*limits, n) == pytest.approx(wanted, abs=1e-6)


def test_targets_at_the_border_and_of_nothing():
    """Values beyond go to the border; what is not known has no weight."""
    target = Head("", (20.0, 24.0), True).target(np.array([1e10, 1e30, np.nan]), 5).numpy()
    np.testing.assert_array_equal(target, [[1, 0, 0, 0, 0], [0, 0, 0, 0, 1], [0, 0, 0, 0, 0]])
