# Licensed under a 3-clause BSD style license - see LICENSE
"""
Compact shipped curves of area and redistribution, fitted to real ARF and RMF files by
``tools/build_default_responses.py``, for sources without a response and for the simulator.
"""

import json
import re
from dataclasses import dataclass, field, replace
from functools import cache, lru_cache
from pathlib import Path

import numpy as np

from astro_xlatent.core.errors import MissionError, ParameterError
from astro_xlatent.physics.grid import ENERGY_EDGES, ENERGY_MID

__all__ = ["ACIS_BACK_ILLUMINATED", "InstrumentCurve", "acis_curve", "available_curves", "load_curve",
           "profile_cdf"]

_FILE = Path(__file__).parent / "data" / "default_responses.npz"
_ARRAYS = ("knots", "log_area", "absorption", "years", "depth", "profile", "channel_edges")
#: Conversion of a Gaussian's sigma to its full width at half maximum.
SIGMA_TO_FWHM = 2.3548200450309493
#: Chips of ACIS that are back-illuminated (S1 and S3), and those of the imaging array (I0 to
#: I3); the other six are the spectroscopic array (Chandra Proposers' Observatory Guide, chapter 6).
ACIS_BACK_ILLUMINATED, ACIS_IMAGING = (5, 7), (0, 1, 2, 3)
#: Decimal year before which Chandra had not seen the sky (launch 1999-07-23).
FIRST_LIGHT = 1999.5
#: Telescope modules of eROSITA with an on-chip filter (TM8 is all of them) and without (TM9):
#: https://erosita.mpe.mpg.de/dr1/, file naming scheme; Predehl et al. 2021, A&A 647, A1.
FILTERED_MODULES, OPEN_MODULES = "12346", "57"
_MODULES = re.compile(r"erosita-tm([1-7]+)")
#: Energy in keV at which ``theta_0`` of the vignetting holds, and the largest angle in arcmin.
VIGNETTING_ENERGY, MAX_OFF_AXIS = 1.56, 25.0
#: Width of the wings of the line profile in units of the core's sigma.
WING = 2.2
#: Measured energy in keV up to which debris reaches.
DEBRIS_END = 0.3
#: Silicon K edge and K alpha line in keV (X-ray Data Booklet, LBNL/PUB-490).
SILICON_EDGE, SILICON_LINE = 1.839, 1.740


