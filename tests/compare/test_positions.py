# Licensed under a 3-clause BSD style license - see LICENSE
"""Positions, candidate pairs and positional probabilities against astropy and closed forms."""

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord, search_around_sky
from astropy.table import MaskedColumn, QTable, Table
from scipy import integrate

from astro_xlatent.compare.pairs import (
    candidate_pairs,
    check_numbers,
    match_share,
    positional_log_bayes,
    sky_density,
)
from astro_xlatent.compare.positions import read_positions
from astro_xlatent.core.errors import ParameterError, TableError


def catalog(rng, n, error):
    """Positions all over the sky, the poles and both sides of RA 0 among them."""
    ra, dec = rng.uniform(0, 360, n), np.degrees(np.arcsin(rng.uniform(-1, 1, n)))
    ra[:6], dec[:6] = [0, 359.99999, 0.00001, 10, 200, 77], [0, 0, 0, 90, 89.9999, -90]
    return Table({"RA": ra, "DEC": dec, "POS_ERR": error})


@pytest.mark.parametrize("seed", [1, 2])
def test_pairs_like_search_around_sky(seed):
    """The pairs and separations are astropy's, cut at each pair's own limit."""
    rng = np.random.default_rng(seed)
    a = catalog(rng, 2000, rng.lognormal(1.5, 1.0, 2000))
    b = catalog(rng, 1500, rng.lognormal(0.0, 0.7, 1500))
    b["RA"][6:700] = a["RA"][6:700]
    b["DEC"][6:700] = np.clip(a["DEC"][6:700] + rng.normal(0, 3e-3, 694), -90, 90)
    sky_a, sky_b = read_positions(a), read_positions(b)
    pairs = candidate_pairs(sky_a, sky_b)
    i, j, separation, sigma = pairs.i, pairs.j, pairs.separation, pairs.sigma
    left, right = (SkyCoord(t["RA"], t["DEC"], unit="deg") for t in (a, b))
    reach = 5 * np.hypot(sky_a.sigma.max(), sky_b.sigma.max()) * u.arcsec
    index_a, index_b, distance, _ = search_around_sky(left, right, reach)
    limit = 5 * np.hypot(np.asarray(a["POS_ERR"])[index_a], np.asarray(b["POS_ERR"])[index_b])
    near = distance.arcsec < limit
    expected = dict(zip(zip(index_a[near].tolist(), index_b[near].tolist()), distance.arcsec[near]))
    found = dict(zip(zip(sky_a.rows[i].tolist(), sky_b.rows[j].tolist()), separation))
    assert len(found) > 600 and found.keys() == expected.keys()
    np.testing.assert_allclose([found[k] for k in expected], list(expected.values()), atol=1e-6)
    np.testing.assert_allclose(sigma, np.hypot(sky_a.sigma[i], sky_b.sigma[j]))


def test_bayes_factor_by_integration():
    """Equals the integral over the true position, on the flat sky, over that of unrelated positions."""
    arcsec = np.pi / 180 / 3600
    s1, s2, separation = 1.5, 0.8, 2.2

    def density(x, y, s):
        return np.exp(-0.5 * (x**2 + y**2) / s**2) / (2 * np.pi * s**2)

    def both(y, x):
        return density(x, y, s1) * density(x - separation, y, s2)

    joint = integrate.dblquad(both, -12, 12, -12, 12)[0]
    # The prior of the position is 1 / (4 pi): it is there once in the joint integral, twice in the other.
    expected = np.log(joint / arcsec**2 * 4 * np.pi)
    sigma = np.hypot(s1, s2)
    assert positional_log_bayes(separation, sigma, sigma) == pytest.approx(expected, rel=1e-6)


def test_density_of_a_uniform_sky():
    """The mean density around sources of a uniform sky is that of the sky."""
    rng = np.random.default_rng(3)
    sky = read_positions(catalog(rng, 20000, np.ones(20000)))
    density = sky_density(sky, np.arange(2000))
    assert density.mean() == pytest.approx(20000 / (4 * np.pi), rel=0.03)


