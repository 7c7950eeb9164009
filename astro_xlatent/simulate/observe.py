# Licensed under a 3-clause BSD style license - see LICENSE
"""
Observations of simulated sources: spectra and catalogue bands.

Every function takes incident spectra and gives `EnergyBins` just as the
readers of real files and tables do, from the same recipes.
"""

import numpy as np

from astro_xlatent.core.errors import ParameterError
from astro_xlatent.simulate.background import background_shape
from astro_xlatent.simulate.photometry import ZERO_LIMIT, csc_photometry
from astro_xlatent.spectra.binning import off_region_error
from astro_xlatent.spectra.bins import EnergyBins

__all__ = ["CSC_RECIPES", "csc_bins", "merge_randomly", "observe_csc_bands", "observe_erosita_bands",
           "observe_spectra"]

#: Source counts of simulated observations are log-uniform in this range.
COUNTS_RANGE = (5.0, 20000.0)
CSC_BANDS = np.array([0.5, 1.2, 2.0, 7.0])
#: What rows of the Chandra Source Catalog may publish.
CSC_RECIPES = ("aperture counts", "photon flux", "energy flux")


def _log_uniform(rng, low, high, size=None):
    return np.exp(rng.uniform(np.log(low), np.log(high), size))


def _expected(spectra, matrix, n_source):
    """Expected counts in bins, and the seconds-like factor that gives them."""
    rate = spectra @ matrix.T  # (rows, bins)
    seconds = n_source / np.maximum(rate.sum(axis=1), 1e-300)
    return rate * seconds[:, None], seconds


def observe_spectra(spectra, instrument, rng, counts_range=COUNTS_RANGE):
    """
    Observe incident spectra with one instrument, background included.

    Parameters
    ----------
    spectra : ndarray, shape (rows, n_energy)
        Incident photons/cm2/s per grid bin; only the shape matters.
    instrument : `~astro_xlatent.simulate.instruments.Instrument`
        Response and mission.
    rng : `numpy.random.Generator`
        Draws counts, background and noise.
    counts_range : tuple of float, optional
        Expected source counts, log-uniform between these.

    Returns
    -------
    bins : EnergyBins
        On the fine grid.
    truth : dict of ndarray
        ``counts`` (expected source counts), ``background_counts``, and
        ``expected_background`` (rows, bins), what the reader cannot know.
    """
    rows = len(spectra)
    n_source = _log_uniform(rng, *counts_range, rows)
    source, seconds = _expected(spectra, instrument.matrix, n_source)
    shape = background_shape(instrument.mission, instrument.matrix[instrument.valid],
                             instrument.e_lo[instrument.valid], instrument.e_hi[instrument.valid], rng)
    full_shape = np.zeros(instrument.valid.size)
    full_shape[instrument.valid] = shape
    background = full_shape * (n_source * _log_uniform(rng, 1e-3, 3.0, rows))[:, None]
    scale = _log_uniform(rng, 0.01, 0.5, rows)[:, None]
    off = rng.poisson(background / scale)
    known = rng.random((rows, 1)) > 0.08
    width = instrument.e_hi - instrument.e_lo

    def repeated(values):
        return np.broadcast_to(values, source.shape)

    bins = EnergyBins(
        e_lo=repeated(instrument.e_lo),
        e_hi=repeated(instrument.e_hi),
        counts=rng.poisson(source + background),
        background=np.where(known, off * scale, 0.0),
        background_error=np.where(known, off_region_error(off, scale, width), 0.0),
        area=instrument.area * seconds[:, None],
        resolution=repeated(instrument.resolution),
        valid=_random_range(instrument, rows, rng),
    )
    truth = {"counts": n_source, "background_counts": background.sum(axis=1),
             "expected_background": background, "seconds": seconds}
    return bins, truth


def _random_range(instrument, rows, rng):
    """Energy ranges as analysts choose them; half of the rows keep everything."""
    low = rng.choice([0.0, 0.0, 0.3, 0.4, 0.5], (rows, 1))
    high = rng.choice([99.0, 99.0, 8.0, 7.0, 5.0], (rows, 1))
    return instrument.valid & (instrument.e_lo >= low) & (instrument.e_hi <= high)


def merge_randomly(bins, rng, max_tokens):
    """
    Merge the fine bins of every row into a random number of tokens.

    Parameters
    ----------
    bins : EnergyBins
        On the fine grid.
    rng : `numpy.random.Generator`
        Draws the number of tokens (log-uniform from 3) and the widths.
    max_tokens : int
        Largest number of tokens.

    Returns
    -------
    merged : EnergyBins
        With ``max_tokens`` bins a row, those not used invalid.
    """
    rows, n_fine = bins.counts.shape
    n_tokens = np.floor(_log_uniform(rng, 3, max_tokens + 1, rows)).clip(3, max_tokens)
    # Uneven widths for half of the rows, nearly even ones for the others.
    spread = np.where(rng.random((rows, 1)) < 0.5, 1.0, 20.0)
    width = rng.gamma(spread, 1.0, (rows, n_fine))
    position = np.cumsum(width, axis=1) / np.sum(width, axis=1, keepdims=True)
    index = np.floor(position * n_tokens[:, None] * (1 - 1e-12)).astype(int)
    return bins._merge_by_index(np.where(bins.valid, index, -1), max_tokens)


