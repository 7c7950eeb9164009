# Licensed under a 3-clause BSD style license - see LICENSE
"""What the model says of a session's spectra: predictions, and draws, which know the exact likelihood."""

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from astropy.table import Column, Table

from astro_xlatent.core.errors import ParameterError, SpectrumError, XlatentWarning
from astro_xlatent.model.density import density_quantiles
from astro_xlatent.model.network import LOG_NH_RANGE
from astro_xlatent.model.posterior import Model
from astro_xlatent.model.pretrained import load_model
from astro_xlatent.model.refined import column_density, importance_draws, systematic
from astro_xlatent.physics.absorption import transmission
from astro_xlatent.physics.grid import ENERGY_MID, KEV_TO_ERG, band_weights
from astro_xlatent.sherpa._session import Session, likelihood_of, resolve, spectrum_of
from astro_xlatent.sherpa.latent import double_decoder
from astro_xlatent.table.add_latents import predict_spectra

__all__ = ["Samples", "predict", "sample"]

#: Effective draws that suffice, and below which a warning is given.
ENOUGH, TOO_FEW = 200, 20
#: Largest factor by which absorption is corrected for at any energy.
MAX_CORRECTION = 30.0


def predict(id: object = None, session: Session | None = None, *, model: Model | str | None = None,
            prior: Any = None) -> Table:
    """
    Latents, class, N_H, fluxes and quality of loaded spectra.

    Parameters
    ----------
    id : int, str, sequence of these or sherpa.astro.datastack.DataStack, optional
        Data sets; by default the session's default id.
    session : sherpa.astro.ui.utils.Session, optional
        By default that of `sherpa.astro.ui`.
    model : str, path-like or Model, optional
        See `~astro_xlatent.load_model`.
    prior : None, mapping or array_like, optional
        Class prior, see `~astro_xlatent.table.add_latents`.

    Returns
    -------
    table : `~astropy.table.Table`
        One row a data set: ``id`` (str) and the columns of `~astro_xlatent.add_latents`.

    Raises
    ------
    SpectrumError, ResponseError
        If data or response are missing or the filter leaves nothing.

    Notes
    -----
    Only noticed channels are used, rebinned to half the resolution of a CCD whatever their grouping. A
    background data set is taken into account, subtracted or not; a background model is not. The session stays
    as it is.

    Examples
    --------
    >>> from sherpa.astro import ui  # doctest: +SKIP
    >>> from astro_xlatent.sherpa import predict
    >>> ui.load_pha("acisf04938_000N002_r0043_pha3.fits")  # doctest: +SKIP
    >>> ui.notice(0.5, 7)  # doctest: +SKIP
    >>> predict()["xl_class", "xl_nh", "xl_gof"]  # doctest: +SKIP
    """
    ids, session = resolve(id, session)
    spectra = [spectrum_of(i, session) for i in ids]
    table = predict_spectra(spectra, model=model, prior=prior)
    table.replace_column("file", Column(np.array([str(i) for i in ids]), description="Sherpa data set"))
    table.rename_column("file", "id")
    return table


@dataclass
class Samples:
    """
    Posterior draws of equal weight.

    Attributes
    ----------
    latent, norm : ndarray, shape (n, 8) and (n,)
        Latents, and absorbed photon flux in 0.5-7 keV, photons/cm2/s.
    nh, statistic : ndarray, shape (n,)
        Column in cm-2 that goes with the latents, and C-statistic.
    ess : float
        Effective number of draws: below about a hundred do not trust tails, below twenty trust nothing.
    n_proposed, rounds, n_bins : int
        Proposals of the last round, rounds that it took, bins that the statistic is summed over.
    """

    latent: np.ndarray
    norm: np.ndarray
    nh: np.ndarray
    statistic: np.ndarray
    ess: float
    n_proposed: int
    rounds: int
    n_bins: int
    model: object = None

    @property
    def pars(self) -> np.ndarray:
        """Parameters of `LatentSpectrum` in its order, shape (n, 9)."""
        return np.column_stack([self.latent, self.norm])

    def spectra(self, unabsorbed: bool = False) -> np.ndarray:
        """
        Incident spectra (n, n_energy), photons/cm2/s per bin of `~astro_xlatent.physics.grid.ENERGY_EDGES`.

        Unabsorbed ones are divided by the transmission of a cold screen of the draw's column, at most by a
        factor of `MAX_CORRECTION`: what is absorbed more than that, the data know nothing of.
        """
        spectrum = double_decoder(self.model)(self.latent) * self.norm[:, None]
        if unabsorbed:
            spectrum = spectrum / np.maximum(transmission(self.nh), 1 / MAX_CORRECTION)
        return spectrum

    def flux(self, lo: float = 0.5, hi: float = 7.0, unabsorbed: bool = False) -> np.ndarray:
        """Energy flux (n,) in erg/cm2/s in a band of keV within 0.1-12; unabsorbed as in `spectra`."""
        if not 0.1 <= lo < hi <= 12.0:
            raise ParameterError(f"the band is {lo} to {hi} keV; it must rise and lie within 0.1 to 12")
        return self.spectra(unabsorbed) @ (band_weights([lo], [hi])[0] * ENERGY_MID * KEV_TO_ERG)

    def __repr__(self):
        return (f"<Samples: {len(self.norm)} draws, effective sample size {self.ess:.0f} of "
                f"{self.n_proposed} proposals after {self.rounds} rounds>")


