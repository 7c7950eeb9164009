# Licensed under a 3-clause BSD style license - see LICENSE
"""
The instruments of the simulated sky: dense matrices of real responses or of shipped curves at many epochs,
and the `Detector` of a catalog, whose area changes with epoch and off-axis angle while the redistribution
does not.
"""

from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.time import Time

from astro_xlatent.core.errors import MissionError, XlatentError
from astro_xlatent.missions._csc_areas import DEFAULT_YEAR, effective_energies
from astro_xlatent.missions.curves import acis_curve, load_curve
from astro_xlatent.missions.responses import default_response
from astro_xlatent.physics.grid import ENERGY_MID, ENERGY_WIDTH
from astro_xlatent.spectra.binning import fine_response, group_channels
from astro_xlatent.spectra.bins import FINE_EDGES
from astro_xlatent.spectra.response import Response

__all__ = ["Detector", "Instrument", "default_instruments", "draw_instrument",
           "load_detector", "load_instruments", "prepare"]

MISSION_OF = {"CHANDRA": "csc", "EROSITA": "erosita", "XMM": "xmm"}
_EXTENSIONS = {"SPECRESP": "ARF", "MATRIX": "RMF", "SPECRESP MATRIX": "RMF", "RSP_MATRIX": "RMF"}
_SUFFIXES = (".arf", ".rmf", ".warf", ".wrmf", ".fits", ".fits.gz", ".rmf.gz")
#: Chips that the shipped curves of ACIS stand for.
CHIPS = {"ACIS-I": "ACIS-3", "ACIS-S": "ACIS-7", "ACIS-S-front": "ACIS-6"}
#: Epochs in years within which the responses of a chip are blended: contamination is nearly linear in time.
BLEND_YEARS = 4.0
# Bins inside which the catalogs' bands lie exactly, keV.
BAND_EDGES = {
    "csc": np.r_[0.5, 0.65, 0.8, 0.9, 1.0, 1.1, 1.2, 1.4, 1.6, 1.8, 2.0, 2.3, 2.6, 3.0,
                 3.5, 4.0, 4.5, 5.0, 5.5, 6.0, 6.5, 7.0],
    "erosita": np.array([0.2, 0.5, 1.0, 2.0, 5.0, 8.0]),
    "xmm": np.array([0.2, 0.35, 0.5, 0.7, 1.0, 1.4, 2.0, 2.7, 3.5, 4.5, 6.0, 8.0, 12.0]),
}


@dataclass
class Instrument:
    """
    One response on the grids of the simulation.

    ``matrix``, (N_FINE, n_energy) in cm2, folds photons/cm2/s per grid bin into counts/s in the fine
    bins, whose ``e_lo``, ``e_hi``, ``area``, ``resolution`` and ``valid`` are as in `EnergyBins` for one
    second; ``band_matrix`` does the same for the sub-bands of the mission's catalog with the edges
    ``band_edges`` in keV. ``mono`` is the area in cm2 at the CSC's energies of its bands s, m, h and b,
    ``epoch`` a decimal year (NaN: unknown), ``detector`` the chips as catalogs write them (``"ACIS-7"``;
    empty: unknown). The mission decides background and catalog recipe.
    """

    name: str
    mission: str
    matrix: np.ndarray
    e_lo: np.ndarray
    e_hi: np.ndarray
    area: np.ndarray
    resolution: np.ndarray
    valid: np.ndarray
    band_matrix: np.ndarray
    band_edges: np.ndarray
    mono: np.ndarray | None = None
    epoch: float = np.nan
    detector: str = ""

    def fine_area(self, factor):
        """Mean area of the fine bins in cm2, (rows, N_FINE), of an area times factors, (rows, n_energy)."""
        return (factor * ENERGY_WIDTH) @ self.matrix.T / np.where(self.valid, self.e_hi - self.e_lo, 1.0)

    def band_area(self, factor):
        """The same for the sub-bands, (rows, n_sub)."""
        return (factor * ENERGY_WIDTH) @ self.band_matrix.T / np.diff(self.band_edges)

    def off_axis_factors(self, off_axis):
        """Area at ``off_axis`` arcmin over that on axis, (rows, n_energy), and `mono`; 1 without a chip."""
        on_axis = np.ones(4) if self.mono is None else self.mono
        if not self.detector or not np.any(off_axis):
            return np.ones((len(off_axis), 1), np.float32), np.tile(on_axis, (len(off_axis), 1))
        curve = load_curve(_curve_of(self.detector))
        energy = np.r_[ENERGY_MID, effective_energies(curve.name)]
        # Some responses tell no date; the ratio hardly depends on it.
        epoch = self.epoch if np.isfinite(self.epoch) else DEFAULT_YEAR
        whole = np.maximum(curve.area(energy, epoch), 1e-30)
        factor = curve.area(energy, epoch, np.asarray(off_axis)[:, None]) / whole
        return factor[:, :ENERGY_MID.size].astype(np.float32), on_axis * factor[:, ENERGY_MID.size:]


