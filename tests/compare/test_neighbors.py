# Licensed under a 3-clause BSD style license - see LICENSE
"""Neighbours and outliers against searches written out."""

import numpy as np
import pytest
from astropy.table import Table
from enriched import make_enriched

from astro_xlatent.compare.neighbors import neighbors, outliers
from astro_xlatent.core.errors import ModelError, ParameterError, TableError
from astro_xlatent.core.flags import Flag

D = 8


@pytest.fixture
def table():
    """Latents with very different errors, some rows masked."""
    rng = np.random.default_rng(1)
    n = 3000
    t = Table({"name": np.arange(n), "xl_latent": rng.standard_normal((n, D)),
               "xl_latent_err": rng.uniform(0.05, 1.0, (n, 1)) * np.ones(D),
               "xl_flag": np.zeros(n, int)}, masked=True, meta={"XLSPACE": "a"})
    for name in ("xl_latent", "xl_latent_err"):
        t[name].mask[::100] = True
    return t


def by_hand(table, mean, variance):
    """Expected distances of one source to all rows, infinite where masked."""
    m, e = np.asarray(table["xl_latent"]), np.asarray(table["xl_latent_err"])
    distance = np.sqrt(((m - mean) ** 2).sum(axis=1) + (e**2).sum(axis=1) + variance)
    distance[np.asarray(table["xl_latent"].mask).any(axis=1)] = np.inf
    return distance


def test_neighbors_of_a_row(table):
    """The ten nearest by the definition, the row itself left out."""
    expected = by_hand(table, table["xl_latent"][7], np.sum(table["xl_latent_err"][7] ** 2))
    expected[7] = np.inf
    found = neighbors(table, 7)
    assert list(found["xn_row"]) == list(np.argsort(expected)[:10])
    np.testing.assert_allclose(found["xn_distance"], np.sort(expected)[:10], rtol=1e-5)
    assert list(found["name"]) == list(found["xn_row"])
    assert found.colnames[:3] == ["xn_query", "xn_row", "xn_distance"]


@pytest.mark.parametrize("n", [3, 80])
def test_neighbors_of_many(table, n):
    """Sources of another table, by brute force and by tree, give the same as one by one."""
    other = table[1:1 + n]
    other.meta = {"XLSPACE": "a"}
    found = neighbors(table, other, k=4)
    for query in (0, n // 2, n - 1):
        row = other[query]
        expected = by_hand(table, row["xl_latent"], np.sum(row["xl_latent_err"] ** 2))
        mine = found[found["xn_query"] == query]
        assert list(mine["xn_row"]) == list(np.argsort(expected)[:4])
        np.testing.assert_allclose(mine["xn_distance"], np.sort(expected)[:4], rtol=1e-5)
        assert list(neighbors(table, row, k=4)["xn_row"]) == list(mine["xn_row"])


def test_identical_rows():
    """Among rows that are all alike a row is still not its own neighbor."""
    t = Table({"xl_latent": np.zeros((5, D)), "xl_latent_err": np.ones((5, D))}, meta={"XLSPACE": "a"})
    found = neighbors(t, 2, k=9)
    assert sorted(found["xn_row"]) == [0, 1, 3, 4]
    assert len(neighbors(t, 2, k=2)) == 2


@pytest.mark.parametrize("k", [1, 5])
def test_outliers_are_exact(table, k):
    """The same rows and scores as from all distances."""
    usable = ~np.asarray(table["xl_latent"].mask).any(axis=1)
    mean, error = np.asarray(table["xl_latent"])[usable], np.asarray(table["xl_latent_err"])[usable]
    distance = np.sqrt(((mean[:, None] - mean[None]) ** 2).sum(axis=2))
    score = np.sort(distance, axis=1)[:, k] / np.sqrt((error**2).mean(axis=1) + 0.01)
    found = outliers(table, 20, k=k)
    np.testing.assert_allclose(found["xn_isolation"], np.sort(score)[::-1][:20], rtol=1e-5)
    assert list(found["xn_row"]) == list(np.flatnonzero(usable)[np.argsort(-score)[:20]])


def test_flags_exclude(table):
    """Rows without a source, or with other named flags, are not looked at."""
    first = outliers(table, 1)["xn_row"][0]
    table["xl_flag"][first] = Flag.NO_SOURCE
    assert first not in outliers(table, 50)["xn_row"]
    assert first in outliers(table, 50, exclude=())["xn_row"]


def test_search_of_a_search(table):
    """Results can be searched again; the columns in front are replaced."""
    found = outliers(neighbors(table, 7, k=100), 5)
    assert found.colnames.count("xn_row") == 1 and len(found) == 5


def test_what_cannot_be_searched(table):
    """Errors name the argument."""
    with pytest.raises(ParameterError, match="3000 rows"):
        neighbors(table, 3000)
    with pytest.raises(ParameterError, match="k is 0"):
        neighbors(table, 1, k=0)
    with pytest.raises(ParameterError, match="row number"):
        neighbors(table, "source 1")
    with pytest.raises(TableError, match="xl_reason"):
        neighbors(table, 100)
    with pytest.raises(ParameterError, match="n is 2.5"):
        outliers(table, 2.5)
    with pytest.raises(ParameterError, match="LOUD"):
        outliers(table, exclude=["LOUD"])
    with pytest.raises(TableError, match="k=5"):
        outliers(make_enriched(4))
    with pytest.raises(ModelError, match="XLSPACE"):
        outliers(Table(table, meta={}))
    other = make_enriched(3)
    with pytest.raises(ModelError, match="same model"):
        neighbors(table, other)
    with pytest.raises(TableError, match="add_latents"):
        outliers(Table({"name": [1]}, meta={"XLSPACE": "a"}))
