# Licensed under a 3-clause BSD style license - see LICENSE
"""Counterparts through the CDS cross-match service, on loopback."""

import numpy as np
import pytest
from archive_servers import page, status
from astropy import units as u
from astropy.table import Table

from astro_xlatent.archive.crossmatch import SURVEYS, counterparts, match_probability
from astro_xlatent.core.errors import ArchiveError, TableError

pytest.importorskip("astroquery", reason="cross-matching needs astroquery, extra [archive]")

ARCSEC = 1 / 3600


@pytest.fixture
def sky(archive):
    """Four sources: a sure counterpart, two candidates, only a far one, and none; a fifth without position."""
    table = Table({"name": list("abcde"), "ra": [10.0, 20.0, 30.0, 40.0, np.nan], "dec": [0.0, 0.0, 0.0, 0.0, 0.0],
                   "err_ellipse_r0": [0.8] * 5 * u.arcsec})
    ra = np.array([10.0, 20.0, 20.0, 30.0]) + np.array([0.1, 0.2, 0.9, 6.0]) * ARCSEC
    place = {"ra": ra, "dec": np.zeros(4)}
    archive.tables["vizier:I/355/gaiadr3"] = Table(place | {
        "Source": [1, 2, 3, 4], "Gmag": [15.0, 16.0, 17.0, 18.0] * u.mag, "Plx": [2.0, -0.1, 0.0, 1.0] * u.mas,
        "e_Plx": [0.1, 0.1, 0.1, 0.1] * u.mas, "PM": [5.0, 1.0, 1.0, 1.0] * u.mas / u.yr})
    archive.tables["vizier:II/246/out"] = Table(place | {"2MASS": list("wxyz"), "Jmag": [13.0, 14.0, 15.0, 16.0]})
    archive.tables["vizier:II/328/allwise"] = Table(place | {"AllWISE": list("wxyz"),
                                                            "W1mag": [12.0, 13.0, 14.0, 15.0]})
    return table


def test_likeliest_candidate_with_probability(sky, tmp_path):
    """Near ones win; found, none and not looked for stay apart."""
    found = counterparts(sky, cache=tmp_path)
    assert found["gaia_n"].tolist() == [1, 2, 0, 0, None]
    assert found["Source"].tolist()[:2] == [1, 2]
    assert found["Gmag"].mask.tolist() == [False, False, True, True, True]
    assert found["Gmag"].unit == u.mag
    assert found["gaia_p_i"][0] > 0.95
    assert found["gaia_p_i"][1] < found["gaia_p_i"][0]
    assert found["gaia_angDist"][0] == pytest.approx(0.1, abs=1e-3)
    assert {"Jmag", "W1mag", "tmass_n", "allwise_p_i"} <= set(found.colnames)
    assert "gaia_n" not in sky.colnames


def test_second_run_asks_nothing(sky, tmp_path, archive):
    """What has come is kept; what failed is asked for again."""
    archive.plan("/xmatch", *[lambda handler: "answer"] * 2, *[status(503)] * 3)
    with pytest.raises(ArchiveError, match="what came so far is kept"):
        counterparts(sky, cache=tmp_path)
    before = archive.count("xmatch")
    whole = counterparts(sky, cache=tmp_path)
    assert archive.count("xmatch") == before + 1
    counterparts(sky, cache=tmp_path)
    assert archive.count("xmatch") == before + 1
    assert whole["W1mag"][0] == 12.0


def test_chunks_give_the_same(sky, tmp_path, monkeypatch):
    """Objects found do not depend on how many sources are asked for at once."""
    one = counterparts(sky, cache=tmp_path / "a")
    monkeypatch.setattr("astro_xlatent.archive.crossmatch.CHUNK", 2)
    two = counterparts(sky, cache=tmp_path / "b")
    assert one["Gmag"].tolist() == two["Gmag"].tolist()
    assert len(list((tmp_path / "b").glob("gaia-*"))) == 2


def test_passing_failure_is_retried(sky, tmp_path, archive):
    """A web page for an answer once does not stop the run."""
    archive.plan("/xmatch", page())
    assert counterparts(sky, surveys=SURVEYS[:1], cache=tmp_path)["gaia_n"][0] == 1


def test_columns_must_not_collide(sky, tmp_path):
    """A table that has a survey's column is refused by name, as is one without positions."""
    sky["gmag"] = 1.0
    with pytest.raises(TableError, match="gmag"):
        counterparts(sky, cache=tmp_path)
    with pytest.raises(TableError, match="ra and dec"):
        counterparts(Table({"x": [1]}), cache=tmp_path)


def test_no_rows(archive, tmp_path):
    """An empty table asks nothing and gets the columns."""
    found = counterparts(Table({"ra": np.zeros(0), "dec": np.zeros(0)}), cache=tmp_path)
    assert len(found) == 0
    assert "gaia_p_i" in found.colnames


def test_probability_falls_with_distance_and_density():
    """Bayes: never above one for a source, and small where others abound."""
    apart = np.array([0.2, 0.4])
    p = match_probability(apart, 0.4, np.array([0, 0]), np.array([1e-3] * 2), np.ones(2))
    crowded = match_probability(apart, 0.4, np.array([0, 0]), np.array([1.0] * 2), np.ones(2))
    assert p[0] > p[1]
    assert p.sum() <= 1
    assert (crowded < p).all()
