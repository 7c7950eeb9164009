# Licensed under a 3-clause BSD style license - see LICENSE
"""Counterparts in columns: what services and cross-matches write, right and wrong."""

import numpy as np
import pytest
from astropy import units as u
from astropy.table import MaskedColumn, Table

from astro_xlatent.core.errors import TableError
from astro_xlatent.core.flags import Flag
from astro_xlatent.table.counterparts import read_counterparts


def flagged(found, flag):
    """Rows with a flag."""
    return ((found.flags & flag) != 0).tolist()


@pytest.mark.parametrize("name", ["Gmag", "phot_g_mean_mag", "mw_Gmag", "gaia_Gmag", "GMAG"])
def test_spellings(name):
    """Services' names, bare or behind a catalog's, in any case."""
    found = read_counterparts(Table({name: [15.0, np.nan]}))
    assert found.values["G"][0] == 15
    assert found.found["gaia"].tolist() == [True, False]
    assert not read_counterparts(Table({"flux_aper_b": [15.0]})).known["gaia"].any()


def test_three_states():
    """Found, searched and none, unknown; what is assumed of empty columns has a flag."""
    number = MaskedColumn([1, 0, 0], mask=[False, False, True])
    found = read_counterparts(
        Table({"Gmag": [15.0, np.nan, np.nan], "gaia_n": number, "Jmag": [13.0, np.nan, 14]})
    )
    assert found.known["gaia"].tolist() == [True, True, False]
    assert found.found["gaia"].tolist() == [True, False, False]
    assert not found.known["wise"].any()
    assert flagged(found, Flag.COUNTERPART_ASSUMED_NONE) == [False, True, False]


@pytest.mark.parametrize("bad", [0.0, 99.0, 1e20, -99.0, np.inf, np.nan])
def test_impossible_magnitudes(bad):
    """Sentinels are no magnitudes; those that are numbers have a flag."""
    found = read_counterparts(Table({"Jmag": [bad, 14.0]}))
    assert np.isnan(found.values["J"][0])
    assert found.values["J"][1] == 14
    assert flagged(found, Flag.COUNTERPART_ODD) == [bool(np.isfinite(bad)), False]


def test_error_that_means_a_limit():
    """W3 with an error of 1e20 is an upper limit."""
    found = read_counterparts(Table({"W1mag": [12.0] * 2, "W3mag": [9.0] * 2, "e_W3mag": [1e20, 0.1]}))
    assert np.isnan(found.values["W3"]).tolist() == [True, False]
    assert flagged(found, Flag.COUNTERPART_ODD) == [True, False]


def test_fluxes_in_place_of_magnitudes():
    """Flux densities are turned into Vega magnitudes; what is neither is refused by name."""
    found = read_counterparts(Table({"Kmag": [666.7, 0.6667] * u.Jy}))
    np.testing.assert_allclose(found.values["K"][1], 7.5, atol=1e-3)
    with pytest.raises(TableError, match="'gmag' has unit electron / s"):
        read_counterparts(Table({"Gmag": [1e4] * u.electron / u.s}))


@pytest.mark.parametrize(("unit", "factor"), [(None, 1), (u.mas, 1), (u.arcsec, 1e-3), (None, 1e-3)])
def test_parallax_in_mas_or_arcsec(unit, factor):
    """Units are used where given; arcsec without one are known by impossibly small errors, and flagged."""
    columns = {"Gmag": [15.0], "Plx": [2.0 * factor], "e_Plx": [0.1 * factor]}
    table = Table({name: u.Quantity(v, unit) if unit and "Plx" in name else v for name, v in columns.items()})
    found = read_counterparts(table)
    np.testing.assert_allclose([found.values["Plx"][0], found.values["e_Plx"][0]], [2.0, 0.1])
    assert flagged(found, Flag.COUNTERPART_ODD) == [unit is None and factor != 1]


def test_wrong_unit_of_a_parallax():
    """A parallax in magnitudes is refused."""
    with pytest.raises(TableError, match="Plx"):
        read_counterparts(Table({"Plx": [1.0] * u.mag, "e_Plx": [0.1] * u.mag}))


