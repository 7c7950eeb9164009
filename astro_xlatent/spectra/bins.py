# Licensed under a 3-clause BSD style license - see LICENSE
"""
`EnergyBins`: all a catalog knows about a source, be it a spectrum with its response or a catalog's bands.

Code above knows catalogs, code below knows physics and the network.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from astro_xlatent.core.errors import ParameterError
from astro_xlatent.physics.grid import ENERGY_MID, KEV_TO_ERG, band_weights

__all__ = ["BACKGROUND_FLOOR", "FINE_EDGES", "N_FINE", "EnergyBins", "ccd_fwhm", "floored_background",
           "group_channels"]


def ccd_fwhm(energy: ArrayLike) -> np.ndarray:
    """
    Energy resolution (FWHM) of a typical X-ray CCD in keV, at photon energies in keV.

    Electronic and Fano noise in quadrature (0.08 keV, 0.0027 keV x E), as measured for ACIS and EPIC.
    """
    return np.sqrt(0.08**2 + 0.0027 * np.asarray(energy, float))


def _fine_edges(start=0.3, stop=10.0):
    """Edges in steps of half a CCD FWHM, rounded to the incident grid."""
    edges = [start]
    while edges[-1] < stop:
        edges.append(edges[-1] + 0.5 * float(ccd_fwhm(edges[-1])))
    return np.round([*edges[:-1], stop], 2)


#: Edges in keV of the fine grid to which spectra are rebinned.
FINE_EDGES = _fine_edges()
#: Number of bins of the fine grid.
N_FINE = FINE_EDGES.size - 1
#: Least background in a fit, in units of its error: within what it allows, and fit for logarithms.
BACKGROUND_FLOOR = 0.3


def group_channels(channel_e_lo: np.ndarray, channel_e_hi: np.ndarray,
                   edges: np.ndarray = FINE_EDGES) -> np.ndarray:
    """Bin (n_channels,) of each channel's center, bounds and ``edges`` in keV; -1 outside all."""
    center = 0.5 * (np.asarray(channel_e_lo, float) + np.asarray(channel_e_hi, float))
    index = np.searchsorted(edges, center, side="right") - 1
    return np.where((index >= 0) & (index < len(edges) - 1), index, -1)


def floored_background(background: ArrayLike, error: ArrayLike) -> np.ndarray:
    """
    The background to fit with, at least `BACKGROUND_FLOOR` of its error: no count off the source is not none.
    """
    return np.maximum(background, BACKGROUND_FLOOR * np.asarray(error))


def _require(condition, text):
    if not condition:
        raise ParameterError(text)