def _band_counts(spectra, instrument, rng, counts_range):
    """Counts, estimated background and area in the catalogue's sub-bands."""
    rows = len(spectra)
    n_source = _log_uniform(rng, *counts_range, rows)
    source, seconds = _expected(spectra, instrument.band_matrix, n_source)
    edges = instrument.band_edges
    shape = background_shape(instrument.mission, instrument.band_matrix, edges[:-1], edges[1:], rng)
    background = shape * (n_source * _log_uniform(rng, 3e-3, 1.0, rows))[:, None]
    scale = _log_uniform(rng, 0.01, 0.3, rows)[:, None]
    off = rng.poisson(background / scale)
    area = instrument.band_area() * seconds[:, None]
    error = off_region_error(off, scale, np.diff(edges))
    return rng.poisson(source + background), off * scale, error, area, n_source


def observe_csc_bands(spectra, instrument, rng, recipe, counts_range=(4.0, 5000.0)):
    """
    Rows of the Chandra Source Catalog, as its recipes turn them into bins.

    Parameters
    ----------
    spectra : ndarray, shape (rows, n_energy)
        Incident photons/cm2/s per grid bin.
    instrument : Instrument
        Of mission ``csc``.
    rng : `numpy.random.Generator`
        Draws counts, background and noise.
    recipe : {'aperture counts', 'photon flux', 'energy flux'}
        What the row publishes.
    counts_range : tuple of float, optional
        Expected source counts, log-uniform between these.

    Returns
    -------
    bins : EnergyBins
        Bands s, m and h.
    truth : dict of ndarray
        ``counts``.
    """
    counts, background, error, area, n_source = _band_counts(spectra, instrument, rng, counts_range)
    bands = csc_photometry(counts, background, error, area, instrument.band_edges)
    return csc_bins(bands, recipe), {"counts": n_source}


def csc_bins(bands, recipe):
    """
    Bins that follow from photometry of the CSC by one of its recipes.

    Parameters
    ----------
    bands : dict of ndarray
        Result of `~astro_xlatent.simulate.photometry.csc_photometry`.
    recipe : {'aperture counts', 'photon flux', 'energy flux'}
        What the row publishes. From a flux F with half-width sigma follow
        N = (F / sigma)**2 / 0.73 counts and the area N / F; a flux of zero
        means no counts and an area of 1.14 over its upper limit. The area of
        aperture counts is their ratio to the photon flux, as that of rows
        which publish both.

    Returns
    -------
    bins : EnergyBins
        Bands s, m and h.

    Raises
    ------
    ParameterError
        If the recipe is unknown.
    """
    if recipe not in CSC_RECIPES:
        msg = f"recipe is {recipe!r}; allowed: {', '.join(CSC_RECIPES)}"
        raise ParameterError(msg)
    n, b, berr, net_hi = (bands[k][:, :3] for k in ("counts", "background", "background_error", "net_hi"))
    low, high = (np.broadcast_to(e, n.shape) for e in (CSC_BANDS[:-1], CSC_BANDS[1:]))
    energy = recipe == "energy flux"
    kind = "energy" if energy else "photon"
    flux, lolim, hilim = (bands[kind + part][:, :3] for part in ("", "_lo", "_hi"))
    area = net_hi / hilim
    if recipe != "aperture counts":
        reference = np.sqrt(low * high) if energy else 1.0
        n, area = _counts_from_flux(flux / reference, lolim / reference, hilim / reference)
        b = berr = np.zeros_like(n)
    return EnergyBins(
        e_lo=low, e_hi=high, counts=n, background=b, background_error=berr, area=area,
        resolution=np.broadcast_to([0.1, 0.11, 0.14], n.shape), valid=area > 0,
        energy_weighted=np.full(len(n), energy),
    )


def _counts_from_flux(flux, lolim, hilim):
    """Counts and area that a flux and its 68 % limits stand for."""
    detected = flux > 0
    sigma = np.where(detected, 0.5 * (hilim - lolim), 1.0)
    n = np.where(detected, (flux / sigma) ** 2 / 0.73, 0.0)
    return n, np.where(detected, n / np.where(detected, flux, 1.0), ZERO_LIMIT / hilim)


def observe_erosita_bands(spectra, instrument, rng, counts_range=(4.0, 5000.0)):
    """
    Rows of eRASS1 with aperture photometry, bands P1 to P5.

    Parameters
    ----------
    spectra : ndarray, shape (rows, n_energy)
        Incident photons/cm2/s per grid bin.
    instrument : Instrument
        Of mission ``erosita``.
    rng : `numpy.random.Generator`
        Draws counts, background and noise.
    counts_range : tuple of float, optional
        Expected source counts, log-uniform between these.

    Returns
    -------
    bins : EnergyBins
        Bands P1 to P5.
    truth : dict of ndarray
        ``counts``.
    """
    counts, background, error, area, n_source = _band_counts(spectra, instrument, rng, counts_range)
    edges = instrument.band_edges
    # Aperture fraction and vignetting per band are known to a few per cent.
    area = area * rng.normal(1.0, 0.03, area.shape).clip(0.8)
    return EnergyBins(
        e_lo=np.broadcast_to(edges[:-1], counts.shape),
        e_hi=np.broadcast_to(edges[1:], counts.shape),
        counts=counts, background=background, background_error=error, area=area,
        resolution=np.broadcast_to([0.08, 0.085, 0.1, 0.12, 0.15], counts.shape),
        valid=np.ones(counts.shape, bool),
    ), {"counts": n_source}
