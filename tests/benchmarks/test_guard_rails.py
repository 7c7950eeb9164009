# Licensed under a 3-clause BSD style license - see LICENSE
"""Guard rails: the oddities are what they claim, the limit is Neyman and Pearson's, the run is whole."""

import numpy as np
import pytest

from astro_xlatent.core.errors import ParameterError
from astro_xlatent.model.calibration import WEIGHTS
from astro_xlatent.model.checks import CHECKS
from astro_xlatent.physics.emission import powerlaw
from astro_xlatent.physics.grid import ENERGY_MID, ENERGY_WIDTH
from astro_xlatent.simulate.populations import draw_sources
from benchmarks.studies import guard_rails, oddities
from benchmarks.studies.guard_rails import (
    evaluate_guard_rails,
    observe_oddity,
    optimal_power,
    real_hrc_numbers,
    share_of,
)
from benchmarks.studies.oddities import TESTED, TUNING, shift_gain


@pytest.fixture(scope="module")
def instruments():
    """A few shipped responses."""
    from astro_xlatent.simulate.instruments import default_instruments

    return default_instruments(years=(2005,))


def _counts_of(oddity, instruments, n=48, counts=3000.0):
    return observe_oddity(oddity, n, instruments, np.random.default_rng(1), (counts, counts * 1.0001))


def test_gain_moves_lines_and_keeps_the_efficiency(instruments):
    """A photon of 4 keV is measured 3 % too high; as many are measured as before."""
    acis = instruments[0]
    shifted = shift_gain(acis.matrix, 1.03)
    line = np.argmin(np.abs(ENERGY_MID - 4.0))
    center = 0.5 * (acis.e_lo + acis.e_hi)
    peak = [np.average(center[60:], weights=m[60:, line]) for m in (acis.matrix, shifted)]
    assert peak[1] / peak[0] == pytest.approx(1.03, abs=0.003)
    np.testing.assert_allclose(shifted.sum(axis=0)[100:900], acis.matrix.sum(axis=0)[100:900], rtol=1e-4)


def test_line_has_its_equivalent_width():
    """Photons of the line over the continuum's per keV are 0.2 keV."""
    continuum = powerlaw(np.array([1.7])).astype(np.float32)
    lined = TESTED["2 keV line, EW 200 eV"].spectra(continuum, np.random.default_rng(1))
    density = np.interp(2.0, ENERGY_MID, continuum[0] / ENERGY_WIDTH)
    assert (lined - continuum).sum() / density == pytest.approx(0.2, rel=0.02)


def test_ejecta_are_richer_in_lines_than_any_remnant_of_the_training():
    """Flux of the Si XIII line over the continuum beside it."""
    rng = np.random.default_rng(2)
    remnants = draw_sources(np.full(400, 8), rng, parameters={"other": {"remnant": 0.4}}).spectrum
    odd = TESTED["SNR, Si-group ejecta"].spectra(remnants, rng)
    line, beside = (ENERGY_MID > 1.82) & (ENERGY_MID < 1.88), (ENERGY_MID > 1.6) & (ENERGY_MID < 1.7)
    ratio = [s[:, line].sum(axis=1) / s[:, beside].sum(axis=1) for s in (remnants, odd)]
    assert np.median(ratio[1]) > 3 * np.median(ratio[0])
    assert np.median(ratio[1]) > np.quantile(ratio[0], 0.95)


def test_plate_has_no_resolution(instruments):
    """Photons of 1.6 and 6 keV give the same pulse heights; nothing is lost but in invalid bins."""
    matrix = TESTED["HRC read as ACIS"].response(instruments[0], None)
    low, high = (matrix[:, np.argmin(np.abs(ENERGY_MID - e))] for e in (1.6, 6.0))
    np.testing.assert_allclose(low / low.sum(), high / high.sum(), rtol=1e-4)


def test_pile_up_joins_pairs(instruments):
    """A tenth of the events is lost and the mean energy rises by the same share."""
    ordinary, _, _ = _counts_of(None, instruments)
    piled = TESTED["pile-up, 20 % of events"].counts(ordinary, np.random.default_rng(3))
    inside = ordinary.valid & (ordinary.e_hi < 9.9)
    total = [np.where(inside, b.counts, 0).sum(axis=1) for b in (ordinary, piled)]
    assert np.median(total[1] / total[0]) == pytest.approx(0.9, abs=0.02)
    energy = [(np.where(inside, b.counts, 0) * 0.5 * (b.e_lo + b.e_hi)).sum(axis=1) / t
              for b, t in zip((ordinary, piled), total, strict=True)]
    assert np.median(energy[1] / energy[0]) > 1.05