@dataclass(frozen=True)
class InstrumentCurve:
    """
    Fitted effective area and line profile of one instrument; energies in keV, angles in arcmin.

    The natural logarithm ``log_area`` of the on-axis area in cm2 (of ACIS in 2000) is linear between the
    ``knots``. ``absorption``, (n_layers, n_knots), is the optical depth of each layer of contamination,
    one at 0.92 keV (of ACIS carbon, and oxygen with fluorine: Marshall et al. 2004, Proc. SPIE 5165, 497);
    ``depth``, (n_layers, n_years), its growth since 2000 at decimal ``years``, linear in between, with
    the last slope beyond. ``edge`` is ``(rate, first year, theta_e)`` of `contamination`, ``vignetting``
    ``(theta_0, power, energy power)`` of `vignetting_factor`, both empty where unknown; ``profile``,
    (n, 9), energy and the eight parameters of `profile_cdf`; ``provenance`` tells files and command.
    """

    name: str
    telescope: str
    instrument: str
    knots: np.ndarray
    log_area: np.ndarray
    absorption: np.ndarray
    years: np.ndarray
    depth: np.ndarray
    vignetting: tuple
    edge: tuple
    profile: np.ndarray
    channel_edges: np.ndarray
    first_channel: int
    provenance: dict = field(repr=False)

    def is_extrapolated(self, year):
        """True where a year lies past the last of the contamination curve; shape of ``year``."""
        last = self.years[-1] if self.years.size else np.inf
        return np.asarray(np.nan if year is None else year, float) > last

    def contamination(self, year=None, off_axis=0.0):
        """
        Optical depth of each layer at 0.92 keV since 2000, (n_layers, ...); default the middle of the years.
        Towards the filter's edge ``rate * (year - first year) * (x exp(1 - x))**4`` more, with
        ``x = (off_axis / theta_e)**2``. `ParameterError` before first light.
        """
        if self.years.size == 0:
            return np.zeros((0, 1))
        year = 0.5 * (self.years[0] + self.years[-1]) if year is None else year
        year, off_axis = np.broadcast_arrays(np.asarray(year, float), np.asarray(off_axis, float))
        if np.any(year < FIRST_LIGHT):
            msg = (f"year={np.min(year):g} is before Chandra's first light; pass a decimal year of "
                   f"{FIRST_LIGHT:g} or later")
            raise ParameterError(msg)
        rate = np.diff(self.depth[:, -2:])[:, 0] / np.diff(self.years[-2:])
        depth = np.array([np.interp(year, self.years, d) + r * np.clip(year - self.years[-1], 0, None)
                          for d, r in zip(self.depth, rate, strict=True)])
        if not self.edge:
            return depth
        x = (off_axis / self.edge[2]) ** 2
        extra = self.edge[0] * np.clip(year - self.edge[1], 0, None) * (x * np.exp(1.0 - x)) ** 4
        return depth * (1.0 + extra / np.maximum(depth.sum(axis=0), 1e-6))

    def area_error(self, energy=ENERGY_MID, year=None):
        """
        Relative 1 sigma error of the area from extrapolated contamination: the standard deviation of the
        depth's growth between stretches, times the years past the last.
        """
        energy = np.asarray(energy, float)
        if year is None or self.years.size == 0:
            return np.zeros(energy.shape)
        beyond = np.clip(np.asarray(year, float) - self.years[-1], 0.0, None)
        rates = np.diff(self.depth.sum(axis=0)) / np.diff(self.years)
        growth = np.diff(self.depth[:, -2:])[:, 0]
        shape = np.interp(energy, self.knots, growth @ self.absorption / growth.sum())
        return beyond * np.std(rates) * shape

    def vignetting_factor(self, off_axis, energy=VIGNETTING_ENERGY):
        """
        Area at 0 to 25 arcmin (else `ParameterError`) over that on axis, fitted to CSC detections:
        ``exp(-(angle / theta_0)**power * (energy / 1.56 keV)**(energy power))``.
        """
        off_axis = np.asarray(off_axis, float)
        if not np.any(off_axis):
            return np.ones(np.broadcast_shapes(off_axis.shape, np.shape(energy)))
        if not self.vignetting:
            msg = f"off_axis={np.max(off_axis):g}: no vignetting curve is shipped for {self.name}; use 0"
            raise ParameterError(msg)
        if not np.all((off_axis >= 0.0) & (off_axis <= MAX_OFF_AXIS)):
            msg = f"off_axis={np.max(np.abs(off_axis)):g} arcmin; allowed are 0 to {MAX_OFF_AXIS:g}"
            raise ParameterError(msg)
        theta, power, slope = self.vignetting
        return np.exp(-((off_axis / theta) ** power) * (np.asarray(energy) / VIGNETTING_ENERGY) ** slope)

    def area(self, energy=ENERGY_MID, year=None, off_axis=0.0):
        """Area in cm2 for the whole point-spread function, broadcast; zero outside the knots."""
        energy = np.asarray(energy, float)
        log_area = np.interp(energy, self.knots, self.log_area)
        for depth, layer in zip(self.contamination(year, off_axis), self.absorption, strict=False):
            log_area = log_area - depth * np.interp(energy, self.knots, layer)
        inside = (energy >= self.knots[0]) & (energy <= self.knots[-1])
        return np.where(inside, np.exp(log_area) * self.vignetting_factor(off_axis, energy), 0.0)

    def _profile_at(self, energy):
        log_e = np.log(np.clip(energy, 1e-3, None))
        knots = np.log(self.profile[:, 0])
        return [np.interp(log_e, knots, column) for column in self.profile[:, 1:].T]

    def fwhm(self, energy):
        """Full width at half maximum of the line core in keV, same shape as ``energy``."""
        return SIGMA_TO_FWHM * self._profile_at(np.asarray(energy, float))[1]

    def redistribution(self, channel_edges=None):
        """Probability that a photon of each bin of the grid lands in each channel, (n_channels, N_ENERGY)."""
        channel_edges = self.channel_edges if channel_edges is None else channel_edges
        middle = 0.5 * (ENERGY_EDGES[1:] + ENERGY_EDGES[:-1])
        return np.diff(profile_cdf(middle, channel_edges, *self._profile_at(middle)), axis=0)


