# Licensed under a 3-clause BSD style license - see LICENSE
"""Rows of files of all kinds in pieces: types, structures, catalogs, and what is broken."""

import gzip
import os
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from band_rows import csc_table

from astro_xlatent.cli import main as cli
from astro_xlatent.core.columns import own_columns
from astro_xlatent.core.errors import TableError
from astro_xlatent.table import stream
from astro_xlatent.table.files import read_table, write_table
from astro_xlatent.table.pieces import open_rows

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

ROWS = 25


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch):
    """Pieces of ten rows."""
    monkeypatch.setattr(stream, "PIECE", 10)


def add_columns(table):
    """What an enrichment adds, without a model."""
    table = table.copy()
    table.remove_columns(own_columns(table.colnames))
    table["xl_flag"] = np.arange(len(table))
    table["xl_reason"] = np.array(["no \u00b5" if k else "" for k in range(len(table))], str)
    table["xl_nh"] = np.ma.masked_less(np.linspace(-1, 1, max(len(table), 1))[:len(table)], 0)
    table["xl_latent"] = np.ones((len(table), 8), np.float32)
    table["xl_nh"].unit = "cm-2"
    table["xl_nh"].info.meta = {"ucd": "phys.columnDensity"}
    table.meta |= {"XLMODEL": "m-1", "XLSHA256": "0f",
                   "XLRECIPE": f"hardness, broad flux {len(table)}, photon flux 1"}
    return table


def enrich(path, out, function=add_columns, **options):
    """Enrich in pieces."""
    return stream.enrich_file(path, out, function, {}, **options)


def odd_rows():
    """Arrow rows with structures, lists, nulls, and dictionaries."""
    table = csc_table(ROWS)
    columns = {name: np.asarray(table[name]) for name in table.colnames if name.startswith("flux")}
    return pa.table(columns | {
        "name": pa.array([None if k == 3 else f"s{k}" for k in range(ROWS)]),
        "n": pa.array([None if k == 12 else k for k in range(ROWS)], pa.int16()),
        "kind": pa.array(["a", "b", None, "a", "b"] * 5).dictionary_encode(),
        "curve": pa.array([{"t": [1.0] * k, "id": k} for k in range(ROWS)]),
        "pair": pa.array([[k, k + 1] for k in range(ROWS)], pa.list_(pa.float32(), 2)),
    })