@pytest.mark.parametrize("share", [0.1, 0.7])
def test_share_is_found(share):
    """The share of a in b, within the area of b, is estimated from the likelihood ratios."""
    rng = np.random.default_rng(4)
    n = 4000
    a = Table({"ra": np.r_[rng.uniform(0, 2, n), rng.uniform(100, 102, n)], "dec": rng.uniform(-1, 1, 2 * n),
               "pos_err": np.ones(2 * n)})
    b = a[:n][rng.random(n) < share]
    other = Table({"ra": rng.uniform(0, 2, n), "dec": rng.uniform(-1, 1, n), "pos_err": np.ones(n)})
    b["dec"] += rng.normal(0, 1.4 / 3600, len(b))
    b["ra"] += rng.normal(0, 1.4 / 3600, len(b))
    ra, dec = np.r_[b["ra"], other["ra"]], np.r_[b["dec"], other["dec"]]
    sky_a = read_positions(a)
    sky_b = read_positions(Table({"ra": ra, "dec": dec, "pos_err": np.ones(len(ra))}))
    pairs = candidate_pairs(sky_a, sky_b)
    density = sky_density(sky_b, pairs.j) * (np.pi / 180 / 3600) ** 2
    ratio = np.exp(-0.5 * (pairs.separation / pairs.sigma) ** 2) / (2 * np.pi * pairs.sigma**2) / density
    summed = np.bincount(pairs.i, weights=ratio)[np.unique(pairs.i)]
    assert match_share(sky_a, sky_b, summed) == pytest.approx(share, abs=0.03)


@pytest.mark.parametrize(("columns", "expected"), [
    ({"err_ellipse_r0": [2.4477]}, 1.0),
    ({"err_ellipse_r0": [2.0], "err_ellipse_r1": [0.5]}, 1 / 2.4477),
    ({"RADEC_ERR": [np.sqrt(8.0)]}, 2.0),
    ({"POS_ERR": [3.0], "RADEC_ERR": [9.0]}, 3.0),
    ({"pos_err": [0.05] * u.arcmin}, 3.0),
])
def test_recognised_errors(columns, expected):
    """Columns of CSC and eRASS become the standard deviation in one coordinate."""
    table = QTable({"ra": [10.0] * u.deg, "dec": [0.1] * u.rad, **columns})
    assert read_positions(table).sigma[0] == pytest.approx(expected, rel=1e-4)


def test_rows_left_out():
    """Masked, infinite, zero, negative and huge errors, and impossible positions."""
    n = 12
    table = Table({"ra": np.arange(n, dtype=float), "dec": np.zeros(n)})
    table["pos_err"] = MaskedColumn([1, np.inf, np.nan, 0, -1, 1, 1, 1, 999, 1, 1, 1.0], unit="arcsec",
                                    mask=[k == 5 for k in range(n)])
    table["dec"][6], table["ra"][7] = 91.0, np.nan
    sky = read_positions(table)
    assert list(sky.rows) == [0, 9, 10, 11]


@pytest.mark.parametrize(("table", "error", "words"), [
    (Table({"dec": [0.0]}), None, "no column ra"),
    (Table({"ra": [0.0], "dec": [0.0]}), None, "err_ellipse_r0"),
    (Table({"ra": [0.0], "dec": [0.0], "e": [1.0]}), "e", "has no unit"),
    (Table({"ra": [0.0], "dec": [0.0]}), "e", "no column 'e'"),
    (Table({"ra": [0.0], "dec": [0.0]}), 1.0, "angle with a unit"),
    (Table({"ra": [0.0], "dec": [0.0]}), [1.0, 2.0] * u.arcsec, "one or one a row"),
    (QTable({"ra": [0.0] * u.keV, "dec": [0.0], "pos_err": [1.0]}), None, "keV"),
    (QTable({"ra": [0.0], "dec": [0.0], "pos_err": [1.0] * u.s}), None, "pos_err"),
    (QTable({"ra": [0.0], "dec": [0.0], "pos_err": [1.0] * u.deg}), None, "unit wrong"),
    (Table({"Ra": [0.0], "rA": [0.0], "dec": [0.0]}), 1 * u.arcsec, "differ only by case"),
    (Table({"ra": [0.0], "dec": [0.0], "pos_err": [0.0]}), None, "no row"),
])
def test_unusable_tables(table, error, words):
    """The error names the column and the remedy."""
    with pytest.raises(TableError, match=words):
        read_positions(table, "the table", error)


def test_empty_and_single():
    """No rows, and a single one, are fine."""
    table = Table({"ra": [1.0], "dec": [2.0], "pos_err": [1.0]})
    none, one = read_positions(table[:0]), read_positions(table)
    assert len(candidate_pairs(none, one).i) == 0 and len(candidate_pairs(one, one).i) == 1
    assert sky_density(one, np.array([0]))[0] == pytest.approx(1 / (4 * np.pi))


@pytest.mark.parametrize("value", [-0.1, 1.1, np.nan, "0.5", True, [0.5]])
def test_no_probability(value):
    """Anything but a number between 0 and 1 is refused."""
    with pytest.raises(ParameterError, match="share"):
        check_numbers(1, share=value)
