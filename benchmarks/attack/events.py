# Licensed under a 3-clause BSD style license - see LICENSE
"""Damaged event lists and regions, from which spectra are extracted."""

import numpy as np
from astropy.io import fits

from astro_xlatent.events.extract import extract_spectrum
from benchmarks.attack.outcomes import Answer, Kind

__all__ = ["EVENTS", "REGIONS"]

_N, _PIXEL = 2500, 0.492 / 3600
_TEXTS = {
    "ds9.reg": "# Region file format: DS9 version 4.1\nglobal color=green\nphysical\n"
               "circle(4096.5,4096.5,120)\n-ellipse(4100,4050,20,10,30)\n",
    "sky.reg": "icrs\npolygon(150.02,19.98,149.98,19.98,149.98,20.02,150.02,20.02)\n"
               '-box(10:00:00.0,20:00:00,9",9",0)\n',
    "ciao.reg": "# comment\nrotbox(4096.5,4096.5,250,120,45)-circle(4090,4090,12)\n",
    "one.crtf": "#CRTFv0\ncircle[[150.0deg, 20.0deg], 60arcsec], coord=ICRS\n",
}


def _hdus():
    """Events on a field around RA 150, Dec 20, a source in it, and the good times of its chip."""
    rng = np.random.default_rng(18)
    x, y = rng.normal(4096.5, 40, (2, _N)) + rng.uniform(-150, 150, (2, _N)) * (rng.random(_N) < 0.6)
    time = np.sort(rng.uniform(1000, 3000, _N))
    table = fits.BinTableHDU.from_columns([
        fits.Column("TIME", "D", unit="s", array=time), fits.Column("CCD_ID", "I", array=np.full(_N, 7)),
        fits.Column("X", "E", array=x), fits.Column("Y", "E", array=y),
        fits.Column("PI", "J", array=rng.integers(20, 600, _N))], name="EVENTS")
    cards = {"TELESCOP": "CHANDRA", "INSTRUME": "ACIS", "HDUCLAS1": "EVENTS", "EXPOSURE": 1980.0,
             "LIVETIME": 1980.0, "TLMIN5": 1, "TLMAX5": 1024}
    for n, kind, value, step in ((3, "RA---TAN", 150.0, -_PIXEL), (4, "DEC--TAN", 20.0, _PIXEL)):
        cards |= {f"TLMIN{n}": 0.5, f"TLMAX{n}": 8192.5, f"TCTYP{n}": kind, f"TCRVL{n}": value,
                  f"TCRPX{n}": 4096.5, f"TCDLT{n}": step, f"TCUNI{n}": "deg"}
    table.header.update(cards)
    times = fits.BinTableHDU.from_columns([fits.Column("START", "D", array=[1000.0, 2100.0]),
                                           fits.Column("STOP", "D", array=[2000.0, 3100.0])], name="GTI")
    times.header["CCD_ID"] = 7
    return [fits.PrimaryHDU(), table, times]


def _region_table():
    hdu = fits.BinTableHDU.from_columns([
        fits.Column("SHAPE", "16A", array=["circle", "!ellipse"]),
        fits.Column("X", "1D", array=[4096.5, 4100]), fits.Column("Y", "1D", array=[4096.5, 4050]),
        fits.Column("R", "2D", array=[[120, 0], [20, 10]]), fits.Column("ROTANG", "1D", array=[0, 30]),
        fits.Column("COMPONENT", "J", array=[1, 1])], name="REGION")
    hdu.header.update({"HDUCLAS1": "REGION", "MTYPE1": "sky", "MFORM1": "X,Y"})
    return hdu


def _prepare(folder):
    fits.HDUList(_hdus()).writeto(folder / "e.fits", checksum=True)
    for name, text in _TEXTS.items():
        (folder / name).write_text(text)
    fits.HDUList([fits.PrimaryHDU(), _region_table()]).writeto(folder / "table.reg.fits")


def _extracted(events, region):
    spectrum = extract_spectrum(events, region)
    counts, seconds = float(spectrum.counts.sum()), spectrum.exposure
    return Answer(np.array([counts, seconds]), np.array([max(counts, 1) ** 0.5, seconds / 3]), spectrum.flags)


def _from_events(folder):
    return _extracted(folder / "e.fits", folder / "ds9.reg")


def _from_region(folder):
    """With the region that was hurt; a region has nothing by which a change could be known."""
    names = [*_TEXTS, "table.reg.fits"]
    hurt = next((folder / name for name in names if (folder / name).stat().st_nlink == 1), folder / names[0])
    _extracted(folder / "e.fits", hurt)
    return Answer()


EVENTS = Kind(_prepare, _from_events, "e.fits")
REGIONS = Kind(_prepare, _from_region, "*[rc][et][gf]*")
