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

if TYPE_CHECKING:
    from os import PathLike

    from astropy.io.fits import BinTableHDU

    from astro_xlatent.spectra.response import Response
    from astro_xlatent.spectra.spectrum import XraySpectrum

__all__ = ["channel_runs", "spectrum_table", "write_response", "write_spectrum"]


def write_spectrum(spectrum: XraySpectrum, path: str | PathLike, *, overwrite: bool = False) -> None:
    """Write a spectrum with its background and response beside it, see `XraySpectrumWrite`."""
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


def _table(name, columns, telescope, instrument, **more):
    """A table of columns (name, format, unit, values) with the keywords of OGIP files."""
    from astropy.io import fits

    hdu = fits.BinTableHDU.from_columns(
        [fits.Column(key, form, unit=unit, array=values) for key, form, unit, values in columns], name=name)
    hdu.header.update({"HDUCLASS": "OGIP", "TELESCOP": telescope, "INSTRUME": instrument,
                       "FILTER": "", **more})
    return hdu


def spectrum_table(spectrum: XraySpectrum, kind: str, links: dict[str, str]) -> list[BinTableHDU]:
    """The SPECTRUM extension, in a list; ``kind`` is HDUCLAS2, ``links`` names the companions there are."""
    whole = np.all(spectrum.counts == np.round(spectrum.counts)) and spectrum.counts.max(initial=0) < 2**31
    columns = [("CHANNEL", "J", None, spectrum.channel),
               ("COUNTS", "J" if whole else "D", "count", spectrum.counts)]
    scalars = {"QUALITY": 0, "GROUPING": 0}
    scales = {"AREASCAL": spectrum.areascale}
    if not spectrum.flags & Flag.NO_BACKSCALE:
        scales["BACKSCAL"] = spectrum.backscale
    for key, value in scales.items():
        if np.ndim(value):
            columns.append((key, "D", None, value))
        else:
            scalars[key] = value
    for key, value in (("QUALITY", spectrum.quality), ("GROUPING", spectrum.grouping)):
        if np.any(value):
            columns.append((key, "I", None, value))
            del scalars[key]
    names = {key: key.lower().replace("-", "_") for key in ("OBJECT", "OBS_ID", "DATE-OBS")}
    meta = {key: spectrum.meta[name] for key, name in names.items() if name in spectrum.meta}
    hdu = _table("SPECTRUM", columns, spectrum.telescope, spectrum.instrument, HDUCLAS1="SPECTRUM",
                 HDUCLAS2=kind, HDUCLAS3="COUNT", HDUVERS="1.2.1", POISSERR=True,
                 CHANTYPE=str(spectrum.meta.get("chantype", "PI")), DETCHANS=spectrum.counts.size,
                 EXPOSURE=spectrum.exposure, CORRFILE="none", CORRSCAL=1.0, SYS_ERR=0,
                 RESPFILE=links.get("rmf", "none"), ANCRFILE=links.get("arf", "none"),
                 BACKFILE=links.get("background", "none"), TLMIN1=int(spectrum.channel[0]),
                 TLMAX1=int(spectrum.channel[-1]), **scalars, **meta)
    for line in spectrum.meta.get("history", ()):
        hdu.header.add_history(line.encode("ascii", "replace").decode())
    return [hdu]


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
    columns = [("ENERG_LO", "D", "keV", response.e_lo), ("ENERG_HI", "D", "keV", response.e_hi),
               ("SPECRESP", "D", "cm**2", response.area)]
    return _table("SPECRESP", columns, response.telescope, response.instrument, HDUCLAS1="RESPONSE",
                  HDUCLAS2="SPECRESP", HDUVERS="1.1.0")


def _rmf_tables(response):
    first, width, values = channel_runs(response)
    rows = np.empty(width.size, object)
    rows[:] = np.split(values.astype(np.float32), np.cumsum(width)[:-1])
    lowest, last = response.first_channel, response.first_channel + response.n_channels - 1
    common = {"telescope": response.telescope, "instrument": response.instrument, "HDUCLAS1": "RESPONSE",
              "CHANTYPE": "PI", "DETCHANS": response.n_channels, "HDUVERS": "1.3.0"}
    matrix = [("ENERG_LO", "D", "keV", response.e_lo), ("ENERG_HI", "D", "keV", response.e_hi),
              ("N_GRP", "I", None, width > 0), ("F_CHAN", "J", None, first + lowest),
              ("N_CHAN", "J", None, width), ("MATRIX", "PE()", None, rows)]
    bounds = [("CHANNEL", "J", None, np.arange(lowest, last + 1)),
              ("E_MIN", "D", "keV", response.channel_e_lo), ("E_MAX", "D", "keV", response.channel_e_hi)]
    return [_table("MATRIX", matrix, HDUCLAS2="RSP_MATRIX", HDUCLAS3="REDIST", TLMIN4=lowest, TLMAX4=last,
                   **common),
            _table("EBOUNDS", bounds, HDUCLAS2="EBOUNDS", TLMIN1=lowest, TLMAX1=last, **common)]


def channel_runs(response: Response) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """First channel (from 0) and number, (n_energy,) each, of one run per energy; all runs joined."""
    columns = response.redistribution.tocsc()
    columns.sum_duplicates()
    count = np.diff(columns.indptr)
    first, last = np.zeros(count.size, int), np.full(count.size, -1)
    filled = count > 0
    first[filled] = columns.indices[columns.indptr[:-1][filled]]
    last[filled] = columns.indices[columns.indptr[1:][filled] - 1]
    width = last - first + 1
    begin = np.cumsum(width) - width
    values = np.zeros(int(width.sum()))
    values[columns.indices + np.repeat(begin - first, count)] = columns.data
    return first, width, values
