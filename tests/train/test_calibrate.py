# Licensed under a 3-clause BSD style license - see LICENSE
"""Each correction, on made-up outputs whose fault is known."""

import numpy as np
import pytest
from scipy.special import log_softmax, softmax

from astro_xlatent.model.network import LOG_NH_RANGE
from astro_xlatent.train import calibrate
from astro_xlatent.train.batches import Recipe
from astro_xlatent.train.calibrate import (
    COVERAGE,
    FLUX_LEVEL,
    LEVELS,
    NODES,
    TEMPERATURES,
    _fit_columns,
    _fit_head,
    _flux_scale,
    _level_of_truth,
    _outputs,
    _temperature,
    _window,
)

N_CELLS = 61


def rng(seed=0):
    """Random numbers of a test."""
    return np.random.default_rng(seed)


def one_hot(label, n):
    """Targets of rows that are sure."""
    return np.eye(n)[label]


@pytest.mark.parametrize("factor", [0.6, 1.0, 1.8])
def test_temperature_undoes_false_confidence(factor):
    """Logits that are a factor too sharp are divided by that factor."""
    logits = rng().normal(0, 2.0, (40000, 5))
    label = (softmax(logits, axis=1).cumsum(axis=1) < rng(1).random((40000, 1))).sum(axis=1)
    found = _temperature(factor * logits, one_hot(label, 5))
    step = TEMPERATURES[1] / TEMPERATURES[0]
    assert factor / step**2 < found < factor * step**2


def test_temperature_is_the_best_of_all():
    """No other temperature of the list has a smaller cross entropy."""
    logits, label = rng().normal(0, 3.0, (500, 4)), rng(1).integers(0, 4, 500)
    target = one_hot(label, 4)

    def loss(temperature):
        return -(target * log_softmax(logits / temperature, axis=1)).sum(axis=1).mean()

    assert loss(_temperature(logits, target)) <= min(map(loss, TEMPERATURES)) + 1e-12


def test_temperature_of_no_rows():
    """Without rows nothing is corrected."""
    assert _temperature(np.zeros((0, 3)), np.zeros((0, 3))) == 1.0


def test_window_takes_rows_near_a_node():
    """Within a quarter of a decade where there are many; else the nearest ones, as many as wanted."""
    net = 10 ** np.linspace(0, 4, 4001)
    inside = _window(net, 2.0)
    assert np.abs(np.log10(net[inside]) - 2.0).max() <= 0.25 + 1e-9
    assert inside.sum() == 501
    few = 10 ** np.linspace(0, 1, 300)
    far = _window(few, 4.0)
    assert far.sum() >= 200 and few[far].min() > few[~far].max()


def test_window_of_fewer_rows_than_wanted():
    """All of them."""
    assert _window(np.array([1.0, 10.0, 100.0]), 3.0).all()


def test_flux_limits_get_their_level():
    """Limits of a third of the right width are stretched to hold 84 % on either side."""
    truth = np.exp(rng().normal(0, 0.3, 20000))
    median = np.ones(20000)
    limits = np.stack([0.9 * median, median, 1.1 * median], axis=1)
    rows = {"flux_05_2": truth, "flux_05_2_limits": limits}
    below, above = _flux_scale(rows, "05_2", np.ones(20000, bool))
    assert np.mean(truth > 1 - 0.1 * below) == pytest.approx(FLUX_LEVEL, abs=0.01)
    assert np.mean(truth < 1 + 0.1 * above) == pytest.approx(FLUX_LEVEL, abs=0.01)


def test_flux_limits_never_vanish():
    """Fluxes that are always right keep a tenth of their width."""
    rows = {"flux_2_7": np.ones(50), "flux_2_7_limits": np.tile([0.5, 1.0, 1.5], (50, 1))}
    assert _flux_scale(rows, "2_7", np.ones(50, bool)) == [0.1, 0.1]


def test_level_of_truth():
    """The probability of all classes at least as probable as the true one."""
    probability = np.array([[0.5, 0.3, 0.2], [0.5, 0.3, 0.2], [0.5, 0.3, 0.2], [0.4, 0.4, 0.2]])
    np.testing.assert_allclose(_level_of_truth(probability, np.array([0, 1, 2, 1])), [0.5, 0.8, 1.0, 0.8])


def gaussian_logits(center, width):
    """Log densities over the cells of N_H, in rows."""
    cells = np.linspace(*LOG_NH_RANGE, N_CELLS)
    return -0.5 * ((cells - center[:, None]) / width) ** 2


def head_rows(spread, bias=0.0, n=12000):
    """Rows whose density says 0.2 dex and whose truth is ``spread`` off."""
    center = rng().uniform(20.8, 23.2, n)
    truth = 10 ** (center + bias + spread * rng(1).standard_normal(n))
    return {"nh": truth, "nh_logits": gaussian_logits(center, 0.2), "net": 10 ** rng(2).uniform(0.5, 4.4, n)}


