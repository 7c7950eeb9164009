# Licensed under a 3-clause BSD style license - see LICENSE
"""LSDB catalogs: as the plain table, resumed, cross-matched."""

import warnings

import numpy as np
import pytest
from band_rows import csc_table

from astro_xlatent import add_latents
from astro_xlatent.table.files import read_table

pytestmark = pytest.mark.filterwarnings("ignore")

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    lsdb = pytest.importorskip("lsdb", reason="the extra [scale] is not installed")

ROWS = 60


@pytest.fixture(scope="module")
def rows():
    """Rows with positions in several HEALPix cells."""
    table = csc_table(ROWS)
    table["ra"] = np.linspace(1, 350, ROWS)
    table["dec"] = np.linspace(-80, 80, ROWS)
    for name in table.colnames:
        if name.startswith("flux"):
            table[name][7] = np.nan
    return table


@pytest.fixture
def catalog(rows):
    """The same as an LSDB catalog of several partitions."""
    return lsdb.from_dataframe(rows.to_pandas(), ra_column="ra", dec_column="dec", partition_rows=20)


def test_as_the_plain_table(catalog, rows):
    """Values are those of the plain table, types those that were announced."""
    from astro_xlatent.table.scale import add_latents as add_to_catalog

    enriched = add_to_catalog(catalog)
    found = enriched.compute()
    assert catalog.npartitions > 1
    assert found.dtypes.equals(enriched.dtypes)
    wanted = add_latents(rows)
    wanted = wanted[np.argsort(wanted["ra"])]
    found = found.sort_values("ra")
    classes = np.ma.filled(np.ma.asarray(wanted["xl_class"]), "").tolist()
    assert found["xl_class"].fillna("").tolist() == classes
    latent = np.ma.filled(np.ma.asarray(wanted["xl_latent"])[:, 0].astype(float), np.nan)
    np.testing.assert_allclose(found["xl_latent_0"], latent, atol=2e-3)
    np.testing.assert_array_equal(found["xl_flag"], wanted["xl_flag"])


def test_written_and_resumed(catalog, tmp_path):
    """Units stay with the catalog, and what a stopped run has written is not made again."""
    from astro_xlatent.table.scale import add_latents as add_to_catalog
    from astro_xlatent.table.scale import write_catalog

    path = tmp_path / "enriched"
    write_catalog(add_to_catalog(catalog), path, as_collection=False, progress_bar=False)
    parts = sorted(path.rglob("Npix*.parquet"))
    again = lsdb.open_catalog(path)
    assert len(again.compute()) == ROWS
    assert again.hc_structure.catalog_info.model_dump()["xl_model"].startswith("xlatent-")
    column = read_table(path)["xl_nh"]
    assert (column.unit, column.info.meta["ucd"]) == ("cm-2", "phys.columnDensity;meta.modelled")
    assert len(parts) == catalog.npartitions


def test_goes_on_after_an_interruption(catalog, tmp_path, monkeypatch):
    """Finished partitions are not made again."""
    from astro_xlatent.table import scale

    path, made, real = tmp_path / "enriched", [], scale.add_latents
    options = {"as_collection": False, "progress_bar": False}

    def counted(limit):
        def step(frame):
            if len(frame):
                if len(made) == limit:
                    raise KeyboardInterrupt
                made.append(len(frame))
            return frame
        return real(catalog.map_partitions(step))

    import dask

    with dask.config.set(scheduler="synchronous"):
        with pytest.raises(KeyboardInterrupt):
            scale.write_catalog(counted(2), path, **options)
        assert len(made) == 2
        scale.write_catalog(counted(1000), path, **options)
    assert len(made) == catalog.npartitions
    assert len(lsdb.open_catalog(path).compute()) == ROWS


def test_lost_worker(catalog, tmp_path):
    """A worker that is killed costs the partition that it had in hand; each loads the model once."""
    distributed = pytest.importorskip("distributed")
    from astro_xlatent.table import scale

    marks = tmp_path / "marks"
    marks.mkdir()

    def note(frame):
        import os
        import uuid

        if len(frame):
            (marks / uuid.uuid4().hex).touch()
            if len(list(marks.iterdir())) == 3:
                os.kill(os.getpid(), 9)
        return frame

    def loads():
        from astro_xlatent.table import scale

        return scale.load_model.cache_info().misses

    with distributed.LocalCluster(2, threads_per_worker=1, dashboard_address=None) as cluster:
        with distributed.Client(cluster) as client:
            enriched = scale.add_latents(catalog.map_partitions(note))
            scale.write_catalog(enriched, tmp_path / "out", as_collection=False, progress_bar=False)
            assert max(client.run(loads).values()) == 1
    assert len(list(marks.iterdir())) == catalog.npartitions + 1
    assert len(lsdb.open_catalog(tmp_path / "out").compute()) == ROWS


def test_after_a_crossmatch(catalog):
    """A catalog joined with another is enriched, too; names of the columns as the user left them."""
    from astro_xlatent.table.scale import add_latents as add_to_catalog

    other = catalog[["ra", "dec", "name"]]
    both = catalog.crossmatch(other, radius_arcsec=1, suffixes=("", "_other"))
    found = add_to_catalog(both, mission="csc").compute()
    assert len(found) == ROWS
    assert found["xl_nh"].notna().sum() == ROWS - 1
