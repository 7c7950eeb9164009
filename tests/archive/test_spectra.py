# Licensed under a 3-clause BSD style license - see LICENSE
"""Files of CSC detections and eRASS1 sources, fetched, checked, resumed."""

import gzip
import tarfile
from pathlib import Path

import numpy as np
import pytest
from archive_servers import data, hang_up, page, resumable, slow, status, tar_bytes
from astropy.config import get_cache_dir
from astropy.io import fits
from astropy.table import Table

from astro_xlatent import conf
from astro_xlatent.archive import fetch_spectra
from astro_xlatent.archive.csc_files import PRODUCTS, file_key
from astro_xlatent.core.errors import ArchiveError, ParameterError, TableError


def fits_bytes(value, size=400):
    """A packed FITS file whose content depends on a number."""
    table = fits.BinTableHDU.from_columns([fits.Column("x", "J", array=np.full(size, value))])
    return gzip.compress(
        b"".join(
            part
            for hdu in (fits.PrimaryHDU(), table)
            for part in (hdu.header.tostring().encode(), _padded(hdu))
        )
    )


def _padded(hdu):
    raw = b"" if hdu.data is None else hdu.data.tobytes()
    return raw + bytes(-len(raw) % 2880)


def csc_name(key, product):
    """File name of a product, versions differing between kinds."""
    version = {"spectrum": 23}.get(product, 22)
    return f"acisf{key[0]:05d}_{key[1]:03d}N{version:03d}_r{key[2]:04d}_{PRODUCTS[product]}.fits.gz"


KEYS = [(4487, 0, 9), (4487, 0, 10), (12345, 1, 2), (99, 0, 1)]
DETECTIONS = Table(rows=KEYS, names=["obsid", "obi", "region_id"])
DETUIDS = ["em01_093126_020_ML00001_002_c010", "em01_123045_020_ML00917_004_c010"]


@pytest.fixture
def csc(archive):
    """The server with all products of four detections, in folders."""
    for number, key in enumerate(KEYS):
        for product in PRODUCTS:
            name = ".".join(map(str, key))
            archive.packages[f"{name}/{product}"] = (f"{name}/{csc_name(key, product)}", fits_bytes(number))
    return archive


@pytest.fixture
def erass(archive):
    """The server with the archives of two sources."""
    for detuid in DETUIDS:
        tile, source = detuid[5:11], detuid.split("_ML")[1][:5]
        files = [
            (f"{detuid}/em01_{tile}_020_{kind}_{source}_c010.fits.gz", fits_bytes(7))
            for kind in ("SourceSpec", "BackgrSpec", "ARF", "RMF", "LightCurve")
        ]
        archive.sources[detuid] = tar_bytes(files, "w:xz")
    return archive


def statuses(manifest):
    """Status of each object's products."""
    return {(row["object"], row["product"]): row["status"] for row in manifest}


def count(manifest, word):
    """How many rows have a status."""
    return int(np.sum(manifest["status"] == word))


def files(folder):
    """Names of all files in a folder but the manifest, no temporary one among them."""
    found = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return [name for name in found if name != "manifest.ecsv"]


def test_csc(csc, tmp_path):
    """One request brings the files, under their names, and the manifest tells of each."""
    manifest = fetch_spectra(DETECTIONS, tmp_path / "new" / "dir")
    folder = tmp_path / "new" / "dir"
    assert csc.requests == [csc.requests[0]]
    assert "retrieve?packageset=4487.0.9%2Fspectrum%2F%2C4487.0.9%2Farf%2F" in csc.requests[0]
    assert csc.requests[0].endswith("version=rel2.1")
    assert files(folder) == sorted(csc_name(key, p) for key in KEYS for p in ("spectrum", "arf", "rmf"))
    assert set(manifest["status"]) == {"fetched"}
    for row in manifest:
        path = folder / row["file"]
        assert (path.stat().st_size, len(row["sha256"])) == (row["size"], 64)
        assert row["url"] == (
            f"{csc.url}/csccli/retrieve?packageset={row['object']}/{row['product']}/&version=rel2.1"
        )
    assert Table.read(folder / "manifest.ecsv")["file"].tolist() == manifest["file"].tolist()


def test_batches(csc, tmp_path, monkeypatch):
    """Detections are asked for in groups."""
    monkeypatch.setattr(conf, "archive_batch", 3)
    manifest = fetch_spectra(DETECTIONS, tmp_path, products=["spectrum", "regevt3", "srcreg"])
    assert csc.count("retrieve?") == 2
    assert count(manifest, "fetched") == 12


