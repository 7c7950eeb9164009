# Licensed under a 3-clause BSD style license - see LICENSE
"""
Writing many OGIP spectra of one detector fast.

The header is made once by the package's writer; per file only some values
change. Files are the same byte for byte each time.
"""

import gzip

import numpy as np
from astropy.io import fits

from astro_xlatent.spectra._write import spectrum_table
from astro_xlatent.spectra.spectrum import XraySpectrum

__all__ = ["SpectrumFiles"]

_BLOCK = 2880


class SpectrumFiles:
    """Writer of gzipped PHA files with the channels and instrument of a response."""

    def __init__(self, response):
        first, n = response.first_channel, response.n_channels
        self._table = np.zeros(n, [("CHANNEL", ">i4"), ("COUNTS", ">i4")])
        self._table["CHANNEL"] = np.arange(first, first + n)
        # one count, else the writer could not tell that counts are whole
        spectrum = XraySpectrum(np.ones(n), exposure=1.0, channel=self._table["CHANNEL"].astype(int),
                                telescope=response.telescope, instrument=response.instrument)
        self._headers = {kind: spectrum_table(spectrum, kind, {})[0].header for kind in ("TOTAL", "BKG")}
        primary = fits.PrimaryHDU().header
        primary["EXTEND"] = True
        self._primary = primary.tostring().encode("ascii")

    def write(self, path, background_path, counts, off_counts, *, backscale, scale, **keywords):
        """
        Write a spectrum and its background, whose counts are whole numbers per channel.

        Without a ``background_path`` it is a second extension of ``path``, which ends in ``.gz``.
        ``backscale`` is that of the source, ``scale`` its ratio to that of the background; ``keywords`` are
        header values of both, such as EXPOSURE and ANCRFILE.
        """
        inside = background_path is None
        # as in the Chandra Source Catalog, whose spectra name themselves
        link = path.name if inside else background_path.name
        source = self._extension("TOTAL", counts, {**keywords, "BACKSCAL": backscale, "BACKFILE": link})
        off = self._extension("BKG", off_counts, {**keywords, "BACKSCAL": backscale / scale})
        if not inside:
            self._save(background_path, off)
        self._save(path, source + off if inside else source)

    def _extension(self, kind, counts, keywords):
        header = self._headers[kind]
        for name, value in keywords.items():
            header[name] = value
        self._table["COUNTS"] = counts
        data = self._table.tobytes()
        return header.tostring().encode("ascii") + data + bytes(-len(data) % _BLOCK)

    def _save(self, path, extensions):
        path.write_bytes(gzip.compress(self._primary + extensions, compresslevel=6, mtime=0))