def profile_cdf(energy, channel_edges, shift, sigma, wing, tail, slope, debris, escape, fluorescence):
    """
    Cumulative distribution of measured energies (keV) of monochromatic photons, (n_channels + 1, n_energy).

    A Gaussian displaced by ``shift``, a share ``wing`` of it `WING` times as wide, and as shares of all
    events: a ``tail`` of partly collected charge, the power ``slope`` of measured over true energy; debris
    near zero energy, the silicon escape peak and the silicon fluorescence line.
    """
    from scipy.special import ndtr

    x = np.asarray(channel_edges, float)[:, None]
    u = (x - energy - shift) / sigma
    ratio = np.clip(x / energy, 0.0, 1.0)
    above_edge = energy > SILICON_EDGE
    escape, fluorescence = escape * above_edge, fluorescence * above_edge
    rest = 1.0 - tail - debris - escape - fluorescence
    return (rest * ((1.0 - wing) * ndtr(u) + wing * ndtr(u / WING)) + tail * ratio**slope
            + debris * np.clip(x / DEBRIS_END, 0.0, 1.0)
            + escape * ndtr((x - energy + SILICON_LINE) / sigma)
            + fluorescence * ndtr((x - SILICON_LINE) / sigma))


@cache
def _archive():
    with np.load(_FILE, allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


def available_curves():
    """Names of the instruments with a shipped curve, sorted."""
    return tuple(sorted({name.split("/")[0] for name in _archive()}))


def acis_curve(chip):
    """
    Name of the curve of an ACIS chip, 0 to 9 as ``ccd_id`` counts; ``"acis-s-front"`` lies under the filter
    of the spectroscopic array.
    """
    if chip in ACIS_BACK_ILLUMINATED:
        return "acis-s"
    return "acis-i" if chip in ACIS_IMAGING else "acis-s-front"


@lru_cache(maxsize=128)
def load_curve(name):
    """
    One of `available_curves`, or of eROSITA's modules: ``"erosita-tm12346"``. One with an on-chip filter is a
    fifth of TM8, one without half of TM9: the mirror modules are of one design (Predehl et al. 2021, A&A 647,
    A1); equal areas are our assumption.
    """
    modules = _MODULES.fullmatch(name)
    if name not in available_curves() and not modules:
        msg = f"no response curve {name!r} is shipped; available: {', '.join(available_curves())}"
        raise MissionError(msg)
    return _of_modules(name, modules[1]) if modules else _shipped(name)


def _shipped(name):
    data = {k.split("/")[1]: v for k, v in _archive().items() if k.startswith(f"{name}/")}
    return InstrumentCurve(
        name, **{k: str(data[k]) for k in ("telescope", "instrument")},
        **{k: data[k].astype(float) for k in _ARRAYS},
        **{k: tuple(data[k].astype(float)) for k in ("vignetting", "edge")},
        first_channel=int(data["first_channel"]), provenance=json.loads(str(data["provenance"])))


def _of_modules(name, digits):
    """Equal shares of TM8 and TM9, which have the same knots."""
    filtered, bare = load_curve("erosita-tm8"), load_curve("erosita-tm9")
    shares = [(curve, len(set(digits) & set(modules)) / len(modules))
              for curve, modules in ((filtered, FILTERED_MODULES), (bare, OPEN_MODULES))]
    log_area = np.log(sum(share * np.exp(curve.log_area) for curve, share in shares))
    instrument = f"TM{digits}" if len(digits) == 1 else "MERGED"
    return replace(filtered, name=name, instrument=instrument, log_area=log_area)
