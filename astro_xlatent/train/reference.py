# Licensed under a 3-clause BSD style license - see LICENSE
"""What the teacher sees of an incident spectrum."""

import numpy as np

from astro_xlatent.physics.grid import band_weights
from astro_xlatent.spectra.bins import FINE_EDGES

__all__ = ["teacher_input"]

_CENTER = np.sqrt(FINE_EDGES[:-1] * FINE_EDGES[1:])
_WEIGHTS = band_weights(FINE_EDGES[:-1], FINE_EDGES[1:]).T.astype(np.float32)
# Two log-normal areas, one like eROSITA's and one like ACIS's late in the
# mission, so that neither the soft nor the hard end hides the other.
_AREAS = np.stack([
    np.exp(-0.5 * (np.log(_CENTER / peak) / width) ** 2) for peak, width in ((0.8, 0.6), (2.5, 0.8))
]).astype(np.float32)


def teacher_input(spectrum):
    """
    Square roots of 100 expected counts through either of two reference areas, float32 (rows, 2 * N_FINE).

    ``spectrum`` (rows, n_energy) has incident photons per grid bin, with any normalization.
    """
    flux = np.asarray(spectrum, np.float32)
    flux = (flux / flux.sum(axis=1, keepdims=True)) @ _WEIGHTS  # (rows, N_FINE)
    counts = flux[:, None, :] * _AREAS
    counts = 100 * counts / np.maximum(counts.sum(axis=2, keepdims=True), 1e-30)
    return np.sqrt(counts).reshape(len(flux), -1)
