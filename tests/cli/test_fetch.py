# Licensed under a 3-clause BSD style license - see LICENSE
"""The command ``astro-xlatent fetch``, up to the enrichment of what it fetched."""

import re
import sys

import pytest
from archive_labels import vizier
from archive_servers import status
from astropy.io import fits
from astropy.table import Table

from astro_xlatent.archive.csc_files import PRODUCTS
from astro_xlatent.cli.main import main
from astro_xlatent.core.flags import Flag
from astro_xlatent.simulate.products import write_catalog
from astro_xlatent.table.files import read_table

N = 6


@pytest.fixture(scope="module")
def sky(tmp_path_factory):
    """Simulated detections of the CSC, their table and their files by packageset."""
    folder = tmp_path_factory.mktemp("sky") / "csc"
    table = read_table(write_catalog(folder, N, "csc", seed=5))
    table["name"] = [f"2CXO J004000.{k}+410000" for k in range(N)]
    table["ra"], table["dec"] = 10.0, 41.0
    table["dec"] += [0.0, 0.01, 0.02, 0.03, 0.04, 1.0]
    packages = {}
    for row in table:
        key = f"{row['obsid']}.{row['obi']}.{row['region_id']}"
        (path,) = folder.glob(f"spectra/acisf{row['obsid']:05d}_*_r{row['region_id']:04d}_pha3.fits.gz")
        header = fits.getheader(path, "SPECTRUM")
        files = {"spectrum": path.name, "arf": header["ANCRFILE"], "rmf": header["RESPFILE"]}
        owns = {product: path.name.replace("pha3", PRODUCTS[product]) for product in files}
        # As in the archive the header names the files of this very source, without .gz.
        with fits.open(path, mode="update") as hdus:
            hdus["SPECTRUM"].header.update({"ANCRFILE": owns["arf"].removesuffix(".gz"),
                                            "RESPFILE": owns["rmf"].removesuffix(".gz")})
        for product, name in files.items():
            own = owns[product]
            packages[f"{key}/{product}"] = (f"{key}/{own}", (folder / "spectra" / name).read_bytes())
    return table, packages


@pytest.fixture
def served(archive, sky):
    """The server with the simulated sky."""
    archive.tables["csc21.master_source"] = sky[0]
    archive.packages.update(sky[1])
    return archive


def run(*words):
    """Exit code of the command."""
    return main([str(word) for word in words])


def test_from_nothing_to_latents(served, tmp_path, capsys, monkeypatch):
    """Catalogue, spectra, enrichment: three commands."""
    monkeypatch.chdir(tmp_path)
    assert (
        run("fetch", "catalog", "csc-detections", "--cone", "10", "41d00m00s", "5arcmin", "-o", "rows.fits")
        == 0
    )
    said = capsys.readouterr()
    assert "rows.fits: 5 rows of CSC 2.1 detections" in said.out
    assert "their spectra: astro-xlatent fetch spectra rows.fits -o rows_spectra" in said.out
    assert run("fetch", "spectra", "rows.fits", "-o", "pha") == 0
    assert "pha: 15 files fetched" in capsys.readouterr().out
    assert run("fetch", "spectra", "rows.fits", "-o", "pha") == 0
    assert "pha: 15 files present" in capsys.readouterr().out
    assert run("enrich", "rows.fits", "--spectra", "pha", "-o", "enriched.fits") == 0
    assert "5 rows, 5 with results" in capsys.readouterr().out
    got = read_table("enriched.fits")
    assert not any(got["xl_flag"] & Flag.DEFAULT_RESPONSE), got["xl_reason"].tolist()
    assert list(got["xl_latent"].shape) == [5, 8]


def test_negative_declination(served, tmp_path, capsys):
    """A declination with a minus, in any form, is no option."""
    for number, dec in enumerate(["-5", "-5d30m", "-.5", "-05:30:00"]):
        assert (
            run("fetch", "catalog", "csc", "--cone", "10", dec, "1arcmin", "-o", tmp_path / f"{number}.fits")
            == 1
        )
        assert "no row was found" in capsys.readouterr().err


def test_region(served, tmp_path):
    """Rows by region file."""
    path = tmp_path / "a.reg"
    path.write_text('icrs\nbox(10,41.01,10",60",0)\n')
    assert run("fetch", "catalog", "csc", "--region", path, "-o", tmp_path / "a.ecsv") == 0
    assert len(read_table(tmp_path / "a.ecsv")) == 1


def test_names(served, tmp_path, capsys):
    """Rows by name, from the command line or a file; a missing one fails the command, not the rest."""
    names = served.tables["csc21.master_source"]["name"]
    assert run("fetch", "catalog", "csc", "--name", names[0], names[1], "-o", tmp_path / "a.vot") == 0
    (tmp_path / "names.txt").write_text(f"# mine\n{names[0]}\n\n2CXO J000000.0+000000\n")
    assert run("fetch", "catalog", "csc", "--names", tmp_path / "names.txt", "-o", tmp_path / "b.csv") == 1
    assert "has no 2CXO J000000.0+000000" in capsys.readouterr().err
    assert len(read_table(tmp_path / "b.csv")) == 1


