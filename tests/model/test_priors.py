# Licensed under a 3-clause BSD style license - see LICENSE
"""Class priors: what may be given."""

import numpy as np
import pytest

from astro_xlatent.core.errors import ParameterError
from astro_xlatent.model.priors import prior_weights


@pytest.mark.parametrize("prior", [None, np.ones(9), np.ones(8), np.full((4, 9), 3.0), np.ones((4, 8))])
def test_equal_weights_in_any_form(prior):
    """Nine or eight, once or a row, need not be normalized."""
    np.testing.assert_allclose(prior_weights(prior, 4), 1 / 9)


@pytest.mark.parametrize(("prior", "message"), [
    ("flat", "prior is 'flat'"), ({"AGM": 1}, r"unknown classes \['AGM'\]"), (np.ones(7), r"shape \(7,\)"),
    (-np.ones(9), "not negative"), (np.zeros(9), "not all zero"), (np.full(9, np.nan), "finite"),
])
def test_what_is_no_prior(prior, message):
    """Refused by a message that says what may be given."""
    with pytest.raises(ParameterError, match=message):
        prior_weights(prior, 3)
