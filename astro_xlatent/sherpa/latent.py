# Licensed under a 3-clause BSD style license - see LICENSE
"""The decoder as a Sherpa model."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from sherpa.models.model import RegriddableModel1D, modelCacher1d
from sherpa.models.parameter import Parameter, hugeval

from astro_xlatent.core.columns import N_LATENT
from astro_xlatent.core.errors import ModelError
from astro_xlatent.model.pretrained import load_model
from astro_xlatent.physics.grid import ENERGY_EDGES
from astro_xlatent.sherpa._decoder import double_decoder
from astro_xlatent.sherpa._grid import SherpaGrid

if TYPE_CHECKING:
    from astropy.table import Table
    from numpy.typing import ArrayLike

    from astro_xlatent.model.posterior import Model

__all__ = ["LatentSpectrum"]

# Latents of simulated sources have unit variance; beyond this there are none.
_SOFT_LIMIT, _HARD_LIMIT = 6.0, 20.0


class LatentSpectrum(RegriddableModel1D):
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
    The decoder gives photons in bins of 10 eV from 0.1 to 12 keV, spread
    evenly within them over the bins that Sherpa asks for; there is nothing
    outside. Latents of faint sources are poorly constrained by the counts
    alone: use `sample`, which knows how sources are distributed.

    Examples
    --------
    >>> from astro_xlatent.sherpa import LatentSpectrum
    >>> source = LatentSpectrum("src")
    >>> source.norm = 1e-4
    >>> print(source([0.5], [7.0]))
    [0.0001]
    """

    def __init__(self, name="latentspectrum", model=None):
        self._model = load_model(model)
        if self._model.config.n_latent != N_LATENT:
            msg = f"model {self._model.name} has {self._model.config.n_latent} latents, not {N_LATENT}"
            raise ModelError(msg)
        pars = [Parameter(name, f"z{i + 1}", 0.0, -_SOFT_LIMIT, _SOFT_LIMIT, -_HARD_LIMIT, _HARD_LIMIT)
                for i in range(N_LATENT)]
        for par in pars:
            setattr(self, par.name, par)
        self.norm = Parameter(name, "norm", 1e-4, 0.0, 1e24, 0.0, hugeval, "photons/cm^2/s")
        self._last = (b"", None)
        super().__init__(name, (*pars, self.norm))

    @property
    def model(self) -> Model:
        """The trained model behind it."""
        return self._model

    @modelCacher1d
    def calc(self, p: np.ndarray, x: np.ndarray, xhi: np.ndarray | None = None, *args,
             **kwargs) -> np.ndarray:
        """Photons/cm2/s per bin; p holds the latents and the normalization."""
        grid = SherpaGrid(x, xhi)
        return p[-1] * grid.sums(np.diff(np.interp(grid.edges, ENERGY_EDGES, self._cumulative(p[:-1]))))

    def _cumulative(self, latent):
        """Photons below each edge of the incident grid; remembered, as a fit also varies the norm alone."""
        latent = np.asarray(latent, float)
        key = latent.tobytes()
        if self._last[0] != key:
            spectrum = double_decoder(self._model)(latent[None])[0]
            self._last = (key, np.append(0.0, np.cumsum(spectrum)))
        return self._last[1]

    def set_latent(self, table: Table, row: int = 0) -> None:
        """
        Take latents, and soft limits of five standard deviations, from a prediction.

        Parameters
        ----------
        table : `~astropy.table.Table`
            From `predict`, with this model.
        row : int, optional
            Which row.
        """
        label = f"{self._model.name}-{self._model.version}"
        if str(table["xl_model"][row]) != label:
            msg = (f"the latents are of model {table['xl_model'][row]}, this spectrum is of {label}; "
                   "predict with that model")
            raise ModelError(msg)
        for par, value, error in zip(self.pars, table["xl_latent"][row], table["xl_latent_err"][row]):
            value, reach = float(value), max(5 * float(error), 1.0)
            par.set(val=value, min=max(value - reach, -_HARD_LIMIT), max=min(value + reach, _HARD_LIMIT))

    def guess(self, dep: ArrayLike, *args, **kwargs) -> None:
        """Start and limits of the normalization, so that the model adds up to the data."""
        from sherpa.utils import param_apply_limits

        unit = self.calc([*(par.val for par in self.pars[:-1]), 1.0], *args)
        width = np.abs(args[1] - args[0]) if len(args) > 1 else 1.0
        value = float(np.sum(np.asarray(dep) * width) / max(np.sum(unit), 1e-300))
        param_apply_limits({"val": value, "min": 1e-3 * value, "max": 1e3 * value}, self.norm, **kwargs)
