# Licensed under a 3-clause BSD style license - see LICENSE
"""Small table files that ask for gigabytes, for another file, or for ever."""

import gzip
import subprocess
import sys
import zlib

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

from astro_xlatent import conf
from astro_xlatent.core.errors import TableError
from astro_xlatent.core.numbers import plain_floats
from astro_xlatent.table.files import read_table, write_table

VOTABLE = """<?xml version="1.0"?>{entity}
<VOTABLE version="1.4" xmlns="http://www.ivoa.net/xml/VOTable/v1.3"><RESOURCE><TABLE{nrows}>
<FIELD name="a" datatype="char" arraysize="{size}"/><DATA>{data}</DATA></TABLE></RESOURCE></VOTABLE>
"""
ROWS = "<TABLEDATA>" + "<TR><TD>x</TD></TR>" * 3 + "</TABLEDATA>"
STREAM = '<BINARY><STREAM href="{url}"/></BINARY>'


def votable(size="*", data=ROWS, nrows="", entity=""):
    """A VOTable of one column."""
    return VOTABLE.format(size=size, data=data, nrows=nrows, entity=entity)


def ecsv(meta, kind="float64", rows="1.0\n"):
    """An ECSV file of one column with lines of its own in the header."""
    lines = ["%ECSV 1.0", "---", "datatype:", f"- {{name: a, {kind}}}", *meta]
    return "".join(f"# {line}\n" for line in lines) + "a\n" + rows


ALIASES = ["meta: !!omap", "- a0: &a0 [x, x, x, x, x, x, x, x, x]",
           *(f"- a{k}: &a{k} [{', '.join([f'*a{k - 1}'] * 9)}]" for k in range(1, 12))]
MERGED = ["meta: !!omap", "- a0: &a0 {x: 1}",
          *(f"- a{k}: &a{k} {{<<: [{', '.join([f'*a{k - 1}'] * 9)}]}}" for k in range(1, 12))]
