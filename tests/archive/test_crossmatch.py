# Licensed under a 3-clause BSD style license - see LICENSE
"""Counterparts through the CDS cross-match service, on loopback."""

import numpy as np
import pytest
from archive_servers import data, status
from astropy import units as u
from astropy.table import Table

from astro_xlatent.archive.crossmatch import (
    COMPLETENESS,
    RADIUS,
    SURVEYS,
    _choose,
    counterparts,
    match_probability,
)
from astro_xlatent.cli.main import main
from astro_xlatent.core.errors import ArchiveError, ParameterError, TableError
from astro_xlatent.table.counterparts import read_counterparts

pytest.importorskip("astroquery", reason="cross-matching needs astroquery, extra [archive]")

ARCSEC = 1 / 3600


@pytest.fixture
def sky(archive):
    """Four sources: a sure counterpart, two candidates, only a far one, and none; one without position."""
    table = Table(
        {
            "name": list("abcde"),
            "ra": [10.0, 20.0, 30.0, 40.0, np.nan],
            "dec": [0.0, 0.0, 0.0, 0.0, 0.0],
            "err_ellipse_r0": [0.8] * 5 * u.arcsec,
        }
    )
    ra = np.array([10.0, 20.0, 20.0, 30.0]) + np.array([0.1, 0.2, 0.9, 6.0]) * ARCSEC
    place = {"ra": ra, "dec": np.zeros(4)}
    archive.tables["I/355/gaiadr3"] = Table(
        place
        | {
            "Source": [1, 2, 3, 4],
            "Gmag": [15.0, 16.0, 17.0, 18.0] * u.mag,
            "Plx": [2.0, -0.1, 0.0, 1.0] * u.mas,
            "e_Plx": [0.1, 0.1, 0.1, 0.1] * u.mas,
            "PM": [5.0, 1.0, 1.0, 1.0] * u.mas / u.yr,
        }
    )
    archive.tables["II/246/out"] = Table(
        place | {"2MASS": list("wxyz"), "Jmag": [13.0, 14.0, 15.0, 16.0]}
    )
    archive.tables["II/328/allwise"] = Table(place | {"AllWISE": list("wxyz"),
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
    """Nor does a connection that breaks stop the run."""
    archive.plan("/xmatch", status(503), data(b"<VOTABLE", "text/xml", length=5000))
    assert counterparts(sky, surveys=["gaia"], cache=tmp_path)["gaia_n"][0] == 1


def test_columns_must_not_collide(sky, tmp_path):
    """A table that has a survey's column is refused by name, as is one without positions."""
    sky["gmag"] = 1.0
    with pytest.raises(TableError, match="gmag"):
        counterparts(sky, cache=tmp_path)
    with pytest.raises(TableError, match="ra and dec"):
        counterparts(Table({"x": [1]}), cache=tmp_path)


@pytest.mark.parametrize("limit", [None, 2])
def test_tap_gives_the_same(sky, archive, tmp_path, limit):
    """VizieR's TAP service with the positions uploaded; where it cuts an answer, the halves are asked for."""
    one = counterparts(sky, cache=tmp_path / "a")
    archive.limit = limit
    two = counterparts(sky, service="tap", cache=tmp_path / "b")
    assert archive.count("/TAPVizieR/tap/sync") == (3 if limit is None else 15)
    assert two.colnames == one.colnames
    for name in ("Source", "Gmag", "gaia_n", "gaia_p_i", "W1mag", "tmass_n"):
        assert two[name].tolist() == pytest.approx(one[name].tolist(), nan_ok=True)


def test_gaia_archive_and_catwise(sky, archive, tmp_path):
    """Both are asked for by name, keep their own columns, and are recognized as counterparts."""
    place = archive.tables["I/355/gaiadr3"]["ra", "dec"]
    archive.tables["gaiadr3.gaia_source"] = Table(
        {"ra": place["ra"], "dec": place["dec"], "source_id": [1, 2, 3, 4], "pm": [5.0, 1.0, 1.0, 1.0],
         "phot_g_mean_mag": [15.0, 16.0, 17.0, 18.0], "parallax": [2.0] * 4, "parallax_error": [0.1] * 4})
    archive.tables["II/365/catwise"] = Table(
        {"ra": place["ra"], "dec": place["dec"], "objID": [1, 2, 3, 4], "W1mproPM": [12.0, 13.0, 14.0, 15.0]})
    sky.write(tmp_path / "in.fits")
    words = ["counterparts", str(tmp_path / "in.fits"), "-o", str(tmp_path / "out.fits"), "--cache",
             str(tmp_path), "--surveys", "gaia-esa,catwise"]
    assert main(words) == 0
    out = Table.read(tmp_path / "out.fits")
    assert archive.count("/gaia/tap/sync") == 1
    assert out["source_id"][0] == 1
    found = read_counterparts(out)
    assert found.found["gaia"].tolist() == found.found["wise"].tolist() == [True, True, False, False, False]
    assert found.known["gaia"].tolist() == found.known["wise"].tolist() == [True] * 4 + [False]
    assert found.wrong[0] == pytest.approx(1 - max(out["gaia_p_i"][0], out["catwise_p_i"][0]), abs=1e-6)
    assert archive.count("xmatch") == 1


def test_one_source_that_tap_cuts(sky, archive, tmp_path):
    """Candidates of a source that do not all come are no answer."""
    archive.limit = 1
    with pytest.raises(ArchiveError, match="cuts the list"):
        counterparts(sky[1:2], service="tap", cache=tmp_path)


def test_unknown_surveys(sky, tmp_path):
    """They are refused with those allowed."""
    with pytest.raises(ParameterError, match="panstarrs.*catwise"):
        counterparts(sky, surveys=["panstarrs"], cache=tmp_path)


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


@pytest.mark.parametrize("density", [0.003, 0.03])
def test_probability_is_the_share_that_is_right(density):
    """Simulated: seven of ten sources have a counterpart, among others that lie there by chance."""
    rng, n, sigma = np.random.default_rng(1), 4000, 0.5
    number = rng.poisson(density * np.pi * RADIUS**2, n)
    row, apart = np.repeat(np.arange(n), number), RADIUS * np.sqrt(rng.random(number.sum()))
    has = np.flatnonzero(rng.random(n) < COMPLETENESS)
    found = Table({"xl_row": np.concatenate([row, has]),
                   "angDist": np.concatenate([apart, rng.rayleigh(sigma, len(has))]),
                   "true": np.arange(len(row) + len(has)) >= len(row)})
    chosen = _choose([found], SURVEYS["gaia"], np.full(n, sigma), np.arange(n))
    assert len(np.unique(chosen["xl_row"])) == len(chosen) > 0.65 * n
    for low, high in ((0.0, 0.5), (0.5, 0.8), (0.8, 0.95), (0.95, 1.0)):
        part = chosen[(chosen["xl_p_i"] > low) & (chosen["xl_p_i"] <= high)]
        error = np.sqrt(0.25 / max(len(part), 1))
        assert np.mean(part["true"]) == pytest.approx(np.mean(part["xl_p_i"]), abs=0.04 + 2 * error)