def make_catalog(folder, rows, parts=3):
    """A HATS catalog of some partitions."""
    step = -(-len(rows) // parts)
    for k in range(parts):
        place = folder / "dataset" / "Norder=0" / "Dir=0" / f"Npix={k}.parquet"
        place.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(rows.slice(k * step, step), place, compression="zstd")
    (folder / "hats.properties").write_text("obs_collection=t\nhats_cols_default=name n\nxl_model=old\n")
    (folder / "partition_info.csv").write_text("Norder,Npix\n0,0\n0,1\n0,2\n")
    return folder


def test_structures_survive(tmp_path):
    """Columns that no table holds stand in the output as they stood, in the order of the input."""
    rows = odd_rows()
    pq.write_table(rows, tmp_path / "in.parquet", row_group_size=7)
    enrich(tmp_path / "in.parquet", tmp_path / "out.parquet")
    found = pq.read_table(tmp_path / "out.parquet")
    for name in rows.column_names:
        assert found[name].to_pylist() == rows[name].to_pylist(), name
        assert found.schema.field(name).type == rows.schema.field(name).type
    assert found["xl_nh"].null_count > 0
    table = read_table(tmp_path / "out.parquet")
    assert table["xl_latent"].shape == (ROWS, 8)
    assert table["xl_nh"].unit == "cm-2"
    assert table["kind"].tolist()[:3] == ["a", "b", None]
    assert table["n"].mask.tolist() == [k == 12 for k in range(ROWS)]
    assert "curve" not in table.colnames


@pytest.mark.parametrize("suffix", ["fits", "ecsv", "csv", "vot"])
@pytest.mark.parametrize("source", ["fits", "csv.gz", "ecsv.gz", "parquet", "catalog"])
def test_from_any_to_any(tmp_path, source, suffix):
    """Formats of input and output are independent; values, masks and units go with them."""
    table = csc_table(ROWS)
    table["word"] = ["\u00b5" if k == 11 else "x" * (k % 13) + "y" for k in range(ROWS)]
    table["n"] = np.ma.masked_equal(np.where(np.arange(ROWS) == 20, -32768, np.arange(ROWS)), 2).astype("i2")
    path = tmp_path / f"in.{source}"
    if source == "catalog":
        make_catalog(path, pa.table({name: pa.array(table[name].tolist()) for name in table.colnames}))
    elif source.endswith("gz"):
        write_table(table, path.with_suffix(""))
        path.write_bytes(gzip.compress(path.with_suffix("").read_bytes()))
    else:
        write_table(table, path)
    out = tmp_path / f"out.{suffix}"
    enrich(path, out)
    found = read_table(out)
    for name in table.colnames:
        assert found[name].tolist() == table[name].tolist(), name
    assert found["xl_flag"].tolist() == [*range(10), *range(10), *range(5)] or source == "catalog"
    assert np.ma.getmaskarray(found["n"]).sum() == 1
    if suffix in ("fits", "ecsv"):
        counted = re.fullmatch(rf"hardness, broad flux {ROWS}, photon flux (\d+)", found.meta["XLRECIPE"])
        assert counted and int(counted[1]) >= ROWS // 10


def test_types_of_text_do_not_depend_on_the_piece(tmp_path):
    """What is text, a number or empty in one piece of a CSV file is so in all of them."""
    path = tmp_path / "in.csv"
    rows = [f"{k:03d},{'x' if k == 22 else k},{k if k < 15 else k + 0.5},{'' if k < 10 else k % 2 == 0}"
            for k in range(1, ROWS + 1)]
    path.write_text("\n".join(["a,b,c,d", *rows]) + "\n")
    enrich(path, tmp_path / "out.fits")
    whole, found = read_table(path), read_table(tmp_path / "out.fits")
    for name in whole.colnames:
        assert found[name].dtype.kind == whole[name].dtype.kind, name
        assert found[name].tolist() == whole[name].tolist()


def test_keywords_and_null_values_of_fits(tmp_path):
    """A heap of arrays, text tables and unsigned integers are read; keywords stay."""
    columns = [fits.Column("a", "J", array=np.arange(ROWS)), fits.Column("b", "9A", array=["x"] * ROWS),
               fits.Column("u", "I", bzero=32768, array=np.arange(ROWS).astype("u2"))]
    header = fits.Header({"TELESCOP": "CHANDRA"})
    fits.BinTableHDU.from_columns(columns, header).writeto(tmp_path / "bin.fits")
    columns = [fits.Column("a", "I4", array=np.arange(ROWS)), columns[1]]
    fits.TableHDU.from_columns(columns, header).writeto(tmp_path / "text.fits")
    for name in ("bin", "text"):
        enrich(tmp_path / f"{name}.fits", tmp_path / f"out_{name}.fits")
        found = read_table(tmp_path / f"out_{name}.fits")
        assert found["a"].tolist() == list(range(ROWS))
        assert found.meta["TELESCOP"] == "CHANDRA"
    assert read_table(tmp_path / "out_bin.fits")["u"].dtype.kind == "u"


def test_catalog_to_catalog(tmp_path):
    """Partition by partition, with units and UCDs in the metadata, and what stands beside the rows."""
    path, out = make_catalog(tmp_path / "in", odd_rows()), tmp_path / "out"
    enrich(path, out)
    assert sorted(p.name for p in out.rglob("Npix*")) == [f"Npix={k}.parquet" for k in range(3)]
    assert (out / "partition_info.csv").read_text() == (path / "partition_info.csv").read_text()
    told = dict(line.split("=", 1) for line in (out / "hats.properties").read_text().splitlines())
    assert told["xl_model"] == "m-1"
    assert told["hats_cols_default"].startswith("name n xl_flag")
    assert pq.read_metadata(out / "dataset" / "_metadata").num_rows == ROWS
    assert read_table(out)["xl_nh"].unit == "cm-2"
    assert read_table(out)["xl_nh"].info.meta == {"ucd": "phys.columnDensity"}
    assert pq.read_table(out / "dataset/Norder=0/Dir=0/Npix=0.parquet")["curve"].to_pylist()[1]["id"] == 1
    enrich(out, tmp_path / "again")
    assert read_table(tmp_path / "again").colnames == read_table(out).colnames


def test_collection(tmp_path):
    """Of a collection the main catalog is read."""
    make_catalog(tmp_path / "all" / "main", odd_rows())
    (tmp_path / "all" / "collection.properties").write_text("hats_primary_table_url=main\n")
    enrich(tmp_path / "all", tmp_path / "out.fits")
    assert len(read_table(tmp_path / "all")) == len(read_table(tmp_path / "out.fits")) == ROWS


def test_only_some_rows(tmp_path):
    """Rows are chosen piece by piece, of structures, too."""
    pq.write_table(odd_rows(), tmp_path / "in.parquet")
    for suffix in ("parquet", "fits"):
        out = tmp_path / f"out.{suffix}"
        enrich(tmp_path / "in.parquet", out, select=lambda table: np.asarray(table["n"]) % 2 == 0)
        assert read_table(out)["n"].tolist() == [*range(0, 12, 2), None, *range(14, 25, 2)]
        late = tmp_path / f"late.{suffix}"
        enrich(tmp_path / "in.parquet", late, select=lambda table: np.asarray(table["n"]) > 21)
        assert read_table(late)["n"].tolist() == [22, 23, 24]


def test_corrupt_partition(tmp_path):
    """All others are done; once it is mended, only it is missing."""
    path, out = make_catalog(tmp_path / "in", odd_rows()), tmp_path / "out"
    broken = path / "dataset/Norder=0/Dir=0/Npix=1.parquet"
    good = broken.read_bytes()
    for bad in (good[:100], good[:300] + bytes(300) + good[600:]):
        broken.write_bytes(bad)
        with pytest.raises(TableError, match=r"1 files cannot be read.*Npix=1.*mend or remove"):
            enrich(path, out)
        assert not out.exists()
    broken.write_bytes(good)
    calls = []
    enrich(path, out, lambda table: calls.append(len(table)) or add_columns(table))
    assert calls == [9]
    assert len(read_table(out)) == ROWS


def test_cut_off(tmp_path):
    """A file that ends early is named; what came before is kept."""
    write_table(csc_table(ROWS), tmp_path / "in.csv")
    packed = gzip.compress((tmp_path / "in.csv").read_bytes())
    (tmp_path / "in.csv.gz").write_bytes(packed[:-30])
    with pytest.raises((TableError, EOFError), match=r"in\.csv\.gz|end"):
        enrich(tmp_path / "in.csv.gz", tmp_path / "out.csv")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["in.csv", "in.csv.gz"]


def test_damaged_piece_is_made_again(tmp_path):
    """What a crash of the machine left half on the disk."""
    path, out = tmp_path / "in.fits", tmp_path / "out.fits"
    write_table(csc_table(ROWS), path)

    def stop(table):
        if calls:
            raise KeyboardInterrupt
        calls.append(1)
        return add_columns(table)

    calls = []
    with pytest.raises(KeyboardInterrupt):
        enrich(path, out, stop)
    part = next(tmp_path.glob("out.fits.parts/*.fits"))
    part.write_bytes(part.read_bytes()[:2880])
    enrich(path, out)
    assert len(read_table(out)) == ROWS


def test_stopped_before_the_pieces_were_removed(tmp_path, monkeypatch, capsys):
    """The output is whole and kept; with --overwrite the pieces serve once more, and go."""
    path, out = tmp_path / "in.fits", tmp_path / "out.fits"
    write_table(csc_table(ROWS), path)
    command = ["enrich", str(path), "--no-progress", "-o", str(out)]
    with monkeypatch.context() as patch:
        patch.setattr(stream, "building_folder", None)
        with pytest.raises(TypeError):
            cli.main(command)
    made = out.read_bytes()
    assert (tmp_path / "out.fits.parts").exists()
    assert cli.main(command) == 1
    assert "the file exists" in capsys.readouterr().err
    monkeypatch.setattr("astro_xlatent.table.add_latents.measure", None)
    assert cli.main([*command, "--overwrite"]) == 0
    assert not (tmp_path / "out.fits.parts").exists()
    assert out.read_bytes() == made


CHILD = """
import resource, sys
from astro_xlatent.cli.main import main
from astro_xlatent.table import stream
stream.PIECE = 100
if len(sys.argv) > 3:
    import signal
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]), int(sys.argv[3])))
raise SystemExit(main(["enrich", sys.argv[1], "-o", sys.argv[2], "--no-progress"]))
"""


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals")
@pytest.mark.parametrize("form", ["parquet", "catalog"])
def test_killed_and_full(tmp_path, form):
    """A process that is killed, then one that may write no large file, then one that comes to the end."""
    rows = csc_table(1000)
    rows = pa.table({name: pa.array(rows[name].tolist()) for name in rows.colnames})
    path, out = tmp_path / f"in.{form}", tmp_path / ("out" if form == "catalog" else f"out.{form}")
    make_catalog(path, rows, 2) if form == "catalog" else pq.write_table(rows, path)
    command = [sys.executable, "-c", CHILD, str(path), str(out)]
    with subprocess.Popen(command, stderr=subprocess.PIPE) as process:
        limit = time.time() + 120
        while not list(tmp_path.glob("out*.parts/*-*.fits")) and time.time() < limit:
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
    assert not out.exists()
    done = subprocess.run([*command, "70000"], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "the same command goes on" in done.stderr
    assert not out.exists()
    assert subprocess.run(command, capture_output=True, check=False).returncode == 0
    assert len(read_table(out)) == 1000
    assert not list(tmp_path.glob("*.parts"))


def test_read_only_place(tmp_path):
    """It is tried before the first row."""
    write_table(csc_table(3), tmp_path / "in.fits")
    with pytest.raises(TableError, match="choose another place"):
        enrich(tmp_path / "in.fits", type(tmp_path)("/proc/out.fits"), None)


def test_blocks_are_bytes(tmp_path):
    """Rows of FITS go through memory as they stand; a file without rows is one piece."""
    write_table(Table({"a": np.arange(ROWS)}), tmp_path / "in.fits")
    blocks = [block for _, block in open_rows(tmp_path / "in.fits").blocks(10, 3)]
    assert [len(block) for block in blocks] == [10, 10, 2]
    for suffix in ("fits", "csv", "ecsv", "parquet"):
        write_table(Table({"a": np.zeros(0)}), tmp_path / f"empty.{suffix}")
        enrich(tmp_path / f"empty.{suffix}", tmp_path / f"none.{suffix}")
        assert len(read_table(tmp_path / f"none.{suffix}")) == 0
