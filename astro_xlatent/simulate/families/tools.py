# Licensed under a 3-clause BSD style license - see LICENSE
"""Random draws, spectra to mix, and the `Draft` that every family returns."""

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, ndtri

from astro_xlatent.physics.grid import ENERGY_EDGES, ENERGY_MID, ENERGY_WIDTH, N_ENERGY
from astro_xlatent.physics.plasma import PLASMA_KT_RANGE, plasma

__all__ = ["Draft", "Draw", "add_flux", "add_iron", "add_line", "hot_plasma", "unit_flux"]

#: Bins on either side of a line that are computed: 0.4 keV, four widths of 0.1 keV.
_REACH = 40


@dataclass
class Draft:
    """
    Sources before absorption.

    ``primary``, (n, N_ENERGY), is seen through ``nh_int`` (at ``redshift``) and ``nh_gal``, ``secondary``
    through ``nh_gal`` only: scattered or leaking light. Columns are in 1/cm2; ``kt`` in keV is that of
    the hottest thermal component; ``photon_index`` and ``kt`` are NaN where the family has none.
    """

    primary: np.ndarray
    nh_gal: np.ndarray
    nh_int: np.ndarray | float = 0.0
    secondary: np.ndarray | None = None
    redshift: np.ndarray | float = 0.0
    photon_index: np.ndarray | float = np.nan
    kt: np.ndarray | float = np.nan

    def __post_init__(self):
        for name in ("nh_gal", "nh_int", "redshift", "photon_index", "kt"):
            setattr(self, name, np.broadcast_to(getattr(self, name), (len(self.primary),)).astype(float))


class Draw:
    """Random numbers (n,), and a class's ``parameters``; what a seed gives depends on the order of draws."""

    def __init__(self, n, rng, parameters=None):
        self.n, self.rng, self.parameters = n, rng, parameters or {}

    def __getitem__(self, name):
        return self.parameters[name]

    def chance(self, share):
        """True for a share of the sources."""
        return self.rng.random(self.n) < share

    def normal(self, mean, sd, low, high):
        """Normal deviates between ``low`` and ``high``, by inversion."""
        mean, sd = np.broadcast_to(mean, (self.n,)), np.broadcast_to(sd, (self.n,))
        a, b = ndtr((low - mean) / sd), ndtr((high - mean) / sd)
        return np.clip(mean + sd * ndtri(a + (b - a) * self.rng.random(self.n)), low, high)

    def log_normal(self, median, dex, low=0.0, high=np.inf):
        """Log-normal deviates of given median and width in dex, clipped."""
        return np.clip(10.0 ** (np.log10(median) + dex * self.rng.standard_normal(self.n)), low, high)

    def spread(self, name, low=0.0, high=np.inf):
        """Log-normal deviates about a parameter, whose width is the parameter of that name and ``_dex``."""
        return self.log_normal(self[name], self[f"{name}_dex"], low, high)

    def log_uniform(self, low, high):
        """Deviates uniform in the logarithm."""
        return np.exp(self.rng.uniform(np.log(low), np.log(high), self.n))

    def some(self, share, low, high):
        """Deviates uniform in the logarithm for a share of the sources, zero for the others."""
        return np.where(self.chance(share), self.log_uniform(low, high), 0.0)


def unit_flux(spectrum, low=0.5, high=7.0):
    """Scale spectra (n, N_ENERGY) to unit energy flux (keV/cm2/s) between ``low`` and ``high`` keV."""
    first, last = np.searchsorted(ENERGY_MID, (low, high))
    flux = spectrum[:, first:last] @ ENERGY_MID[first:last].astype(spectrum.dtype)
    return (spectrum / np.maximum(flux, 1e-36)[:, None]).astype(np.float32)


def add_flux(base, other, ratio, low=0.5, high=2.0):
    """Add to ``base`` the component ``other`` with ``ratio`` times its energy flux between two energies."""
    first, last = np.searchsorted(ENERGY_MID, (low, high))
    energy = ENERGY_MID[first:last].astype(np.float32)
    scale = ratio * (base[:, first:last] @ energy) / np.maximum(other[:, first:last] @ energy, 1e-36)
    return base + other * scale[:, None].astype(np.float32)


def hot_plasma(kt, metals, redshift=0.0):
    """
    `astro_xlatent.physics.plasma.plasma`, (n, N_ENERGY); above its table the hottest entry is stretched as a
    bremsstrahlung continuum, exp(-E / kt): lines are weak there.
    """
    low, high = PLASMA_KT_RANGE
    inside = np.clip(kt, 1.001 * low, 0.999 * high)
    spectrum = plasma(inside, metals, redshift)
    stretch = (1.0 / inside - 1.0 / np.maximum(kt, inside)) * (1.0 + redshift)
    rows = np.flatnonzero(stretch > 0)
    if rows.size:
        spectrum[rows] *= np.exp(stretch[rows, None] * ENERGY_MID)
    return spectrum


def add_line(spectrum, energy, width, equivalent_width):
    """Add Gaussian lines (keV, at most 0.1 wide) by their equivalent width to (n, N_ENERGY), in place."""
    n = len(spectrum)
    energy, width = np.broadcast_to(energy, (n,)), np.broadcast_to(width, (n,))
    center = np.clip(np.searchsorted(ENERGY_EDGES, energy) - 1, 0, N_ENERGY - 1)
    rows = np.arange(n)
    photons = spectrum[rows, center] / ENERGY_WIDTH[center] * equivalent_width
    first = np.clip(center - _REACH, 0, N_ENERGY - 2 * _REACH - 1)
    columns = first[:, None] + np.arange(2 * _REACH + 2)
    cumulative = ndtr((ENERGY_EDGES[columns] - energy[:, None]) / width[:, None])
    spectrum[rows[:, None], columns[:, :-1]] += np.diff(cumulative, axis=1) * photons[:, None]
    return spectrum


def add_iron(spectrum, draw, equivalent_width):
    """Add neutral Fe K alpha at 6.40 keV with an equivalent width in keV, in place."""
    return add_line(spectrum, 6.40, draw.rng.uniform(0.01, 0.08, len(spectrum)), equivalent_width)
