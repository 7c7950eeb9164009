# Licensed under a 3-clause BSD style license - see LICENSE
"""What a model must be, the bundled one and those of plug-ins."""

from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np

if TYPE_CHECKING:
    from astro_xlatent.model.posterior import Posterior
    from astro_xlatent.spectra.bins import EnergyBins

__all__ = ["LatentModel"]


@runtime_checkable
class LatentModel(Protocol):
    """A model of the waist `~astro_xlatent.spectra.bins.EnergyBins`."""

    #: What to cite, and which tables may be compared.
    name: str
    version: str
    latent_space: str
    sha256: str
    #: The eight classes and "other", in the order of the probabilities.
    classes: tuple[str, ...]
    #: What it was trained on; rows of others are flagged.
    missions: tuple[str, ...]
    #: Where it runs; its ``str`` is noted in results.
    device: Any

    def __hash__(self) -> int:
        """By identity: what is made of a model is remembered."""

    def infer(self, bins: "EnergyBins", matrices: np.ndarray | None = None) -> "Posterior":
        """Posterior of every row, none included; with folding matrices the rows are spectra."""

    def decode(self, latent: np.ndarray) -> np.ndarray:
        """Incident spectra, shape (n, n_energy), of latents (n, 8), normalized to sum 1."""
