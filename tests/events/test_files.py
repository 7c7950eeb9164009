# Licensed under a 3-clause BSD style license - see LICENSE
"""Reading of event lists: any column, any piece, gzipped, damaged, or none at all."""

import gzip
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from event_lists import EventList, good_times, write_hdus

from astro_xlatent.core.errors import SpectrumError, XlatentError
from astro_xlatent.events import files as event_files
from astro_xlatent.events.files import EventFile
from astro_xlatent.events.filters import parse_selection, read_good_times


def joined(events, *names):
    """Whole columns, from the pieces."""
    pieces = list(events.pieces(names))
    return [np.concatenate([piece[name] for piece in pieces]) for name in names]


def test_columns_as_astropy_reads_them(tmp_path, monkeypatch):
    """Columns of every kind agree with astropy, in pieces and gzipped."""
    events = EventList(n_background=2000)
    events.status = np.random.default_rng(1).random((events.x.size, 32)) < 0.3
    path = events.write(tmp_path / "e.fits")
    packed = tmp_path / "e.fits.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    monkeypatch.setattr(event_files, "_PIECE_ROWS", 333)
    names = ("TIME", "X", "PI", "CCD_ID", "STATUS")
    with fits.open(path) as hdus:
        data = hdus["EVENTS"].data
        bits = np.packbits(data["STATUS"], axis=1).astype(np.uint64) @ (np.uint64(256) ** np.arange(
            3, -1, -1, dtype=np.uint64))
        for one in (path, packed):
            opened = EventFile.open(one)
            assert opened.n_rows == len(data)
            for name, values in zip(names, joined(opened, *names), strict=True):
                np.testing.assert_array_equal(values, bits if name == "STATUS" else data[name])


def test_scaled_columns(tmp_path):
    """Positions stored as scaled whole numbers, as eROSITA's early release did, come out in degrees."""
    table = fits.BinTableHDU.from_columns([fits.Column("RA", "J", array=[10500000, 359250000]),
                                           fits.Column("PI", "B", array=[1, 200])], name="EVENTS")
    table.header["TSCAL1"], table.header["TZERO1"] = 1e-6, 0.0
    ra, pi = joined(EventFile.open(write_hdus(tmp_path / "e.fits", table)), "RA", "PI")
    np.testing.assert_allclose(ra, [10.5, 359.25])
    np.testing.assert_array_equal(pi, [1, 200])


def test_good_times_are_merged(tmp_path):
    """Overlapping, unordered, empty and NaN intervals of one detector become disjoint ones."""
    table = EventList(n_background=10).hdus(gti={})[0]
    times = good_times({7: [[50, 60], [10, 20], [15, 30], [70, 70], [30, 31]], 3: [[0, 5]], None: [[1, 2]]})
    opened = EventFile.open(write_hdus(tmp_path / "e.fits", table, *times))
    np.testing.assert_array_equal(opened.good_times[7], [[10, 31], [50, 60]])
    assert opened.good_seconds(7) == 31
    assert opened.good_seconds(3) == 5
    time = np.array([10, 31, 40, 50.5, 1.5, 4, 1.5, np.nan])
    detector = np.array([7, 7, 7, 7, 7, 3, 9, 7])
    # Detector 9 has none of its own: those for all count.
    np.testing.assert_array_equal(opened.good(time, detector), [1, 1, 0, 1, 0, 1, 1, 0])
    opened.restrict(np.array([[0.0, 12.0], [55.0, 100.0]]))
    np.testing.assert_array_equal(opened.good_times[7], [[10, 12], [55, 60]])


def test_no_good_times(tmp_path):
    """Without any table of good times all events count."""
    opened = EventFile.open(EventList(n_background=10).write(tmp_path / "e.fits", gti={}))
    assert opened.good(np.array([1.0, np.nan])).all()


@pytest.mark.parametrize(("name", "kind"), [("EVENTS", None), ("EVENTS1", None), ("EVENT", None),
                                            ("OTHER", "EVENTS")])
def test_names_of_event_lists(tmp_path, name, kind):
    """Event lists are found by name or by HDUCLAS1."""
    table = fits.BinTableHDU.from_columns([fits.Column("PI", "J", array=[1, 2])], name=name)
    if kind:
        table.header["HDUCLAS1"] = kind
    path = write_hdus(tmp_path / "e.fits", fits.ImageHDU(np.zeros((50, 70))), table)
    assert EventFile.open(path).n_rows == 2


def write_bytes(path, data):
    """Write bytes and give the path."""
    path.write_bytes(data)
    return path