@dataclass
class EnergyBins:
    """
    Counts in energy bins of many sources.

    All arrays have shape (rows, bins). Bins of a row do not overlap; their order does not matter. Values
    where ``valid`` is False are ignored and may be anything finite.

    Attributes
    ----------
    e_lo, e_hi : ndarray of float64
        Bin edges in keV.
    counts : ndarray of float64
        In the source aperture, background included. Not necessarily integer: catalogs publish equivalents.
    background, background_error : ndarray of float64
        Expected counts in the aperture and their uncertainty; zero and positive: measured, nothing found.
    area : ndarray of float64
        Exposure times response times effective area, averaged over the bin, in cm2 s, aperture fraction
        included: ``area * F`` source counts for F photons/cm2/s in the bin, without redistribution.
    resolution : ndarray of float64
        FWHM of the instrument in the bin, keV.
    valid : ndarray of bool
        Which bins hold a measurement.
    energy_weighted : ndarray of bool, shape (rows,)
        True where ``area`` is of a catalog's energy flux: source counts are ``area * S / E_ref`` for S
        erg/cm2/s in the bin, E_ref the geometric mean of its edges. A photon area from flux and counts of
        the same row would carry its spectral shape.
    """

    e_lo: np.ndarray
    e_hi: np.ndarray
    counts: np.ndarray
    background: np.ndarray
    background_error: np.ndarray
    area: np.ndarray
    resolution: np.ndarray
    valid: np.ndarray
    energy_weighted: np.ndarray | Any = None

    def __post_init__(self):
        for name in ("e_lo", "e_hi", "counts", "background", "background_error", "area", "resolution"):
            setattr(self, name, np.asarray(getattr(self, name), float))
        self.valid = np.asarray(self.valid, bool)
        if self.energy_weighted is None:
            self.energy_weighted = np.zeros(self.counts.shape[:1], bool)
        self.energy_weighted = np.asarray(self.energy_weighted, bool)
        self._check()
        self._check_overlap()

    def _check(self):
        shape = self.counts.shape
        _require(len(shape) == 2, f"EnergyBins arrays must have shape (rows, bins), got {shape}")
        for name in self._bin_fields():
            found = getattr(self, name).shape
            _require(found == shape, f"{name} has shape {found}, counts have {shape}; all must be alike")
        for name in self._bin_fields():
            _require(np.all(np.isfinite(getattr(self, name)[self.valid])),
                     f"{name} has NaN or infinite values in valid bins; mark such bins invalid")
        _require(self.energy_weighted.shape == shape[:1],
                 f"energy_weighted has shape {self.energy_weighted.shape}, expected {shape[:1]}")
        for name in ("counts", "background", "background_error", "area"):
            _require(not np.any(getattr(self, name)[self.valid] < 0),
                     f"{name} is negative in valid bins; mark such bins invalid")
        _require(np.all((self.e_hi > self.e_lo)[self.valid]), "e_hi must exceed e_lo in every valid bin")

    def _check_overlap(self):
        lo, hi = np.where(self.valid, self.e_lo, 1e30), np.where(self.valid, self.e_hi, -1e30)
        order = np.argsort(lo, axis=1)
        lo, hi = np.take_along_axis(lo, order, axis=1), np.take_along_axis(hi, order, axis=1)
        rows = np.flatnonzero(np.any(hi[:, :-1] - lo[:, 1:] > 1e-6, axis=1))
        _require(not rows.size, f"bins of rows {rows[:9]} overlap in energy: the same photons would count "
                                "twice; leave out the wider bands (CSC b and w, eRASS P6 to P9)")

    @classmethod
    def _bin_fields(cls):
        return [f.name for f in fields(cls) if f.name != "energy_weighted"]

    def __len__(self):
        return self.counts.shape[0]

    @property
    def n_bins(self) -> int:
        """Number of bins a row, padding included."""
        return self.counts.shape[1]

    def __getitem__(self, rows):
        """Select rows by slice, mask or indices; always two-dimensional."""
        rows = slice(rows, rows + 1 or None) if isinstance(rows, (int, np.integer)) else rows
        parts = {name: getattr(self, name)[rows] for name in self._bin_fields()}
        return EnergyBins(**parts, energy_weighted=self.energy_weighted[rows])

    @classmethod
    def empty(cls, rows: int, bins: int) -> EnergyBins:
        """Rows without any valid bin, to be filled in."""
        zeros = {n: np.zeros((rows, bins)) for n in cls._bin_fields() if n != "valid"}
        return cls(**zeros, valid=np.zeros((rows, bins), bool))

    @classmethod
    def concatenate(cls, parts: list[EnergyBins]) -> EnergyBins:
        """Stack rows of several sets, padding with invalid bins."""
        width = max((p.n_bins for p in parts), default=0)
        stacked = {
            name: np.concatenate([np.pad(getattr(p, name), ((0, 0), (0, width - p.n_bins))) for p in parts])
            for name in cls._bin_fields()
        }
        return cls(**stacked, energy_weighted=np.concatenate([p.energy_weighted for p in parts]))

    @property
    def background_known(self) -> np.ndarray:
        """True for rows with a measured background, shape (rows,); zero counts off source are one, too."""
        return np.any(self.valid & (self.background_error > 0), axis=1)

    @property
    def net_counts(self) -> np.ndarray:
        """Counts minus background, summed over the valid bins, shape (rows,)."""
        return np.sum(np.where(self.valid, self.counts - self.background, 0.0), axis=1)

    def merge(self, edges: ArrayLike) -> EnergyBins:
        """
        Add up neighboring bins into coarser ones.

        Parameters
        ----------
        edges : array_like, shape (n + 1,)
            Increasing, in keV. A bin joins the interval that holds its center, or is dropped.

        Returns
        -------
        merged : EnergyBins
            With n bins a row, whose edges are those of the outermost members; intervals without a valid
            member are invalid. Counts, background and its variance, and area times width add up.
        """
        edges = np.asarray(edges, float)
        index = group_channels(self.e_lo, self.e_hi, edges)
        return self.merge_by_index(np.where(self.valid, index, -1), edges.size - 1)

    def merge_by_index(self, index: np.ndarray, n_out: int) -> EnergyBins:
        """Bins added up as by `merge`, each (rows, bins) into that of its index; -1 for none."""
        rows, cols = np.nonzero(index >= 0)
        target = rows * n_out + index[rows, cols]

        def add(values):
            flat = np.bincount(target, weights=values[rows, cols], minlength=len(self) * n_out)
            return flat.reshape(len(self), n_out)

        width = self.e_hi - self.e_lo
        e_lo = np.full(len(self) * n_out, np.inf)
        e_hi = np.full(len(self) * n_out, -np.inf)
        np.minimum.at(e_lo, target, self.e_lo[rows, cols])
        np.maximum.at(e_hi, target, self.e_hi[rows, cols])
        valid = add(np.ones_like(self.counts)) > 0
        e_lo = np.where(valid, e_lo.reshape(valid.shape), 0.0)
        e_hi = np.where(valid, e_hi.reshape(valid.shape), 1.0)
        # Small second term: a mean over width where a bin has no area at all.
        weight = self.area * width + 1e-30 * width
        resolution = add(weight * self.resolution) / np.where(valid, add(weight), 1.0)
        return EnergyBins(e_lo=e_lo, e_hi=e_hi, counts=add(self.counts), background=add(self.background),
                          background_error=np.sqrt(add(self.background_error**2)),
                          area=add(self.area * width) / (e_hi - e_lo),
                          resolution=np.where(valid, resolution, 0.0), valid=valid,
                          energy_weighted=self.energy_weighted)

    def unfolded_weights(self) -> np.ndarray:
        """
        Matrix, float32 (rows, bins, n_energy), that predicts source counts without redistribution:
        ``weights @ spectrum`` for photons/cm2/s per grid bin. Zero for invalid bins.
        """
        shape = self.counts.shape
        weights = band_weights(self.e_lo.ravel(), self.e_hi.ravel()).reshape(*shape, -1)
        e_ref = np.sqrt(self.e_lo * np.where(self.valid, self.e_hi, 1.0)) * KEV_TO_ERG
        per_energy = ENERGY_MID * KEV_TO_ERG / np.where(e_ref > 0, e_ref, 1.0)[..., None]
        weights = np.where(self.energy_weighted[:, None, None], weights * per_energy, weights)
        return (weights * np.where(self.valid, self.area, 0.0)[..., None]).astype(np.float32)
