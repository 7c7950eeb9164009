# Licensed under a 3-clause BSD style license - see LICENSE
"""Variants of the model: what they see, how they are judged, and a run that goes on where it was cut."""

import json

import numpy as np
import pytest
import torch

from astro_xlatent.core.errors import ParameterError
from astro_xlatent.missions.base import get_mission
from astro_xlatent.model.network import Config
from astro_xlatent.model.tokens import to_tensors
from astro_xlatent.simulate.instruments import prepare
from astro_xlatent.spectra.bins import FINE_EDGES
from astro_xlatent.train.stream import CHUNK
from benchmarks.ablation import experiment
from benchmarks.ablation import variants as ablation
from benchmarks.ablation.data import draw_observation, flat_area, observe
from benchmarks.ablation.paper_style import PAPER_EDGES, PaperAutoencoder, paper_input, to_fine_grid
from benchmarks.ablation.plain_vae import cash_of_counts, divergence, draw_latents, folded
from benchmarks.ablation.run import ablation_results, ablation_text
from benchmarks.ablation.scores import excess_cash, hardness_features, judge


@pytest.fixture(scope="module")
def instruments():
    """One default response per mission."""
    return [prepare(name, name, get_mission(name).default_response())
            for name in ("csc", "erosita", "xmm")]


@pytest.fixture(scope="module")
def spectra(instruments):
    """A few spectra of about 1,000 counts."""
    return draw_observation("spectra", 40, instruments, (5,), (1000.0, 1000.0))


@pytest.fixture(scope="module")
def bands(instruments):
    """A few rows of catalog bands."""
    return draw_observation("bands", 64, instruments, (6,))


def test_same_seed_same_rows_and_twins_share_sources_and_responses(instruments, spectra):
    """Rows depend on the seed alone; other counts leave sources and instruments as they are."""
    again = draw_observation("spectra", 40, instruments, (5,), (1000.0, 1000.0))
    np.testing.assert_array_equal(spectra.bins.counts, again.bins.counts)
    twin = observe("spectra", spectra.sources, instruments, (5,), (20000.0, 20000.0))
    assert [i.name for i in twin.instruments] == [i.name for i in spectra.instruments]
    np.testing.assert_allclose(twin.seconds / spectra.seconds, 20.0, rtol=1e-5)


def test_flat_area_hides_the_area(spectra):
    """Tokens of bins that differ in their area alone are the same."""
    from dataclasses import replace

    bins = spectra.bins
    other = replace(bins, area=bins.area * np.linspace(0.2, 3.0, bins.n_bins))
    assert not torch.equal(to_tensors(bins)[1], to_tensors(other)[1])
    assert torch.equal(to_tensors(flat_area(bins))[1], to_tensors(flat_area(other))[1])


