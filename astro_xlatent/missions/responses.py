# Licensed under a 3-clause BSD style license - see LICENSE
"""Default responses and band areas of the missions from the shipped curves."""

import re
from functools import lru_cache

import numpy as np

from astro_xlatent.core.errors import MissionError
from astro_xlatent.core.flags import Flag
from astro_xlatent.missions.curves import load_curve
from astro_xlatent.physics.grid import ENERGY_EDGES, ENERGY_MID, ENERGY_WIDTH

__all__ = ["band_area", "band_matrix", "curve_name", "default_response"]

#: Curve of each mission's instruments; the first is the default. Keys are
#: what catalogs and headers write, without punctuation, in lower case.
_INSTRUMENTS = {
    "csc": {"acis": "acis-s", "aciss": "acis-s", "acisi": "acis-i", "acissfront": "acis-s-front"},
    "erosita": {"tm0": "erosita-tm0", "merged": "erosita-tm0", "survey": "erosita-survey"},
    "xmm": {"epn": "xmm-pn", "pn": "xmm-pn", "mos": "xmm-mos"}
    | {f"{name}{k}": "xmm-mos" for name in ("mos", "emos", "m") for k in ("", "1", "2")},
    "swift": {"xrt": "swift-xrt"},
}
#: Telescope modules of eROSITA: TM8, TM9 (with and without on-chip filter) or single ones.
_MODULES = re.compile("tm([89]|[1-7]+)")
#: Probabilities below this are left out of default responses (the matrix stays sparse).
_NEGLIGIBLE = 1e-7


def curve_name(mission, instrument=None):
    """
    Name of the shipped curve for an instrument.

    Parameters
    ----------
    mission : str
        ``"csc"``, ``"erosita"``, ``"xmm"`` or ``"swift"``.
    instrument : str, optional
        In any spelling of catalogs and headers, such as ``"ACIS-I"`` or
        ``"EMOS1"``. Default the mission's first: ACIS-S, TM0, EPIC-pn. Modules
        of eROSITA may be joined: ``"TM12346"`` is TM8.

    Returns
    -------
    name : str

    Raises
    ------
    MissionError
        If there is no curve for the mission or the instrument.

    Examples
    --------
    >>> from astro_xlatent.missions.responses import curve_name
    >>> curve_name("csc", "ACIS-I")
    'acis-i'
    """
    known = _INSTRUMENTS.get(mission)
    if known is None:
        msg = f"no default response for mission {mission!r}; there are some for {', '.join(_INSTRUMENTS)}"
        raise MissionError(msg)
    if instrument is None:
        return next(iter(known.values()))
    key = "".join(c for c in str(instrument).lower() if c.isalnum())
    if mission == "erosita" and _MODULES.fullmatch(key):
        return f"erosita-{key}"
    key = key if key in known else key.removeprefix("epic")
    if key not in known:
        msg = (f"no default response for instrument {instrument!r} of mission {mission!r}; "
               f"allowed are {', '.join(sorted(known))}"
               f"{', tm1 to tm9' if mission == 'erosita' else ''}")
        raise MissionError(msg)
    return known[key]


@lru_cache(maxsize=64)
def _redistribution(name):
    """Sparse matrix of a curve, shape (n_channels, N_ENERGY)."""
    from scipy.sparse import csr_array

    matrix = load_curve(name).redistribution()
    matrix[matrix < _NEGLIGIBLE] = 0.0
    return csr_array(matrix.astype(np.float32))


@lru_cache(maxsize=512)
def _make_response(name, year, off_axis):
    from astro_xlatent.spectra.response import Response

    curve, extrapolated = load_curve(name), bool(load_curve(name).is_extrapolated(year))
    edges = curve.channel_edges
    return Response(
        redistribution=_redistribution(name),
        area=curve.area(ENERGY_MID, year=year, off_axis=off_axis),
        e_lo=ENERGY_EDGES[:-1],
        e_hi=ENERGY_EDGES[1:],
        channel_e_lo=edges[:-1],
        channel_e_hi=edges[1:],
        first_channel=curve.first_channel,
        telescope=curve.telescope,
        instrument=curve.instrument,
        meta={"default_response": name, "year": year, "off_axis": off_axis, **curve.provenance},
        flags=Flag.RESPONSE_EXTRAPOLATED if extrapolated else 0,
        area_error=curve.area_error(ENERGY_MID, year) if extrapolated else None,
    )


