# Licensed under a 3-clause BSD style license - see LICENSE
"""Catalogs by cone, region and name, from simulated tables on a server."""

import re
from pathlib import Path

import numpy as np
import pytest
from archive_servers import slow, status
from astropy.config import get_cache_dir
from astropy.coordinates import SkyCoord
from astropy.table import Table

from astro_xlatent import add_latents, conf
from astro_xlatent.archive import fetch_catalog
from astro_xlatent.archive.arrange import arrange_columns
from astro_xlatent.compare.positions import read_positions
from astro_xlatent.core.errors import ArchiveError, ParameterError, RegionError, XlatentWarning
from astro_xlatent.missions.base import get_mission, identify_mission
from astro_xlatent.simulate.products import write_catalog
from astro_xlatent.table.files import read_table

N = 60
MIDDLE = (359.99, -30.0)
TABLES = {
    "csc": ("csc", "csc21.master_source"),
    "csc-detections": ("csc", "csc21.master_source"),
    "csc-heasarc": ("csc", "csc"),
    "erass1": ("erosita", "DR1_Main"),
    "erass1-hard": ("erosita", "DR1_Hard"),
    "erass1-vizier": ("erosita", "J/A+A/682/A34/erass1-m"),
    "erass1-heasarc": ("erosita", "erass1main"),
}


def names_of(mission, ra, dec):
    """Names after positions, as the catalogs make them."""
    head = {"csc": "2CXO", "erosita": "1eRASS"}[mission]
    sky = SkyCoord(ra, dec, unit="deg")
    # cut, not rounded
    ras, decs = np.floor(sky.ra.hour * 36000) / 36000, np.trunc(sky.dec.deg * 3600) / 3600
    text = []
    for r, d in zip(ras + 1e-9, decs + 1e-9 * np.sign(decs), strict=True):
        s, t = r * 3600, abs(d) * 3600
        text.append(
            f"{head} J{int(s // 3600):02d}{int(s // 60) % 60:02d}{np.floor(s % 60 * 10) / 10:04.1f}"
            f"{'-' if d < 0 else '+'}{int(t // 3600):02d}{int(t // 60) % 60:02d}{int(t) % 60:02d}"
        )
    return text


@pytest.fixture(scope="module")
def skies(tmp_path_factory):
    """A small field across RA 0 in the columns of each mission."""
    result = {}
    for mission in ("csc", "erosita"):
        folder = tmp_path_factory.mktemp("sky")
        table = read_table(write_catalog(folder / mission, N, mission, seed=3, spectra=False))
        rng = np.random.default_rng(1)
        x, y = rng.uniform(-0.2, 0.2, (2, N))
        sky = SkyCoord(x, y, unit="deg", frame=SkyCoord(*MIDDLE, unit="deg").skyoffset_frame()).icrs
        for name, value in (("ra", sky.ra.deg), ("dec", sky.dec.deg)):
            table[next(own for own in table.colnames if own.lower() == name)] = value
        own = "name" if mission == "csc" else "IAUNAME"
        table[own] = names_of(mission, sky.ra.deg, sky.dec.deg)
        if mission == "erosita":
            table["POS_ERR"] = rng.uniform(1, 6, N)
        result[mission] = table
    return result


def vizier_name(name):
    """A column of eRASS as VizieR would spell it."""
    if name in ("RA", "DEC", "IAUNAME", "POS_ERR"):
        return {"RA": "RA_ICRS", "DEC": "DE_ICRS", "IAUNAME": "IAUName", "POS_ERR": "posErr"}[name]
    error = "e_" if re.search(r"_ERR_P\d", name) else ""
    return error + name.replace("_ERR", "").replace("_", "").replace("CTS", "cts")


