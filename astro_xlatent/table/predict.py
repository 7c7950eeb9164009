# Licensed under a 3-clause BSD style license - see LICENSE
"""What another telescope would see of a source: counts and conversion factors."""

from dataclasses import dataclass

import numpy as np
from astropy import units as u
from astropy.table import Row
from numpy.typing import ArrayLike

from astro_xlatent.compare.evidence import latent_gaussians
from astro_xlatent.core.columns import N_LATENT
from astro_xlatent.core.errors import ModelError, ParameterError
from astro_xlatent.core.numbers import plain_floats
from astro_xlatent.missions.responses import default_response
from astro_xlatent.model.posterior import FLUX_BANDS
from astro_xlatent.model.pretrained import load_model
from astro_xlatent.physics.grid import ENERGY_MID, KEV_TO_ERG, band_weights
from astro_xlatent.spectra.response import Response

__all__ = ["PredictedCounts", "conversion_factor", "predict_counts"]

_FLUX = u.erg / u.s / u.cm**2


@dataclass
class PredictedCounts:
    """
    Expected source counts, without Poisson noise, for draws of what is not known about the source.

    Attributes
    ----------
    counts : ndarray, (n_draws, n_channels)
    e_lo, e_hi : ndarray, (n_channels,)
        Nominal energies of the channels in keV.
    exposure : float
        In seconds.
    """

    counts: np.ndarray
    e_lo: np.ndarray
    e_hi: np.ndarray
    exposure: float

    def in_band(self, e_lo: float, e_hi: float) -> tuple[float, float, float]:
        """68 % limits and median, between these, of counts in a band in keV; channels go by their center."""
        center = 0.5 * (self.e_lo + self.e_hi)
        inside = self.counts[:, (center >= e_lo) & (center < e_hi)].sum(axis=1)
        return tuple(np.quantile(inside, (0.16, 0.5, 0.84)).tolist())


def predict_counts(source: Row | ArrayLike | tuple[ArrayLike, ArrayLike], response: Response | str,
                   exposure: float | u.Quantity, *, flux: u.Quantity | None = None,
                   band: tuple[float, float] = (0.5, 2.0), model=None, n_draws: int = 200,
                   seed: int = 0) -> PredictedCounts:
    """
    Counts that a telescope would collect from a source.

    Parameters
    ----------
    source : `~astropy.table.Row`, array_like, or pair of array_like
        A row of an enriched table; latents (8,), taken as exact; or their mean (8,) and covariance (8, 8).
    response : `~astro_xlatent.spectra.response.Response` or str
        Of the telescope, whose area decides whether counts are those of an aperture; or the
        name of a mission, for its default response.
    exposure : float or `~astropy.units.Quantity`
        Seconds.
    flux : `~astropy.units.Quantity`, optional
        Absorbed energy flux in ``band``: one value, or lower limit, value
        and upper limit (68 %), independent of the latents. By default that flux of the row's
        ``xl_flux_`` columns which has the smallest relative error.
    band : tuple of float, optional
        Band of ``flux`` in keV.
    model : str, path-like or Model, optional
        That of the latents; see `~astro_xlatent.load_model`.
    n_draws, seed : int, optional
        The same seed gives the same draws.

    Raises
    ------
    ParameterError
        If latents, flux, exposure or band cannot be used.
    ModelError
        If the model has another latent space than the row's table.

    Examples
    --------
    >>> import numpy as np
    >>> from astropy import units as u
    >>> from astro_xlatent.table.predict import predict_counts
    >>> seen = predict_counts(np.zeros(8), "erosita", 200 * u.s, flux=1e-13 * u.erg / u.s / u.cm**2)
    >>> seen.counts.shape
    (200, 1024)
    """
    model = load_model(model)
    space = source.table.meta.get("XLSPACE", "") if isinstance(source, Row) else model.latent_space
    if space != model.latent_space:
        msg = (f"the row's latent space is {space!r} (XLSPACE in table.meta), that of model {model.name} "
               f"is {model.latent_space!r}; give the model that enriched the table")
        raise ModelError(msg)
    rng = np.random.default_rng(seed)
    spectrum = model.decode(_latent_draws(source, rng, n_draws)).astype(float)
    (low, value, high), band = _best_flux(source) if flux is None else (_flux_limits(flux), band)
    # A normal distribution of two widths, cut at zero.
    normal = rng.standard_normal(n_draws)
    fluxes = np.maximum(value + normal * np.where(normal > 0, high - value, value - low), 0.0)
    scale = fluxes / (spectrum @ _energy_weights(band))
    if isinstance(response, str):
        response = default_response(response)
    try:
        seconds = float(u.Quantity(exposure, u.s).value)
    except (u.UnitConversionError, TypeError) as error:
        raise ParameterError(f"exposure is {exposure!r}; a time is needed, or a number of seconds") from error
    if not 0 <= seconds < np.inf:
        raise ParameterError(f"exposure is {exposure!r}; it must be finite and not negative")
    counts = response.on_grid().fold(spectrum * scale[:, None]) * seconds
    return PredictedCounts(counts, response.channel_e_lo, response.channel_e_hi, seconds)