def test_nothing_twice(csc, tmp_path):
    """What is there and whole is not asked for again, with the manifest or without."""
    fetch_spectra(DETECTIONS, tmp_path)
    csc.requests.clear()
    manifest = fetch_spectra(DETECTIONS, tmp_path)
    assert set(manifest["status"]) == {"present"}
    assert all(url.startswith(csc.url) for url in manifest["url"])
    (tmp_path / "manifest.ecsv").unlink()
    assert set(fetch_spectra(DETECTIONS, tmp_path)["status"]) == {"present"}
    assert csc.requests == []


def test_resumed(csc, tmp_path):
    """Only what is missing is asked for."""
    fetch_spectra(DETECTIONS[:2], tmp_path)
    (tmp_path / csc_name(KEYS[0], "arf")).unlink()
    csc.requests.clear()
    manifest = fetch_spectra(DETECTIONS[:3], tmp_path)
    assert csc.count("4487.0.10") == 0
    assert csc.count("4487.0.9%2Farf") == 1
    assert csc.count("4487.0.9%2Fspectrum") == 0
    assert (count(manifest, "fetched"), count(manifest, "present")) == (4, 5)


def test_nothing_overwritten(csc, tmp_path):
    """A damaged or changed file is left, and said."""
    fetch_spectra(DETECTIONS[:1], tmp_path)
    changed = tmp_path / csc_name(KEYS[0], "arf")
    changed.write_bytes(b"mine")
    manifest = fetch_spectra(DETECTIONS[:1], tmp_path)
    assert changed.read_bytes() == b"mine"
    (row,) = manifest[manifest["status"] == "failed"]
    assert "is there, but damaged" in row["reason"]


def test_former_rows_stay(csc, tmp_path):
    """A second table in the same folder adds to the manifest there."""
    fetch_spectra(DETECTIONS[:1], tmp_path)
    manifest = fetch_spectra(DETECTIONS[1:2], tmp_path)
    assert len(manifest) == 3
    assert len(Table.read(tmp_path / "manifest.ecsv")) == 6


def test_missing_product(csc, tmp_path):
    """What the archive has not is a row with the reason, and the rest comes."""
    del csc.packages["4487.0.9/rmf"]
    manifest = fetch_spectra(DETECTIONS, tmp_path)
    assert statuses(manifest)["4487.0.9", "rmf"] == "missing"
    assert (count(manifest, "missing"), count(manifest, "fetched")) == (1, 11)
    assert "No file found" in manifest["reason"][manifest["status"] == "missing"][0]


def test_missing_product_of_one(csc, tmp_path):
    """So is what a tar does not hold that was asked for it alone."""
    csc.plan("/csccli/retrieve?", data(tar_bytes([csc.packages["99.0.1/arf"]])))
    (row,) = fetch_spectra(DETECTIONS[:1], tmp_path, products=["rmf"])
    assert (row["status"], row["reason"]) == ("missing", "the archive has no rmf of it")
    assert files(tmp_path) == []


def test_unknown_spoils_batch(csc, tmp_path):
    """If one unknown detection makes the service refuse all, the others still come."""
    csc.packages["unknown"] = None
    table = Table(rows=[*KEYS, (7, 0, 7)], names=["obsid", "obi", "region_id"])
    manifest = fetch_spectra(table, tmp_path)
    found = statuses(manifest)
    assert count(manifest, "fetched") == 12
    assert found["7.0.7", "spectrum"] == "missing"
    assert csc.count("retrieve?") <= 7


def test_lost_in_tar(csc, tmp_path):
    """A file that did not come in the tar is asked for alone."""
    lost = csc.packages["4487.0.9/arf"]
    some = [csc.packages[f"4487.0.9/{product}"] for product in ("spectrum", "rmf")]
    csc.plan("/csccli/retrieve?", data(tar_bytes(some)))
    manifest = fetch_spectra(DETECTIONS[:1], tmp_path)
    assert set(manifest["status"]) == {"fetched"}
    assert csc.count("retrieve?") == 2
    assert (tmp_path / csc_name(KEYS[0], "arf")).read_bytes() == lost[1]


def test_damaged_in_tar(csc, tmp_path):
    """A damaged member is fetched again, singly."""
    good = csc.packages["4487.0.9/arf"]
    bad = [(good[0], good[1][:-40]), csc.packages["4487.0.9/spectrum"], csc.packages["4487.0.9/rmf"]]
    csc.plan("/csccli/retrieve?", data(tar_bytes(bad)))
    manifest = fetch_spectra(DETECTIONS[:1], tmp_path)
    assert set(manifest["status"]) == {"fetched"}
    assert (tmp_path / csc_name(KEYS[0], "arf")).read_bytes() == good[1]


