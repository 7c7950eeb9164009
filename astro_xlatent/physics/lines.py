# Licensed under a 3-clause BSD style license - see LICENSE
"""Emission lines."""

import numpy as np

from astro_xlatent.physics._bins import REDSHIFT_RANGE, observed_edges
from astro_xlatent.physics._checks import check_parameter

__all__ = ["gaussian_line"]


def gaussian_line(energy, sigma, redshift=0.0, *, edges=None):
    """
    Gaussian emission line, XSPEC's ``zgauss``.

    Parameters
    ----------
    energy : array_like, shape (...)
        Rest energy of the center in keV, 0.01 to 200.
    sigma : array_like, shape (...)
        Standard deviation in keV at rest, 0 to 50; 0 is a delta function.
    redshift, edges : array_like, optional
        As for `~astro_xlatent.physics.emission.powerlaw`.

    Returns
    -------
    spectrum : ndarray of float64, shape (..., n_energy)
        One photon/cm2/s in the rest frame, that is 1 / (1 + z) observed; what
        lies beyond the grid is lost.
    """
    from scipy.special import ndtr

    energy = check_parameter("energy", energy, 0.01, 200.0, "keV")[..., None]
    sigma = check_parameter("sigma", sigma, 0.0, 50.0, "keV")[..., None]
    stretch = 1 + check_parameter("redshift", redshift, *REDSHIFT_RANGE)[..., None]
    distance = observed_edges(edges) * stretch - energy
    return np.diff(ndtr(distance / np.maximum(sigma, 1e-7))) / stretch
