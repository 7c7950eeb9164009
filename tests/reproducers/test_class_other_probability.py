# Licensed under a 3-clause BSD style license - see LICENSE
"""A source that is called "other": its probability stands in a column of its own."""

import numpy as np

from astro_xlatent.core.columns import CLASSES, OTHER, class_values


def test_the_columns_give_the_probability_of_the_class_named():
    """For every class, from the two columns, what was the largest of the nine."""
    nine = np.random.default_rng(3).dirichlet(np.full(9, 0.5), 500)
    values = class_values(nine)
    assert set(values["xl_class"]) == {*CLASSES, OTHER}
    other = values["xl_class"] == OTHER
    eight = values["xl_class_prob"].max(axis=1) * (1 - values["xl_class_other"])
    np.testing.assert_allclose(np.where(other, values["xl_class_other"], eight), nine.max(axis=1), rtol=1e-9)
    # The largest of the eight alone would be wrong for those.
    assert np.all(values["xl_class_prob"].max(axis=1)[other] != nine.max(axis=1)[other])
