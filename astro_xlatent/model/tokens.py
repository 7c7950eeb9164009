# Licensed under a 3-clause BSD style license - see LICENSE
"""`EnergyBins` as tensors for the encoder."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from astro_xlatent.spectra.bins import FINE_EDGES, EnergyBins

if TYPE_CHECKING:
    import torch

__all__ = ["REFERENCE_INDEX", "merge_steps", "merged_edges", "to_tensors", "token_arrays"]

#: Photon index of the reference power law, typical of unabsorbed AGN (Nandra & Pounds 1994, MNRAS 268, 405).
REFERENCE_INDEX = 1.7
# Net counts up to which the fine bins are merged by this factor.
MERGE_STEPS = ((60.0, 8), (250.0, 4), (1000.0, 2), (np.inf, 1))


def merge_steps(net_counts: np.ndarray) -> np.ndarray:
    """How many fine bins to merge into one token for net counts (rows,): 1 for bright rows, up to 8."""
    limits, steps = np.array(MERGE_STEPS).T
    return steps[np.searchsorted(limits[:-1], net_counts)].astype(int)


def merged_edges(step: int) -> np.ndarray:
    """Edges in keV of the fine grid with every ``step`` bins merged."""
    return np.append(FINE_EDGES[:-1:step], FINE_EDGES[-1])


def token_arrays(bins: EnergyBins) -> dict[str, np.ndarray]:
    """Arrays (rows, bins), float32 or bool, that `token_features` wants, and ``reference`` by a power law."""
    valid = bins.valid
    e_lo = np.where(valid, bins.e_lo, 1.0)
    e_hi = np.where(valid, bins.e_hi, 2.0)
    reference = np.where(valid, bins.area, 0.0) * _reference_flux(e_lo, e_hi, bins.energy_weighted)
    # Only its shape matters, and float32 wants moderate numbers.
    reference /= np.maximum(reference.sum(axis=1, keepdims=True), 1e-300)
    arrays = {
        "log_e": 0.5 * np.log(e_lo * e_hi),
        "log_width": np.log(e_hi - e_lo),
        "log_resolution": np.log(np.where(valid, bins.resolution, 0.1).clip(0.01)),
        "counts": np.where(valid, bins.counts, 0.0),
        "background": np.where(valid, bins.background, 0.0),
        "background_error": np.where(valid, bins.background_error, 0.0),
        "reference": reference,
    }
    return {k: v.astype(np.float32) for k, v in arrays.items()} | {
        "valid": valid, "energy_weighted": bins.energy_weighted}


def to_tensors(bins: EnergyBins, device: str | torch.device = "cpu",
               ) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
    """`token_arrays` as tensors on a device, and the reference counts (rows, bins) apart."""
    import torch

    # Copies where an array cannot be written to, of which torch warns.
    tensors = {k: torch.as_tensor(np.require(v, requirements="W"), device=device)
               for k, v in token_arrays(bins).items()}
    return tensors, tensors.pop("reference")


def _reference_flux(e_lo, e_hi, energy_weighted):
    """Photon flux, or energy flux over the reference energy, of the power law."""
    power = 1 - REFERENCE_INDEX
    photon, energy = ((e_hi**p - e_lo**p) / p for p in (power, power + 1))
    return np.where(energy_weighted[:, None], energy / np.sqrt(e_lo * e_hi), photon)
