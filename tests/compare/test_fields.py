# Licensed under a 3-clause BSD style license - see LICENSE
"""The split of the sky: friends of friends, poles, the meridian, stability."""

import numpy as np
import pytest
from astropy.coordinates import SkyCoord

from astro_xlatent.core.errors import ParameterError
from benchmarks.sky import JUDGE, MATCH, SkySplit


def assign_split(ra, dec):
    """Field and side of every position."""
    sky = SkySplit(ra, dec)
    return sky.field, sky.split


FROZEN = ["MATCH", "MATCH", "JUDGE", "MATCH", "JUDGE"]


@pytest.fixture(scope="module")
def sky():
    rng = np.random.default_rng(1)
    ra = rng.uniform(0, 360, 1500)
    dec = np.degrees(np.arcsin(rng.uniform(-1, 1, 1500)))
    return ra, dec


def _slow_fields(coords, length):
    """Friends of friends by growing one field at a time over all separations."""
    label = np.full(len(coords), -1)
    near = np.array([coords.separation(c).deg <= length for c in coords])
    for number in range(len(coords)):
        if label[number] >= 0:
            continue
        members = {number}
        while True:
            grown = set(np.flatnonzero(near[list(members)].any(axis=0)))
            if grown == members:
                break
            members = grown
        label[list(members)] = number
    return label


def test_fields_match_a_slow_search():
    """Fields equal those found by growing them over a full table of separations."""
    rng = np.random.default_rng(4)
    ra, dec = rng.uniform(-8, 8, 150) % 360, rng.uniform(-8, 8, 150)
    field, _ = assign_split(ra, dec)
    slow = _slow_fields(SkyCoord(ra, dec, unit="deg"), 1.0)
    np.testing.assert_array_equal(field[:, None] == field, slow[:, None] == slow)


@pytest.mark.parametrize(
    ("ra", "dec"),
    [([359.7, 0.2], [0.0, 0.0]), ([0.0, 180.0], [89.7, 89.7]), ([10.0, 200.0], [-89.6, -89.6])],
)
def test_neighbors_across_meridian_and_poles(ra, dec):
    """Sources 0.5 to 0.8 degrees apart share a field at RA 0 and over either pole."""
    field, split = assign_split(ra, dec)
    assert field[0] == field[1] and split[0] == split[1]


def test_chain_is_one_field_and_gap_ends_it():
    """A chain of friends is one field; 1.1 degrees end it."""
    field, _ = assign_split([10.0, 10.9, 11.8, 12.9], np.zeros(4))
    assert field.tolist() == [0, 0, 0, 1]


def test_no_field_straddles_the_split(sky):
    """All members of a field are on one side, and both sides get about half."""
    field, split = assign_split(*sky)
    for number in np.unique(field):
        assert len(set(split[field == number])) == 1
    assert set(split) == {MATCH, JUDGE}
    assert 0.4 < np.mean(split == MATCH) < 0.6


def test_order_does_not_matter(sky):
    """Shuffled positions get the same sides."""
    ra, dec = sky
    order = np.random.default_rng(0).permutation(ra.size)
    np.testing.assert_array_equal(assign_split(ra, dec)[1][order], assign_split(ra[order], dec[order])[1])


def test_known_fields_take_in_neighbors():
    """A position within a degree of a known one joins its field, another belongs to none."""
    sky = SkySplit([50.0, 120.0], [0.0, -30.0])
    field, split = sky.assign([50.6, 10.0], [0.0, 0.0]), sky.side([50.6, 10.0], [0.0, 0.0])
    assert field[0] == sky.field[0] and split[0] == sky.split[0]
    assert field[1] == -1 and split[1] == ""


def test_sides_are_frozen():
    """Sides of given positions never change: every JUDGE number depends on them."""
    _, split = assign_split([10.684, 83.82, 150.1, 201.37, 6.02], [41.269, -5.39, 2.2, -43.02, -72.08])
    assert split.tolist() == FROZEN


@pytest.mark.parametrize(("ra", "dec"), [([np.nan], [0.0]), ([0.0], [91.0]), ([0.0, 1.0], [0.0])])
def test_bad_positions_are_refused(ra, dec):
    """Positions that are NaN, beyond a pole or of unequal number are refused."""
    with pytest.raises(ParameterError, match="ra and dec"):
        assign_split(ra, dec)


def test_empty_sky():
    """No positions give no fields."""
    field, split = assign_split([], [])
    assert field.size == split.size == 0
