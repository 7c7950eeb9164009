# Licensed under a 3-clause BSD style license - see LICENSE
"""Conversion to and from Sherpa's data objects; Sherpa is optional."""

import numpy as np

from astro_xlatent.core.errors import ResponseError, SpectrumError
from astro_xlatent.core.flags import Flag
from astro_xlatent.spectra._ogip_tables import Arf, Rmf
from astro_xlatent.spectra._regrid import channel_runs

__all__ = ["arf_from_sherpa", "response_to_sherpa", "rmf_from_sherpa", "spectrum_from_sherpa",
           "spectrum_to_sherpa"]


def _sherpa_data():
    try:
        from sherpa.astro import data
    except ImportError as exc:
        msg = ('Sherpa is needed for this; install it with pip install "astro_xlatent[sherpa]" '
               "or conda install -c conda-forge sherpa")
        raise ImportError(msg) from exc
    return data


def arf_from_sherpa(arf):
    """A DataARF as `Arf`."""
    lo, hi, area = (np.asarray(a, float) for a in (arf.energ_lo, arf.energ_hi, arf.specresp))
    return Arf(lo, hi, area, _response_meta(arf))


def rmf_from_sherpa(rmf):
    """A DataRMF as `Rmf`; the matrix is put together from its compressed groups."""
    from scipy.sparse import csc_array

    if rmf.e_min is None or rmf.e_max is None:
        msg = f"{rmf.name} has no channel energies (EBOUNDS); give an RMF with them"
        raise ResponseError(msg)
    n_group = np.asarray(rmf.n_grp, int)
    row = np.repeat(np.arange(n_group.size), n_group)
    start, width = np.asarray(rmf.f_chan, int) - int(rmf.offset), np.asarray(rmf.n_chan, int)
    row, start, width = row[width > 0], start[width > 0], width[width > 0]
    pointer = np.concatenate([[0], np.cumsum(np.bincount(row, weights=width, minlength=n_group.size))])
    index = np.repeat(start - (np.cumsum(width) - width), width) + np.arange(width.sum())
    lo, hi = np.asarray(rmf.e_min, float), np.asarray(rmf.e_max, float)
    matrix = csc_array((np.asarray(rmf.matrix, np.float32), index.astype(np.int32), pointer.astype(np.int32)),
                       shape=(lo.size, n_group.size)).tocsr()
    meta = _response_meta(rmf)
    full = meta.get("hduclas3") == "FULL" or matrix.sum(axis=0).max(initial=0.0) > 2.0
    return Rmf(np.asarray(rmf.energ_lo, float), np.asarray(rmf.energ_hi, float), np.minimum(lo, hi),
               np.maximum(lo, hi), int(rmf.offset), matrix, bool(full), meta)


def _response_meta(data):
    header = data.header or {}
    return {key.lower(): str(header[key]) for key in ("TELESCOP", "INSTRUME", "HDUCLAS3") if key in header}


def response_to_sherpa(response, name):
    """DataARF and DataRMF of a `Response`."""
    data = _sherpa_data()
    header = {"TELESCOP": response.telescope, "INSTRUME": response.instrument}
    lo, hi = response.e_lo, response.e_hi
    arf = data.DataARF(f"{name}.arf", lo, hi, response.area, header={**header, "HDUCLAS2": "SPECRESP"})
    first, width, values = channel_runs(response)
    used = (width > 0).astype(np.int16)
    rmf = data.DataRMF(f"{name}.rmf", response.n_channels, lo, hi, used,
                       first[width > 0] + response.first_channel, width[width > 0], values,
                       offset=response.first_channel, e_min=response.channel_e_lo,
                       e_max=response.channel_e_hi, header={**header, "HDUCLAS2": "RSP_MATRIX"})
    return arf, rmf


def spectrum_to_sherpa(spectrum, name=None):
    """DataPHA of an `XraySpectrum`."""
    data = _sherpa_data()
    name = name or spectrum.path or "spectrum"
    header = {"TELESCOP": spectrum.telescope, "INSTRUME": spectrum.instrument}
    header.update({k.upper().replace("_OBS", "-OBS"): v for k, v in spectrum.meta.items()
                   if k in ("object", "obs_id", "date_obs")})
    unusable = spectrum.flags & Flag.NO_BACKSCALE
    pha = data.DataPHA(name, spectrum.channel.copy(), spectrum.counts.copy(), exposure=spectrum.exposure,
                       backscal=None if unusable else spectrum.backscale, areascal=spectrum.areascale,
                       quality=spectrum.quality.copy() if np.any(spectrum.quality) else None,
                       grouping=spectrum.grouping.copy() if np.any(spectrum.grouping) else None,
                       header=header)
    pha.grouped = False
    if spectrum.response is not None:
        pha.set_response(*response_to_sherpa(spectrum.response, name))
    if spectrum.background is not None:
        pha.set_background(spectrum_to_sherpa(spectrum.background, name + " background"))
    return pha


def spectrum_from_sherpa(cls, data):
    """`XraySpectrum` of a DataPHA."""
    from astro_xlatent.spectra.response import Response

    if data.exposure is None:
        msg = f"the Sherpa data set {data.name} has no exposure; set it first (set_exposure)"
        raise SpectrumError(msg)
    arf, rmf = data.get_response()
    response = None if rmf is None else Response.from_sherpa(arf, rmf)
    off = data.get_background()
    background = None if off is None else spectrum_from_sherpa(cls, off)
    header = data.header or {}
    flags = (Flag.NO_BACKSCALE if data.backscal is None else 0) | (response.flags if response else 0)
    flags |= Flag.NO_BACKGROUND if background is None else background.flags & Flag.NO_BACKSCALE
    return cls(counts=np.array(data.counts, float), exposure=data.exposure,
               channel=np.array(data.channel, np.int64),
               backscale=1.0 if data.backscal is None else data.backscal,
               areascale=1.0 if data.areascal is None else data.areascal,
               background=background, response=response,
               quality=None if data.quality is None else np.array(data.quality, np.int16),
               grouping=None if data.grouping is None else np.array(data.grouping, np.int16),
               telescope=str(header.get("TELESCOP", "")).upper(),
               instrument=str(header.get("INSTRUME", "")).upper(),
               meta={k: header[h] for k, h in (("object", "OBJECT"), ("obs_id", "OBS_ID"),
                                               ("date_obs", "DATE-OBS")) if header.get(h)},
               path=str(data.name), flags=flags)
