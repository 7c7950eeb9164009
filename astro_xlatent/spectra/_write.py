# Licensed under a 3-clause BSD style license - see LICENSE
"""Writing spectra and responses as OGIP files, whole or not at all."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from astro_xlatent.core.errors import ResponseError, SpectrumError
from astro_xlatent.core.files import check_output, replacing
from astro_xlatent.core.flags import Flag
from astro_xlatent.spectra._regrid import channel_runs

if TYPE_CHECKING:
    from os import PathLike

    from astropy.io.fits import BinTableHDU

    from astro_xlatent.spectra.response import Response
    from astro_xlatent.spectra.spectrum import XraySpectrum

__all__ = ["spectrum_table", "write_response", "write_spectrum"]


def write_spectrum(spectrum: XraySpectrum, path: str | PathLike, *, overwrite: bool = False) -> None:
    """
    Write a spectrum with its background and response beside it, see `XraySpectrumWrite`.

    Raises a `SpectrumError` if a file exists and ``overwrite`` is False.
    """
    path = Path(path)
    names = _companion_names(spectrum, path)
    for name in (path, *names.values()):
        check_output(name, overwrite, error=SpectrumError)
    if "arf" in names:
        write_response(spectrum.response, names["arf"], names["rmf"], overwrite=overwrite)
    links = {kind: name.name for kind, name in names.items()}
    if "background" in names:
        off = {k: v for k, v in links.items() if k != "background"}
        _save(spectrum_table(spectrum.background, "BKG", off), names["background"])
    # Last: once the spectrum is there, everything it names is.
    _save(spectrum_table(spectrum, "TOTAL", links), path)


def _companion_names(spectrum, path):
    stem, suffix = path.name, ""
    for end in (".gz", Path(path.name.removesuffix(".gz")).suffix):
        if end and stem.endswith(end):
            stem, suffix = stem.removesuffix(end), end + suffix
    names = {}
    if spectrum.background is not None:
        names["background"] = path.with_name(f"{stem}_bkg{suffix}")
    if spectrum.response is not None:
        names["arf"], names["rmf"] = (path.with_name(stem + end) for end in (".arf", ".rmf"))
    return names


def _save(tables, path):
    from astropy.io import fits

    with replacing(path) as temporary:
        fits.HDUList([fits.PrimaryHDU(), *tables]).writeto(temporary)


def _header(hdu, *, hduclas1, hduclas2, telescope, instrument, **more):
    values = {"HDUCLASS": "OGIP", "HDUCLAS1": hduclas1, "HDUCLAS2": hduclas2, "TELESCOP": telescope,
              "INSTRUME": instrument, "FILTER": "", **more}
    for key, value in values.items():
        hdu.header[key] = value
    return hdu


def spectrum_table(spectrum: XraySpectrum, kind: str, links: dict[str, str]) -> list[BinTableHDU]:
    """
    The SPECTRUM extension of a spectrum, in a list.

    ``kind`` is HDUCLAS2, TOTAL or BKG; ``links`` has file names for the header: ``arf``, ``rmf``,
    ``background``, as far as there are any.
    """
    from astropy.io import fits

    whole = np.all(spectrum.counts == np.round(spectrum.counts)) and spectrum.counts.max(initial=0) < 2**31
    columns = [fits.Column("CHANNEL", "J", array=spectrum.channel),
               fits.Column("COUNTS", "J" if whole else "D", unit="count", array=spectrum.counts)]
    scalars = {}
    scales = {"AREASCAL": spectrum.areascale}
    if not spectrum.flags & Flag.NO_BACKSCALE:
        scales["BACKSCAL"] = spectrum.backscale
    for key, value in scales.items():
        if np.ndim(value):
            columns.append(fits.Column(key, "D", array=value))
        else:
            scalars[key] = value
    for key, value in (("QUALITY", spectrum.quality), ("GROUPING", spectrum.grouping)):
        if np.any(value):
            columns.append(fits.Column(key, "I", array=value))
        else:
            scalars[key] = 0
    meta = {key: spectrum.meta[key.lower().replace("-", "_")] for key in ("OBJECT", "OBS_ID", "DATE-OBS")
            if key.lower().replace("-", "_") in spectrum.meta}
    hdu = fits.BinTableHDU.from_columns(columns, name="SPECTRUM")
    hdu.header["TLMIN1"], hdu.header["TLMAX1"] = int(spectrum.channel[0]), int(spectrum.channel[-1])
    for line in spectrum.meta.get("history", ()):
        hdu.header.add_history(line.encode("ascii", "replace").decode())
    return [_header(hdu, hduclas1="SPECTRUM", hduclas2=kind, HDUCLAS3="COUNT", HDUVERS="1.2.1",
                    telescope=spectrum.telescope, instrument=spectrum.instrument, POISSERR=True,
                    CHANTYPE=str(spectrum.meta.get("chantype", "PI")), DETCHANS=spectrum.counts.size,
                    EXPOSURE=spectrum.exposure, CORRFILE="none", CORRSCAL=1.0, SYS_ERR=0,
                    RESPFILE=links.get("rmf", "none"), ANCRFILE=links.get("arf", "none"),
                    BACKFILE=links.get("background", "none"), **scalars, **meta)]


def write_response(response: Response, arf_path: str | PathLike, rmf_path: str | PathLike | None, *,
                   overwrite: bool = False) -> None:
    """Write ARF and RMF of a `Response`, see `Response.write`; ``rmf_path`` None: the ARF alone."""
    paths = [Path(path) for path in (arf_path, rmf_path) if path is not None]
    for path in paths:
        check_output(path, overwrite, error=ResponseError)
    response = _pure(response)
    if rmf_path is not None:
        _save(_rmf_tables(response), paths[1])
    _save([_arf_table(response)], paths[0])


def _pure(response):
    """The same response with the area in ``area`` and a matrix of probabilities."""
    total = np.asarray(response.redistribution.sum(axis=0)).ravel()
    if total.max(initial=0.0) <= 2.0:
        return response
    matrix = response.redistribution.astype(float)
    matrix.data /= total[matrix.indices]
    return replace(response, redistribution=matrix, area=response.area * total)


def _arf_table(response):
    from astropy.io import fits

    columns = [fits.Column("ENERG_LO", "D", unit="keV", array=response.e_lo),
               fits.Column("ENERG_HI", "D", unit="keV", array=response.e_hi),
               fits.Column("SPECRESP", "D", unit="cm**2", array=response.area)]
    hdu = fits.BinTableHDU.from_columns(columns, name="SPECRESP")
    return _header(hdu, hduclas1="RESPONSE", hduclas2="SPECRESP", HDUVERS="1.1.0",
                   telescope=response.telescope, instrument=response.instrument)


def _rmf_tables(response):
    from astropy.io import fits

    first, width, values = channel_runs(response)
    rows = np.empty(width.size, object)
    rows[:] = np.split(values.astype(np.float32), np.cumsum(width)[:-1])
    columns = [fits.Column("ENERG_LO", "D", unit="keV", array=response.e_lo),
               fits.Column("ENERG_HI", "D", unit="keV", array=response.e_hi),
               fits.Column("N_GRP", "I", array=(width > 0)),
               fits.Column("F_CHAN", "J", array=first + response.first_channel),
               fits.Column("N_CHAN", "J", array=width),
               fits.Column("MATRIX", "PE()", array=rows)]
    common = {"telescope": response.telescope, "instrument": response.instrument, "CHANTYPE": "PI",
              "DETCHANS": response.n_channels, "HDUVERS": "1.3.0"}
    matrix = fits.BinTableHDU.from_columns(columns, name="MATRIX")
    last = response.first_channel + response.n_channels - 1
    matrix.header["TLMIN4"], matrix.header["TLMAX4"] = response.first_channel, last
    _header(matrix, hduclas1="RESPONSE", hduclas2="RSP_MATRIX", HDUCLAS3="REDIST", **common)
    channel = np.arange(response.first_channel, last + 1)
    bounds = fits.BinTableHDU.from_columns(
        [fits.Column("CHANNEL", "J", array=channel),
         fits.Column("E_MIN", "D", unit="keV", array=response.channel_e_lo),
         fits.Column("E_MAX", "D", unit="keV", array=response.channel_e_hi)], name="EBOUNDS")
    bounds.header["TLMIN1"], bounds.header["TLMAX1"] = response.first_channel, last
    return [matrix, _header(bounds, hduclas1="RESPONSE", hduclas2="EBOUNDS", **common)]
