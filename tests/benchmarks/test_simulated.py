# Licensed under a 3-clause BSD style license - see LICENSE
"""Scores on simulations: coverage against known errors, and a whole run with an untrained model."""

import numpy as np
import pytest

from astro_xlatent.core.errors import ParameterError
from astro_xlatent.evaluate.figures import draw_figures
from astro_xlatent.model.calibration import Calibration
from astro_xlatent.model.density import probability_below_truth
from astro_xlatent.model.network import LOG_NH_RANGE, Config, Decoder, Encoder, Teacher
from astro_xlatent.model.posterior import Model
from benchmarks.studies.coverage import latent_coverage, mean_with_interval, nh_coverage
from benchmarks.studies.simulated import draw_coverage, evaluate_simulated, simulate

pytest.importorskip("sklearn", reason="evaluation needs scikit-learn")


@pytest.fixture(scope="module")
def instruments():
    """A few shipped responses."""
    from astro_xlatent.simulate.instruments import default_instruments

    return default_instruments(years=(2005,))


@pytest.fixture(scope="module")
def untrained():
    """A small model that knows nothing."""
    import torch

    from astro_xlatent.physics.absorption import absorption_cross_section
    from astro_xlatent.physics.grid import ENERGY_MID

    torch.manual_seed(1)
    config = Config(width=16, n_layers=1, n_heads=2)
    sigma = torch.as_tensor(np.array(absorption_cross_section(ENERGY_MID)), dtype=torch.float32)
    decoder = Decoder(config, torch.as_tensor(ENERGY_MID, dtype=torch.float32), sigma)
    info = {"name": "untrained", "version": "0", "latent_space": "none", "missions": ["csc"],
            "classes": ["AGN", "CV", "HM-STAR", "HMXB", "LM-STAR", "LMXB", "NS", "YSO", "other"]}
    return Model(info, Encoder(config), decoder, Teacher(config), Calibration.identity(config))


@pytest.mark.parametrize(("factor", "expected"), [(1.0, (0.68, 0.90)), (2.0, (0.381, 0.589))])
def test_latent_coverage_of_known_errors(factor, expected):
    """True errors give 68 and 90 %, errors half as large what a normal distribution says."""
    rng = np.random.default_rng(1)
    rows = {"latent": factor * rng.normal(size=(5000, 8)), "target": np.zeros((5000, 8)),
            "latent_cov": np.broadcast_to(np.eye(8), (5000, 8, 8))}
    numbers = latent_coverage("s", rows, np.ones(5000, bool), "all", rng)
    found = [n.value for n in numbers if n.method == "mean of latents"]
    np.testing.assert_allclose(found, expected, atol=0.01)


def test_nh_coverage_of_right_densities():
    """Truths drawn from the densities themselves, those below the range included."""
    rng = np.random.default_rng(2)
    cells = 58
    density = rng.dirichlet(np.full(cells, 0.3), 6000)
    step = (LOG_NH_RANGE[1] - LOG_NH_RANGE[0]) / (cells - 1)
    cell = np.array([rng.choice(cells, p=row) for row in density])
    log_nh = LOG_NH_RANGE[0] + step * (cell + rng.random(6000) - 0.5)
    log_nh[cell == 0] = 12.0
    rows = {"nh": 10**log_nh, "nh_density": density}
    below = probability_below_truth(density, LOG_NH_RANGE, log_nh, rng)
    assert np.abs(np.quantile(below, np.linspace(0.05, 0.95, 19)) - np.linspace(0.05, 0.95, 19)).max() < 0.02
    found = [n.value for n in nh_coverage("s", rows, np.ones(6000, bool), "all", rng)]
    np.testing.assert_allclose(found, [0.68, 0.90], atol=0.02)


def test_bootstrap_interval_covers_like_the_binomial():
    """Over single rows, the interval of a share is that of the normal approximation."""
    rng = np.random.default_rng(3)
    values = rng.random(2000) < 0.3
    value, (low, high) = mean_with_interval(values, rng, n_boot=2000)
    half = 1.645 * np.sqrt(0.3 * 0.7 / 2000)
    assert value - low == pytest.approx(half, rel=0.15)
    assert high - value == pytest.approx(half, rel=0.15)


def test_rows_repeat_with_the_seed(instruments):
    """The same seed gives the same rows, another one others."""
    first, again, other = (simulate("bands", 10, instruments, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first["net"], again["net"])
    assert not np.array_equal(first["net"][:50], other["net"][:50])
    assert first["hardness"].shape[1] == 10
    with pytest.raises(ParameterError, match="mode must be"):
        simulate("images", 10, instruments, 1)


def test_untrained_model_is_no_better_than_chance(untrained, instruments, tmp_path):
    """All sections are there; hardness ratios beat a model that knows nothing."""
    pytest.importorskip("matplotlib", reason="figures need matplotlib")
    results = evaluate_simulated(untrained, instruments, 512)
    for mode in ("spectra", "bands"):
        section = f"simulated {mode}: 8 classes"
        model = results.find(section, "balanced accuracy", "model", "1000-10000 counts")[0]
        assert model.value < 0.25
        assert results.find(section, "difference", subset="1000-10000 counts")[0].value < 0
        assert {n.subset for n in results.find(f"simulated {mode}: N_H", "coverage 90 %")} >= {"class AGN"}
    assert results.find("simulated spectra: goodness of fit")
    assert not results.find("simulated bands: goodness of fit")
    draw_figures(results, tmp_path / "figures")
    draw_coverage(results, tmp_path / "figures")
    assert len(list((tmp_path / "figures").glob("*.png"))) >= 6