def conversion_factor(source: Row | ArrayLike | tuple[ArrayLike, ArrayLike], response: Response | str,
                      counts_band: tuple[float, float], flux_band: tuple[float, float], *, model=None,
                      n_draws: int = 200, seed: int = 0) -> tuple[u.Quantity, u.Quantity, u.Quantity]:
    """
    Count rate per energy flux for a source's spectral shape.

    Parameters
    ----------
    source, response, model, n_draws, seed
        As for `predict_counts`, whose errors are raised.
    counts_band, flux_band : tuple of float
        Bands of the counts (measured energy) and of the absorbed flux, keV.

    Returns
    -------
    lower, median, upper : `~astropy.units.Quantity`
        68 % interval, in ct cm2/erg: rate = factor x flux.

    Examples
    --------
    >>> import numpy as np
    >>> from astro_xlatent.table.predict import conversion_factor
    >>> low, factor, high = conversion_factor(np.zeros(8), "erosita", (0.2, 2.3), (0.5, 2.0))
    >>> factor.unit.is_equivalent("ct cm2 / erg"), bool(low == high)
    (True, True)
    """
    seen = predict_counts(source, response, 1.0, flux=1.0 * _FLUX, band=flux_band, model=model,
                          n_draws=n_draws, seed=seed)
    _check_band(counts_band, "counts_band")
    return tuple(q * u.ct * u.cm**2 / u.erg for q in seen.in_band(*counts_band))


def _latent_draws(source, rng, n_draws):
    if isinstance(n_draws, bool) or not isinstance(n_draws, (int, np.integer)) or n_draws < 1:
        raise ParameterError(f"n_draws is {n_draws!r}; it must be an integer, 1 or more")
    if isinstance(source, Row):
        means, covariances, usable = latent_gaussians(source.table, slice(source.index, source.index + 1))
        mean, covariance = np.where(usable, means[0], np.nan), covariances[0]
    else:
        pair = isinstance(source, tuple) and len(source) == 2
        mean = np.asarray(source[0] if pair else source, float)
        covariance = np.asarray(source[1], float) if pair else np.zeros((N_LATENT, N_LATENT))
    if mean.shape != (N_LATENT,) or covariance.shape != (N_LATENT, N_LATENT):
        raise ParameterError(
            f"source must be a row of an enriched table, latents of shape ({N_LATENT},), or a tuple of "
            f"mean and covariance; got shapes {mean.shape} and {covariance.shape}")
    if not (np.isfinite(mean).all() and np.isfinite(covariance).all()):
        raise ParameterError("the source's latents are masked or not finite; see its xl_reason")
    return rng.multivariate_normal(mean, covariance, n_draws, check_valid="ignore", method="eigh")


def _best_flux(source):
    found = []
    if isinstance(source, Row):
        for name, band in FLUX_BANDS.items():
            names = [f"xl_flux_{name}{part}" for part in ("_lolim", "", "_hilim")]
            if set(names) <= set(source.colnames):
                low, value, high = (float(plain_floats(source[n])) for n in names)
                if value > 0 and low <= value <= high < np.inf:
                    found.append(((high - low) / value, (low, value, high), band))
    if not found:
        raise ParameterError("no flux is known for the source: give flux=, an energy flux in erg/cm2/s, and "
                             "its band=")
    return min(found)[1:]


def _flux_limits(flux):
    try:
        values = np.atleast_1d(u.Quantity(flux).to_value(_FLUX))
    except (u.UnitConversionError, TypeError) as error:
        msg = f"flux is {flux!r}; an energy flux with a unit is needed, such as 1e-13 * u.erg / u.s / u.cm**2"
        raise ParameterError(msg) from error
    if values.shape not in ((1,), (3,)) or not np.isfinite(values).all() or np.any(np.diff(values) < 0) \
            or values[0] < 0:
        msg = f"flux is {flux!r}; give one value of 0 or more, or lower limit <= value <= upper limit"
        raise ParameterError(msg)
    return tuple(values[[0, 0, 0]] if values.size == 1 else values)


def _check_band(band, name):
    band = tuple(float(e) for e in band)
    if len(band) != 2 or not 0 <= band[0] < band[1]:
        raise ParameterError(f"{name} is {band}; two increasing energies in keV are needed")
    return band


def _energy_weights(band):
    """Energy flux in a band of spectra in photons per grid bin, as weights of the bins."""
    low, high = _check_band(band, "band")
    weights = band_weights([low], [high])[0]
    if not weights.any():
        raise ParameterError(f"band is {band}; nothing of it lies in the incident grid, 0.1-12 keV")
    return weights * ENERGY_MID * KEV_TO_ERG
