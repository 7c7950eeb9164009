# Licensed under a 3-clause BSD style license - see LICENSE
"""From spectra with responses to `EnergyBins` on the fine grid."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from astro_xlatent.core.errors import ResponseError
from astro_xlatent.physics.grid import ENERGY_EDGES, ENERGY_WIDTH
from astro_xlatent.spectra._cache import CACHE
from astro_xlatent.spectra._ogip_tables import overlap_matrix
from astro_xlatent.spectra.bins import FINE_EDGES, N_FINE, EnergyBins, group_channels

if TYPE_CHECKING:

    from astro_xlatent.spectra.response import Response
    from astro_xlatent.spectra.spectrum import XraySpectrum

__all__ = ["FineResponse", "bins_from_spectra", "fine_response", "group_channels", "observed_fields",
           "share_within_error"]

#: Prior counts per keV of an empty off-source region: nothing found is not nothing there.
OFF_COUNTS_PER_KEV = 0.1


@dataclass
class FineResponse:
    """
    A response on a coarse grid of bins, for one second of exposure; (bins,) fields are as in `EnergyBins`.

    ``matrix`` (bins, n_energy), in cm2, folds photons/cm2/s per bin of the incident grid into counts/s.
    """

    matrix: np.ndarray
    e_lo: np.ndarray
    e_hi: np.ndarray
    area: np.ndarray
    resolution: np.ndarray
    valid: np.ndarray


def fine_response(response: Response, edges: np.ndarray = FINE_EDGES,
                  groups: np.ndarray | None = None) -> FineResponse:
    """
    A response's channels added up into bins, on the incident grid; bins without a channel are invalid.

    ``groups`` is the bin of each channel, -1 for none; by default the one that holds its center.
    """
    n_bins = len(edges) - 1
    if groups is None:
        groups = group_channels(response.channel_e_lo, response.channel_e_hi, edges)
    used = groups >= 0
    e_lo, e_hi = np.full(n_bins, np.inf), np.full(n_bins, -np.inf)
    np.minimum.at(e_lo, groups[used], response.channel_e_lo[used])
    np.maximum.at(e_hi, groups[used], response.channel_e_hi[used])
    valid = np.isfinite(e_lo)
    e_lo, e_hi = np.where(valid, e_lo, 0.0), np.where(valid, e_hi, 1.0)
    redistribution, resolution = _of_redistribution(response, groups, e_lo, e_hi)
    unseen = valid & ~np.isfinite(resolution)
    if np.any(unseen):
        msg = (f"{response.meta.get('rmf') or 'the response'}: no photon of {e_lo[unseen][0]:.2f}-"
               f"{e_hi[unseen][0]:.2f} keV is recorded in any channel, although there are channels of that "
               "energy; the matrix is damaged, fetch it again")
        raise ResponseError(msg)
    to_own_grid = overlap_matrix(ENERGY_EDGES[:-1], ENERGY_EDGES[1:], response.e_lo, response.e_hi)
    matrix = (to_own_grid.T @ (redistribution * response.area).T).T
    # Some EPIC-pn matrices hold small negative numbers; expected counts cannot be.
    matrix = np.maximum(matrix, 0.0)
    return FineResponse(matrix=np.asarray(matrix, np.float32), e_lo=e_lo, e_hi=e_hi,
                        area=np.where(valid, matrix @ ENERGY_WIDTH / (e_hi - e_lo), 0.0),
                        resolution=np.where(valid, resolution, 0.0), valid=valid)


def _of_redistribution(response, groups, e_lo, e_hi):
    """Channels added up without the area, (bins, n_energy), and the resolution of the bins."""
    def make():
        plain = replace(response, area=np.ones_like(response.area))
        return plain.rebin(groups, e_lo.size), response.fwhm(0.5 * (e_lo + e_hi))

    # Sources of one catalog have an ARF each and share few redistribution matrices.
    return CACHE.of((response.redistribution, response.e_lo, response.channel_e_lo, response.channel_e_hi),
                    ("rebinned", groups.tobytes()), make,
                    lambda made: made[0].nbytes)


def off_region_error(off_counts: np.ndarray, scale: np.ndarray | float, width: np.ndarray) -> np.ndarray:
    """
    Error of ``scale`` times the off-source counts per bin: Poisson, with a small prior per keV of width.
    """
    return scale * np.sqrt(off_counts + OFF_COUNTS_PER_KEV * width)


def bins_from_spectra(spectra: list[XraySpectrum]) -> tuple[EnergyBins, np.ndarray]:
    """
    Rebin spectra to the fine grid.

    Parameters
    ----------
    spectra : list of `~astro_xlatent.spectra.spectrum.XraySpectrum`

    Returns
    -------
    bins : `~astro_xlatent.spectra.bins.EnergyBins`
        One row a spectrum, `N_FINE` bins. Without a background its columns are zero.
    matrices : ndarray of float32, shape (rows, N_FINE, n_energy)
        cm2 s; source counts are ``matrices[i] @ incident_spectrum``.

    Raises
    ------
    SpectrumError
        If a spectrum has no response.
    """
    bins = EnergyBins.empty(len(spectra), N_FINE)
    matrices = np.empty((len(spectra), N_FINE, ENERGY_WIDTH.size), np.float32)
    for row, spectrum in enumerate(spectra):
        _fill_row(bins, matrices, row, spectrum)
    return replace(bins), matrices  # checked again


def _fill_row(bins, matrices, row, spectrum):
    groups = spectrum.fine_groups()
    # Rows of a chunk often share a response, and it is often read again.
    fine = CACHE.of(spectrum.response.arrays, ("fine", groups.tobytes()),
                    lambda: fine_response(spectrum.response, groups=groups), lambda made: made.matrix.nbytes)
    seconds = spectrum.exposure * _per_bin(spectrum.areascale, groups)
    off, scale = None, None
    if spectrum.background is not None:
        off = _add_channels(spectrum.background.counts, groups)
        scale = _per_bin(spectrum.background_scale, groups)
    fields = observed_fields(fine, _add_channels(spectrum.counts, groups), seconds, off, scale)
    if spectrum.background is not None:
        # Scales may differ between channels.
        fields["background"] = _add_channels(spectrum.background.counts * spectrum.background_scale, groups)
    for name, values in fields.items():
        getattr(bins, name)[row] = values
    np.multiply(fine.matrix, seconds[:, None].astype(np.float32), out=matrices[row])
    if spectrum.response.area_error is not None:
        _widen(bins, matrices, row, spectrum, fine)


def observed_fields(fine, counts, seconds, off=None, scale=None):
    """
    Fields of `EnergyBins`, (..., bins), of observations through one response (anything like `FineResponse`).

    ``off`` are counts of the background region (zero if None), ``scale`` aperture counts per one of them.
    """
    fields = {name: np.broadcast_to(getattr(fine, name), counts.shape)
              for name in ("e_lo", "e_hi", "resolution", "valid")}
    zero = np.zeros(counts.shape)
    fields |= {"counts": counts, "area": fine.area * seconds, "background": zero, "background_error": zero}
    if off is not None:
        fields["background"] = off * scale
        fields["background_error"] = off_region_error(off, scale, fine.e_hi - fine.e_lo)
    return fields


def _widen(bins, matrices, row, spectrum, fine):
    """Thin a row's counts and exposure by what the error of its response's area takes away."""
    response, middle = spectrum.response, 0.5 * (ENERGY_EDGES[1:] + ENERGY_EDGES[:-1])
    error = np.interp(middle, 0.5 * (response.e_lo + response.e_hi), response.area_error) * ENERGY_WIDTH
    error = fine.matrix @ error / np.maximum(fine.matrix @ ENERGY_WIDTH, 1e-30)
    share = share_within_error(bins.counts[row] - bins.background[row], error)
    for name in ("counts", "background", "background_error", "area"):
        getattr(bins, name)[row] *= share
    matrices[row] *= share[:, None].astype(np.float32)


def share_within_error(net, area_error):
    """
    Share (..., bins), above 0 and at most 1, of counts and exposure worth all with an error of the area.

    ``net`` Poisson counts with a relative error ``e`` of the area, common to a row's bins, tell the flux to a
    variance of ``1 / net + e**2``, that of ``net / (1 + net e**2)`` counts; bins (below zero or NaN: none)
    are added up, weighted by ``e**2``. Thinning counts and exposure alike keeps flux and colors.

    Examples
    --------
    >>> import numpy as np
    >>> from astro_xlatent.spectra.binning import share_within_error
    >>> share_within_error(np.array([100.0, 50.0]), np.array([0.1, 0.0]))
    array([0.5, 1. ])
    """
    variance = np.asarray(area_error, float) ** 2
    information = np.sum(np.nan_to_num(np.clip(net, 0.0, None)) * variance, axis=-1, keepdims=True)
    largest = np.max(variance, axis=-1, keepdims=True)
    return 1.0 / (1.0 + information * variance / np.where(largest > 0, largest, 1.0))


def _add_channels(values, groups):
    used = groups >= 0
    return np.bincount(groups[used], weights=values[used], minlength=N_FINE)


def _per_bin(value, groups):
    """Mean over each bin of a scale that may be one number or one per channel."""
    if np.ndim(value) == 0:
        return np.full(N_FINE, float(value))
    members = _add_channels(np.ones(groups.size), groups)
    return _add_channels(np.asarray(value, float), groups) / np.maximum(members, 1)