def _curve_of(detector):
    """Shipped curve of the first of the chips."""
    return acis_curve(int(detector[5])) if detector else ""


def prepare(name, mission, response, epoch=np.nan, detector=""):
    """Make an `Instrument` of a `Response`; `MissionError` if the mission has no bands here."""
    if mission not in BAND_EDGES:
        raise MissionError(f"mission is {mission!r}; allowed: {', '.join(BAND_EDGES)}")
    edges = BAND_EDGES[mission]
    bands = fine_response(response, edges)
    energies = effective_energies(_curve_of(detector))
    mono = np.interp(energies, 0.5 * (response.e_lo + response.e_hi), response.area)
    return Instrument(name, mission, band_matrix=bands.matrix, band_edges=edges, mono=mono, epoch=epoch,
                      detector=detector, **vars(fine_response(response, FINE_EDGES)))


def default_instruments(years=range(2000, 2026, 3)):
    """The shipped response curves: ACIS at many epochs (its contamination grows), eROSITA and EPIC."""
    wanted = [("csc", chip, year) for year in years for chip in CHIPS]
    # half of the eROSITA responses are averaged over the survey's scans
    wanted += [("erosita", "TM0", None), ("erosita", "survey", None)] * 2
    wanted += [("xmm", "EPN", None), ("xmm", "EMOS1", None)]
    return [
        prepare(f"{instrument} {year or ''}".strip(), mission, default_response(mission, instrument, year),
                np.nan if year is None else float(year), CHIPS.get(instrument, ""))
        for mission, instrument, year in wanted
    ]


def load_instruments(folder, log=print):
    """
    Prepare every real response of the trained missions in FITS files below a folder, else `MissionError`. An
    ARF without an RMF takes the first of its mission, from its folder if possible, whose energy grid it
    shares. Files that cannot be used are reported through ``log`` and left out.
    """
    arfs, rmfs = [], []
    for path in sorted(p for p in Path(folder).rglob("*") if p.name.endswith(_SUFFIXES) and p.is_file()):
        try:
            found = _response_headers(path)
        except (OSError, ValueError, TypeError) as error:
            log(f"{path}: not a readable FITS file ({error}); left out")
            continue
        arfs += [(path, *found["ARF"])] if "ARF" in found else []
        rmfs += [(path, found["RMF"][0])] if "RMF" in found else []
    made = [_first_match(*arf, sorted(rmfs, key=lambda rmf: rmf[0].parent != arf[0].parent), log)
            for arf in arfs]
    made = [instrument for instrument in made if instrument is not None]
    if not made:
        msg = f"{folder}: no ARF and RMF of Chandra, eROSITA or XMM found; name a folder that holds some"
        raise MissionError(msg)
    return made


