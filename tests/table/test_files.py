# Licensed under a 3-clause BSD style license - see LICENSE
"""Tables from and to files of every format."""

import gzip
import os
import subprocess
import sys

import numpy as np
import pytest
from astropy import units as u
from astropy.io import fits
from astropy.io.votable import from_table
from astropy.io.votable.tree import Resource, VOTableFile
from astropy.table import QTable, Table
from enriched import make_enriched

from astro_xlatent.core.errors import ParameterError, TableError
from astro_xlatent.table.files import flatten_vectors, read_table, table_format, write_table

KEEPS_ALL = ["fits", "fits.gz", "vot", "ecsv", "parquet"]


def _skip_without_parquet(suffix):
    if suffix == "parquet":
        pytest.importorskip("pyarrow")
        pytest.importorskip("pandas")


@pytest.mark.parametrize("suffix", KEEPS_ALL)
def test_vectors_units_and_masks_survive(tmp_path, suffix):
    """Everything but CSV gives back vectors, units, UCDs and masks."""
    _skip_without_parquet(suffix)
    table = make_enriched()
    path = tmp_path / f"t.{suffix}"
    write_table(table, path)
    back = read_table(path)
    assert back.colnames == table.colnames
    np.testing.assert_array_equal(back["xl_latent"][:-1], table["xl_latent"][:-1])
    assert back["xl_nh"].unit == u.cm**-2
    assert back["xl_flux_2_7"].unit == u.erg / u.cm**2 / u.s
    assert back["xl_nh"].info.meta["ucd"] == "phys.columnDensity;meta.modelled"
    assert back["xl_nh"].mask.tolist() == [False] * 5 + [True]
    assert back["xl_class"][:-1].tolist() == table["xl_class"][:-1].tolist()
    assert back["xl_flag"].tolist() == table["xl_flag"].tolist()


@pytest.mark.parametrize("suffix", ["fits", "ecsv", "parquet"])
def test_provenance_survives(tmp_path, suffix):
    """The flat metadata come back."""
    _skip_without_parquet(suffix)
    path = tmp_path / f"t.{suffix}"
    write_table(make_enriched(), path)
    assert read_table(path).meta["XLMODEL"] == "test-1"


def test_votable_keeps_metadata_as_info(tmp_path):
    """VOTable has the metadata as INFO elements, which Table.write would drop."""
    from astropy.io.votable import parse

    path = tmp_path / "t.vot"
    write_table(make_enriched(), path)
    infos = {info.name: info.value for info in parse(path).resources[0].infos}
    assert infos["XLMODEL"] == "test-1"


def test_votable_rows_of_any_length(tmp_path):
    """The writer leaves the memory behind its own alone."""
    code = ("from astropy.table import Table\nfrom astro_xlatent.table.files import write_table\n"
            f"write_table(Table({{'a': ['x' * n for n in range(600)]}}), {str(tmp_path / 't.vot')!r})")
    subprocess.run([sys.executable, "-c", code], env=os.environ | {"PYTHONMALLOC": "debug"}, check=True)


def test_output_opens_as_qtable(tmp_path):
    """A plain QTable.read sees quantities."""
    path = tmp_path / "t.fits"
    write_table(make_enriched(), path)
    assert QTable.read(path)["xl_nh_ul90"].unit == u.cm**-2


def test_csv_splits_vectors(tmp_path):
    """CSV gets one column for each element, masked elements stay empty."""
    table = make_enriched()
    path = tmp_path / "t.csv"
    write_table(table, path)
    back = read_table(path)
    np.testing.assert_allclose(back["xl_latent_7"][:5], table["xl_latent"][:5, 7])
    np.testing.assert_allclose(back["xl_class_prob_HM_STAR"][:5], table["xl_class_prob"][:5, 2])
    assert back["xl_latent_0"].mask[5]


def test_flatten_refuses_name_clash():
    """An element must not overwrite a column of the user."""
    table = Table({"v": [[1, 2]], "v_1": [5]})
    with pytest.raises(TableError, match="'v_1' exists already"):
        flatten_vectors(table)


def test_fits_strings_are_str(tmp_path):
    """Text columns of FITS files hold str, not bytes."""
    path = tmp_path / "t.fits"
    Table({"name": ["a", "bc"]}).write(path)
    assert read_table(path)["name"].dtype.kind == "U"


def test_packed_csv_is_read(tmp_path):
    """A .csv.gz file is read as CSV."""
    path = tmp_path / "t.csv.gz"
    path.write_bytes(gzip.compress(b"a,b\n1,2\n"))
    assert read_table(path)["b"].tolist() == [2]


@pytest.mark.parametrize("name", ["t.txt", "t", "t.gz", "t.fits.zip"])
def test_unknown_suffix_names_the_allowed(name):
    """An unknown suffix is an error that lists the known ones."""
    with pytest.raises(ParameterError, match=r"allowed: \.fits.*\.parquet"):
        table_format(name)


def test_packed_output_only_for_fits():
    """astropy would write plain text under a .gz name."""
    with pytest.raises(ParameterError, match="leave out .gz"):
        table_format("t.csv.gz", writing=True)


