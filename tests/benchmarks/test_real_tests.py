# Licensed under a 3-clause BSD style license - see LICENSE
"""The tests on real rows, on rows of known properties."""

import numpy as np
import pytest
from evaluate.labeled import make_labeled

from astro_xlatent.core.columns import CLASSES
from astro_xlatent.evaluate.rows import prepare_rows
from benchmarks.studies import real_tests
from benchmarks.studies.real_tests import class_numbers, column_numbers, moved_to_plane, prior_numbers


@pytest.fixture(scope="module")
def rows():
    """Probabilities that know the class beside hardness ratios that do not."""
    table = make_labeled(300)
    table["powlaw_nh_mean"] = np.array(table["xl_nh"]) / 1e20 / 1.3
    table["e_powlaw_nh_mean"] = 0.1 * table["powlaw_nh_mean"]
    table["powlaw_gamma_mean"] = np.where(np.arange(300) % 2, 1.7, 4.0)
    return prepare_rows(table, "class_label")[0]


def test_model_against_classifiers(rows, monkeypatch):
    """The informed model wins by what it is better, beyond what the sample can miss."""
    monkeypatch.setattr(real_tests, "FOLD_SEEDS", (1,))
    monkeypatch.setattr(real_tests, "_TREES", 20)
    numbers = class_numbers(rows, "made up", n_boot=60)
    found = {(n.section, n.quantity, n.method): n for n in numbers if n.subset == "made up"}
    score = found["8 classes", "balanced accuracy", "model, zero-shot"]
    assert score.value > 0.9
    assert found["8 classes", "balanced accuracy", "hardness, random forest"].value < 0.55
    section = "8 classes: differences to the best classifier given the same columns"
    gains = [n for key, n in found.items() if key[0] == section and key[1].startswith("difference in")
             and key[2].startswith("model, zero-shot")]
    assert len(gains) == 1
    assert gains[0].low > 0.2
    power = found[section, "difference found in four of five such samples", gains[0].method]
    assert 0 < power.value < gains[0].value
    assert found["AGN against compact objects", "AUC", "model, zero-shot"].value > 0.95
    assert any(key[0] == "reliability of class probabilities" for key in found)


def test_priors(rows):
    """A prior that forbids AGN has no recall of it; a flat one changes nothing."""
    never = np.ones(len(CLASSES))
    never[CLASSES.index("AGN")] = 0
    weights = {"flat": np.ones((1, 8)), "never": np.tile(never, (len(rows), 1))}
    found = {(n.quantity, n.method): n for n in prior_numbers(rows, weights, "s", "all", n_boot=50)}
    assert found["recall of AGN", "never"].value == 0
    assert found["recall of AGN", "flat"].value > 0.9
    near, far = (found[f"recall of AGN at |b| {side} 5", "flat"] for side in "<>")
    assert near.n + far.n == found["recall of AGN", "flat"].n == np.sum(rows.label == "AGN")


def test_moved_to_plane(rows):
    """Positions handed to the prior lie in the plane, one for every AGN."""
    seen = []

    def weight(chosen, lon, lat):
        seen.append((chosen, lat))
        return np.ones((1, 8))

    number = moved_to_plane(rows, {"seen": weight}, "s", "all", n_boot=20)[0]
    chosen, lat = seen[0]
    assert np.all(rows.label[chosen] == "AGN")
    assert np.all(np.abs(lat) < 5)
    assert number.n == chosen.size


def test_columns_by_subset(rows):
    """The offset to the fits is found; half of the rows have the index of a power law."""
    numbers = column_numbers(rows, "columns", "all")
    found = {(n.quantity, n.subset): n for n in numbers}
    assert {n.section for n in numbers} == {"columns"}
    everything = found["mean difference, dex", "all, fits > 1e21"]
    part = found["mean difference, dex", "all, index of the fit 1-2.6, fits > 1e21"]
    assert 0.3 < part.n / everything.n < 0.7
    assert everything.value == pytest.approx(part.value, abs=0.05)
    wide = [n for n in numbers if "> 0.8 dex" in n.subset]
    assert not wide
