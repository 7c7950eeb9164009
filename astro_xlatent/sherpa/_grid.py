# Licensed under a 3-clause BSD style license - see LICENSE
"""The energy grids that Sherpa hands to a model, as rising bin edges in keV."""

import numpy as np

__all__ = ["SherpaGrid"]

#: h c in keV Angstrom (exact constants of the 2019 SI).
HC_KEV_ANGSTROM = 12.398419843320026


class SherpaGrid:
    """
    Bins of a Sherpa model call, with rising ``edges`` in keV that hold them all.

    Falling values of ``lo`` are wavelengths in Angstrom, as for Sherpa's XSPEC
    models. Without ``hi``, ``lo`` holds the n edges of n - 1 bins, and the last value
    of every result is zero, as for XSPEC models.
    """

    def __init__(self, lo, hi=None):
        lo = np.asarray(lo, float)
        self.n_out = lo.size
        hi = np.asarray(hi, float) if hi is not None else lo[1:]
        lo = lo[: hi.size]
        self.falling = lo.size > 1 and lo[0] > lo[-1]
        if self.falling:
            lo, hi = HC_KEV_ANGSTROM / np.maximum(lo, hi), HC_KEV_ANGSTROM / np.minimum(lo, hi)
        self.lo, self.hi = lo, hi
        # Edges of neighboring bins may differ in the last digit of a float32.
        self.joined = lo.size > 0 and np.all(np.abs(hi[:-1] - lo[1:]) <= 1e-6 * hi[:-1]) and np.all(hi > lo)
        self.edges = np.append(lo, hi[-1:]) if self.joined else np.unique(np.concatenate([lo, hi]))

    def sums(self, values: np.ndarray) -> np.ndarray:
        """Values per bin of Sherpa's, from values between `edges` that add up."""
        if not self.joined:
            cumulative = np.append(0.0, np.cumsum(values))
            values = (cumulative[np.searchsorted(self.edges, self.hi)]
                      - cumulative[np.searchsorted(self.edges, self.lo)])
        return np.pad(values, (0, self.n_out - values.size))

    def means(self, values: np.ndarray) -> np.ndarray:
        """Values per bin of Sherpa's, from means between `edges`."""
        if self.joined:
            return self.sums(values)
        width = self.sums(np.diff(self.edges))
        return self.sums(values * np.diff(self.edges)) / np.where(width > 0, width, 1.0)
