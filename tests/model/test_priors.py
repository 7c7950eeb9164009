# Licensed under a 3-clause BSD style license - see LICENSE
"""Class priors: what may be given, and the galactic one by hand."""

import numpy as np
import pytest
from scipy.special import softmax

from astro_xlatent.core.errors import ParameterError
from astro_xlatent.model.priors import FLOOR, GalacticPrior, galactic_features, prior_weights


@pytest.fixture
def table():
    """A made-up regression of eight classes on seven features."""
    rng = np.random.default_rng(2)
    return {"mean": rng.normal(size=7).tolist(), "scale": rng.uniform(0.5, 2, 7).tolist(),
            "coefficient": rng.normal(size=(8, 7)).tolist(), "intercept": rng.normal(size=8).tolist()}


def test_galactic_prior_by_hand(table):
    """A logistic regression, none of the eight below its floor, a ninth for "other"."""
    lon, lat, flux = np.array([0.0, 120.0]), np.array([0.5, -60.0]), np.array([1e-13, 1e-15])
    found = GalacticPrior(table, lon, lat).weights(np.array([0, 1]), flux)
    scaled = (galactic_features(lon, lat, flux) - table["mean"]) / table["scale"]
    eight = softmax(scaled @ np.array(table["coefficient"]).T + table["intercept"], axis=1)
    wanted = (FLOOR + (1 - 8 * FLOOR) * eight) * 8 / 9
    np.testing.assert_allclose(found, np.column_stack([wanted, np.full(2, 1 / 9)]))
    np.testing.assert_allclose(found.sum(axis=1), 1)


def test_unknown_position_is_flat(table):
    """Rows without a position get equal weights, and do not disturb the others."""
    lon, lat = np.array([np.nan, 10.0]), np.array([np.nan, 5.0])
    found = GalacticPrior(table, lon, lat).weights(np.array([0, 1]), np.full(2, 1e-14))
    np.testing.assert_allclose(found[0], 1 / 9)
    alone = GalacticPrior(table, lon[1:], lat[1:]).weights(np.array([0]), np.full(1, 1e-14))
    np.testing.assert_array_equal(found[1], alone[0])


@pytest.mark.parametrize("prior", [None, np.ones(9), np.ones(8), np.full((4, 9), 3.0), np.ones((4, 8))])
def test_equal_weights_in_any_form(prior):
    """Nine or eight, once or a row, need not be normalised."""
    np.testing.assert_allclose(prior_weights(prior, 4), 1 / 9)


@pytest.mark.parametrize(("prior", "message"), [
    ("flat", "prior is 'flat'"), ({"AGM": 1}, r"unknown classes \['AGM'\]"), (np.ones(7), r"shape \(7,\)"),
    (-np.ones(9), "not negative"), (np.zeros(9), "not all zero"), (np.full(9, np.nan), "finite"),
])
def test_what_is_no_prior(prior, message):
    """Refused by a message that says what may be given."""
    with pytest.raises(ParameterError, match=message):
        prior_weights(prior, 3)
