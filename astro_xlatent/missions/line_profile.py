# Licensed under a 3-clause BSD style license - see LICENSE
"""Measured energies of monochromatic photons in a CCD: eight parameters that vary smoothly with energy."""

import numpy as np

__all__ = ["profile_cdf"]

#: Width of the wings of the line profile in units of the core's sigma.
WING = 2.2
#: Measured energy in keV up to which debris reaches.
DEBRIS_END = 0.3
#: Silicon K edge and K alpha line in keV (X-ray Data Booklet, LBNL/PUB-490).
SILICON_EDGE, SILICON_LINE = 1.839, 1.740


def profile_cdf(energy, channel_edges, shift, sigma, wing, tail, slope, debris, escape, fluorescence):
    """
    Cumulative distribution of measured energies of monochromatic photons.

    A Gaussian core, a Gaussian `WING` times as wide with the same center, and
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
