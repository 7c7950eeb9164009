# Licensed under a 3-clause BSD style license - see LICENSE
"""From an event list to a spectrum, and rows by region, on the command line."""

import sys
import warnings
from types import SimpleNamespace

import pytest
from astropy.table import Table
from enriched import make_enriched
from event_lists import EventList

from astro_xlatent.cli import main as cli
from astro_xlatent.missions.base import get_mission
from astro_xlatent.spectra.spectrum import XraySpectrum
from astro_xlatent.table.files import read_table

pytest.importorskip("regions", reason="the regions package is not installed")


@pytest.fixture
def files(tmp_path):
    """An event list and two regions in a folder."""
    EventList().write(tmp_path / "evt2.fits")
    (tmp_path / "s.reg").write_text("physical\ncircle(4100,4050,10)\n", encoding="utf-8")
    (tmp_path / "b.reg").write_text("physical\nannulus(4100,4050,20,100)\n", encoding="utf-8")
    return tmp_path


def run(*args):
    """Exit code of a command line."""
    return cli.main([str(a) for a in args])


def test_extract(files, capsys):
    """Spectrum and background are written and described; an existing file is kept."""
    args = ("extract", files / "evt2.fits", "--source", files / "s.reg", "--background", files / "b.reg",
            "--select", "grade=0:6", "--exposure", 1000, "-o", files / "out.pha")
    assert run(*args) == 0
    out = capsys.readouterr().out
    spectrum = XraySpectrum.read(files / "out.pha", missing_response="ignore")
    assert f"{spectrum.counts.sum():.0f} counts in 1024 channels, exposure 1000 s (given)" in out
    assert f"background: {spectrum.background.counts.sum():.0f} counts" in out
    assert "give --arf and --rmf" in out
    assert run(*args) == 1
    assert "the file exists; give --overwrite" in capsys.readouterr().err
    assert run(*args, "--overwrite") == 0


def test_extract_with_responses(files, capsys):
    """With responses the file is ready for predict; the energy range marks channels."""
    get_mission("csc").default_response().write(files / "r.arf", files / "r.rmf")
    assert run("extract", files / "evt2.fits", "--source", files / "s.reg", "--arf", files / "r.arf", "--rmf",
               files / "r.rmf", "--energy", "0.5", "7", "-o", files / "out.pha") == 0
    assert f"astro-xlatent predict {files / 'out.pha'}" in capsys.readouterr().out
    spectrum = XraySpectrum.read(files / "out.pha")
    good = spectrum.quality == 0
    assert (spectrum.e_lo[good].min(), spectrum.e_hi[good].max()) == pytest.approx((0.5, 7), abs=0.02)


def test_warnings_are_lines(files, capsys):
    """A warning is one line on standard error, without the code that raised it."""
    (files / "b.reg").write_text("physical\ncircle(4100,4050,60)\n", encoding="utf-8")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert run("extract", files / "evt2.fits", "--source", files / "s.reg", "--background",
                   files / "b.reg", "-o", files / "out.pha") == 0
    err = capsys.readouterr().err
    assert err.startswith("astro-xlatent: warning: 100.0 % of the source region")
    assert err.count("\n") == 1


@pytest.mark.parametrize(("change", "text"), [
    ({"--source": "no.reg"}, "no.reg: no such file"),
    ({"-o": "nowhere/out.pha"}, "no such folder"),
    ({"--select": "grade"}, "has no ="),
])
def test_errors(files, capsys, change, text):
    """What is wrong is one line, and nothing is written."""
    options = {"--source": "s.reg", "-o": "out.pha"} | change
    args = [v if k == "--select" else files / v for k, v in options.items()]
    flat = [part for pair in zip(options, args, strict=True) for part in pair]
    assert run("extract", files / "evt2.fits", *flat) == (2 if "--select" in change else 1)
    err = capsys.readouterr().err
    assert text in err and "Traceback" not in err
    assert not (files / "out.pha").exists()


def test_enrich_region(tmp_path, monkeypatch, capsys):
    """Only the rows of the region are enriched."""
    seen = []

    def add_latents(table, spectra=None, **options):
        seen.append(list(table["name"]))
        return make_enriched(len(table))

    fake = SimpleNamespace(add_latents=add_latents)
    monkeypatch.setitem(sys.modules, "astro_xlatent.table.add_latents", fake)
    Table({"name": ["a", "b", "c"], "ra": [359.99, 0.01, 1.0], "dec": [0.0, 0.0, 0.0]}).write(
        tmp_path / "t.ecsv")
    region = tmp_path / "r.reg"
    region.write_text("icrs\ncircle(0,0,2')\n", encoding="utf-8")
    assert run("enrich", tmp_path / "t.ecsv", "--region", region, "-o", tmp_path / "o.fits") == 0
    assert seen == [["a", "b"]]
    assert len(read_table(tmp_path / "o.fits")) == 2
