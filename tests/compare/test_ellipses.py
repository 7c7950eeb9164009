# Licensed under a 3-clause BSD style license - see LICENSE
"""Error ellipses against matrices in the tangent plane, and what recognizes them."""

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.table import MaskedColumn, Table
from scipy import stats

from astro_xlatent.compare.match import match_catalogs
from astro_xlatent.compare.pairs import candidate_pairs, positional_log_bayes
from astro_xlatent.compare.positions import position_names, read_positions

TO_SIGMA = 1 / np.sqrt(-2 * np.log(0.05))


def ellipses(sky, r0, r1, angle, names=("ra", "dec", "err_ellipse_r0", "err_ellipse_r1", "err_ellipse_ang")):
    """A table of positions with 95 % error ellipses."""
    return Table([sky.ra.deg, sky.dec.deg, r0, r1, angle], names=names)


def matrix(r0, r1, angle):
    """Covariance in (east, north), arcsec^2; the angle of r0 counts from north through east."""
    c, s = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    turn = np.array([[s, -c], [c, s]])
    return turn @ np.diag([(TO_SIGMA * r0) ** 2, (TO_SIGMA * r1) ** 2]) @ turn.T


@pytest.mark.parametrize("dec", [0.0, 55.0, -89.999])
@pytest.mark.parametrize("ra", [0.0001, 200.0])
def test_pairs_like_matrices(ra, dec):
    """Distance in units of the ellipse, and its area, are those of the summed covariance matrices."""
    rng = np.random.default_rng(1)
    n = 60
    center = SkyCoord(np.full(n, ra), np.full(n, dec), unit="deg")
    r = rng.uniform(0.5, 8, (4, n))
    angles = rng.uniform(-180, 360, (2, n))
    offset = rng.uniform(-3, 3, (2, n))
    other = center.spherical_offsets_by(offset[0] * u.arcsec, offset[1] * u.arcsec)
    # The second ellipse's angle counts from its own north: near the pole that is another direction.
    turned = (other.position_angle(center) - center.position_angle(other) + 180 * u.deg).wrap_at("180d").deg
    for k in range(n):
        a = read_positions(ellipses(center[[k]], r[0, [k]], r[1, [k]], angles[0, [k]]))
        b = read_positions(ellipses(other[[k]], r[2, [k]], r[3, [k]], angles[1, [k]] + turned[k]))
        pairs = candidate_pairs(a, b, n_sigma=1e3)
        total = matrix(r[0, k], r[1, k], angles[0, k]) + matrix(r[2, k], r[3, k], angles[1, k])
        expected = offset[:, k] @ np.linalg.solve(total, offset[:, k])
        assert (pairs.separation / pairs.sigma)[0] ** 2 == pytest.approx(expected, rel=1e-4)
        assert pairs.width[0] ** 4 == pytest.approx(np.linalg.det(total), rel=1e-9)
        density = stats.multivariate_normal([0, 0], total).pdf(offset[:, k])
        # One source against anywhere on the sky: density times 4 pi, per steradian.
        found = positional_log_bayes(pairs.separation, pairs.sigma, pairs.width)[0]
        assert found == pytest.approx(np.log(density * 4 * np.pi / (np.pi / 180 / 3600) ** 2), rel=1e-6)


def test_round_ellipses_are_circles():
    """Equal axes give what a circle gives, whatever the angle."""
    rng = np.random.default_rng(2)
    sky = SkyCoord(rng.uniform(0, 0.01, 50), rng.uniform(-0.005, 0.005, 50), unit="deg")
    radius = rng.uniform(1, 5, 50)
    table = ellipses(sky, radius, radius, rng.uniform(0, 180, 50))
    circles = table["ra", "dec", "err_ellipse_r0"]
    one, two = (candidate_pairs(*[read_positions(t)] * 2) for t in (table, circles))
    np.testing.assert_array_equal(one.i, two.i)
    np.testing.assert_allclose(one.sigma, two.sigma)
    np.testing.assert_allclose(one.width, two.width)