def default_response(mission, instrument=None, year=None, off_axis=0.0):
    """
    A typical response of a mission, for sources that come without one.

    Parameters
    ----------
    mission : str
        ``"csc"``, ``"erosita"``, ``"xmm"`` or ``"swift"``.
    instrument : str, optional
        See `curve_name`.
    year : float, optional
        Decimal year; the area of ACIS below 2 keV falls with time as
        contamination builds up. Default the middle of the years covered. Past
        their end the contamination is extrapolated: the response carries
        ``Flag.RESPONSE_EXTRAPOLATED`` and an ``area_error``.
    off_axis : float, optional
        Off-axis angle in arcmin (ACIS only).

    Returns
    -------
    response : `~astro_xlatent.spectra.response.Response`
        Shared between callers: do not change it in place. Against the real
        files of the fit, folded counts of absorbed power laws in five bands
        agree to a few percent for N_H up to 1e21; where absorption leaves
        only redistributed photons in a band, to about 20 %.

    Raises
    ------
    MissionError
        If there is no curve for the mission or the instrument.
    ParameterError
        If the year lies before first light or the angle outside the curve's range.

    Examples
    --------
    >>> from astro_xlatent.missions.responses import default_response
    >>> response = default_response("csc", "ACIS-S", year=2013.4)
    >>> response.telescope, response.channel_e_lo.size
    ('CHANDRA', 1024)
    """
    year = None if year is None else round(float(year), 2)
    return _make_response(curve_name(mission, instrument), year, round(float(off_axis), 2))


@lru_cache(maxsize=512)
def _band_redistribution(name, bands):
    edges = np.unique(np.array(bands).ravel())
    between = load_curve(name).redistribution(channel_edges=edges)
    inside = [(edges[:-1] >= lo) & (edges[1:] <= hi) for lo, hi in bands]
    return np.array([between[rows].sum(axis=0) for rows in inside])


def band_matrix(mission, bands, instrument=None, year=None, off_axis=0.0):
    """
    Fold incident spectra into bands of measured energy.

    Parameters
    ----------
    mission, instrument, year, off_axis
        See `default_response`.
    bands : sequence of (float, float), length n_bands
        Bounds of measured energy in keV.

    Returns
    -------
    matrix : ndarray, shape (n_bands, N_ENERGY)
        In cm2: times photons/cm2/s per bin of the package's grid, counts/s in
        each band. The mean area of a band for a spectrum ``s`` is thus
        ``matrix @ s`` over the photons of ``s`` in the band, whatever its shape.

    Examples
    --------
    >>> from astro_xlatent.missions.responses import band_matrix
    >>> from astro_xlatent.physics.grid import ENERGY_MID, ENERGY_WIDTH
    >>> soft, hard = band_matrix("erosita", [(0.5, 2.0), (2.0, 5.0)]) @ (ENERGY_MID**-2 * ENERGY_WIDTH)
    >>> bool(soft > 10 * hard)
    True
    """
    name, bands = curve_name(mission, instrument), _as_bands(bands)
    area = load_curve(name).area(ENERGY_MID, year=year, off_axis=off_axis)
    return _band_redistribution(name, bands) * area


def _as_bands(bands):
    return tuple((float(lo), float(hi)) for lo, hi in bands)


def band_area(name, bands, year=None, off_axis=0.0):
    """
    Mean area of bands of measured energy, as `EnergyBins` defines it.

    Parameters
    ----------
    name : str
        Curve, see `~astro_xlatent.missions.curves.available_curves`.
    bands : sequence of (float, float)
        Bounds of measured energy in keV.
    year, off_axis : float or array_like of shape (rows,), optional
        See `default_response`.

    Returns
    -------
    area : ndarray, shape (n_bands,) or (rows, n_bands)
        Integral over photon energy of area times the probability to be
        recorded in the band, divided by the band's width, in cm2: the mean
        area for a flat spectrum (for others see `band_matrix`). Times the
        exposure it is ``EnergyBins.area``.

    Examples
    --------
    >>> from astro_xlatent.missions.responses import band_area
    >>> band_area("erosita-tm0", [(1.0, 2.0)]).round()
    array([2275.])
    """
    bands = _as_bands(bands)
    year = None if year is None else np.asarray(year, float)[..., None]
    area = load_curve(name).area(ENERGY_MID, year=year, off_axis=np.asarray(off_axis, float)[..., None])
    seen = _band_redistribution(name, bands)
    return (area * ENERGY_WIDTH) @ seen.T / np.array([hi - lo for lo, hi in bands])