def heasarc_name(name):
    """A column of eRASS as HEASARC would spell it."""
    found = re.fullmatch(r"(ML|APE)_(CTS|BKG|EXP)(_ERR)?_(P\d)", name)
    if not found:
        return {"IAUNAME": "name", "POS_ERR": "error_radius"}.get(name, name.lower())
    word = {"CTS": "counts", "BKG": "background", "EXP": "exposure"}[found[2]]
    return (
        f"{found[4].lower()}_{'aperture_' if found[1] == 'APE' else ''}{word}{'_error' if found[3] else ''}"
    )


def respelled(table, key):
    """A table with other spellings, and a column of the archive's own."""
    table = table.copy()
    for name in table.colnames:
        table.rename_column(name, vizier_name(name) if key == "erass1-vizier" else heasarc_name(name))
    table["__row"] = np.arange(len(table))
    return table


@pytest.fixture
def filled(archive, skies):
    """The server with a table under every catalog's name."""
    for key, (mission, source) in TABLES.items():
        table = skies[mission]
        archive.tables[source] = (
            respelled(table, key) if key in ("erass1-vizier", "erass1-heasarc") else table
        )
    return archive


@pytest.mark.parametrize("key", TABLES)
def test_cone(filled, skies, key):
    """Exactly the rows of the cone come, with bands that are recognized and unchanged."""
    mission = TABLES[key][0]
    table = fetch_catalog(key, cone=(*MIDDLE, "6arcmin"))
    truth = skies[mission]
    near = (
        SkyCoord(truth[_own(truth, "ra")], truth[_own(truth, "dec")], unit="deg")
        .separation(SkyCoord(*MIDDLE, unit="deg"))
        .arcmin
        <= 6
    )
    assert 3 < near.sum() < N
    assert len(table) == near.sum()
    assert identify_mission(table).name == mission
    got, want = (get_mission(mission).read_bands(t).bins for t in (table, truth[near]))
    assert np.allclose(got.counts[got.valid], want.counts[want.valid])
    assert np.allclose(got.area[got.valid], want.area[want.valid])
    assert not any(name.startswith("__") for name in table.colnames)


def _own(table, name):
    return next(own for own in table.colnames if own.lower() == name)


def test_arrange_keeps_first(skies):
    """Two columns of one meaning do not displace each other, and the input stays as it is."""
    table = Table({"RA_ICRS": [1.0], "RA": [2.0], "de_icrs": [3.0], "DE_ICRS": [4.0], "e_MLctsP1": [5.0]})
    arranged = arrange_columns(table, "erosita")
    assert arranged.colnames == ["RA_ICRS", "RA", "DEC", "DE_ICRS", "e_MLctsP1"]
    assert table.colnames[2] == "de_icrs"


@pytest.mark.parametrize("key", ["erass1-vizier", "erass1-heasarc"])
def test_respelled(filled, skies, key):
    """As VizieR and HEASARC spell them, tables get latents, and their positions and names are found."""
    table = fetch_catalog(key, cone=(*MIDDLE, "6arcmin"))
    truth = fetch_catalog("erass1", cone=(*MIDDLE, "6arcmin"))
    spelled = "MLctsP1" if key == "erass1-vizier" else "p1_counts"
    assert spelled in table.colnames
    assert list(table["IAUNAME"]) == list(truth["IAUNAME"])
    found, expected = read_positions(table), read_positions(truth)
    assert np.array_equal(found.xyz, expected.xyz)
    assert np.array_equal(found.sigma, expected.sigma)
    latent, expected = (add_latents(rows)["xl_latent"] for rows in (table, truth))
    assert np.isfinite(expected).all()
    assert np.array_equal(latent, expected)