def test_distances_of_true_pairs():
    """Offsets drawn from both ellipses have chi-square distances; the search loses none of them."""
    rng = np.random.default_rng(3)
    n = 4000
    center = SkyCoord(rng.uniform(0, 360, n), np.degrees(np.arcsin(rng.uniform(-1, 1, n))), unit="deg")
    tables = []
    for scale in (1.0, 3.0):
        r0, r1 = scale * rng.uniform(1, 6, n), scale * rng.uniform(0.3, 1, n)
        angle = rng.uniform(0, 360, n)
        along, across = TO_SIGMA * r0 * rng.standard_normal(n), TO_SIGMA * r1 * rng.standard_normal(n)
        moved = center.directional_offset_by(angle * u.deg, along * u.arcsec)
        moved = moved.directional_offset_by((angle + 90) * u.deg, across * u.arcsec)
        tables.append(ellipses(moved, r0, r1, angle))
    a, b = (read_positions(t) for t in tables)
    pairs = candidate_pairs(a, b)
    true = a.rows[pairs.i] == b.rows[pairs.j]
    assert true.sum() == n
    square = (pairs.separation / pairs.sigma)[true] ** 2
    assert stats.kstest(square, stats.chi2(2).cdf).pvalue > 1e-3
    # The circle of equal area, as it was used before, is far from that.
    circle = pairs.separation[true] ** 2 / (a.sigma[pairs.i[true]] ** 2 + b.sigma[pairs.j[true]] ** 2)
    assert stats.kstest(circle, stats.chi2(2).cdf).pvalue < 1e-10


def test_ellipses_find_the_right_neighbor():
    """Of two neighbors at the same separation the one along the major axis is the counterpart."""
    a = Table({"ra": [10.0], "dec": [0.0], "err_ellipse_r0": [8.0], "err_ellipse_r1": [1.0],
               "err_ellipse_ang": [90.0]})
    step = 2.5 / 3600
    b = Table({"ra": [10.0 + step, 10.0], "dec": [0.0, step], "pos_err": [0.3, 0.3]})
    pairs = match_catalogs(a, b, spectral=False, share=0.5)
    assert pairs["xm_row_b"][0] == 0 and pairs["xm_prob"][0] > 0.9
    assert pairs["xm_sep"][0] == pytest.approx(2.5, rel=1e-3)


def test_missing_parts_of_an_ellipse():
    """Without angle, or in rows without it, the circle of equal area; one axis alone is a circle."""
    table = Table({"ra": [1.0, 2.0, 3.0], "dec": [0.0, 0.0, 0.0], "err_ellipse_r0": [4.0, 4.0, 4.0],
                   "err_ellipse_r1": [1.0, 1.0, np.nan], "err_ellipse_ang": [30.0, np.nan, 30.0]})
    sky = read_positions(table)
    np.testing.assert_allclose(sky.major / TO_SIGMA, [4.0, 2.0, 4.0])
    np.testing.assert_allclose(sky.minor / TO_SIGMA, [1.0, 2.0, 4.0])
    table["err_ellipse_ang"] = MaskedColumn(table["err_ellipse_ang"], mask=True)
    assert read_positions(table).stretch is None
    del table["err_ellipse_ang"]
    np.testing.assert_allclose(read_positions(table).sigma / TO_SIGMA, [2.0, 2.0, 4.0])


def test_axes_in_either_order():
    """Where the second axis is the longer one, the angle still is that of the first."""
    sky = SkyCoord([10.0], [20.0], unit="deg")
    one = read_positions(ellipses(sky, [1.0], [4.0], [20.0]))
    two = read_positions(ellipses(sky, [4.0], [1.0], [110.0]))
    np.testing.assert_allclose(np.abs(one.stretch), np.abs(two.stretch), atol=1e-12)


@pytest.mark.parametrize(("columns", "sigma"), [
    ({"RAICRS": [9.0], "DEICRS": [1.0], "_2CXO": ["J"], "r0": [2.0], "r1": [0.5], "PA": [3.0]}, TO_SIGMA),
    ({"RA_ICRS": [9.0], "DE_ICRS": [1.0], "posErr": [3.0], "DetLike0": [9.0]}, 3.0),
    ({"RA": [9.0], "DEC": [1.0], "POSERR": [np.sqrt(2.0)], "SRCID": [9]}, 1.0),
    ({"RA": [8.0], "DEC": [2.0], "RA_CORR": [9.0], "DEC_CORR": [1.0], "RADEC_ERR": [9.0],
      "RADEC_ERR_CORR": [np.sqrt(8.0)]}, 2.0),
])
def test_publishers_names(columns, sigma):
    """Positions and errors of VizieR's CSC and eRASS1, of 4XMM and of eFEDS (the corrected ones)."""
    sky = read_positions(Table(columns))
    assert sky.sigma[0] == pytest.approx(sigma)
    expected = SkyCoord(9.0, 1.0, unit="deg").cartesian.xyz.value
    np.testing.assert_allclose(sky.xyz[0], expected)


def test_short_names_alone_mean_nothing():
    """r0 and r1 are an error ellipse in VizieR's table only."""
    assert position_names({"x", "ra"}) is None
    table = Table({"ra": [1.0], "dec": [1.0], "r0": [2.0], "r1": [1.0], "pos_err": [0.7]})
    assert read_positions(table).sigma[0] == 0.7
