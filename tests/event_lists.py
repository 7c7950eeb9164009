# Licensed under a 3-clause BSD style license - see LICENSE
"""Simulated event lists of known content, written with astropy alone."""

from dataclasses import dataclass, field

import numpy as np
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.wcs import WCS

SIZE = 8192
PIXEL = 0.492 / 3600
GTI = {7: [[1000.0, 2000.0], [2500.0, 3500.0]], 6: [[1000.0, 1500.0]]}


def sky_wcs(ra, dec):
    """The tangent plane of an ACIS event list."""
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.crval, wcs.wcs.crpix = [ra, dec], [4096.5, 4096.5]
    wcs.wcs.cdelt = [-PIXEL, PIXEL]
    wcs.wcs.cunit = ["deg", "deg"]
    return wcs


@dataclass
class EventList:
    """
    Events of a point source in its PSF-less dot, a flat background, and a few oddities.

    ``x``, ``y``, ``pi``, ``time``, ``ccd`` are the truth; `write` makes a file that
    looks like a Chandra ``evt2``.
    """

    ra: float = 150.0
    dec: float = 20.0
    n_background: int = 20000
    n_source: int = 300
    source: tuple = (4100.0, 4050.0)
    half_width: float = 300.0
    seed: int = 1
    header: dict = field(default_factory=dict)

    def __post_init__(self):
        rng = np.random.default_rng(self.seed)
        low, high = 4096.5 - self.half_width, 4096.5 + self.half_width
        flat = rng.uniform(low, high, (2, self.n_background))
        dot = np.array(self.source)[:, None] + rng.normal(0, 1.0, (2, self.n_source))
        self.x, self.y = (np.concatenate(part) for part in zip(flat, dot, strict=True))
        n = self.x.size
        self.pi = rng.integers(1, 1025, n)
        self.time = np.sort(rng.uniform(1000.0, 3500.0, n))
        self.ccd = np.full(n, 7)
        self.grade = rng.choice([0, 2, 3, 4, 6], n)
        self.status = np.zeros((n, 32), bool)
        self.wcs = sky_wcs(self.ra, self.dec)

    @property
    def good(self):
        """Whether an event lies in the good times of CCD 7."""
        return np.any([(self.time >= a) & (self.time <= b) for a, b in GTI[7]], axis=0)

    @property
    def sky(self):
        """Positions of the events by astropy's projection."""
        return SkyCoord(*self.wcs.all_pix2world(self.x, self.y, 1), unit="deg")

    def position(self, x, y):
        """Sky position of a place in the plane."""
        return SkyCoord(*self.wcs.all_pix2world(x, y, 1), unit="deg")

    def columns(self):
        """Columns of the event table."""
        return [fits.Column("TIME", "D", unit="s", array=self.time),
                fits.Column("CCD_ID", "I", array=self.ccd),
                fits.Column("X", "E", unit="pixel", array=self.x),
                fits.Column("Y", "E", unit="pixel", array=self.y),
                fits.Column("PI", "J", unit="chan", array=self.pi),
                fits.Column("GRADE", "I", array=self.grade),
                fits.Column("STATUS", "32X", array=self.status)]

    def hdus(self, drop=(), gti=None):
        """The event table and its good times."""
        table = fits.BinTableHDU.from_columns([c for c in self.columns() if c.name not in drop],
                                              name="EVENTS")
        names = [c.name for c in table.columns]
        values = {"TELESCOP": "CHANDRA", "INSTRUME": "ACIS", "OBJECT": "TEST", "OBS_ID": "1",
                  "HDUCLASS": "OGIP", "HDUCLAS1": "EVENTS", "EXPOSURE": 1980.0, "LIVETIME": 1980.0,
                  "LIVTIME7": 1970.0, "DTCOR": 0.99, "RADESYS": "ICRS", "TSTART": 1000.0, "TSTOP": 3500.0}
        for name, i in zip(("X", "Y"), (0, 1)):
            if name in names:
                n = names.index(name) + 1
                values |= {f"TLMIN{n}": 0.5, f"TLMAX{n}": SIZE + 0.5, f"TCTYP{n}": self.wcs.wcs.ctype[i],
                           f"TCRVL{n}": self.wcs.wcs.crval[i], f"TCRPX{n}": 4096.5,
                           f"TCDLT{n}": self.wcs.wcs.cdelt[i], f"TCUNI{n}": "deg"}
        if "PI" in names:
            n = names.index("PI") + 1
            values |= {f"TLMIN{n}": 1, f"TLMAX{n}": 1024}
        for key, value in (values | self.header).items():
            if value is None:
                table.header.remove(key, ignore_missing=True)
            else:
                table.header[key] = value
        return [table, *good_times(GTI if gti is None else gti)]

    def write(self, path, **kwargs):
        """Write the file and give its path."""
        fits.HDUList([fits.PrimaryHDU(), *self.hdus(**kwargs)]).writeto(path, overwrite=True)
        return path


