# Licensed under a 3-clause BSD style license - see LICENSE
"""
The principal components of the spectra themselves, as a baseline: what eight numbers per spectrum are worth
without any model. They are fitted on training folds only.
"""

import numpy as np

from astro_xlatent.core.errors import MissionError
from astro_xlatent.missions.base import identify_mission
from astro_xlatent.spectra.bins import EnergyBins
from astro_xlatent.table.sources import measure

__all__ = ["PCA_NAME", "principal_components", "read_spectra", "spectrum_features", "with_pca"]

N_COMPONENTS = 8
PCA_NAME = f"PCA-{N_COMPONENTS} of the spectrum"


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