def _response_headers(path):
    """Mission and header of the extensions 'ARF' and 'RMF' of trained missions."""
    found = {}
    with fits.open(path, memmap=False) as hdus:
        for hdu in hdus[1:]:
            telescope, instrument = (str(hdu.header.get(key, "")).strip().upper()
                                     for key in ("TELESCOP", "INSTRUME"))
            mission = MISSION_OF.get(telescope)
            if hdu.name.upper() in _EXTENSIONS and mission and not instrument.startswith("HRC"):
                found[_EXTENSIONS[hdu.name.upper()]] = mission, hdu.header
    return found


def _first_match(arf, mission, header, rmfs, log):
    """Combine an ARF with the first RMF that shares its energy grid."""
    for rmf in (path for path, of_mission in rmfs if of_mission == mission):
        try:
            response = Response.read(arf, rmf)
        except XlatentError:
            continue
        if response.flags == 0:
            return prepare(f"{arf.parent.name}/{arf.name}", mission, response, *_epoch_and_chips(header))
    log(f"{arf}: no RMF of the same mission and energy grid; left out")
    return None


def _epoch_and_chips(header):
    """Decimal year and chips from an ARF's header; NaN and empty where it tells none."""
    detector = str(header.get("DETNAM", "")).strip()
    try:
        epoch = float(Time(str(header.get("DATE-OBS", "")).strip()).decimalyear)
    except ValueError:
        epoch = np.nan
    return epoch, detector if detector.startswith("ACIS-") else ""


def draw_instrument(instruments, mission, rng):
    """One instrument of a mission, or a blend of two with the same bins, chips and about the same epoch."""
    own = [i for i in instruments if i.mission == mission]
    first, second = (own[rng.integers(len(own))] for _ in range(2))
    unlike = not np.array_equal(first.e_lo, second.e_lo) or first.detector != second.detector
    apart = abs(first.epoch - second.epoch) > BLEND_YEARS or np.isnan(first.epoch) != np.isnan(second.epoch)
    if rng.random() < 0.5 or unlike or apart:
        return first
    weight = rng.random()

    def blend(name):
        one, other = (np.asarray(getattr(i, name)) for i in (first, second))
        return (weight * one + (1 - weight) * other).astype(one.dtype)

    blended = {name: blend(name) for name in ("matrix", "area", "resolution", "band_matrix", "mono")}
    return replace(first, epoch=weight * first.epoch + (1 - weight) * second.epoch, **blended)


# curve -> mission and instrument of `default_response`
_CURVES = {
    "acis-i": ("csc", "ACIS-I"), "acis-s": ("csc", "ACIS-S"),
    "erosita-survey": ("erosita", "survey"),
    "xmm-pn": ("xmm", "EPN"), "xmm-mos": ("xmm", "EMOS1"),
}


@dataclass(frozen=True)
class Detector:
    """
    A detector with a ``response`` of 1 cm2 everywhere.

    ``matrix``, (n_channels, n_energy), is its redistribution, ``center`` the nominal channel centers in
    keV, ``unit`` the same on the fine grid and in the catalog's sub-bands; ``into_fine`` and
    ``into_bands``, (n_channels, bins), add up values per channel, ``values @ into_fine``.
    """

    name: str
    mission: str
    response: Response
    matrix: np.ndarray
    center: np.ndarray
    unit: Instrument
    into_fine: np.ndarray
    into_bands: np.ndarray


@cache
def load_detector(curve):
    """The detector of a shipped curve, shared between callers: do not change it in place."""
    mission, instrument = _CURVES[curve]
    response = default_response(mission, instrument)
    response = replace(response, area=np.ones(response.n_energy), meta=dict(load_curve(curve).provenance))
    low, high = response.channel_e_lo, response.channel_e_hi
    unit = prepare(curve, mission, response)
    into_fine, into_bands = (
        (group_channels(low, high, edges)[:, None] == np.arange(len(edges) - 1)).astype(float)
        for edges in (FINE_EDGES, unit.band_edges))
    return Detector(curve, mission, response, np.asarray(response.redistribution.toarray(), np.float32),
                    0.5 * (low + high), unit, into_fine, into_bands)
