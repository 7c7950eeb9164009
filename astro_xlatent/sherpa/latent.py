# Licensed under a 3-clause BSD style license - see LICENSE
"""The decoder as a Sherpa model."""

import copy
from collections.abc import Callable
from functools import lru_cache

import numpy as np
import torch
from astropy.table import Table
from numpy.typing import ArrayLike
from sherpa.models.parameter import Parameter

from astro_xlatent.core.columns import N_LATENT
from astro_xlatent.core.errors import ModelError
from astro_xlatent.model.posterior import Model
from astro_xlatent.model.pretrained import load_model
from astro_xlatent.physics.grid import ENERGY_EDGES, band_weights
from astro_xlatent.sherpa.models import Additive

__all__ = ["LatentSpectrum", "double_decoder"]

# Latents of simulated sources have unit variance; beyond this there are none.
_SOFT_LIMIT, _HARD_LIMIT = 6.0, 20.0


@lru_cache(maxsize=4)
def double_decoder(model: Model) -> Callable[[ArrayLike], np.ndarray]:
    """The decoder in double precision: an optimizer takes steps that single precision does not resolve."""
    network = copy.deepcopy(model.decoder).cpu().double()
    weights = band_weights(0.5, 7.0)[0]

    def decode(latent: ArrayLike) -> np.ndarray:
        with torch.no_grad():
            spectrum = network(torch.as_tensor(np.asarray(latent, float))).numpy()
        return spectrum / (spectrum @ weights)[:, None]

    return decode


@lru_cache(maxsize=16)
def _cumulative(model, latent):
    """Photons below each edge of the incident grid; remembered, as a fit also varies the norm alone."""
    return np.append(0.0, np.cumsum(double_decoder(model)([latent])[0]))


class LatentSpectrum(Additive):
    """
    The spectrum that eight latents stand for, absorption included.

    Parameters
    ----------
    name : str, optional
        Name of the component.
    model : str, path-like or Model, optional
        See `~astro_xlatent.load_model`.

    Attributes
    ----------
    z1, z2, z3, z4, z5, z6, z7, z8
        Latents; simulated sources have mean 0 and variance 1.
    norm
        Photon flux in 0.5-7 keV, photons/cm2/s.

    Notes
    -----
    Photons in bins of 10 eV from 0.1 to 12 keV are spread evenly over Sherpa's bins; there is nothing
    outside. Latents of faint sources are poorly constrained by counts alone: use `sample`, which knows how
    sources are distributed.

    Examples
    --------
    >>> from astro_xlatent.sherpa import LatentSpectrum
    >>> source = LatentSpectrum("src")
    >>> source.norm = 1e-4
    >>> print(source([0.5], [7.0]))
    [0.0001]
    """

    _limits = (ENERGY_EDGES[0], ENERGY_EDGES[-1])

    def __init__(self, name="latentspectrum", model=None):
        self.model = load_model(model)
        if self.model.config.n_latent != N_LATENT:
            msg = f"model {self.model.name} has {self.model.config.n_latent} latents, not {N_LATENT}"
            raise ModelError(msg)
        pars = [Parameter(name, f"z{i + 1}", 0.0, -_SOFT_LIMIT, _SOFT_LIMIT, -_HARD_LIMIT, _HARD_LIMIT)
                for i in range(N_LATENT)]
        for par in pars:
            setattr(self, par.name, par)
        super().__init__(name, *pars, norm=1e-4, unit="photons/cm^2/s")

    def _photons(self, p, edges):
        return np.diff(np.interp(edges, ENERGY_EDGES, _cumulative(self.model, tuple(p[:-1]))))

    def set_latent(self, table: Table, row: int = 0) -> None:
        """Set latents, and soft limits of five standard deviations, by a row of `predict` with `model`."""
        label = f"{self.model.name}-{self.model.version}"
        if str(table["xl_model"][row]) != label:
            msg = (f"the latents are of model {table['xl_model'][row]}, this spectrum is of {label}; "
                   "predict with that model")
            raise ModelError(msg)
        for par, value, error in zip(self.pars, table["xl_latent"][row], table["xl_latent_err"][row]):
            value, reach = float(value), max(5 * float(error), 1.0)
            par.set(val=value, min=max(value - reach, -_HARD_LIMIT), max=min(value + reach, _HARD_LIMIT))