HOSTILE = {
    "wide.vot": (votable(size="1000000000"), "takes more than 500 MB of memory"),
    "rows.vot": (votable(nrows=' nrows="2000000000"'), "takes more than 500 MB"),
    "entity.vot": (votable(entity='<!DOCTYPE VOTABLE [<!ENTITY a "aaaa">]>'), "declares the XML entity a"),
    "file.vot": (votable(data=STREAM.format(url="file:///etc/hostname")), "its data lie elsewhere"),
    "net.vot": (votable(data=STREAM.format(url="http://127.0.0.1:9/x")), "its data lie elsewhere"),
    "alias.ecsv": (ecsv(ALIASES), "aliases in its header stand for more than 100000"),
    "merge.ecsv": (ecsv(MERGED), "aliases in its header stand for more than 100000"),
    "loop.ecsv": (ecsv(["meta: !!omap", "- a: &a [*a]"]), "aliases in its header"),
    "shape.ecsv": (ecsv([], "datatype: string, subtype: 'float64[100000,100000]'", ""),
                   "takes more than 500 MB"),
    "cell.csv": ("a,b\n" + "1,2\n" * 5000 + "x" * 100_000 + ",1\n", "takes more than 500 MB"),
    "padded.csv": (",".join(f"c{k}" for k in range(20_000)) + "\n" + "1\n" * 20_000,
                   "takes more than 500 MB"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_refused(tmp_path, name):
    """With the file's name, what it asks for, and what to do."""
    text, match = HOSTILE[name]
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(TableError, match=match) as caught:
        read_table(path)
    assert str(path) in str(caught.value)


def test_packed_blanks(tmp_path):
    """What only unpacking tells: blanks behind the end of a table."""
    path = tmp_path / "t.vot.gz"
    path.write_bytes(gzip.compress(votable().encode() + b" " * 3_000_000, 1))
    assert len(read_table(path)) == 3
    with conf.set_temp("table_max_mb", 2.0), pytest.raises(TableError, match="takes more than 2 MB"):
        read_table(path)


def fits_table(path, **cards):
    """A FITS table whose cards say something else."""
    Table({"a": np.arange(3), "b": [True, False, True]}).write(path, format="fits")
    data = path.read_bytes()
    for key, value in cards.items():
        at = data.index(f"{key:<8}= ".encode(), data.index(b"XTENSION"))
        data = data[:at + 10] + f"{value:>20}".ljust(70).encode() + data[at + 80:]
    path.write_bytes(data)
    return path


CODE = """
import sys
from pathlib import Path
from astro_xlatent.table.files import read_table
before = Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]
try:
    read_table(sys.argv[1])
except ValueError as error:
    print(error)
status = Path("/proc/self/status").read_text()
print(status.split("VmHWM:")[1].split()[0])
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="peak memory is read from /proc")
def test_packed_zeros(tmp_path):
    """Less than a megabyte that unpacks to 60 million rows: refused before memory is taken."""
    plain = fits_table(tmp_path / "bomb.fits", NAXIS2=60_000_000)
    path = tmp_path / "bomb.fits.gz"
    pack = zlib.compressobj(1, wbits=31)
    with path.open("wb") as file:
        file.write(pack.compress(plain.read_bytes()))
        for _ in range(60_000_000 * 9 // 2**24 + 1):
            file.write(pack.compress(bytes(2**24)))
        file.write(pack.flush())
    assert path.stat().st_size < 10e6
    done = subprocess.run([sys.executable, "-c", CODE, str(path)], capture_output=True, text=True, check=True)
    message, peak = done.stdout.splitlines()
    assert "bomb.fits.gz: takes more than 500 MB of memory, from a file of" in message
    assert "raise conf.table_max_mb" in message
    assert int(peak) < 400_000


@pytest.mark.parametrize("cards", [{"NAXIS2": -3}, {"PCOUNT": -100_000}])
def test_size_below_zero(tmp_path, cards):
    """An extension that ends before it begins is read once, not for ever."""
    path = fits_table(tmp_path / "t.fits", **cards)
    packed = tmp_path / "z.fits.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    for file in (path, packed):
        with pytest.raises(TableError, match=r"\.fits.*(negative size|cannot be read)"):
            read_table(file)


@pytest.mark.parametrize("suffix", [".csv", ".ecsv", ".vot", ".fits", ".parquet"])
def test_limit_can_be_lifted(tmp_path, suffix):
    """What is meant is read once the setting says so; small tables are never asked about."""
    if suffix == ".parquet":
        pytest.importorskip("pyarrow")
    path = tmp_path / f"t{suffix}"
    write_table(Table({"a": np.arange(20), "text": ["x" * 3] * 19 + ["y" * 90]}), path)
    with conf.set_temp("table_max_mb", 0.0):
        assert len(read_table(path)) == 20
    wide = tmp_path / "w.csv"
    wide.write_text("a,b\n" + "1,2\n" * 500 + "x" * 10_000 + ",1\n")
    with conf.set_temp("table_max_mb", 1.0), pytest.raises(TableError, match="takes more than 1 MB"):
        read_table(wide)
    assert len(read_table(wide)) == 501


def test_complex_is_no_number():
    """A column whose format became complex has no values, and nobody drops half of them."""
    assert np.isnan(plain_floats(np.array([1 + 2j, 3]))).all()


def test_aliases_in_other_headers(tmp_path):
    """The same aliases in the comments of a FITS file."""
    begin, end = "--BEGIN-ASTROPY-SERIALIZED-COLUMNS--", "--END-ASTROPY-SERIALIZED-COLUMNS--"
    hdu = fits.BinTableHDU.from_columns([fits.Column("a", "D", array=[1.0])])
    for line in [begin, "datatype:", "- {name: a, datatype: float64}", *ALIASES, end]:
        # Long lines go on behind a backslash, as astropy writes them.
        pieces = [line[k:k + 70] for k in range(0, len(line), 70)]
        for piece in [*(f"{piece}\\" for piece in pieces[:-1]), pieces[-1]]:
            hdu.header.add_comment(piece)
    fits.HDUList([fits.PrimaryHDU(), hdu]).writeto(tmp_path / "t.fits")
    with pytest.raises(TableError, match="aliases in its header"):
        read_table(tmp_path / "t.fits")


def test_runs_in_parquet(tmp_path):
    """A million equal numbers are a few kilobytes in Parquet."""
    pytest.importorskip("pyarrow")
    path = tmp_path / "t.parquet"
    Table({"a": np.zeros(1_000_000, int)}).write(path)
    with conf.set_temp("table_max_mb", 1.0), pytest.raises(TableError, match="takes more than 1 MB"):
        read_table(path)