def sample(id: int | str | None = None, n: int = 1000, session: Session | None = None, *,
           model: Model | str | None = None, seed: int | None = None,
           n_proposed: int | None = None) -> Samples:
    """
    Draw latents and fluxes of a loaded spectrum.

    Parameters
    ----------
    id : int or str, optional
        One data set; by default the session's default id.
    n : int, optional
        Number of draws to return.
    session, model : optional
        As for `predict`.
    seed : int or `numpy.random.Generator`, optional
        For results that can be repeated.
    n_proposed : int, optional
        Proposals a round, by default four times ``n``, at least 2000.

    Returns
    -------
    samples : Samples
        Draws from the density of simulated sources in latent space, smoothed with a Gaussian of variance
        `~astro_xlatent.model.refined.SMOOTHING`, times a flat one in source counts times exp(-C/2). The
        statistic is ``cstat`` in the session's bins, with the expected background added to the model; the
        session's own statistic and source model do not matter.

    Raises
    ------
    SpectrumError, ResponseError, ParameterError
        As for `predict`; also if there is no source, or ``n`` is not positive.

    Examples
    --------
    >>> from astro_xlatent.sherpa import sample
    >>> draws = sample(1, n=1000)  # doctest: +SKIP
    >>> np.quantile(draws.flux(2, 10, unabsorbed=True), [0.16, 0.5, 0.84])  # doctest: +SKIP
    """
    if not (isinstance(n, (int, np.integer)) and n > 0):
        raise ParameterError(f"n is {n!r}; it must be a positive integer")
    ids, session = resolve(id, session)
    if len(ids) != 1:
        raise ParameterError(f"sample draws from one data set at a time, got {ids}; call it for each")
    model = load_model(model)
    likelihood = likelihood_of(ids[0], session)
    posterior = model.infer(likelihood.bins, likelihood.fine_matrix)
    if not posterior.detected[0]:
        msg = (f"data set {ids[0]!r} has no counts above its background "
               f"({likelihood.counts.sum():.0f} counts, {likelihood.background.sum():.1f} expected from "
               "background): there is no spectrum to draw")
        raise SpectrumError(msg)
    rng = np.random.default_rng(seed)
    size = n_proposed or max(4 * n, 2000)
    draws = importance_draws(model, likelihood, posterior.latent[0], posterior.latent_cov[0], size, rng,
                             decode=double_decoder(model), enough=ENOUGH)
    if draws.ess < TOO_FEW:
        msg = (f"only {draws.ess:.0f} of {size} draws count after {draws.rounds} rounds: errors and tails "
               "are not to be trusted; raise n_proposed, or fit a LatentSpectrum")
        warnings.warn(msg, XlatentWarning, stacklevel=2)
    chosen = systematic(draws.weight, n, rng)
    latent = draws.latent[chosen]
    nh = 10 ** density_quantiles(column_density(model, latent), LOG_NH_RANGE, [0.5])[:, 0]
    return Samples(latent, draws.norm[chosen], nh, draws.statistic[chosen], draws.ess, size, draws.rounds,
                   likelihood.counts.size, model)