def test_region_file(filled, skies, tmp_path):
    """Only what lies inside the shapes stays, sources of two shapes once, and the queries are cones."""
    path = tmp_path / "field.reg"
    ra, dec = MIDDLE
    path.write_text(f"icrs\ncircle({ra},{dec},6')\nellipse({ra},{dec},9',3',20)\n-circle({ra},{dec},2')\n")
    table = fetch_catalog("csc", regions=path)
    offset = SkyCoord(skies["csc"]["ra"], skies["csc"]["dec"], unit="deg").transform_to(
        SkyCoord(*MIDDLE, unit="deg").skyoffset_frame()
    )
    x, y = -offset.lon.arcmin, offset.lat.arcmin
    turn = np.radians(20)
    along, across = x * np.cos(turn) + y * np.sin(turn), -x * np.sin(turn) + y * np.cos(turn)
    inside = (np.hypot(x, y) <= 6) | (np.hypot(along / 9, across / 3) <= 1)
    inside &= np.hypot(x, y) > 2
    assert sorted(table["name"]) == sorted(skies["csc"]["name"][inside])
    assert len(filled.queries) == 2


def test_regions_given(filled):
    """Regions may be objects of the package regions."""
    from astropy import units as u
    from regions import CircleSkyRegion

    region = CircleSkyRegion(SkyCoord(*MIDDLE, unit="deg"), 6 * u.arcmin)
    assert len(fetch_catalog("csc", regions=[region])) == len(fetch_catalog("csc", cone=(*MIDDLE, "6arcmin")))


@pytest.mark.parametrize("key", ["csc", "erass1", "erass1-vizier"])
def test_names(filled, skies, key):
    """Sources by name, once each; what is not there is said."""
    mission = TABLES[key][0]
    names = list(skies[mission][_own(skies[mission], {"csc": "name", "erosita": "iauname"}[mission])][:3])
    absent = names[0].split()[0] + " J000000.0+890000"
    with pytest.warns(XlatentWarning, match=absent.replace("+", r"\+")):
        table = fetch_catalog(key, names=[names[0], names[1].replace(" ", "   "), *names, absent])
    assert sorted(table[_own(table, {"csc": "name", "erosita": "iauname"}[mission])]) == sorted(names)


def test_detections(filled):
    """The join asks for unique associations only."""
    table = fetch_catalog("csc-detections", cone=(*MIDDLE, "6arcmin"))
    assert {"obsid", "obi", "region_id"} <= set(table.colnames)
    assert "a.match_type = 'u'" in filled.queries[0]


def test_some_queries_fail(filled, skies, monkeypatch):
    """Of several questions, those that were answered count; the rest is said."""
    monkeypatch.setattr("astro_xlatent.archive.fetch.NAMES_PER_QUERY", 10)
    monkeypatch.setattr(conf, "archive_connections", 1)
    filled.plan("/csc21tap", status(400), status(404))
    with (
        pytest.warns(XlatentWarning, match="2 of 6 queries failed, the rows are incomplete.*status 400"),
        pytest.warns(XlatentWarning, match="and 15 more"),
    ):
        table = fetch_catalog("csc", names=skies["csc"]["name"])
    assert len(table) == 40


def test_all_queries_fail(filled):
    """If there is nothing, it is an error."""
    filled.plan("/csc21tap", status(404))
    with pytest.raises(ArchiveError, match="status 404"):
        fetch_catalog("csc", cone=(*MIDDLE, "6arcmin"))


def test_cut(filled):
    """A cut answer is used, but said."""
    filled.limit = 2
    with pytest.warns(XlatentWarning, match="cut its answer after 2 rows"):
        assert len(fetch_catalog("csc", cone=(*MIDDLE, "6arcmin"))) == 2


def test_nothing_there(filled):
    """An empty part of the sky is an empty table with columns."""
    table = fetch_catalog("csc", cone=("100", "20", "1arcmin"))
    assert len(table) == 0
    assert "ra" in table.colnames


def test_unrecognised(filled):
    """Columns that add_latents cannot use are said at once."""
    filled.tables["csc"] = filled.tables["csc"]["name", "ra", "dec"]
    with pytest.warns(XlatentWarning, match="add_latents will not find the bands.*expected flux_aper_s"):
        fetch_catalog("csc-heasarc", cone=(*MIDDLE, "6arcmin"))


