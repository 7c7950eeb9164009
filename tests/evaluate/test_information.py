# Licensed under a 3-clause BSD style license - see LICENSE
"""Mutual information against closed forms."""

import numpy as np
import pytest
from astropy.table import Table

from astro_xlatent.core.errors import ParameterError
from astro_xlatent.evaluate.information import (
    information_numbers,
    measure_information,
    mutual_information,
    normal_scores,
    variability_columns,
)


@pytest.mark.parametrize("correlation", [0.0, 0.5, 0.9])
def test_two_normal_variables(correlation):
    """-ln(1 - r^2) / 2."""
    rng = np.random.default_rng(1)
    x = rng.normal(size=(3000, 1))
    y = correlation * x + np.sqrt(1 - correlation**2) * rng.normal(size=(3000, 1))
    assert mutual_information(x, y) == pytest.approx(-0.5 * np.log(1 - correlation**2), abs=0.05)


def test_no_linear_correlation_is_needed():
    """A circle has no correlation but information."""
    phase = np.random.default_rng(2).uniform(0, 2 * np.pi, 2000)
    x, y = np.cos(phase), np.sin(phase)
    assert abs(np.corrcoef(x, y)[0, 1]) < 0.06
    found = measure_information(x, y, n_permutations=19, n_boot=10)
    assert found.value > 1
    assert found.value > found.null
    assert found.p_value == pytest.approx(0.05)


def test_independent_variables_stay_below_the_null():
    """Estimate and interval are near zero."""
    rng = np.random.default_rng(3)
    found = measure_information(rng.normal(size=(800, 4)), rng.random(800), n_permutations=39, n_boot=20)
    assert found.p_value > 0.05
    assert abs(found.value) < 0.05
    assert found.interval[0] < found.value < found.interval[1]


def test_conditional_information_of_a_chain():
    """Of x -> z -> y, x adds nothing to z; of a common cause with noise it adds the rest."""
    rng = np.random.default_rng(4)
    x = rng.normal(size=(2000, 1))
    z = x + 0.5 * rng.normal(size=(2000, 1))
    y = z + 0.5 * rng.normal(size=(2000, 1))
    assert mutual_information(x, y) > 0.4
    assert mutual_information(x, y, z) == pytest.approx(0, abs=0.06)
    partial = np.linalg.inv(np.corrcoef(np.concatenate([x, z, y], axis=1).T))
    r = -partial[1, 2] / np.sqrt(partial[1, 1] * partial[2, 2])
    assert mutual_information(z, y, x) == pytest.approx(-0.5 * np.log(1 - r**2), abs=0.08)


def test_scores_are_normal_whatever_the_scale():
    """Ties are broken, monotone maps do not matter."""
    rng = np.random.default_rng(5)
    scores = normal_scores(np.repeat([1.0, 2.0], 50), rng)
    assert np.unique(scores).size == 100
    x = rng.random(200)
    np.testing.assert_array_equal(normal_scores(x, rng), normal_scores(np.exp(9 * x), rng))


def test_too_few_rows_are_refused():
    """By name of what arrived."""
    with pytest.raises(ParameterError, match="longer than 6"):
        mutual_information(np.zeros((4, 1)), np.zeros((4, 1)))


def test_table_columns_are_found_and_bad_ones_named():
    """Constant and empty columns are left out with a note."""
    rng = np.random.default_rng(6)
    latent = rng.normal(size=(300, 8))
    table = Table(
        {
            "var_inter_prob_b": latent[:, 0] + 0.1 * rng.normal(size=300),
            "kp_prob_b": np.ones(300),
            "var_index_b": np.full(300, np.nan),
            "flux": rng.random(300),
        }
    )
    assert variability_columns(table) == ["var_inter_prob_b", "kp_prob_b", "var_index_b"]
    numbers, notes = information_numbers(table, latent, rng.normal(size=(300, 2)), quick=True)
    found = {n.method: n.value for n in numbers if n.quantity == "mutual information"}
    assert found["latents: var_inter_prob_b"] > 0.2 > found["hardness ratios: var_inter_prob_b"]
    assert found["latents, given hardness ratios: var_inter_prob_b"] > 0.1
    assert [note.split(":")[0] for note in notes] == ["kp_prob_b", "var_index_b"]