@pytest.mark.parametrize("name", [*TESTED, *TUNING])
def test_oddities_can_be_observed(instruments, name):
    """Finite counts near the wanted number, folding matrices of the response that is claimed."""
    bins, matrices, expected = _counts_of({**TESTED, **TUNING}[name], instruments, 16)
    assert np.isfinite(bins.counts).all()
    assert matrices.shape[:2] == bins.counts.shape
    assert bins.background_known.all()
    # an ordinary source of as many photons, and the odd one
    np.testing.assert_allclose(expected[0].sum(axis=1), expected[1].sum(axis=1), rtol=1e-4)
    assert np.all(bins.counts.sum(axis=1) > 1500)


def test_tuning_and_tested_oddities_are_apart():
    """No name in both lists, and an oddity that needs a mission says so if it is missing."""
    assert not set(TESTED) & set(TUNING)
    from astro_xlatent.simulate.instruments import default_instruments

    erosita = [i for i in default_instruments(years=()) if i.mission == "erosita"]
    with pytest.raises(ParameterError, match="none of mission 'csc'"):
        _counts_of(TESTED["HRC read as ACIS"], erosita, 4)


def test_no_test_beats_the_limit():
    """The limit equals the power of the simulated likelihood-ratio test."""
    rng = np.random.default_rng(4)
    null = rng.uniform(5, 40, (1, 60))
    other = null * (1 + 0.1 * rng.normal(size=(1, 60)))
    other *= null.sum() / other.sum()
    ratio = np.log(other / null)[0]
    scores = [rng.poisson(m, (40000, 60)) @ ratio for m in (null, other)]
    found = np.mean(scores[1] > np.quantile(scores[0], 0.95))
    power = optimal_power(np.stack([null, 3 * other]), null > 0)[0]
    assert power == pytest.approx(found, abs=0.015)


def test_interval_of_a_share_covers():
    """90 % intervals hold the true share in about 90 % of the cases."""
    rng = np.random.default_rng(5)
    inside = [low <= 0.7 <= high for low, high in (share_of(rng.random(60) < 0.7)[1] for _ in range(2000))]
    assert np.mean(inside) == pytest.approx(0.9, abs=0.03)


def test_whole_run(random_model, instruments, monkeypatch, tmp_path):
    """Every statistic of every oddity in both ranges, false alarms and the gain curve; it can be written."""
    some = ("2 keV line, EW 200 eV", "two blended sources")
    monkeypatch.setattr(guard_rails, "TESTED", {name: oddities.TESTED[name] for name in some})
    monkeypatch.setattr(guard_rails, "GAIN_RANGES", ((100.0, 300.0),))
    results = evaluate_guard_rails(random_model, instruments, 8)
    found = results.find("guard rails: detected at 5 % false alarms")
    assert {(n.quantity, n.subset) for n in found} == {
        (name, subset) for name in some for subset in ("1000-3000 counts", "3000-10000 counts")}
    parts = {"xl_outlier", *(f"its part {name}" for name in WEIGHTS), *(f"check {name}" for name in CHECKS)}
    assert {n.method for n in found if n.quantity == some[1]} == parts
    assert {n.method for n in found if n.quantity == some[0]} == parts | {"oracle of both hypotheses"}
    together = results.find("guard rails: detected at 5 % false alarms, 1000-10000 counts")
    assert {n.quantity for n in together} == set(some)
    assert all(0 <= n.value <= 1 for n in found)
    assert len(results.find("guard rails: false alarms")) == 2
    assert {n.method for n in results.find("guard rails: gain shift of 3%, at 5 % false alarms")} == {
        "xl_outlier", "check gain", "oracle of both hypotheses"}
    uniform = results.find("guard rails: are p-values uniform on ordinary simulations (KS p)")
    assert {n.method for n in uniform} == {"xl_outlier", *(f"check {name}" for name in CHECKS)}
    results.write(tmp_path / "rails.json")


def test_real_hrc_spectrum(random_model, shared_data, tmp_path):
    """The real file gives one p-value of each kind; a folder without it gives nothing."""
    numbers = real_hrc_numbers(random_model, shared_data)
    assert {n.method for n in numbers} >= {"xl_outlier", "its part gof"}
    assert real_hrc_numbers(random_model, tmp_path) == []