def test_meta(filled):
    """Where the rows are from is in keys that FITS can hold."""
    meta = fetch_catalog("csc", cone=(*MIDDLE, "6arcmin")).meta
    assert meta["ARCHURL"].startswith(filled.url)
    assert all(len(key) <= 8 for key in meta)


@pytest.mark.parametrize(
    ("kwargs", "what"),
    [
        ({}, "exactly one of cone, regions and names"),
        ({"cone": (1, 2, "1arcmin"), "names": ["x"]}, "exactly one"),
        ({"cone": (1, 2)}, "cone must be a Cone or"),
        ({"cone": 3}, "cone must be a Cone or"),
        ({"names": []}, "names is empty"),
        ({"names": "M31"}, "'M31' is no name of CSC 2.1 sources"),
        ({"cone": (1, 2, "1arcmin"), "max_rows": 0}, "max_rows must be 1 or more"),
    ],
)
def test_bad_arguments(kwargs, what):
    """Nothing is asked before the arguments are right."""
    with pytest.raises(ParameterError, match=what):
        fetch_catalog("csc", **kwargs)


@pytest.mark.parametrize(
    ("given", "what"),
    [
        ([], "no shape; a region needs at least one included shape"),
        ("none.reg", "none.reg"),
        ([3], "region is a list; give the path of a DS9, CRTF or FITS region file"),
    ],
)
def test_bad_regions(filled, given, what):
    """Regions that cannot be read are refused before anything is asked."""
    with pytest.raises(RegionError, match=what):
        fetch_catalog("csc", regions=given)
    assert not filled.queries


def test_polite(filled, skies, monkeypatch):
    """One connection, and nothing in astroquery's cache of pickled answers."""
    monkeypatch.setattr("astro_xlatent.archive.fetch.NAMES_PER_QUERY", 5)
    filled.plan("/csc21tap", *[slow(0.05)] * 12)
    assert len(fetch_catalog("csc", names=skies["csc"]["name"])) == N
    assert filled.most_busy == 1
    assert len(fetch_catalog("erass1-vizier", cone=(*MIDDLE, "6arcmin")))
    assert not list(Path(get_cache_dir()).rglob("*.pickle"))


def test_vizier_names(filled, skies):
    """All positions in one request, every column, and no more than what was asked for."""
    names = list(skies["erosita"]["IAUNAME"][:3])
    fetch_catalog("erass1-vizier", names=names)
    assert len(filled.queries) == 1
    assert {"-out.all", "-source=J/A+A/682/A34/erass1-m"} <= set(filled.queries[0].splitlines())
    with pytest.warns(XlatentWarning, match="cut its answer after 2 rows"):
        assert len(fetch_catalog("erass1-vizier", cone=(*MIDDLE, "6arcmin"), max_rows=2)) == 2


@pytest.mark.parametrize("key", ["erass1-vizier", "erass1-heasarc", "erass1"])
def test_nothing_there_of_others(filled, key):
    """An empty part of the sky has no rows anywhere."""
    assert len(fetch_catalog(key, cone=("100", "20", "1arcmin"))) == 0


def test_heasarc_names(filled, skies):
    """HEASARC is asked for a list of names by its column."""
    names = skies["csc"]["name"][:3].tolist()
    assert sorted(fetch_catalog("csc-heasarc", names=names)["name"]) == sorted(names)
    assert filled.queries == [f"SELECT * FROM csc WHERE name IN ({str(names)[1:-1]})"]


@pytest.mark.parametrize("key", ["erass1-vizier", "csc-heasarc"])
def test_no_name_is_there(filled, key):
    """If none of the names is found, they are named all the same."""
    name = ("2CXO" if key == "csc-heasarc" else "1eRASS") + " J000000.0+890000"
    with pytest.warns(XlatentWarning, match=r"has no \w+ J000000"):
        assert len(fetch_catalog(key, names=[name])) == 0