def good_times(by_ccd):
    """Good time extensions, one a CCD (key None: one for all)."""
    tables = []
    for ccd, intervals in by_ccd.items():
        start, stop = np.array(intervals, float).reshape(-1, 2).T
        hdu = fits.BinTableHDU.from_columns([fits.Column("START", "D", unit="s", array=start),
                                             fits.Column("STOP", "D", unit="s", array=stop)], name="GTI")
        if ccd is not None:
            hdu.header["CCD_ID"] = ccd
        tables.append(hdu)
    return tables


def region_hdu(rows, name="REGION", wcs=None, width=None):
    """
    A FITS region table.

    ``rows`` are (shape, x list, y list, r list, angle list, component). With
    ``width`` the vectors have this fixed length, filled up with zeros, as CIAO
    does; without, they are of variable length.
    """
    def vectors(index):
        values = [np.atleast_1d(np.asarray(row[index], float)) for row in rows]
        if width is None:
            ragged = np.empty(len(values), object)
            ragged[:] = values
            return "PD()", ragged
        return f"{width}D", np.array([np.pad(v, (0, width - len(v))) for v in values])

    columns = [fits.Column("SHAPE", "16A", array=[row[0] for row in rows])]
    for key, index in (("X", 1), ("Y", 2), ("R", 3), ("ROTANG", 4)):
        form, array = vectors(index)
        columns.append(fits.Column(key, form, array=array))
    columns.append(fits.Column("COMPONENT", "J", array=[row[5] for row in rows]))
    hdu = fits.BinTableHDU.from_columns(columns, name=name)
    hdu.header["HDUCLAS1"], hdu.header["MTYPE1"], hdu.header["MFORM1"] = "REGION", "sky", "X,Y"
    if wcs is not None:
        for n, i in ((2, 0), (3, 1)):
            hdu.header[f"TCTYP{n}"] = wcs.wcs.ctype[i]
            hdu.header[f"TCRVL{n}"], hdu.header[f"TCRPX{n}"] = wcs.wcs.crval[i], wcs.wcs.crpix[i]
            hdu.header[f"TCDLT{n}"] = wcs.wcs.cdelt[i]
    return hdu


def write_hdus(path, *hdus):
    """Write extensions to a file and give its path."""
    fits.HDUList([fits.PrimaryHDU(), *hdus]).writeto(path, overwrite=True)
    return path


def erosita_list(path, *, n=4000, seed=3, energies=None, header=()):
    """An eROSITA-like event list with X, Y, RA, DEC, PI in eV and GTIs per telescope; the positions."""
    rng = np.random.default_rng(seed)
    wcs = WCS(naxis=2)
    wcs.wcs.ctype, wcs.wcs.crval = ["RA---SIN", "DEC--SIN"], [359.99, 80.0]
    wcs.wcs.crpix, wcs.wcs.cdelt = [1, 1], [-0.05 / 3600, 0.05 / 3600]
    x, y = rng.uniform(-12000, 12000, (2, n))
    ra, dec = wcs.all_pix2world(x, y, 1)
    pi = rng.uniform(200, 8000, n) if energies is None else energies
    tm = rng.integers(1, 3, n)
    table = fits.BinTableHDU.from_columns([
        fits.Column("TIME", "D", unit="s", array=rng.uniform(0, 100, n)),
        fits.Column("RA", "D", unit="deg", array=ra), fits.Column("DEC", "D", unit="deg", array=dec),
        fits.Column("X", "D", array=x), fits.Column("Y", "D", array=y),
        fits.Column("PI", "E", unit="eV", array=pi), fits.Column("TM_NR", "B", array=tm),
        fits.Column("FLAG", "J", array=np.where(np.arange(n) % 10, 0, 0x30))], name="EVENTS")
    for key, i in (("4", 0), ("5", 1)):
        table.header[f"TCTYP{key}"], table.header[f"TCRVL{key}"] = wcs.wcs.ctype[i], wcs.wcs.crval[i]
        table.header[f"TCRPX{key}"], table.header[f"TCDLT{key}"] = wcs.wcs.crpix[i], wcs.wcs.cdelt[i]
    table.header["TELESCOP"], table.header["INSTRUME"] = "eROSITA", "MERGED"
    for key, value in dict(header).items():
        table.header[key] = value
    times = []
    for number, stop in ((1, 60.0), (2, 100.0)):
        hdu = fits.BinTableHDU.from_columns([fits.Column("START", "D", array=[0.0]),
                                             fits.Column("STOP", "D", array=[stop])], name=f"GTI{number}")
        times.append(hdu)
    return write_hdus(path, table, *times), SkyCoord(ra * u.deg, dec * u.deg), tm, table.data["TIME"]
