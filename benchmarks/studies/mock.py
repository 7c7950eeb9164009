# Licensed under a 3-clause BSD style license - see LICENSE
"""
Simulated rows of the classified CSC sample, by the recipe of its authors.

Per observation rows are published as everywhere in the simulator
(`astro_xlatent.simulate.rows_csc`). The authors of the sample
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
from astro_xlatent.missions.csc import CSC
from astro_xlatent.physics.grid import KEV_TO_ERG
from astro_xlatent.simulate.observe import draw_apertures
from astro_xlatent.simulate.rows_csc import csc_band_columns

__all__ = ["half_normal", "mock_rows", "two_piece_mean"]

# What stands for a band without events whose flux is not published, relative to the source.
_PLACEHOLDER = 3e-3
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
        The authors' means of two-piece normals; if False, the catalog's
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
        if rows.size:
            flux[rows], error[rows], seen[rows] = _observation(
                spectra[rows], item, counts[rows], rng, averaged
            )
    return (flux, error) if not averaged else _placeholders(flux, error, seen)


def _observation(spectra, item, expected, rng, averaged):
    """One exposure: flux, its error and whether it is published, per band."""
    apertures = draw_apertures(spectra, item, rng, (expected, expected * (1 + 1e-9)))
    columns = csc_band_columns(apertures, rng)

    def bands(name):
        return np.stack([columns[name + band][0] for band in "smh"], axis=1)

    value, low, high = (bands(f"flux_aper_{part}") for part in ("", "lolim_", "hilim_"))
    published = np.isfinite(value)
    middle = np.sqrt([lo * hi for _, lo, hi in CSC.bands]) * KEV_TO_ERG
    high = np.where(published, high, bands("photflux_aper_hilim_") * middle)
    value, low = np.nan_to_num(value), np.nan_to_num(low)
    if not averaged:
        return value, 0.5 * (high - low), published
    return *two_piece_mean(value, value - low, high - value), published


def _placeholders(flux, error, published):
    """Bands without a published flux get something tiny."""
    tiny = _PLACEHOLDER * flux.max(axis=1, keepdims=True)
    return (np.where(published, flux, half_normal[0] * tiny),
            np.where(published, error, half_normal[1] * tiny))
