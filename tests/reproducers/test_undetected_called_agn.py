# Licensed under a 3-clause BSD style license - see LICENSE
"""A source that nobody had seen was called AGN, the first of nine equal probabilities."""

import numpy as np
import pytest
from band_rows import csc_table

from astro_xlatent.core.flags import Flag
from astro_xlatent.table.add_latents import add_latents

STANDS = {"xl_nh_ul90", "xl_flux_05_2_hilim", "xl_flux_2_7_hilim", "xl_flux_02_23_hilim",
          "xl_flag", "xl_reason", "xl_model"}


@pytest.fixture(scope="module")
def table():
    """Three rows; in the first no band has a positive flux."""
    table = csc_table(3)
    for band in "smh":
        for part in ("", "_lolim"):
            table[f"flux_aper{part}_{band}"][0] = 0.0
    return table


def test_only_limits_stand(table, random_model):
    """No class, latent or value of N_H or flux; the upper limits are there."""
    found = add_latents(table, model=random_model, include=["xl_class_set", "xl_latent_cov", "xl_kt"])
    assert found["xl_flag"][0] & Flag.NO_SOURCE
    for name in found.colnames[len(table.colnames):]:
        masked = np.ma.getmaskarray(np.ma.asarray(found[name]))
        assert masked[0].all() == (name not in STANDS), name
        assert name == "xl_gof" or not masked[1:].any(), name


def test_source_of_undetected_observations(table):
    """A source whose observations all show nothing has no class; adding one of these changes nothing."""
    table["name"] = ["a", "b", "b"]
    found = add_latents(table, group_by="name")
    assert np.ma.is_masked(found["xl_class"][0]) and np.ma.is_masked(found["xl_latent"][0])
    table["name"] = ["b", "b", "b"]
    joint = add_latents(table, group_by="name")
    np.testing.assert_allclose(joint["xl_latent"][0], found["xl_latent"][1], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(joint["xl_class_prob"][0], found["xl_class_prob"][1], rtol=1e-4, atol=1e-5)
    assert (joint["xl_n_obs"][0], joint["xl_n_used"][0]) == (3, found["xl_n_used"][1])
