# Licensed under a 3-clause BSD style license - see LICENSE
"""Small OGIP files made with astropy, and the real ones inside Sherpa's package."""

import warnings
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits


class OgipFactory:
    """Writes small PHA, ARF and RMF files with the habits a test asks for."""

    n_channels = 32
    n_energy = 40

    def __init__(self, folder):
        self.folder = folder
        self.e_edges = np.linspace(0.2, 8.2, self.n_energy + 1)
        self.c_edges = np.linspace(0.1, 8.3, self.n_channels + 1)

    def redistribution(self):
        """Dense (n_energy, n_channels) matrix: a Gaussian of 0.4 keV."""
        middle = 0.5 * (self.e_edges[1:] + self.e_edges[:-1])
        center = 0.5 * (self.c_edges[1:] + self.c_edges[:-1])
        line = np.exp(-0.5 * ((center - middle[:, None]) / 0.4) ** 2)
        line[line < 1e-3] = 0.0
        return (line / line.sum(axis=1, keepdims=True)).astype(np.float32)

    def area(self):
        """Effective area in cm2, (n_energy,)."""
        middle = 0.5 * (self.e_edges[1:] + self.e_edges[:-1])
        return (400 * np.exp(-0.5 * ((middle - 2) / 2) ** 2)).astype(np.float32)

    def spectrum_hdu(self, counts=None, *, header=(), columns=(), first=1, name="SPECTRUM", drop=()):
        """A SPECTRUM extension; ``header`` updates it, None deletes a keyword."""
        counts = np.arange(self.n_channels) if counts is None else np.asarray(counts)
        kind = "J" if counts.dtype.kind in "iu" else "D"
        parts = [fits.Column("CHANNEL", "J", array=np.arange(first, first + len(counts))),
                 fits.Column("COUNTS", kind, array=counts), *columns]
        hdu = fits.BinTableHDU.from_columns([c for c in parts if c.name not in drop], name=name)
        values = {"HDUCLASS": "OGIP", "HDUCLAS1": "SPECTRUM", "HDUCLAS2": "TOTAL", "HDUCLAS3": "COUNT",
                  "TELESCOP": "CHANDRA", "INSTRUME": "ACIS", "EXPOSURE": 1000.0, "BACKSCAL": 0.01,
                  "AREASCAL": 1.0, "RESPFILE": "s.rmf", "ANCRFILE": "s.arf", "BACKFILE": "none"}
        values.update(dict(header))
        for key, value in values.items():
            if value is not None:
                hdu.header[key] = value
        return hdu

    def save(self, name, *hdus):
        """Write extensions to a file of the folder."""
        path = self.folder / name
        path.parent.mkdir(exist_ok=True, parents=True)
        fits.HDUList([fits.PrimaryHDU(), *hdus]).writeto(path, overwrite=True)
        return path

    def arf(self, name="s.arf", *, edges=None, area=None, unit="cm**2"):
        """Write an ARF."""
        edges = self.e_edges if edges is None else edges
        area = self.area() if area is None else area
        columns = [fits.Column("ENERG_LO", "E", unit="keV", array=edges[:-1]),
                   fits.Column("ENERG_HI", "E", unit="keV", array=edges[1:]),
                   fits.Column("SPECRESP", "E", unit=unit, array=area)]
        hdu = fits.BinTableHDU.from_columns(columns, name="SPECRESP")
        hdu.header["HDUCLAS1"], hdu.header["HDUCLAS2"] = "RESPONSE", "SPECRESP"
        return self.save(name, hdu)

    def rmf(self, name="s.rmf", *, first=1, tlmin=True, style="fixed", extname="MATRIX", factor=None):
        """Write an RMF whose groups are of fixed, variable or scalar kind."""
        matrix = self.redistribution()
        matrix = matrix if factor is None else (matrix * factor[:, None]).astype(np.float32)
        start = np.argmax(matrix > 0, axis=1)
        width = np.count_nonzero(matrix, axis=1)
        runs = np.empty(len(start), object)
        runs[:] = [row[a:a + n] for row, a, n in zip(matrix, start, width)]
        padded = np.array([np.pad(r, (0, self.n_channels - len(r))) for r in runs])
        group = {"scalar": "J", "fixed": "2J", "variable": "PJ()"}[style]
        if style == "scalar":
            f_chan, n_chan = start + first, width
        elif style == "fixed":
            f_chan, n_chan = (np.stack([v, np.zeros_like(v)], 1) for v in (start + first, width))
        else:
            f_chan, n_chan = (self._ragged(v) for v in (start + first, width))
        columns = [fits.Column("ENERG_LO", "E", unit="keV", array=self.e_edges[:-1]),
                   fits.Column("ENERG_HI", "E", unit="keV", array=self.e_edges[1:]),
                   fits.Column("N_GRP", "I", array=np.ones(len(start))),
                   fits.Column("F_CHAN", group, array=f_chan),
                   fits.Column("N_CHAN", group, array=n_chan),
                   fits.Column("MATRIX", "PE()" if style == "variable" else f"{self.n_channels}E",
                               array=runs if style == "variable" else padded)]
        hdu = fits.BinTableHDU.from_columns(columns, name=extname)
        hdu.header["HDUCLAS1"], hdu.header["HDUCLAS2"] = "RESPONSE", "RSP_MATRIX"
        hdu.header["DETCHANS"] = self.n_channels
        if tlmin:
            hdu.header["TLMIN4"] = first
        bounds = fits.BinTableHDU.from_columns(
            [fits.Column("CHANNEL", "J", array=np.arange(first, first + self.n_channels)),
             fits.Column("E_MIN", "E", unit="keV", array=self.c_edges[:-1]),
             fits.Column("E_MAX", "E", unit="keV", array=self.c_edges[1:])], name="EBOUNDS")
        return self.save(name, hdu, bounds)

    @staticmethod
    def _ragged(values):
        rows = np.empty(len(values), object)
        rows[:] = [np.array([v]) for v in values]
        return rows

    def source(self, name="s.pha", **kwargs):
        """Write a spectrum with its responses; arguments as for `spectrum_hdu`."""
        self.arf()
        self.rmf()
        return self.save(name, self.spectrum_hdu(**kwargs))


@pytest.fixture
def ogip(tmp_path):
    """A factory of small OGIP files in a fresh folder."""
    return OgipFactory(tmp_path)


@pytest.fixture(scope="session")
def sherpa_folder():
    """Folder of the two real CSC spectra that come with Sherpa."""
    datastack = pytest.importorskip("sherpa.astro.datastack", reason="Sherpa is not installed")
    return Path(datastack.__file__).parent / "tests" / "data"


@pytest.fixture
def load_sherpa():
    """Function that reads a spectrum with Sherpa, without its chatter."""
    io = pytest.importorskip("sherpa.astro.io", reason="Sherpa is not installed")
    from sherpa.utils.logging import SherpaVerbosity

    def load(path, arf=None, rmf=None, background=None):
        with SherpaVerbosity("CRITICAL"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            data = io.read_pha(str(path), use_errors=False)
            response = data.get_response()
            arf = response[0] if arf is None else io.read_arf(str(arf))
            rmf = response[1] if rmf is None else io.read_rmf(str(rmf))
            if rmf is not None:
                data.set_response(arf, rmf)
            if background is not None:
                data.set_background(io.read_pha(str(background), use_errors=False))
        return data

    return load
