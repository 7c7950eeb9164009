# Licensed under a 3-clause BSD style license - see LICENSE
"""Emission lines added to continua by their equivalent width."""

import numpy as np
from scipy.special import ndtr

from astro_xlatent.physics.grid import ENERGY_EDGES, ENERGY_WIDTH, N_ENERGY

__all__ = ["add_iron", "add_line"]

#: Bins on either side of a line that are computed: 0.4 keV, four widths of 0.1 keV.
_REACH = 40


def add_line(spectrum, energy, width, equivalent_width, redshift=0.0):
    """
    Add Gaussian lines by their equivalent width.

    Parameters
    ----------
    spectrum : ndarray, shape (n, N_ENERGY)
        Continuum, photons/cm2/s per bin. Changed in place.
    energy, width, equivalent_width : float or ndarray, shape (n,)
        Line energy, Gaussian width (at most 0.1) and equivalent width in the
        rest frame, keV.
    redshift : float or ndarray, shape (n,), optional

    Returns
    -------
    spectrum : ndarray, shape (n, N_ENERGY)
        The same array.
    """
    n = len(spectrum)
    stretch = 1.0 + np.broadcast_to(redshift, (n,))
    observed, sigma = np.broadcast_to(energy, (n,)) / stretch, width / stretch
    center = np.clip(np.searchsorted(ENERGY_EDGES, observed) - 1, 0, N_ENERGY - 1)
    rows = np.arange(n)
    photons = spectrum[rows, center] / ENERGY_WIDTH[center] * (equivalent_width / stretch)
    first = np.clip(center - _REACH, 0, N_ENERGY - 2 * _REACH - 1)
    columns = first[:, None] + np.arange(2 * _REACH + 2)
    cumulative = ndtr((ENERGY_EDGES[columns] - observed[:, None]) / sigma[:, None])
    spectrum[rows[:, None], columns[:, :-1]] += np.diff(cumulative, axis=1) * photons[:, None]
    return spectrum


def add_iron(spectrum, rng, equivalent_width, redshift=0.0, *, ionized=0.0):
    """
    Add Fe K alpha at 6.40 keV and, if asked for, Fe XXV and Fe XXVI.

    Parameters
    ----------
    spectrum : ndarray, shape (n, N_ENERGY)
        Continuum; changed in place.
    rng : numpy.random.Generator
    equivalent_width : ndarray, shape (n,)
        Of the neutral line, rest frame, keV.
    redshift : float or ndarray, shape (n,), optional
    ionized : float, optional
        Equivalent widths of 6.70 and 6.97 keV over that of the neutral line.

    Returns
    -------
    spectrum : ndarray, shape (n, N_ENERGY)
        The same array.
    """
    width = rng.uniform(0.01, 0.08, len(spectrum))
    add_line(spectrum, 6.40, width, equivalent_width, redshift)
    if ionized:
        for energy in (6.70, 6.97):
            add_line(spectrum, energy, width, ionized * equivalent_width, redshift)
    return spectrum
