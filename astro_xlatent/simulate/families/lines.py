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
    Add Gaussian lines by their equivalent width to continua (n, N_ENERGY), in place.

    Energy, width (at most 0.1) and equivalent width are of the rest frame, in keV.
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
    Add Fe K alpha at 6.40 keV and, if asked for, Fe XXV and Fe XXVI, in place.

    ``equivalent_width`` in keV is that of the neutral line in the rest frame, ``ionized`` that of the
    lines at 6.70 and 6.97 keV over it.
    """
    width = rng.uniform(0.01, 0.08, len(spectrum))
    add_line(spectrum, 6.40, width, equivalent_width, redshift)
    if ionized:
        for energy in (6.70, 6.97):
            add_line(spectrum, energy, width, ionized * equivalent_width, redshift)
    return spectrum