def test_what_is_no_event_list(tmp_path, ogip):
    """Missing, of another kind, several, truncated: said with the file's name."""
    whole = EventList(n_background=3000).write(tmp_path / "e.fits").read_bytes()
    table = EventList(n_background=10).hdus(gti={})[0]
    one, two = table.copy(), table.copy()
    one.name, two.name = "EVENTS1", "EVENTS2"
    cases = [
        (tmp_path / "no.fits", "no such file"), (tmp_path, "but a folder"),
        (write_bytes(tmp_path / "empty", b""), "is empty"),
        (write_bytes(tmp_path / "text", b"hello" * 1000), "not a FITS file"),
        (write_bytes(tmp_path / "cut0", whole[:4000]), "no END card"),
        (write_bytes(tmp_path / "cutgz", gzip.compress(whole)[:20000]), "ends early or is damaged"),
        (ogip.source(), "no event list"),
        (write_hdus(tmp_path / "two", one, two), r"2 event lists \(EVENTS1, EVENTS2\)"),
        (write_bytes(tmp_path / "cut1", whole[:60000]), "truncated: an extension ends at byte"),
    ]
    for path, match in cases:
        with pytest.raises(SpectrumError, match=match) as caught:
            EventFile.open(path)
        assert Path(path).name in str(caught.value)
    cut = EventFile.open(write_bytes(tmp_path / "cut2", gzip.compress(whole[:60000])))
    with pytest.raises(SpectrumError, match=r"truncated: 3300 events are promised, 0 and \d+ are there"):
        joined(cut, "PI")


@pytest.mark.parametrize(("keyword", "value", "match"), [
    (b"NAXIS2  ", 10**12, "truncated"), (b"NAXIS1  ", 10**9, "truncated"), (b"NAXIS2  ", -5, "whole number"),
])
def test_sizes_in_headers(tmp_path, keyword, value, match):
    """A header that promises more than there is takes neither memory nor time."""
    data = EventList(n_background=100).write(tmp_path / "e.fits").read_bytes()
    at = data.index(keyword + b"=", data.index(b"XTENSION"))
    card = keyword + b"= " + f"{value:>20}".encode()
    path = write_bytes(tmp_path / "d.fits", data[:at] + card.ljust(80) + data[at + 80:])
    with pytest.raises(SpectrumError, match=match):
        joined(EventFile.open(path), "PI")


def test_random_damage(tmp_path):
    """Flipped bytes give a named error or numbers, never another exception."""
    pytest.importorskip("regions", reason="the regions package is not installed")
    from regions import CirclePixelRegion, PixCoord

    from astro_xlatent.events.extract import extract_spectrum

    data = np.frombuffer(EventList(n_background=200).write(tmp_path / "e.fits").read_bytes(), np.uint8)
    rng = np.random.default_rng(11)
    headers = 2880 * 8
    outcome = {"read": 0, "refused": 0}
    for _ in range(80):
        damaged = data.copy()
        where = rng.integers(0, headers if rng.random() < 0.7 else data.size, rng.integers(1, 12))
        damaged[where] = rng.integers(0, 256, where.size)
        path = write_bytes(tmp_path / "d.fits", damaged.tobytes())
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                extract_spectrum(path, CirclePixelRegion(PixCoord(4095, 4095), 100))
            outcome["read"] += 1
        except XlatentError:
            outcome["refused"] += 1
    assert min(outcome.values()) > 10, outcome


def test_memory_is_bounded(tmp_path):
    """A list of a hundred megabytes is read in far less: the peak grows by a few pieces."""
    n = 2_000_000
    table = np.zeros(n, dtype=[("X", ">f8"), ("Y", ">f8"), ("PI", ">i4"), ("PAD", ">f8", 4)])
    table["PI"] = 7
    path = tmp_path / "e.fits"
    hdu = fits.BinTableHDU(table, name="EVENTS")
    hdu.writeto(path)
    assert path.stat().st_size > 100e6
    code = (f"import resource\nfrom astro_xlatent.events.files import EventFile\n"
            f"e = EventFile.open({str(path)!r})\n"
            f"a = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
            f"n = sum(len(p['PI']) for p in e.pieces(['X', 'Y', 'PI']))\n"
            f"print(n, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - a)")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    rows, grown = (int(v) for v in done.stdout.split())
    assert rows == n
    unit = 1024 if sys.platform != "darwin" else 1
    assert grown * unit < 60e6


def test_selection_text():
    """Selections say what they are, and NaN never passes."""
    (selection,) = parse_selection(["energy=500:7e3"])
    np.testing.assert_array_equal(selection.passes(np.array([499, 500, 7000, np.nan])), [0, 1, 1, 0])
    assert str(selection) == "ENERGY=500:7000"
    assert parse_selection(None) == []


def test_good_times_of_a_file_without(tmp_path, ogip):
    """A file without a table of good times is refused by name."""
    with pytest.raises(SpectrumError, match="no table of good times"):
        read_good_times(ogip.source())
