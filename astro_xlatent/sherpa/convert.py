# Licensed under a 3-clause BSD style license - see LICENSE
"""Spectra and responses from Sherpa's data objects, and back."""

import numpy as np
from sherpa.astro.data import DataARF, DataPHA, DataRMF
from sherpa.astro.instrument import rmf_to_matrix

from astro_xlatent.core.errors import ResponseError, SpectrumError
from astro_xlatent.core.flags import Flag
from astro_xlatent.spectra._ogip_tables import Arf, Rmf
from astro_xlatent.spectra._write import channel_runs
from astro_xlatent.spectra.response import Response
from astro_xlatent.spectra.spectrum import XraySpectrum

__all__ = ["from_sherpa", "response_from_sherpa", "response_to_sherpa", "to_sherpa"]


# Names of a spectrum's metadata, and of a header's keywords.
_META = {"object": "OBJECT", "obs_id": "OBS_ID", "date_obs": "DATE-OBS"}


def _rmf(rmf):
    """A DataRMF as `Rmf`."""
    from scipy.sparse import csr_array

    if rmf.e_min is None or rmf.e_max is None:
        raise ResponseError(f"{rmf.name} has no channel energies (EBOUNDS); give an RMF with them")
    lo, hi = np.asarray(rmf.e_min, float), np.asarray(rmf.e_max, float)
    matrix, meta = csr_array(rmf_to_matrix(rmf).matrix.T.astype(np.float32)), _response_meta(rmf)
    full = meta.get("hduclas3") == "FULL" or matrix.sum(axis=0).max(initial=0.0) > 2.0
    return Rmf(np.asarray(rmf.energ_lo, float), np.asarray(rmf.energ_hi, float), np.minimum(lo, hi),
               np.maximum(lo, hi), int(rmf.offset), matrix, bool(full), meta)


def _response_meta(data):
    header = data.header or {}
    return {key.lower(): str(header[key]) for key in ("TELESCOP", "INSTRUME", "HDUCLAS3") if key in header}


def response_from_sherpa(arf: DataARF | None, rmf: DataRMF) -> Response:
    """Take over Sherpa's response; without an ARF the RMF must hold the area."""
    if arf is None:
        return Response.from_tables(None, _rmf(rmf), rmf_name=rmf.name)
    lo, hi, area = (np.asarray(a, float) for a in (arf.energ_lo, arf.energ_hi, arf.specresp))
    table = Arf(lo, hi, area, _response_meta(arf))
    return Response.from_tables(table, _rmf(rmf), arf.name, rmf.name)


def response_to_sherpa(response: Response, name: str = "response") -> tuple[DataARF, DataRMF]:
    """Make Sherpa's ARF and RMF objects, called ``name.arf`` and ``name.rmf``."""
    header = {"TELESCOP": response.telescope, "INSTRUME": response.instrument}
    lo, hi = response.e_lo, response.e_hi
    arf = DataARF(f"{name}.arf", lo, hi, response.area, header={**header, "HDUCLAS2": "SPECRESP"})
    first, width, values = channel_runs(response)
    used = (width > 0).astype(np.int16)
    rmf = DataRMF(f"{name}.rmf", response.n_channels, lo, hi, used,
                  first[width > 0] + response.first_channel, width[width > 0], values,
                  offset=response.first_channel, e_min=response.channel_e_lo,
                  e_max=response.channel_e_hi, header={**header, "HDUCLAS2": "RSP_MATRIX"})
    return arf, rmf


def to_sherpa(spectrum: XraySpectrum, name: str | None = None) -> DataPHA:
    """
    Make a Sherpa data set with responses and background.

    Parameters
    ----------
    spectrum : XraySpectrum
    name : str, optional
        Name of the data set, by default the path.
    """
    name = name or spectrum.path or "spectrum"
    header = {"TELESCOP": spectrum.telescope, "INSTRUME": spectrum.instrument}
    header |= {_META[k]: v for k, v in spectrum.meta.items() if k in _META}
    unusable = spectrum.flags & Flag.NO_BACKSCALE
    pha = DataPHA(name, spectrum.channel.copy(), spectrum.counts.copy(), exposure=spectrum.exposure,
                       backscal=None if unusable else spectrum.backscale, areascal=spectrum.areascale,
                       quality=spectrum.quality.copy() if np.any(spectrum.quality) else None,
                       grouping=spectrum.grouping.copy() if np.any(spectrum.grouping) else None,
                       header=header)
    pha.grouped = False
    if spectrum.response is not None:
        pha.set_response(*response_to_sherpa(spectrum.response, name))
    if spectrum.background is not None:
        pha.set_background(to_sherpa(spectrum.background, name + " background"))
    return pha


def from_sherpa(data: DataPHA) -> XraySpectrum:
    """
    Take over a Sherpa data set with its responses and first background.

    Parameters
    ----------
    data : sherpa.astro.data.DataPHA
        Counts; a subtracted data set is taken over unsubtracted.

    Raises
    ------
    SpectrumError, ResponseError
        If there is no exposure, or the response cannot be used.
    """
    if data.exposure is None:
        raise SpectrumError(f"the Sherpa data set {data.name} has no exposure; set it first (set_exposure)")
    arf, rmf = data.get_response()
    response = None if rmf is None else response_from_sherpa(arf, rmf)
    off = data.get_background()
    background = None if off is None else from_sherpa(off)
    header = data.header or {}
    flags = (Flag.NO_BACKSCALE if data.backscal is None else 0) | (response.flags if response else 0)
    flags |= Flag.NO_BACKGROUND if background is None else background.flags & Flag.NO_BACKSCALE
    return XraySpectrum(
        counts=np.array(data.counts, float), exposure=data.exposure,
        channel=np.array(data.channel, np.int64), backscale=1.0 if data.backscal is None else data.backscal,
        areascale=1.0 if data.areascal is None else data.areascal, background=background, response=response,
        quality=None if data.quality is None else np.array(data.quality, np.int16),
        grouping=None if data.grouping is None else np.array(data.grouping, np.int16),
        telescope=str(header.get("TELESCOP", "")).upper(), instrument=str(header.get("INSTRUME", "")).upper(),
        meta={k: header[h] for k, h in _META.items() if header.get(h)}, path=str(data.name), flags=flags)
