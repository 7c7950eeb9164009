# Licensed under a 3-clause BSD style license - see LICENSE
"""
Compact shipped curves of effective area and energy redistribution.

A few hundred numbers per instrument, fitted to real ARF and RMF files by
``tools/build_default_responses.py``, stand in where a source comes without
its own response and give the simulator telescopes to draw from. Real ARFs
and RMFs are always to be preferred.
"""

import json
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import numpy as np

from astro_xlatent.core.errors import MissionError, ParameterError
from astro_xlatent.physics.grid import ENERGY_EDGES, ENERGY_MID

__all__ = ["InstrumentCurve", "available_curves", "load_curve", "profile_cdf"]

_FILE = Path(__file__).parent / "data" / "default_responses.npz"
#: Width of the wings of the line profile in units of the core's sigma.
WING = 2.2
#: Measured energy in keV up to which debris reaches.
DEBRIS_END = 0.3
#: Silicon K edge and K alpha line in keV (X-ray Data Booklet, LBNL/PUB-490).
SILICON_EDGE, SILICON_LINE = 1.839, 1.740
#: Conversion of a Gaussian's sigma to its full width at half maximum.
SIGMA_TO_FWHM = 2.3548200450309493


def profile_cdf(energy, channel_edges, shift, sigma, wing, tail, slope, debris, escape, fluorescence):
    """
    Cumulative distribution of measured energies of monochromatic photons.

    A Gaussian core, a Gaussian `WING` times as wide with the same centre, and
    four faint parts: a tail of partly collected charge piled up below the
    peak, debris near zero energy, the silicon escape peak and the silicon
    fluorescence line.

    Parameters
    ----------
    energy : ndarray, shape (n_energy,)
        Photon energies in keV.
    channel_edges : ndarray, shape (n_channels + 1,)
        Measured energies in keV at which to evaluate.
    shift, sigma : ndarray, shape (n_energy,)
        Displacement and Gaussian width of the core in keV.
    wing : ndarray, shape (n_energy,)
        Fraction of the peak in the wings.
    tail, slope : ndarray, shape (n_energy,)
        Fraction of all events in the tail, and the exponent of its cumulative
        distribution as a power of measured over true energy (1 is flat).
    debris, escape, fluorescence : ndarray, shape (n_energy,)
        Fractions of all events in the other parts.

    Returns
    -------
    cdf : ndarray, shape (n_channels + 1, n_energy)
    """
    from scipy.special import ndtr

    x = np.asarray(channel_edges, float)[:, None]
    u = (x - energy - shift) / sigma
    ratio = np.clip(x / energy, 0.0, 1.0)
    above_edge = energy > SILICON_EDGE
    escape, fluorescence = escape * above_edge, fluorescence * above_edge
    rest = 1.0 - tail - debris - escape - fluorescence
    return (
        rest * ((1.0 - wing) * ndtr(u) + wing * ndtr(u / WING))
        + tail * ratio**slope
        + debris * np.clip(x / DEBRIS_END, 0.0, 1.0)
        + escape * ndtr((x - energy + SILICON_LINE) / sigma)
        + fluorescence * ndtr((x - SILICON_LINE) / sigma)
    )