@pytest.mark.parametrize("spread", [0.15, 0.2, 0.4])
def test_head_is_widened_or_narrowed(spread):
    """Dividing logits by (spread / width)**2 makes the density as wide as its errors."""
    fitted = _fit_head(head_rows(spread), "nh")
    wanted = np.clip((spread / 0.2) ** 2, TEMPERATURES[0], TEMPERATURES[-1])
    np.testing.assert_allclose(fitted["nh_temperature"], wanted, rtol=0.25)
    assert len(fitted["nh_temperature"]) == len(fitted["nh_below"]) == len(NODES)


def test_distribution_function_of_a_head_that_is_right():
    """The truth is anywhere with equal probability; the ends are exact."""
    for row in _fit_head(head_rows(0.2), "nh")["nh_below"]:
        assert row[0] == 0.0 and row[-1] == 1.0 and np.all(np.diff(row) >= 0)
        np.testing.assert_allclose(row, LEVELS, atol=0.06)


def test_distribution_function_of_a_biased_head():
    """A head that is too low has its truths above its median: more than half lie there."""
    fitted = _fit_head(head_rows(0.2, bias=0.15), "nh")
    assert np.all([np.interp(0.5, row, LEVELS) < 0.4 for row in fitted["nh_below"]])


def test_quantities_that_a_source_has_not():
    """Rows without a column change nothing."""
    rows = head_rows(0.2)
    more = {name: np.concatenate([values, values[:500]]) for name, values in rows.items()}
    more["nh"][-500:] = np.nan
    assert _fit_head(more, "nh") == _fit_head(rows, "nh")


def test_columns_by_class():
    """Where one class's N_H comes out too low and another's too wide, both hold what they state by name."""
    from astro_xlatent.model.calibration import Calibration
    from astro_xlatent.model.density import probability_below_truth
    from astro_xlatent.model.network import Config

    n = 40000
    named = rng(3).choice([0, 2], n)
    rows = head_rows(0.2, n=n)
    center = np.log10(rows["nh"]) - 0.2 * rng(1).standard_normal(n)
    rows["nh"] = 10 ** (center + np.where(named == 0, 0.2, 0.0) + np.where(named == 0, 0.2, 0.13)
                         * rng(4).standard_normal(n))
    # One row in five is of the other class than the one that is named.
    truth = np.where(rng(5).random(n) < 0.2, 2 - named, named)
    rows |= {"classes": 6.0 * np.eye(9)[named], "class_index": truth}
    flat = [1.0] * len(NODES)
    fitted = _fit_columns(rows, {"class_temperature": flat, "nh_temperature": flat})
    tables = Calibration.identity(Config()).tables | {"nodes": NODES, "levels": LEVELS}
    tables["bands"] = {"nh_temperature": flat} | fitted
    density = Calibration(tables).density("nh", "bands", rows["net"], rows["nh_logits"],
                                          softmax(rows["classes"], axis=1))
    below = probability_below_truth(density, LOG_NH_RANGE, np.log10(rows["nh"]), rng(6))
    for k in (0, 2):
        inside = np.abs(below[named == k] - 0.5)
        assert np.mean(inside < 0.34) == pytest.approx(0.68, abs=0.05)
        assert np.mean(inside < 0.45) == pytest.approx(0.9, abs=0.03)


def test_window_by_weight():
    """A class that is rare near a node is sought farther away."""
    net = 10 ** np.linspace(0, 4, 4001)
    assert _window(net, 2.0, np.ones(4001)).sum() == 501
    assert _window(net, 2.0, np.full(4001, 0.1)).sum() == pytest.approx(2000, abs=2)


def test_levels_and_nodes_are_in_order():
    """The tables that are interpolated in go up; the coverage is that of one standard deviation."""
    for values in (NODES, LEVELS, TEMPERATURES):
        assert np.all(np.diff(values) > 0)
    assert (LEVELS[0], LEVELS[-1]) == (0.0, 1.0)
    assert COVERAGE == pytest.approx(0.6827, abs=1e-4)


@pytest.mark.parametrize("mode", ["bands", "spectra"])
def test_outputs_are_those_of_their_seed(mode, instruments, instrument_file, monkeypatch):
    """Rows depend on the seed alone, hold finite truths' targets, and what is not detected is gone."""
    from astro_xlatent.model.pretrained import load_model

    monkeypatch.setattr(calibrate, "ROWS", 48)
    model = load_model(device="cpu")
    one, again, other = (_outputs((Recipe(str(instrument_file), seed), instruments, model), (mode, 1, True))
                         for seed in (1, 1, 2))
    assert set(one) == set(other)
    for name, values in one.items():
        np.testing.assert_array_equal(values, again[name])
        assert len(values) == len(one["net"]) <= 48
    assert np.all(one["net"] > 0) and np.isfinite(one["target"]).all()
    assert not np.array_equal(one["net"], other["net"][:len(one["net"])])
    assert ("gof" in one) == (mode == "spectra")
