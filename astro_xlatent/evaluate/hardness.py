# Licensed under a 3-clause BSD style license - see LICENSE
"""
Hardness ratios of any rows, from the same energy bins that the model sees. Those of photon fluxes and of
energy fluxes differ; they carry their kind in their name and are never mixed.
"""

from dataclasses import dataclass

import numpy as np

from astro_xlatent.physics.grid import KEV_TO_ERG

__all__ = ["BandFluxes", "band_fluxes", "fluxes_of_spectra", "hardness_ratios"]

#: Bands of the Chandra Source Catalog, keV.
CSC_EDGES = (0.5, 1.2, 2.0, 7.0)


@dataclass
class BandFluxes:
    """Fluxes (n, bands) in photons/cm2/s, or erg/cm2/s where ``energy`` (n,); NaN where unknown."""

    flux: np.ndarray
    error: np.ndarray
    energy: np.ndarray

    @property
    def kind(self):
        """``"energy-flux"``, ``"photon-flux"`` or ``"mixed"``."""
        if np.all(self.energy):
            return "energy-flux"
        return "mixed" if np.any(self.energy) else "photon-flux"


def band_fluxes(bins):
    """Fluxes of catalog bands, of bins in order of energy: counts less background over area, not negative."""
    known = bins.valid & (bins.area > 0)
    scale = np.where(bins.energy_weighted[:, None],
                     np.sqrt(np.where(known, bins.e_lo * bins.e_hi, 1.0)) * KEV_TO_ERG, 1.0)
    per_count = np.where(known, scale / np.where(known, bins.area, 1.0), np.nan)
    net = np.maximum(bins.counts - bins.background, 0.0)
    error = np.sqrt(np.maximum(bins.counts, 1.0) + bins.background_error**2)
    return BandFluxes(net * per_count, error * per_count, bins.energy_weighted)


def fluxes_of_spectra(bins):
    """Photon fluxes of fine-grid spectra in broad bands, of each band's valid bins, scaled to its width."""
    merged = bins.merge(CSC_EDGES)
    # Bins at the edge, and ranges that analysts cut, leave a band partly covered.
    merged.area = merged.area * (merged.e_hi - merged.e_lo) / np.diff(CSC_EDGES)
    return band_fluxes(merged)


def hardness_ratios(flux):
    """
    (b - a) / (b + a) of neighboring bands, soft to hard, and of the outermost of more than two; NaN where a
    band is unknown or both are zero.
    """
    flux = np.maximum(np.asarray(flux, float), 0.0)
    last = flux.shape[1] - 1
    pairs = [(k, k + 1) for k in range(last)] + ([(0, last)] if last > 1 else [])
    with np.errstate(invalid="ignore"):
        return np.stack([(flux[:, b] - flux[:, a]) / (flux[:, b] + flux[:, a]) for a, b in pairs], axis=1)
