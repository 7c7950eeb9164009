# Licensed under a 3-clause BSD style license - see LICENSE
"""
Features of rows that need no model: hardness ratios, and principal components of the spectra, fitted on
training folds only. Ratios of photon fluxes and of energy fluxes differ, and are never mixed.
"""

from dataclasses import dataclass

import numpy as np

from astro_xlatent.core.errors import MissionError
from astro_xlatent.missions.base import identify_mission
from astro_xlatent.physics.grid import KEV_TO_ERG
from astro_xlatent.spectra.bins import EnergyBins
from astro_xlatent.table.sources import measure

__all__ = ["PCA_NAME", "BandFluxes", "band_fluxes", "fluxes_of_spectra", "hardness_ratios",
           "principal_components", "read_spectra", "spectrum_features", "with_pca"]

#: Bands of the Chandra Source Catalog, keV.
CSC_EDGES = (0.5, 1.2, 2.0, 7.0)
N_COMPONENTS = 8
PCA_NAME = f"PCA-{N_COMPONENTS} of the spectrum"


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


def read_spectra(table, spectra):
    """Fine bins of the rows whose spectra are usable, which those are, and why others are not, once each."""
    try:
        mission = identify_mission(table)
    except MissionError:
        mission = None
    found, reasons = [], {}
    for chunk in measure(table, spectra, mission):
        if chunk.matrices is not None:
            found.append((chunk.rows, chunk.bins))
        else:
            reasons |= dict.fromkeys(reason or "no spectrum found" for reason in chunk.reasons)
    usable = np.zeros(len(table), bool)
    if not found:
        return None, usable, list(reasons)
    rows, pieces = zip(*found, strict=True)
    rows = np.concatenate(rows)
    usable[rows] = True
    return EnergyBins.concatenate(pieces)[np.argsort(rows)], usable, list(reasons)


def spectrum_features(bins):
    """
    The shape of every spectrum (n, N_FINE) as one instrument would see it: counts less background over area x
    exposure, times the rows' median area (else noise of bins with little area would make up the components),
    divided by the sum over bins, as flux is another feature; zero without area.
    """
    known = bins.valid & (bins.area > 0)
    total = np.where(known, bins.area, 0.0).sum(axis=1, keepdims=True)
    relative = np.where(known, bins.area, 0.0) / np.maximum(total, 1e-300)
    with np.errstate(invalid="ignore"):
        common = np.nan_to_num(np.nanmedian(np.where(known, relative, np.nan), axis=0))
    net = np.where(known, bins.counts - bins.background, 0.0)
    seen = net / np.where(known & (relative > 0), relative, 1.0) * common
    scale = np.maximum(np.abs(seen.sum(axis=1, keepdims=True)), 1.0)
    return seen / scale


def with_pca(estimator, n_spectrum):
    """A pipeline that first reduces so many leading columns to components of the rows it is fitted to."""
    from sklearn.compose import ColumnTransformer
    from sklearn.decomposition import PCA
    from sklearn.pipeline import make_pipeline

    columns = np.arange(n_spectrum)
    reduce = ColumnTransformer([("pca", PCA(N_COMPONENTS, svd_solver="full"), columns)],
                               remainder="passthrough")
    return make_pipeline(reduce, estimator)


def principal_components(features):
    """Components (n, 8) of all rows of `spectrum_features` at once, for what has no folds."""
    from sklearn.decomposition import PCA

    return PCA(N_COMPONENTS, svd_solver="full").fit_transform(features)