def test_parallaxes_negative_missing_and_without_error():
    """Negative ones are measurements, 0 with error 0 is missing, without an error nothing is known."""
    table = Table({"Gmag": [15.0] * 3, "Plx": [-1.0, 0.0, 3.0], "e_Plx": [0.5, 0.0, np.nan]})
    found = read_counterparts(table)
    assert found.values["Plx"][0] == -1
    assert np.isnan(found.values["Plx"][1:]).all()
    assert flagged(found, Flag.COUNTERPART_ODD) == [False, False, True]


def test_proper_motion_from_components():
    """Gaia's archive gives components only."""
    table = Table({"phot_g_mean_mag": [15.0], "pmra": [3.0], "pmdec": [4.0], "pmra_error": [0.1],
                   "pmdec_error": [0.1]})
    found = read_counterparts(table)
    np.testing.assert_allclose([found.values["PM"][0], found.values["e_PM"][0]], [5.0, 0.1])


@pytest.mark.parametrize(("unit", "factor"), [(u.mas / u.yr, 1), (u.arcsec / u.yr, 1e-3), (None, 1e-3)])
def test_proper_motion_in_mas_or_arcsec(unit, factor):
    """As for parallaxes; without errors a motion is not used."""
    values = {"PM": [5.0 * factor] * 2, "e_PM": [0.1 * factor, np.nan]}
    table = Table({"Gmag": [15.0] * 2} | {k: u.Quantity(v, unit) if unit else v for k, v in values.items()})
    found = read_counterparts(table)
    np.testing.assert_allclose(found.values["PM"], [5.0, np.nan])
    assert flagged(found, Flag.COUNTERPART_ODD) == [unit is None, True]


def test_catwise_where_allwise_has_nothing():
    """Magnitudes of two catalogs of one survey complete each other."""
    table = Table({"W1mag": [12.0, np.nan], "W1mproPM": [12.5, 13.0], "allwise_n": [1, 0],
                   "catwise_n": [1, 1], "catwise_p_i": [0.8, 0.7]})
    found = read_counterparts(table)
    assert found.values["W1"].tolist() == [12, 13]
    assert found.found["wise"].all()
    np.testing.assert_allclose(found.wrong, [0.2, 0.3])


def test_far_counterparts():
    """Beyond the errors they are left out, unless 16 years of proper motion explain it; both are said."""
    table = Table({"Gmag": [15.0] * 4, "mw_r_gaia": [0.5, 4.0, 4.0, 4.0], "PM": [1.0, 1.0, 400.0, 1.0],
                   "e_PM": [0.1] * 4})
    found = read_counterparts(table, error=np.array([0.5, 0.5, 0.5, 5.0]))
    assert found.found["gaia"].tolist() == [True, False, True, True]
    assert np.isnan(found.values["G"][1])
    assert flagged(found, Flag.COUNTERPART_ODD) == [False, True, False, False]
    assert flagged(found, Flag.COUNTERPART_AMBIGUOUS) == [False, False, True, False]


def test_two_candidates_and_match_probability():
    """More than one candidate is said; a matcher's probability replaces the default."""
    found = read_counterparts(Table({"Gmag": [15.0, 16.0], "gaia_n": [2, 1], "gaia_p_i": [0.6, np.nan]}))
    assert flagged(found, Flag.COUNTERPART_AMBIGUOUS) == [True, False]
    np.testing.assert_allclose(found.wrong, [0.4, 0.1])


def test_optical_surveys_are_not_gaia():
    """The gmag of SDSS stands beside an rmag."""
    found = read_counterparts(Table({"gmag": [19.0], "rmag": [18.5]}))
    assert not found.known["gaia"].any()
    assert (
        read_counterparts(Table({"gmag": [19.0], "rmag": [18.5], "gaia_Gmag": [17.0]})).values["G"][0] == 17
    )


def test_two_columns_that_differ_by_case():
    """Which one is meant is not guessed."""
    with pytest.raises(TableError, match="differ only by case"):
        read_counterparts(Table({"GMAG": [15.0], "gMag": [16.0]}))
