# Licensed under a 3-clause BSD style license - see LICENSE
"""
The decoder in double precision, for one spectrum at a time and for many.

An optimizer takes steps that single precision does not resolve, and torch
would work out what depends on no latent anew in every call. The formulas are
those of `astro_xlatent.model.network.Decoder`.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import erf

from astro_xlatent.physics.grid import band_weights

if TYPE_CHECKING:
    from astro_xlatent.model.posterior import Model

__all__ = ["NORM_BAND", "DoubleDecoder", "double_decoder"]

#: Band in keV whose photon flux is the normalization.
NORM_BAND = (0.5, 7.0)
_WEIGHTS = band_weights(*NORM_BAND)[0]


@lru_cache(maxsize=4)
def double_decoder(model: Model) -> DoubleDecoder:
    """The `DoubleDecoder` of a `~astro_xlatent.model.posterior.Model`, made once."""
    return DoubleDecoder(model.decoder)


def _gelu(x):
    return 0.5 * x * (1 + erf(x / np.sqrt(2)))


def _softplus(x):
    return np.logaddexp(0.0, x)


class DoubleDecoder:
    """
    Latents to incident spectra with numpy.

    Parameters
    ----------
    decoder : `~astro_xlatent.model.network.Decoder`
        Its tensors are copied.
    """

    def __init__(self, decoder):
        tensors = {k: v.detach().cpu().numpy().astype(float) for k, v in decoder.state_dict().items()}
        self._layers = [(tensors[f"{name}.weight"].T, tensors[f"{name}.bias"])
                        for name in ("trunk.0", "trunk.2")]
        # The linear maps before and after the trunk are joined with their neighbors.
        first, bias = self._layers[0]
        self._layers[0] = (tensors["rotation"].T @ first, bias + tensors["offset"] @ first)
        self._continuum = (tensors["continuum.weight"].T @ tensors["interpolation"],
                           tensors["continuum.bias"] @ tensors["interpolation"])
        self._absorber = (tensors["absorber.weight"].T, tensors["absorber.bias"])
        self._strength = (tensors["line_strength.weight"].T, tensors["line_strength.bias"])
        self._shapes = _softplus(tensors["line_shape"])
        self._sigma = tensors["sigma"]

    def __call__(self, latent, absorbed=True):
        """
        Incident spectra.

        Parameters
        ----------
        latent : array_like, shape (n, 8)
            Latents.
        absorbed : bool, optional
            False leaves out the decoder's absorber.

        Returns
        -------
        spectrum : ndarray of float64, shape (n, n_energy)
            Photons/cm2/s per bin of the incident grid, for one photon/cm2/s
            in 0.5-7 keV *with* absorption.
        """
        h = np.asarray(latent, float)
        for weight, bias in self._layers:
            h = _gelu(h @ weight + bias)
        column, leak = np.split(h @ self._absorber[0] + self._absorber[1], 2, axis=1)
        leak = 1 / (1 + np.exp(-leak))
        screen = (1 - leak) * np.exp(-_softplus(column) * self._sigma) + leak
        lines = _softplus(h @ self._strength[0] + self._strength[1]) @ self._shapes
        bare = np.exp(np.clip(h @ self._continuum[0] + self._continuum[1], -30, 30)) * (1 + lines)
        spectrum = bare * screen
        return (spectrum if absorbed else bare) / (spectrum @ _WEIGHTS)[:, None]

    def column(self, latent: np.ndarray) -> np.ndarray:
        """Column of the decoder's absorber in cm-2, shape (n,)."""
        h = np.asarray(latent, float)
        for weight, bias in self._layers:
            h = _gelu(h @ weight + bias)
        return 1e22 * _softplus(h @ self._absorber[0][:, 0] + self._absorber[1][0])
