# Licensed under a 3-clause BSD style license - see LICENSE
"""Formulas and traversals."""

import numpy as np
import pytest

from astro_xlatent.evaluate.interpret import formula_numbers, formula_text, sparse_formula

pytest.importorskip("sklearn", reason="evaluation needs scikit-learn")


def test_formula_is_found_again():
    """Two terms of a cubic, with their coefficients."""
    x = np.random.default_rng(1).normal(size=(400, 3))
    y = 0.5 + 2 * x[:, 0] * x[:, 2] - 1.5 * x[:, 1] ** 3
    formula = sparse_formula(x, y)
    np.testing.assert_allclose(formula.predict(x), y, atol=1e-8)
    assert formula_text(formula, ["a", "b", "c"]) == "+0.50 -1.50 b^3 +2.00 a c"


def test_r2_is_out_of_fold():
    """Noise is not explained, a true relation is; rows with NaN are left out."""
    rng = np.random.default_rng(2)
    x = rng.uniform(-1, 1, (300, 2))
    latent = rng.normal(size=(300, 8))
    latent[:, 3] = x[:, 0] - x[:, 1] ** 2
    x[:10] = np.nan
    numbers = formula_numbers(latent, x, ["HR1", "HR2"], np.arange(300))
    assert [n.n for n in numbers] == [290] * 8
    assert numbers[3].value > 0.99
    assert numbers[0].value < 0.05


def test_too_few_rows_give_nothing():
    """No stack trace either."""
    assert formula_numbers(np.zeros((20, 8)), np.zeros((20, 2)), ["a", "b"], np.arange(20)) == []