@dataclass(frozen=True)
class InstrumentCurve:
    """
    Fitted effective area and line profile of one instrument.

    Attributes
    ----------
    name, telescope, instrument : str
        Our name (``"acis-s"``), and TELESCOP and INSTRUME of its spectra.
    knots, log_area : ndarray
        Energies in keV and natural logarithm of the on-axis area in cm2,
        interpolated linearly in the logarithm of the area.
    absorption : ndarray
        Optical depth of contamination at the knots, per unit of ``depth``;
        zero where an instrument has none.
    years, depth : ndarray
        Decimal years and the contamination at them (in units of the optical
        depth at 0.7 keV), interpolated linearly and extrapolated up to three
        years past the last.
    vignetting : tuple of float
        ``(theta_0,)`` in arcmin; empty where unknown.
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
    profile: np.ndarray
    channel_edges: np.ndarray
    first_channel: int
    provenance: dict = field(repr=False)

    def contamination(self, year=None):
        """Contamination in units of the optical depth at 0.7 keV; ``None`` means the middle year."""
        if self.years.size == 0:
            return 0.0
        if year is None:
            year = 0.5 * (self.years[0] + self.years[-1])
        if not 1999.5 <= year <= self.years[-1] + 3.0:
            msg = (f"year={year:g} is outside 1999.5 to {self.years[-1] + 3.0:g}, the range of the "
                   f"contamination curve of {self.name}; pass a year inside it")
            raise ParameterError(msg)
        slope = np.diff(self.depth[[0, 1, -2, -1]])[::2] / np.diff(self.years[[0, 1, -2, -1]])[::2]
        before = slope[0] * min(year - self.years[0], 0.0)
        after = slope[1] * max(year - self.years[-1], 0.0)
        return float(np.interp(year, self.years, self.depth) + before + after)

    def vignetting_factor(self, off_axis):
        """
        Area at an off-axis angle in arcmin over the on-axis area.

        ``1 / (1 + (angle / theta_0)**2)``, without dependence on energy; for
        Chandra theta_0 was measured from counts and fluxes of CSC detections
        at 2-7 keV between 4 and 14 arcmin.
        """
        if off_axis == 0.0:
            return 1.0
        if not self.vignetting:
            msg = f"off_axis={off_axis:g}: no vignetting curve is shipped for {self.name}; use 0"
            raise ParameterError(msg)
        if not 0.0 <= off_axis <= 25.0:
            msg = f"off_axis={off_axis:g} arcmin; allowed are 0 to 25"
            raise ParameterError(msg)
        return 1.0 / (1.0 + (off_axis / self.vignetting[0]) ** 2)

    def area(self, energy=ENERGY_MID, year=None, off_axis=0.0):
        """
        Effective area for the whole point-spread function.

        Parameters
        ----------
        energy : array_like, optional
            In keV. Outside the fitted range the area is zero.
        year : float, optional
            Decimal year; only contaminated instruments depend on it. Default
            the middle of the curve.
        off_axis : float, optional
            Off-axis angle in arcmin.

        Returns
        -------
        area : ndarray
            In cm2.
        """
        energy = np.asarray(energy, float)
        log_area = self.log_area - self.contamination(year) * self.absorption
        area = np.exp(np.interp(energy, self.knots, log_area))
        inside = (energy >= self.knots[0]) & (energy <= self.knots[-1])
        return np.where(inside, area * self.vignetting_factor(off_axis), 0.0)

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


@cache
def available_curves():
    """
    Names of the instruments with a shipped curve.

    Examples
    --------
    >>> from astro_xlatent.missions.curves import available_curves
    >>> available_curves()
    ('acis-i', 'acis-s', 'erosita-survey', 'erosita-tm0', 'xmm-mos', 'xmm-pn')
    """
    return tuple(sorted({name.split("/")[0] for name in _archive()}))


@cache
def load_curve(name):
    """
    The fitted curve of one instrument.

    Parameters
    ----------
    name : str
        One of `available_curves`.

    Returns
    -------
    curve : InstrumentCurve

    Raises
    ------
    MissionError
        If there is no such curve.

    Examples
    --------
    >>> from astro_xlatent.missions.curves import load_curve
    >>> curve = load_curve("acis-s")
    >>> bool(curve.area(0.7, year=2001.0) > 3 * curve.area(0.7, year=2020.0))
    True
    """
    if name not in available_curves():
        msg = f"no response curve {name!r} is shipped; available: {', '.join(available_curves())}"
        raise MissionError(msg)
    data = {k.split("/")[1]: v for k, v in _archive().items() if k.startswith(f"{name}/")}
    return InstrumentCurve(
        name=name,
        telescope=str(data["telescope"]),
        instrument=str(data["instrument"]),
        **{k: data[k].astype(float) for k in _ARRAYS},
        vignetting=tuple(data["vignetting"].astype(float)),
        first_channel=int(data["first_channel"]),
        provenance=json.loads(str(data["provenance"])),
    )
