# Licensed under a 3-clause BSD style license - see LICENSE
"""
Compact shipped curves of effective area and energy redistribution.

A few hundred numbers per instrument, fitted to real ARF and RMF files by
``tools/build_default_responses.py``, stand in where a source comes without
its own response and give the simulator telescopes to draw from. Real ARFs
and RMFs are always to be preferred.
"""

import json
import re
from dataclasses import dataclass, field, replace
from functools import cache, lru_cache
from pathlib import Path

import numpy as np

from astro_xlatent.core.errors import MissionError, ParameterError
from astro_xlatent.missions.line_profile import profile_cdf
from astro_xlatent.physics.grid import ENERGY_EDGES, ENERGY_MID

__all__ = ["ACIS_BACK_ILLUMINATED", "InstrumentCurve", "acis_curve", "available_curves", "load_curve"]

_FILE = Path(__file__).parent / "data" / "default_responses.npz"
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


@dataclass(frozen=True)
class InstrumentCurve:
    """
    Fitted effective area and line profile of one instrument.

    Attributes
    ----------
    name, telescope, instrument : str
        Our name (``"acis-s"``), and TELESCOP and INSTRUME of its spectra.
    knots, log_area : ndarray, shape (n_knots,)
        Energies in keV and natural logarithm of the on-axis area in cm2 (of
        ACIS in 2000), interpolated linearly in the logarithm of the area.
    absorption : ndarray, shape (n_layers, n_knots)
        Optical depth of each layer of contamination, one at 0.92 keV; without
        contamination there is no layer. ACIS has two: carbon, and oxygen with
        fluorine (Marshall et al. 2004, Proc. SPIE 5165, 497).
    years : ndarray, shape (n_years,)
        Decimal years, increasing.
    depth : ndarray, shape (n_layers, n_years)
        Growth of the layers since 2000, as optical depth at 0.92 keV:
        interpolated linearly in between, with the last slope beyond.
    vignetting : tuple of float
        ``(theta_0, power, energy power)``, see `vignetting_factor`; empty
        where unknown.
    edge : tuple of float
        ``(rate, first year, theta_e)``: how the contamination grows faster
        towards the filter's edge, see `contamination`; empty without.
    profile : ndarray, shape (n, 9)
        Energy in keV and the eight parameters of `profile_cdf`.
    channel_edges : ndarray, shape (n_channels + 1,)
        Nominal edges of the channels in keV.
    first_channel : int
        Number of the first channel.
    provenance : dict
        Files and command from which the curve was fitted.
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
        Optical depth of each layer of contamination at 0.92 keV since 2000.

        Towards the edge of the filter it is ``rate * (year - first year)``
        times ``(x exp(1 - x))**4``, ``x = (off_axis / theta_e)**2``, more: a ring, as the
        areas of CSC detections have it.

        Parameters
        ----------
        year : array_like, optional
            Decimal years; default the middle of the curve.
        off_axis : array_like, optional
            Off-axis angles in arcmin.

        Returns
        -------
        depth : ndarray, shape (n_layers, ...)
            With the broadcast shape of ``year`` and ``off_axis``.

        Raises
        ------
        ParameterError
            If a year lies before first light.
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
        Relative error of the area from extrapolated contamination, 1 sigma.

        The rate of growth has changed over the years; its standard deviation
        between the stretches of the curve, times the years past the last, is
        the error of the optical depth at 0.92 keV. Zero within the curve.

        Parameters
        ----------
        energy : array_like, optional
            In keV.
        year : array_like, optional
            Decimal year, broadcast against ``energy``.

        Returns
        -------
        error : ndarray
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
        Area at an off-axis angle in arcmin over the on-axis area.

        ``exp(-(angle / theta_0)**power * (energy / 1.56 keV)**(energy power))``,
        fitted to counts over photon fluxes of CSC detections.

        Parameters
        ----------
        off_axis, energy : array_like
            In arcmin (0 to 25) and keV; broadcast.

        Returns
        -------
        factor : ndarray

        Raises
        ------
        ParameterError
            If an angle is outside, or not zero where no vignetting is known.
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
        """
        Effective area for the whole point-spread function.

        Parameters
        ----------
        energy : array_like, optional
            In keV. Outside the fitted range the area is zero.
        year : array_like, optional
            Decimal year; only contaminated instruments depend on it. Default
            the middle of the curve. Past its end it is extrapolated, see
            `is_extrapolated` and `area_error`.
        off_axis : array_like, optional
            Off-axis angle in arcmin.

        Returns
        -------
        area : ndarray
            In cm2, with the broadcast shape of the three.
        """
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
        energy = np.asarray(energy, float)
        return SIGMA_TO_FWHM * self._profile_at(energy)[1]

    def redistribution(self, edges=ENERGY_EDGES, channel_edges=None):
        """
        Probability that a photon of each energy bin lands in each channel.

        Parameters
        ----------
        edges : ndarray, shape (n_energy + 1,), optional
            Edges of the incident grid in keV.
        channel_edges : ndarray, shape (n_channels + 1,), optional
            Default the instrument's own channels.

        Returns
        -------
        matrix : ndarray, shape (n_channels, n_energy)
            Columns sum to at most one.
        """
        channel_edges = self.channel_edges if channel_edges is None else channel_edges
        middle = 0.5 * (edges[1:] + edges[:-1])
        cdf = profile_cdf(middle, channel_edges, *self._profile_at(middle))
        return np.diff(cdf, axis=0)


_ARRAYS = ("knots", "log_area", "absorption", "years", "depth", "profile", "channel_edges")


@cache
def _archive():
    with np.load(_FILE, allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


def available_curves():
    """
    Names of the instruments with a shipped curve.

    Examples
    --------
    >>> from astro_xlatent.missions.curves import available_curves
    >>> available_curves()[:3]
    ('acis-i', 'acis-s', 'acis-s-front')
    """
    return tuple(sorted({name.split("/")[0] for name in _archive()}))


def acis_curve(chip):
    """
    Name of the curve of a chip of ACIS.

    Parameters
    ----------
    chip : int
        0 to 9, as ``ccd_id`` counts them.

    Returns
    -------
    name : str
        ``"acis-s"`` for the back-illuminated chips, ``"acis-i"`` for those of
        the imaging array, ``"acis-s-front"`` for the others: they lie under
        the filter of the spectroscopic array.

    Examples
    --------
    >>> from astro_xlatent.missions.curves import acis_curve
    >>> acis_curve(7), acis_curve(3), acis_curve(6)
    ('acis-s', 'acis-i', 'acis-s-front')
    """
    if chip in ACIS_BACK_ILLUMINATED:
        return "acis-s"
    return "acis-i" if chip in ACIS_IMAGING else "acis-s-front"


@lru_cache(maxsize=128)
def load_curve(name):
    """
    The fitted curve of one instrument.

    Parameters
    ----------
    name : str
        One of `available_curves`, or telescope modules of eROSITA such as
        ``"erosita-tm1"`` and ``"erosita-tm12346"``.

    Returns
    -------
    curve : InstrumentCurve

    Raises
    ------
    MissionError
        If there is no such curve.

    Notes
    -----
    A module with an on-chip filter is taken as a fifth of TM8, one without as
    half of TM9: the seven mirror modules are of one design (Predehl et al. 2021,
    A&A 647, A1); that their areas are equal is our assumption.

    Examples
    --------
    >>> from astro_xlatent.missions.curves import load_curve
    >>> curve = load_curve("acis-s")
    >>> bool(curve.area(0.7, year=2001.0) > 3 * curve.area(0.7, year=2020.0))
    True
    """
    modules = _MODULES.fullmatch(name)
    if name not in available_curves() and not modules:
        msg = f"no response curve {name!r} is shipped; available: {', '.join(available_curves())}"
        raise MissionError(msg)
    return _of_modules(name, modules[1]) if modules else _shipped(name)


def _shipped(name):
    data = {k.split("/")[1]: v for k, v in _archive().items() if k.startswith(f"{name}/")}
    return InstrumentCurve(
        name=name,
        telescope=str(data["telescope"]),
        instrument=str(data["instrument"]),
        **{k: data[k].astype(float) for k in _ARRAYS},
        vignetting=tuple(data["vignetting"].astype(float)),
        edge=tuple(data["edge"].astype(float)),
        first_channel=int(data["first_channel"]),
        provenance=json.loads(str(data["provenance"])),
    )


def _of_modules(name, digits):
    """Equal shares of TM8 and TM9, which have the same knots."""
    filtered, bare = load_curve("erosita-tm8"), load_curve("erosita-tm9")
    shares = [(curve, len(set(digits) & set(modules)) / len(modules))
              for curve, modules in ((filtered, FILTERED_MODULES), (bare, OPEN_MODULES))]
    log_area = np.log(sum(share * np.exp(curve.log_area) for curve, share in shares))
    instrument = f"TM{digits}" if len(digits) == 1 else "MERGED"
    return replace(filtered, name=name, instrument=instrument, log_area=log_area)