def test_damaged_for_good(csc, tmp_path):
    """What the archive itself holds damaged is failed, and not left behind."""
    name, whole = csc.packages["4487.0.9/arf"]
    csc.packages["4487.0.9/arf"] = (name, whole[:-40])
    manifest = fetch_spectra(DETECTIONS[:2], tmp_path)
    assert statuses(manifest)["4487.0.9", "arf"] == "failed"
    assert "not a whole FITS file" in manifest["reason"][manifest["status"] == "failed"][0]
    assert len(files(tmp_path)) == 5


@pytest.mark.parametrize(
    ("deeds", "what"),
    [
        ([page()], "a web page came instead of data"),
        ([status(503)] * 3, "status 503"),
        ([status(403)], "status 403"),
        ([data(b"no tar at all")], "a damaged archive"),
        ([data(tar_bytes([("../../evil", b"x")]))], "outside of the folder"),
        ([data(tar_bytes([("x", bytes(10**8))], "w:xz"))], "more than 50 MB come out of"),
        ([data(b"x" * 10, length=10**14)], "more than the 2000 MB"),
        ([hang_up()] * 20, "hung up"),
    ],
    ids=["page", "503", "403", "no tar", "traversal", "bomb", "huge", "hang up"],
)
def test_bad_request_stops_nothing(csc, tmp_path, monkeypatch, deeds, what):
    """One group that fails is noted, the others come, nothing evil is left."""
    monkeypatch.setattr(conf, "archive_batch", 2)
    monkeypatch.setattr(conf, "archive_connections", 1)
    csc.plan("/csccli/retrieve?packageset=4487", *deeds)
    manifest = fetch_spectra(DETECTIONS, tmp_path / "out")
    assert (count(manifest, "failed"), count(manifest, "fetched")) == (6, 6)
    assert all(what in reason for reason in manifest["reason"][manifest["status"] == "failed"])
    assert all(file_key(Path(name)) for name in files(tmp_path / "out"))
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    # the next call makes up for it
    csc._plans.clear()
    assert set(fetch_spectra(DETECTIONS, tmp_path / "out")["status"]) == {"fetched", "present"}


def test_link_in_tar(csc, tmp_path):
    """A link refuses the archive, even under a good name."""
    link = tarfile.TarInfo(csc_name(KEYS[0], "spectrum"))
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    csc.plan("/csccli/retrieve?", data(tar_bytes([(link, None)])))
    manifest = fetch_spectra(DETECTIONS[:1], tmp_path)
    assert set(manifest["status"]) == {"failed"}
    assert files(tmp_path) == []


def test_not_asked_for(csc, tmp_path):
    """Files of other detections in an answer are dropped."""
    extra = [csc.packages[f"4487.0.9/{product}"] for product in ("spectrum", "arf", "rmf")]
    extra += [("readme.txt", b"hello"), csc.packages["99.0.1/spectrum"]]
    csc.plan("/csccli/retrieve?", data(tar_bytes(extra)))
    fetch_spectra(DETECTIONS[:1], tmp_path)
    assert len(files(tmp_path)) == 3


def test_tar_goes_on(csc, tmp_path):
    """A tar that breaks off is resumed."""
    tar = tar_bytes([csc.packages[f"4487.0.9/{p}"] for p in ("spectrum", "arf", "rmf")])
    deed = resumable(tar, stop=3000)
    csc.plan("/csccli/retrieve?", deed, deed)
    assert set(fetch_spectra(DETECTIONS[:1], tmp_path)["status"]) == {"fetched"}


def test_rows_without_files(csc, tmp_path):
    """HRC and rows without numbers are noted, the rest is fetched; each detection once."""
    table = Table(
        {
            "OBSID": np.ma.MaskedArray([4487, 4487, 5, 99], mask=[0, 0, 0, 1]),
            "obi": [0, 0, 0, 0],
            "region_id": [9, 9, 1, 1],
            "instrument": ["ACIS", "ACIS", "HRC", "ACIS"],
        }
    )
    manifest = fetch_spectra(table, tmp_path, products=["spectrum"])
    found = {row["object"]: (row["status"], row["reason"]) for row in manifest}
    assert found["4487.0.9"][0] == "fetched"
    assert "HRC has no energy resolution" in found["5.0.1"][1]
    assert "no detection" in found["row 3"][1]


