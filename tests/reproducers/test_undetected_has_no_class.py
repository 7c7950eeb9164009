# Licensed under a 3-clause BSD style license - see LICENSE
"""Counts at or below the background: nine equal probabilities are no AGN."""

import numpy as np
from astropy.table import Table

from astro_xlatent import load_model
from astro_xlatent.compare.observations import combine, group_latents, share_latents
from astro_xlatent.core.columns import class_values
from astro_xlatent.core.flags import Flag
from astro_xlatent.spectra.bins import EnergyBins


def undetected(n):
    """Posteriors of n rows with fewer counts than background."""
    ones = np.ones((n, 3))
    lo = ones * [0.5, 1.2, 2.0]
    bins = EnergyBins(e_lo=lo, e_hi=ones * [1.2, 2.0, 7.0], counts=ones, background=5 * ones,
                      background_error=0.5 * ones, area=1e6 * ones, resolution=0.1 * ones, valid=ones > 0)
    return load_model().infer(bins)


def table(flags):
    """Observations of one source, with latents even where nothing was detected."""
    n = len(flags)
    return Table({"name": ["x"] * n, "xl_latent": np.full((n, 8), 0.4), "xl_latent_err": np.full((n, 8), 0.5),
                  "xl_class_prob": np.full((n, 8), 0.125), "xl_class_other": np.full(n, 1 / 9),
                  "xl_flag": flags}, meta={"XLSPACE": "a"})


def test_posteriors_of_nothing_have_no_joint():
    """Neither latents nor class, and no observation counts as used."""
    joint = combine([undetected(2), undetected(2)])
    assert np.isnan(joint.latent).all() and np.isnan(joint.latent_cov).all()
    assert np.isnan(joint.class_prob).all()
    assert (joint.n_obs == 2).all() and (joint.n_used == 0).all()


def test_flagged_rows_have_no_joint():
    """Class, latents and their errors are masked; what one detection says stands."""
    none = group_latents(table([Flag.NO_SOURCE, Flag.NO_SOURCE]))
    for name in ("xl_latent", "xl_latent_err", "xl_class", "xl_class_prob", "xl_class_other", "xl_p_change"):
        assert np.ma.getmaskarray(none[name]).all()
    shared = share_latents(table([Flag.NO_SOURCE, 0]))
    np.testing.assert_allclose(shared["xl_latent"], 0.4)
    assert list(shared["xl_n_used"]) == [1, 1]


def test_unknown_probabilities_name_no_class():
    """NaN in, an empty name out."""
    values = class_values(np.array([np.full(9, np.nan), np.eye(9)[2]]))
    assert list(values["xl_class"]) == ["", "HM-STAR"]