def test_object(served, tmp_path):
    """The position of an object is asked only when it is wanted."""
    served.tables["ident"] = Table({"id": ["M 31"], "ra": [10.0], "dec": [41.0]})
    assert (
        run("fetch", "catalog", "csc", "--object", "M 31", "--radius", "1arcmin", "-o", tmp_path / "a.fits")
        == 0
    )


def test_partly(served, tmp_path, capsys):
    """If some files cannot be had, the exit code says so, and the reasons are shown."""
    served.tables["csc21.master_source"].write(tmp_path / "rows.fits")
    lost = next(key for key in served.packages if key.endswith("/arf"))
    del served.packages[lost]
    served.plan(f"/csccli/retrieve?packageset={lost.replace('/', '%2F')}", *[status(500)] * 3)
    assert run("fetch", "spectra", tmp_path / "rows.fits", "-o", tmp_path / "pha") == 1
    said = capsys.readouterr()
    assert "17 files fetched, 1 files failed" in said.out
    assert "status 500" in said.err


def test_labels(served, tmp_path, capsys):
    """The labeled sample."""
    served.tables["J/ApJ/941/104/td"] = vizier()
    assert run("fetch", "labels", "--no-nh-gal", "-o", tmp_path / "labels.csv") == 0
    assert "4 sources: AGN 1, CV 1, LM-STAR 1, NS_BIN 1" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (
            ["catalog", "csk", "--cone", "1", "2", "1arcmin", "-o", "{0}/a.fits"],
            "unknown catalog 'csk'; there are csc",
        ),
        (
            ["catalog", "csc", "--cone", "1", "2", "3", "-o", "{0}/a.fits"],
            "radius of a cone cannot be read from '3'",
        ),
        (
            ["catalog", "csc", "--cone", "1", "2", "1arcmin", "-o", "{0}/a.xyz"],
            "the suffix says no table format",
        ),
        (["catalog", "csc", "--cone", "1", "2", "1arcmin", "-o", "{0}/none/a.fits"], "no such folder"),
        (["catalog", "csc", "--cone", "1", "2", "1arcmin", "-o", "{0}/there.fits"], "the file exists"),
        (["catalog", "csc", "--object", "M 31", "-o", "{0}/a.fits"], "--object and --radius belong together"),
        (["catalog", "csc", "--names", "{0}/none.txt", "-o", "{0}/a.fits"], "cannot be read as text"),
        (["catalog", "csc", "--names", "{0}/there.fits", "-o", "{0}/a.fits"], "holds no name"),
        (["spectra", "{0}/none.fits"], "no such file"),
        (["labels", "-o", "{0}/there.fits"], "the file exists"),
    ],
)
def test_mistakes(archive, tmp_path, capsys, words, what):
    """A mistake is one line, and nothing is asked."""
    (tmp_path / "there.fits").touch()
    # What is wrong with the words themselves, and what with the files they name.
    code = 1 if re.search("such folder|such file|exists", what) else 2
    assert run("fetch", *(word.format(tmp_path) for word in words)) == code
    said = capsys.readouterr()
    assert what in said.err
    assert len(said.err.splitlines()) == 1
    assert archive.requests == []


def test_unreachable(archive, tmp_path, capsys):
    """A service that is down is named with its address."""
    archive.plan("/csc21tap", *[status(503)] * 3)
    assert run("fetch", "catalog", "csc", "--cone", "1", "2", "1arcmin", "-o", tmp_path / "a.fits") == 1
    assert f"{archive.url}/csc21tap/sync: status 503" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("missing", ["astroquery", "pyvo", "regions"])
def test_without_extra(tmp_path, capsys, monkeypatch, missing):
    """Without the extra, the pip line is given."""
    monkeypatch.setitem(sys.modules, missing, None)
    assert run("fetch", "catalog", "csc", "--cone", "1", "2", "1arcmin", "-o", tmp_path / "a.fits") == 1
    assert f'this needs {missing}: pip install "astro_xlatent[archive]"' in capsys.readouterr().err


@pytest.mark.parametrize("words", [[], ["catalog"], ["spectra"], ["labels"]])
def test_help(capsys, words):
    """Help is there, and names every catalog."""
    from astro_xlatent.archive.catalogs import CATALOGS

    with pytest.raises(SystemExit) as done:
        run("fetch", *words, "--help")
    assert done.value.code == 0
    text = capsys.readouterr().out
    assert "usage: astro-xlatent fetch" in text
    assert words != ["catalog"] or all(key in text for key in CATALOGS)


def test_erass_spectra_hint(archive, tmp_path, capsys):
    """A table of eRASS1 is followed by the command for its spectra."""
    archive.tables["DR1_Main"] = Table(
        {
            "IAUNAME": ["1eRASS J004000.0+410000"],
            "DETUID": ["em01_093126_020_ML00001_002_c010"],
            "RA": [10.0],
            "DEC": [41.0],
            **{f"{name}_P{k}": [1.0] for k in range(1, 6) for name in ("APE_CTS", "APE_BKG", "APE_EXP")},
        }
    )
    assert run("fetch", "catalog", "erass1", "--cone", "10", "41", "1arcmin", "-o", tmp_path / "a.fits") == 0
    assert "their spectra:" in capsys.readouterr().out
