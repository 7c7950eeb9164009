# Licensed under a 3-clause BSD style license - see LICENSE
"""
Simulated rows of the classified CSC sample, by the recipe of its authors.

Per observation the CSC publishes a band's energy flux (net events weighted
with E / A(E)) with 68 % limits whose half-width is 1.17 sqrt(N) counts and,
for a flux of zero, an upper limit near 1.2 counts. The authors of the sample
(Yang et al. 2022, ApJ 941, 104) turn mode and limits into mean and standard
deviation of a two-piece normal [1]_, which makes 0.80 and 0.60 of the upper
limit out of a zero, put a tiny placeholder where a limit is missing. The
sample's averages are the CSC's fluxes of all observations together (a zero
seen twice has the limits of one zero), so one exposure stands for them.

References
----------
.. [1] Possolo, Merkatas & Bodnar 2019, Metrologia 56, 045009
"""

import numpy as np

from astro_xlatent.core.errors import ParameterError

__all__ = ["half_normal", "mock_rows", "two_piece_mean"]

_BAND_EDGES = np.array([0.5, 1.2, 2.0, 7.0])
# half-width of the 68 % interval in units of sqrt(N), and upper limit at zero, in counts
_HALF_WIDTH, _ZERO_LIMIT = 1.17, 1.2
# share of bands without events that lack a limit too, and what stands for them relative to the source
_MISSING, _PLACEHOLDER = 0.65, 3e-3
half_normal = (np.sqrt(2 / np.pi), np.sqrt(1 - 2 / np.pi))


def two_piece_mean(mode, below, above):
    """
    Mean and standard deviation of a two-piece normal distribution.

    Parameters
    ----------
    mode, below, above : ndarray
        Mode and the two scale parameters.

    Returns
    -------
    mean, sd : ndarray

    Examples
    --------
    >>> from benchmarks.studies.mock import two_piece_mean
    >>> [float(x.round(4)) for x in two_piece_mean(0.0, 0.0, 1.0)]
    [0.7979, 0.6028]
    """
    mode, below, above = (np.asarray(x, float) for x in (mode, below, above))
    skew = above - below
    return mode + half_normal[0] * skew, np.sqrt((1 - 2 / np.pi) * skew**2 + below * above)


def mock_rows(spectra, counts, instruments, rng, averaged=True):
    """
    Observe sources as the rows of the classified sample.

    Parameters
    ----------
    spectra : ndarray, shape (n, N_ENERGY)
        Incident photons/cm2/s per bin.
    counts : ndarray, shape (n,)
        Expected source counts in 0.5-7 keV.
    instruments : list of `~astro_xlatent.simulate.instruments.Instrument`
        Chandra responses; each source gets one at random.
    rng : numpy.random.Generator
    averaged : bool, optional
        The authors' means of two-piece normals; if False, the catalogue's
        own values: the modes with half the width of their interval.

    Returns
    -------
    flux, error : ndarray, shape (n, 3)
        Mean energy flux and its standard deviation in bands s, m and h, in
        erg/cm2/s for spectra in photons/cm2/s.

    Raises
    ------
    ParameterError
        If an instrument is not Chandra's.
    """
    wrong = sorted({i.mission for i in instruments} - {"csc"})
    if wrong or not instruments:
        msg = f"instruments must be Chandra's (mission 'csc'), got {wrong or 'none'}"
        raise ParameterError(msg)
    n = len(spectra)
    which = rng.integers(len(instruments), size=n)
    flux, error, seen = np.zeros((n, 3)), np.zeros((n, 3)), np.zeros((n, 3), bool)
    for number, item in enumerate(instruments):
        rows = np.flatnonzero(which == number)
        rate = np.asarray(spectra[rows] @ item.band_matrix.T, float)
        flux[rows], error[rows], seen[rows] = _observation(rate, item, counts[rows], rng, averaged)
    if not averaged:
        return flux, error
    return _placeholders(flux, error, seen, rng)


def _observation(rate, item, expected, rng, averaged):
    """One exposure: flux, its error and whether there are events, per band."""
    seconds = expected / np.maximum(rate.sum(axis=1), 1e-300)
    low, high = item.band_edges[:-1], item.band_edges[1:]
    centre = 0.5 * (low + high)
    per_count = centre * 1.602176634e-9 / item.band_area() / seconds[:, None]
    background = _background(expected, high - low, rng)
    events = rng.poisson(rate * seconds[:, None] + background)
    band = np.searchsorted(_BAND_EDGES, centre) - 1
    member = (band[:, None] == np.arange(3)).astype(float)
    n, b = events @ member, background @ member
    # without events the mean over the band stands in for the events' mean
    weight = np.where(n > 0, (events * per_count) @ member, per_count @ member)
    weight /= np.where(n > 0, n, member.sum(axis=0))
    net = np.maximum(n - b, 0.0)
    width = _HALF_WIDTH * np.sqrt(n)
    above = np.where(net > 0, width, _ZERO_LIMIT + _HALF_WIDTH * np.sqrt(n))
    below = np.minimum(width, net)
    if not averaged:
        return net * weight, 0.5 * (below + above) * weight, n > 0
    mean, sd = two_piece_mean(net * weight, below * weight, above * weight)
    return mean, sd, n > 0


def _background(expected, width, rng):
    """Background counts in the sub-bands: flat, log-normal around 0.4 (0.1 on axis to 10 far off)."""
    total = 0.4 * 10 ** (0.8 * rng.standard_normal(expected.size))
    total = np.minimum(total, 0.7 * expected + 0.1)
    return total[:, None] * width / width.sum()


def _placeholders(flux, error, seen, rng):
    """Most of the bands without any event lose their limit."""
    missing = ~seen & (rng.random(flux.shape) < _MISSING)
    tiny = _PLACEHOLDER * flux.max(axis=1, keepdims=True)
    flux = np.where(missing, half_normal[0] * tiny, flux)
    return flux, np.where(missing, half_normal[1] * tiny, error)