def test_folded_truth_is_the_expectation(instruments, spectra):
    """Folded by hand, row by row, the true spectrum gives the same shape."""
    shape = folded(torch.as_tensor(spectra.sources.spectrum), spectra).numpy()
    for row in (0, 17, 39):
        counts = spectra.instruments[row // CHUNK].matrix @ spectra.sources.spectrum[row]
        counts = np.where(spectra.bins.valid[row], counts, 0)
        np.testing.assert_allclose(shape[row], counts / counts.sum(), rtol=2e-3, atol=1e-7)


def test_statistic_of_counts_prefers_the_truth(spectra, bands):
    """The true spectrum describes most rows better than a flat one, in either mode."""
    for observation in (spectra, bands):
        true = torch.as_tensor(observation.sources.spectrum)
        better = cash_of_counts(true, observation) < cash_of_counts(torch.ones_like(true), observation)
        assert better.float().mean() > 0.85


def test_divergence_is_that_of_torch():
    """Against torch's own Kullback-Leibler divergence, and draws against the covariance."""
    torch.manual_seed(1)
    chol = torch.tril(torch.randn(3, 4, 4)) + 3 * torch.eye(4)
    mean = torch.randn(3, 4)
    normal = torch.distributions.MultivariateNormal
    own = normal(mean, precision_matrix=chol @ chol.mT)
    wanted = torch.distributions.kl_divergence(own, normal(torch.zeros(4), torch.eye(4)))
    torch.testing.assert_close(divergence(mean, chol), wanted, rtol=1e-3, atol=1e-3)
    draws = draw_latents(mean[:1].expand(40000, 4), chol[:1].expand(40000, 4, 4))
    torch.testing.assert_close(torch.cov(draws.T), own.covariance_matrix[0], rtol=0.06, atol=2e-3)


def test_paper_input_keeps_every_photon_in_range(spectra):
    """Photons of fine bins wholly inside 0.5-8 keV are all there, at their energies."""
    counts = paper_input(spectra.bins, np.random.default_rng(0))
    low, high = FINE_EDGES[:-1], FINE_EDGES[1:]
    fine = np.where(spectra.bins.valid, spectra.bins.counts, 0)
    inside = fine[:, (low >= 0.5) & (high <= 8)].sum(axis=1)
    touching = fine[:, (high > 0.5) & (low < 8)].sum(axis=1)
    assert np.all((counts.sum(axis=1) >= inside) & (counts.sum(axis=1) <= touching))
    soft = counts[:, PAPER_EDGES[1:] <= 2].sum(axis=1)
    assert np.all(np.abs(soft - fine[:, (low >= 0.5) & (high <= 2)].sum(axis=1)) <= fine.max(axis=1) * 3)


def test_paper_bins_return_to_the_fine_grid():
    """Rebinned, a flat spectrum stays flat and nothing is lost inside."""
    weights, inside = to_fine_grid()
    width = np.diff(FINE_EDGES)[inside]
    np.testing.assert_allclose((np.diff(PAPER_EDGES) @ weights)[inside], width, rtol=1e-9)


def test_paper_autoencoder_learns():
    """The loss falls, and shapes are those promised."""
    torch.manual_seed(0)
    model = PaperAutoencoder(Config(width=16, n_layers=1, n_heads=2))
    x = torch.rand(32, 400) * torch.linspace(0, 1, 400)
    assert model.encode(x).shape == (32, 8)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    first = model.loss(x).item()
    for _ in range(20):
        optimizer.zero_grad()
        loss = model.loss(x)
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.8 * first


def test_excess_is_zero_for_the_truth_and_grows_with_counts(spectra):
    """The truth has none; a flat spectrum has, and more of it with more counts."""
    def true(rows, instrument):
        return spectra.sources.spectrum[rows] @ instrument.matrix.T, True

    def flat(rows, instrument):
        return np.ones_like(spectra.sources.spectrum[rows]) @ instrument.matrix.T, True

    assert np.max(np.abs(excess_cash(spectra, true))) < 1e-2
    few, many = (excess_cash(spectra, flat, n) for n in (100.0, 10000.0))
    assert np.median(few) > 1
    assert np.median(many / few) > 50


def test_judge_knows_right_from_wrong():
    """The truth scores 1, useless answers score like chance, and coverage is that of the errors."""
    rng = np.random.default_rng(3)
    n = 1500
    index = rng.integers(-1, 9, n)
    slope = np.where(index == 0, np.nan, rng.normal(2, 0.4, n))
    truth = {"nh": 10 ** rng.uniform(20, 23, n), "photon_index": slope}
    latent = rng.standard_normal((n, 3))
    answers = {
        "latent": latent, "target": latent + rng.standard_normal((n, 3)), "error": np.ones((n, 3)),
        "classes": np.eye(9)[index.clip(0)], "log_nh": np.log10(truth["nh"]) + 0.1,
        "photon_index": np.where(index == 0, 0.0, truth["photon_index"]), "excess": np.arange(11.0),
    }
    scores = judge(truth, index, answers, 1)
    assert scores["class, head"]["value"] == 1
    assert scores["class, head"]["n"] == np.sum((index >= 0) & (index < 8))
    assert scores["class, logistic"]["value"] == pytest.approx(1 / 8, abs=0.04)
    assert scores["log N_H, head"]["value"] == pytest.approx(0.1)
    assert scores["index, head"]["value"] == 1
    assert scores["index, probe"]["value"] < 0.1
    assert scores["coverage"]["value"] == pytest.approx(0.68, abs=0.03)
    assert scores["excess"]["value"] == 5
    assert np.std(scores["coverage"]["repeats"]) == pytest.approx(np.sqrt(0.68 * 0.32 / 3 / n), rel=0.3)


def test_hardness_features_are_finite(spectra, bands):
    """Rows of every mission and kind of flux, with nothing unknown left."""
    assert np.isfinite(hardness_features(spectra)).all()
    features = hardness_features(bands)
    assert np.isfinite(features).all()
    # exactly one kind a row
    np.testing.assert_array_equal(features[:, :3].sum(axis=1), 1)


TINY = ablation.AblationSettings(
    steps=2, teacher_steps=30, teacher_batch=32, pool=200, batches=1, rows=160, bright_rows=16, width=16,
    n_layers=1, decoder_width=16)


@pytest.fixture(scope="module")
def run(instruments, tmp_path_factory):
    """A run of some variants, and its folder."""
    folder = tmp_path_factory.mktemp("ablation")
    patch = pytest.MonkeyPatch()
    patch.setattr(experiment, "default_instruments", lambda: instruments)
    names = (ablation.BASELINE, ablation.REFERENCE, "paper-style", "no teacher", "plain MLP decoder",
             "no heads")
    for name in names:
        results = experiment.run_ablation(folder, TINY, only=name, log=lambda line: None)
    yield folder, results
    patch.undo()


def test_every_kind_of_variant_is_scored(run):
    """Each has the scores it can have, and no others."""
    scores = {r["name"]: r["scores"] for r in run[1]}
    assert set(scores[ablation.REFERENCE]) == {"bands", "spectra", "other bins"}
    assert {"coverage", "excess", "decoder_excess"} <= set(scores[ablation.REFERENCE]["spectra"])
    assert set(scores["paper-style"]) == {"spectra"}
    assert "class, head" not in scores["paper-style"]["spectra"]
    assert "class, head" not in scores["no heads"]["spectra"]
    assert "coverage" in scores["no teacher"]["bands"]
    assert "decoder_excess" not in scores["no teacher"]["spectra"]
    counted = {n: s["spectra"]["class, logistic"]["n"] for n, s in scores.items()}
    assert len(set(counted.values())) == 1


def test_a_cut_run_goes_on(run):
    """What is done is not done again, whole files appear only, and other settings are refused."""
    folder, results = run
    before = {p: p.stat().st_mtime_ns for p in folder.glob("variant-*.json")}
    again = experiment.run_ablation(folder, TINY, only=ablation.REFERENCE, log=lambda line: None)
    assert again == results
    assert before == {p: p.stat().st_mtime_ns for p in folder.glob("variant-*.json")}
    assert not list(folder.glob("*.tmp"))
    with pytest.raises(ParameterError, match="steps 2 there, 3 now"):
        experiment.run_ablation(folder, ablation.AblationSettings(**(vars(TINY) | {"steps": 3})))
    with pytest.raises(ParameterError, match="no heads"):
        experiment.run_ablation(folder, TINY, only="no such variant")


def test_same_run_same_scores(run, instruments, tmp_path):
    """A variant trained again elsewhere gets the same scores."""
    results = experiment.run_ablation(tmp_path, TINY, only="no heads", log=lambda line: None)
    first = next(r for r in run[1] if r["name"] == "no heads")
    assert results[0]["scores"] == first["scores"]


def test_report_compares_with_the_reference(run, tmp_path):
    """The table holds every variant; differences are those of the values; the files can be read."""
    results = run[1]
    text = ablation_text(results, {"command": "astro-xlatent ablate"})
    assert all(r["name"] in text for r in results)
    assert "nan" not in text
    report = ablation_results(results, {"command": "astro-xlatent ablate"})
    own, other, difference = (
        report.find("spectra", name, method)[0].value
        for name, method in (("coverage", "no heads"), ("coverage", ablation.REFERENCE),
                             ("coverage, minus reference", "no heads")))
    assert difference == pytest.approx(own - other)
    report.write(tmp_path / "ablation.json")
    assert json.loads((tmp_path / "ablation.json").read_text())["numbers"]
