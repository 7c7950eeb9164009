# Licensed under a 3-clause BSD style license - see LICENSE
"""
The principal components of the spectra themselves, as a baseline.

What eight numbers per spectrum are worth without any model: net counts of
every fine bin, as one instrument would have seen them, reduced by a principal
component analysis. The components are fitted on training folds only.
"""

import numpy as np

from astro_xlatent.core.errors import MissionError, XlatentError
from astro_xlatent.missions.base import identify_mission
from astro_xlatent.spectra.binning import bins_from_spectra
from astro_xlatent.spectra.bins import N_FINE, EnergyBins
from astro_xlatent.table.sources import open_spectrum, resolve_spectra

__all__ = ["PCA_NAME", "principal_components", "read_spectra", "spectrum_features", "with_pca"]

N_COMPONENTS = 8
PCA_NAME = f"PCA-{N_COMPONENTS} of the spectrum"
# Spectra in memory with their folding matrices.
_CHUNK = 64


def read_spectra(table, spectra):
    """
    Fine bins of the rows' spectra, rows without a usable one having no valid bin; which are usable; and why
    others are not, each reason once. ``spectra`` is as for `~astro_xlatent.add_latents`.
    """
    try:
        mission = identify_mission(table)
    except MissionError:
        mission = None
    entries = resolve_spectra(table, spectra, mission)
    pieces, reasons = [], {}
    for start in range(0, len(entries), _CHUNK):
        pieces += _bins_of(entries[start : start + _CHUNK], reasons)
    if not pieces:
        return EnergyBins.empty(0, N_FINE), np.zeros(0, bool), []
    bins = EnergyBins.concatenate(pieces)
    return bins, (bins.valid & (bins.area > 0)).any(axis=1), list(reasons)


def _bins_of(entries, reasons):
    """One row of bins for every entry; empty where there is no usable spectrum."""
    pieces = []
    for entry in entries:
        spectrum, reason = None, "no spectrum found"
        if entry is not None:
            spectrum, _, reason = open_spectrum(entry)
        try:
            piece = EnergyBins.empty(1, N_FINE) if spectrum is None else bins_from_spectra([spectrum])[0]
        except XlatentError as error:
            spectrum, reason, piece = None, str(error), EnergyBins.empty(1, N_FINE)
        if spectrum is None:
            reasons[reason] = True
        pieces.append(piece)
    return pieces


def spectrum_features(bins):
    """
    The shape of every spectrum (n, N_FINE), as one instrument would see it.

    Counts less background over area x exposure, times the rows' median effective
    area, divided by the sum over bins (the flux is another feature); zero where a
    row has no area. Without the common area, noise of bins with little area would
    make up the components.
    """
    known = bins.valid & (bins.area > 0)
    total = np.where(known, bins.area, 0.0).sum(axis=1, keepdims=True)
    relative = np.where(known, bins.area, 0.0) / np.maximum(total, 1e-300)
    with np.errstate(invalid="ignore"):
        common = np.nan_to_num(np.nanmedian(np.where(known, relative, np.nan), axis=0)) if len(bins) else 0.0
    net = np.where(known, bins.counts - bins.background, 0.0)
    seen = net / np.where(known & (relative > 0), relative, 1.0) * common
    scale = np.maximum(np.abs(seen.sum(axis=1, keepdims=True)), 1.0)
    return seen / scale


def with_pca(estimator, n_spectrum):
    """
    A pipeline that first reduces the leading ``n_spectrum`` columns to components; fitted as a whole, so
    that components never see the tested rows.
    """
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
