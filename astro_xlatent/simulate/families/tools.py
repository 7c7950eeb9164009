# Licensed under a 3-clause BSD style license - see LICENSE
"""Random draws, normalization and the `Draft` that every family returns."""

from dataclasses import dataclass, field

import numpy as np
from scipy.special import ndtr, ndtri

from astro_xlatent.physics.grid import ENERGY_MID
from astro_xlatent.physics.plasma import PLASMA_KT_RANGE, plasma

__all__ = ["Draft", "add_flux", "hot_plasma", "log_normal", "log_uniform", "truncated_normal", "unit_flux"]


@dataclass
class Draft:
    """
    Sources before absorption.

    ``primary``, (n, N_ENERGY), is seen through ``nh_int`` (at ``redshift``) and ``nh_gal``, ``secondary``
    through ``nh_second`` and ``nh_gal`` only: scattered or leaking light, gas outside the absorber.
    Columns are in 1/cm2; ``kt`` in keV is that of the hottest thermal component; ``photon_index`` and
    ``kt`` are NaN where the family has none.
    """

    primary: np.ndarray
    nh_gal: np.ndarray
    nh_int: np.ndarray | None = None
    secondary: np.ndarray | None = None
    nh_second: np.ndarray | None = None
    redshift: np.ndarray | None = None
    photon_index: np.ndarray | None = None
    kt: np.ndarray | None = None
    extra: dict = field(default_factory=dict)

    def __post_init__(self):
        n = self.primary.shape[0]
        for name, empty in (
            ("nh_gal", 0.0),
            ("nh_int", 0.0),
            ("nh_second", 0.0),
            ("redshift", 0.0),
            ("photon_index", np.nan),
            ("kt", np.nan),
        ):
            value = getattr(self, name)
            filled = np.full(n, empty) if value is None else np.broadcast_to(value, (n,)).astype(float)
            setattr(self, name, filled)


def truncated_normal(rng, n, mean, sd, low, high):
    """Normal deviates between ``low`` and ``high`` by inversion, shape (n,)."""
    mean, sd = np.broadcast_to(mean, (n,)), np.broadcast_to(sd, (n,))
    a, b = ndtr((low - mean) / sd), ndtr((high - mean) / sd)
    return np.clip(mean + sd * ndtri(a + (b - a) * rng.random(n)), low, high)


def log_normal(rng, n, median, dex, low=0.0, high=np.inf):
    """Log-normal deviates of given median and width in dex, shape (n,), clipped."""
    return np.clip(10.0 ** (np.log10(median) + dex * rng.standard_normal(n)), low, high)


def log_uniform(rng, n, low, high):
    """Deviates uniform in the logarithm, shape (n,)."""
    return np.exp(rng.uniform(np.log(low), np.log(high), n))


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
    Collisional plasma (n, N_ENERGY), also hotter than its table.

    Above the table the hottest entry is stretched as a bremsstrahlung continuum, exp(-E / kt); its
    lines are weak there. Arguments are those of `astro_xlatent.physics.plasma.plasma`.
    """
    low, high = PLASMA_KT_RANGE
    inside = np.clip(kt, 1.001 * low, 0.999 * high)
    spectrum = plasma(inside, metals, redshift)
    stretch = (1.0 / inside - 1.0 / np.maximum(kt, inside)) * (1.0 + redshift)
    rows = np.flatnonzero(stretch > 0)
    if rows.size:
        spectrum[rows] *= np.exp(stretch[rows, None] * ENERGY_MID)
    return spectrum