def test_missing_file(tmp_path):
    """A missing table is named."""
    with pytest.raises(TableError, match=r"none\.fits: no such file"):
        read_table(tmp_path / "none.fits")


@pytest.mark.parametrize("suffix", ["fits", "vot", "ecsv", "parquet"])
@pytest.mark.parametrize("content", [b"", b"SIMPLE  =", bytes(range(256)) * 40])
def test_damaged_file(tmp_path, suffix, content):
    """Empty, truncated and nonsense files give a clean error with the file's name."""
    _skip_without_parquet(suffix)
    path = tmp_path / f"bad.{suffix}"
    path.write_bytes(content)
    with pytest.raises(TableError, match=rf"bad\.{suffix}: (cannot be read|the file is empty)"):
        read_table(path)


def test_existing_file_is_kept(tmp_path):
    """Without overwrite an existing file is neither replaced nor touched."""
    path = tmp_path / "t.ecsv"
    path.write_text("mine")
    with pytest.raises(TableError, match="exists"):
        write_table(make_enriched(), path)
    assert path.read_text() == "mine"
    write_table(make_enriched(), path, overwrite=True)
    assert len(read_table(path)) == 6


def test_failed_write_leaves_nothing(tmp_path):
    """A table that the format cannot hold leaves the old file and no temporary one."""
    path = tmp_path / "t.fits"
    path.write_text("mine")
    table = Table({"a": np.array([{"x": 1}], dtype=object)})
    with pytest.raises(TableError, match=r"t\.fits: the table cannot be written as fits"):
        write_table(table, path, overwrite=True)
    assert [p.name for p in tmp_path.iterdir()] == ["t.fits"]
    assert path.read_text() == "mine"


def _two_tables():
    return Table({"a": [1, 2], "name": ["x", "y"]}), Table({"flux_aper_s": [1e-14], "ok": [True]})


@pytest.mark.parametrize("name", ["DETECTIONS", "2", 2])
def test_one_of_several_tables_of_a_fits_file(tmp_path, name):
    """By name or number, in brackets or apart."""
    path = tmp_path / "t.fits"
    first, second = (fits.table_to_hdu(t) for t in _two_tables())
    first.name, second.name = "SOURCES", "DETECTIONS"
    fits.HDUList([fits.PrimaryHDU(), first, second]).writeto(path)
    assert read_table(path, name).colnames == ["flux_aper_s", "ok"]
    assert read_table(f"{path}[{name}]").colnames == ["flux_aper_s", "ok"]
    with pytest.raises(TableError, match="NOTHING"):
        read_table(f"{path}[NOTHING]")


@pytest.mark.parametrize("name", ["detections", "1"])
def test_one_of_several_tables_of_a_votable(tmp_path, name):
    """Without a name the tables are listed."""
    votable, path = VOTableFile(), tmp_path / "t.vot"
    resource = Resource()
    votable.resources.append(resource)
    for table, title in zip(_two_tables(), ("sources", "detections"), strict=True):
        part = from_table(table).get_first_table()
        part.name, part.ID = title, f"id_{title}"
        resource.tables.append(part)
    votable.to_xml(str(path))
    assert read_table(f"{path}[{name}]").colnames == ["flux_aper_s", "ok"]
    with pytest.raises(TableError, match=r"FILE\[NAME\].*0: sources, 1: detections"):
        read_table(path)
    write_table(_two_tables()[0], tmp_path / "t.csv")
    with pytest.raises(ParameterError, match="only FITS and VOTable"):
        read_table(f"{tmp_path}/t.csv[1]")


def test_tsv_as_cscview_saves_it(tmp_path):
    """Comment lines, a blank between the digits of an angle, empty cells."""
    path = tmp_path / "csc.tsv"
    path.write_text("# Chandra Source Catalog\n#\nname\tra\tflux_aper_s\tsat_src_flag\n"
                    "2CXO J1\t09 57 46.18\t1e-14\tFALSE\n2CXO J2\t10 01 17.12\t\tTRUE\n")
    table = read_table(path)
    assert table["ra"].tolist() == ["09 57 46.18", "10 01 17.12"]
    assert np.ma.getmaskarray(table["flux_aper_s"]).tolist() == [False, True]
    write_table(table, tmp_path / "out.tsv")
    assert "\t" in (tmp_path / "out.tsv").read_text()


def test_hats_folder(tmp_path):
    """All parts of a HATS catalog, one below the other."""
    _skip_without_parquet("parquet")
    for k, table in enumerate((Table({"a": [1, 2]}), Table({"a": [3]}))):
        part = tmp_path / "cat" / "dataset" / "Norder=0" / "Dir=0" / f"Npix={k}.parquet"
        part.parent.mkdir(parents=True, exist_ok=True)
        write_table(table, part)
    (tmp_path / "cat" / "hats.properties").write_text("dataproduct_type=object\n")
    assert read_table(tmp_path / "cat")["a"].tolist() == [1, 2, 3]
    with pytest.raises(ParameterError, match="suffix"):
        read_table(tmp_path)
