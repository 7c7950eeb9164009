# Licensed under a 3-clause BSD style license - see LICENSE
"""The survey prior: number counts of the literature."""

import numpy as np
import pytest

from astro_xlatent.core.columns import CLASSES
from astro_xlatent.core.errors import ParameterError
from astro_xlatent.model.priors import SURVEY_FLOOR, prior_weights, survey_weights

AGN = CLASSES.index("AGN")


def weights(lon, lat, flux, nh=np.nan):
    """Weights of one source."""
    return survey_weights(*(np.array([float(value)]) for value in (lon, lat, flux, nh)))[0]


def test_high_latitudes_are_agn():
    """Nine of ten, with stars next and more of them when bright."""
    faint, bright = weights(90, 60, 1e-14), weights(90, 60, 1e-12)
    assert faint[AGN] > 0.85
    assert np.argsort(faint[:8])[-2] == CLASSES.index("LM-STAR")
    assert bright[CLASSES.index("LM-STAR")] > faint[CLASSES.index("LM-STAR")]


def test_plane_and_bulge():
    """The Galaxy's sources take over, AGN are not forgotten, and the bulge is old."""
    plane, bulge = weights(30, 0.2, 1e-14), weights(1, -2, 1e-13)
    assert 0.1 < plane[AGN] < 0.8
    assert bulge[CLASSES.index("CV")] > plane[CLASSES.index("CV")] > weights(30, 60, 1e-14)[CLASSES.index("CV")]
    assert plane[CLASSES.index("YSO")] > weights(30, 20, 1e-14)[CLASSES.index("YSO")]


def test_absorption_hides_agn():
    """Behind a larger column the same flux is a rarer, brighter AGN."""
    from astro_xlatent.model.priors import _expected

    place = [np.array([30.0] * 2), np.array([2.0] * 2), np.array([1e-14] * 2)]
    open_, hidden = _expected(*place, np.array([1e21, 1e23]))[:, AGN]
    assert hidden < 0.5 * open_


def test_known_density_of_agn():
    """About 300 AGN per square degree are above 1e-14 erg/s/cm2, 0.5-7 keV (COSMOS, CDFs)."""
    from astro_xlatent.model.priors import _agn

    log_flux = np.linspace(-14, -11, 300)
    assert 200 < np.trapezoid(_agn(10**log_flux), log_flux) < 350


@pytest.mark.parametrize("missing", [(np.nan, 0, 1e-14), (0, np.nan, 1e-14), (0, 0, np.nan), (0, 0, 0)])
def test_unknown_is_flat(missing):
    """Without position or flux all classes are alike."""
    np.testing.assert_allclose(weights(*missing), 1 / 9)


def test_rows_sum_to_one_and_have_a_floor():
    """As do all priors."""
    rng = np.random.default_rng(1)
    found = survey_weights(rng.uniform(0, 360, 50), rng.uniform(-90, 90, 50), 10 ** rng.uniform(-16, -10, 50),
                           np.full(50, np.nan))
    np.testing.assert_allclose(found.sum(axis=1), 1)
    assert found.min() >= SURVEY_FLOOR


def test_other_words_are_refused():
    """The literature's frequencies are no prior any more."""
    with pytest.raises(ParameterError, match="'survey'"):
        prior_weights("galactic", 1)