def test_polite(csc, tmp_path, monkeypatch):
    """No more connections at a time than allowed, and that many."""
    monkeypatch.setattr(conf, "archive_batch", 1)
    monkeypatch.setattr(conf, "archive_connections", 2)
    csc.plan("/csccli", *[slow(0.1)] * 4)
    fetch_spectra(DETECTIONS, tmp_path)
    assert csc.most_busy == 2


def test_erass(erass, tmp_path):
    """The files of a source land in its folder."""
    table = Table({"DETUID": [*DETUIDS, DETUIDS[0]]})
    manifest = fetch_spectra(table, tmp_path)
    assert len(manifest) == 8
    assert set(manifest["status"]) == {"fetched"}
    assert files(tmp_path)[0] == f"{DETUIDS[0]}/em01_093126_020_ARF_00001_c010.fits.gz"
    assert erass.requests == sorted(erass.requests) or len(erass.requests) == 2
    erass.requests.clear()
    assert set(fetch_spectra(table, tmp_path)["status"]) == {"present"}
    assert erass.requests == []


def test_erass_resumed(erass, tmp_path):
    """A source of which something is missing is fetched again, what is there stays."""
    table = Table({"detuid": DETUIDS})
    fetch_spectra(table, tmp_path)
    lost = next((tmp_path / DETUIDS[1]).glob("*_ARF_*"))
    lost.unlink()
    manifest = fetch_spectra(table, tmp_path)
    assert (count(manifest, "fetched"), count(manifest, "present")) == (1, 7)
    assert lost.exists()


def test_erass_failures(erass, tmp_path):
    """Unknown, malicious and malformed sources are rows with reasons."""
    unknown = "em01_093126_020_ML09999_002_c010"
    erass.sources[DETUIDS[1]] = tar_bytes([("/etc/cron.d/x", b"x")], "w:xz")
    manifest = fetch_spectra(
        Table({"DETUID": [*DETUIDS, unknown, "../../etc/passwd"]}), tmp_path, products=["spectrum"]
    )
    found = {row["object"]: (row["status"], row["reason"]) for row in manifest}
    assert found[DETUIDS[0]][0] == "fetched"
    assert found[DETUIDS[1]][0] == "failed"
    assert "outside of the folder" in found[DETUIDS[1]][1]
    assert found[unknown][0] == "missing"
    assert "does not have the form" in found["row 3"][1]
    assert erass.count("passwd") == 0


def test_erass_truncated(erass, tmp_path):
    """An xz archive that ends early is failed, whatever its announced length."""
    erass.sources[DETUIDS[0]] = erass.sources[DETUIDS[0]][:-200]
    manifest = fetch_spectra(Table({"DETUID": DETUIDS[:1]}), tmp_path)
    assert set(manifest["status"]) == {"failed"}
    assert "a damaged archive" in manifest["reason"][0]
    assert files(tmp_path) == []


def test_default_folder(csc):
    """Without a folder, files lie in astropy's cache."""
    manifest = fetch_spectra(DETECTIONS[:1])
    assert len(files(Path(manifest.meta["FOLDER"]))) == 3
    assert manifest.meta["FOLDER"].startswith(str(get_cache_dir("astro_xlatent")))


@pytest.mark.parametrize(
    ("table", "kwargs", "error", "what"),
    [
        (Table({"name": ["2CXO J004244.3+411608"]}), {}, TableError, "sources have no files.*csc-detections"),
        (Table({"x": [1]}), {"mission": "erosita"}, TableError, "no column DETUID"),
        (DETECTIONS[:0], {}, TableError, "no rows"),
        (
            DETECTIONS,
            {"products": ["spektrum"]},
            ParameterError,
            "products of csc are spectrum, arf.*got spektrum",
        ),
        (DETECTIONS, {"products": []}, ParameterError, "got none"),
        (DETECTIONS, {"mission": "xmm"}, ParameterError, "mission must be csc or erosita"),
    ],
)
def test_bad_arguments(tmp_path, table, kwargs, error, what):
    """What is wrong with the call is said before anything is asked."""
    with pytest.raises(error, match=what):
        fetch_spectra(table, tmp_path, **kwargs)


def test_bad_places(csc, tmp_path):
    """A file in place of the folder, or a foreign manifest, is left alone."""
    (tmp_path / "file").write_text("x")
    with pytest.raises(ParameterError, match="is a file"):
        fetch_spectra(DETECTIONS, tmp_path / "file")
    (tmp_path / "manifest.ecsv").write_text("my own notes")
    with pytest.raises(ArchiveError, match="cannot be read as a manifest"):
        fetch_spectra(DETECTIONS, tmp_path)
    assert (tmp_path / "manifest.ecsv").read_text() == "my own notes"
