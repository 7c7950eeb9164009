# Licensed under a 3-clause BSD style license - see LICENSE
"""
`Response`: effective area times redistribution of one observation.

Reading is cached by content, redistribution and product apart: one RMF often serves many sources.
"""

from __future__ import annotations

import hashlib
import os
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from astro_xlatent.core.errors import ResponseError
from astro_xlatent.core.flags import Flag
from astro_xlatent.physics.grid import ENERGY_EDGES
from astro_xlatent.spectra._cache import CACHE, size_of_matrix
from astro_xlatent.spectra._fits import gunzip, read_regular
from astro_xlatent.spectra._ogip_tables import Arf, Rmf, join_grids, overlap_matrix, parse_arf, parse_rmf
from astro_xlatent.spectra.plausible import assume

if TYPE_CHECKING:
    from os import PathLike

    from numpy.typing import ArrayLike
    from scipy.sparse import csr_array

__all__ = ["Response"]

# Age in ns from which the state of a file tells whether its content is the same.
_SETTLED = 2_000_000_000


@dataclass(eq=False)
class Response:
    """
    Effective area and energy redistribution of one observation.

    Attributes
    ----------
    redistribution : scipy.sparse.csr_array of float32, shape (n_channels, n_energy)
        Probability of the channels for a photon of an energy bin. Often shared: do not change it in place.
    area : ndarray of float64, shape (n_energy,)
        Effective area in cm2.
    e_lo, e_hi : ndarray of float64, shape (n_energy,)
        Incident energy bins in keV, increasing.
    channel_e_lo, channel_e_hi : ndarray of float64, shape (n_channels,)
        Nominal channel bounds in keV.
    first_channel : int
        Number of the first channel (0 or 1).
    telescope, instrument : str
        As in the files, upper case.
    meta : dict
        Facts such as the file names and notes on what was assumed.
    flags : int
        ``Flag.GRID_INTERPOLATED`` if ARF and RMF had different energy grids; ``Flag.RESPONSE_EXTRAPOLATED``.
    area_error : ndarray, shape (n_energy,), or None
        Relative 1-sigma error of the area, one for all energies, where it matters: bins are widened by it.
    """

    redistribution: Any
    area: np.ndarray
    e_lo: np.ndarray
    e_hi: np.ndarray
    channel_e_lo: np.ndarray
    channel_e_hi: np.ndarray
    first_channel: int = 1
    telescope: str = ""
    instrument: str = ""
    meta: dict = field(default_factory=dict)
    flags: int = 0
    area_error: np.ndarray | None = None

    def __post_init__(self):
        for name in ("area", "e_lo", "e_hi", "channel_e_lo", "channel_e_hi"):
            setattr(self, name, np.ascontiguousarray(getattr(self, name), float))
        expected = (self.channel_e_lo.size, self.e_lo.size)
        shapes = {name: getattr(self, name).shape for name in ("area", "e_lo", "e_hi")}
        if self.redistribution.shape != expected or set(shapes.values()) != {(self.e_lo.size,)}:
            raise ResponseError(f"redistribution has shape {self.redistribution.shape}, expected {expected} "
                                f"(channels, energies); {shapes}")

    def __repr__(self):
        return (f"<Response {self.telescope} {self.instrument}: {self.n_channels} channels "
                f"{self.channel_e_lo.min():.2f}-{self.channel_e_hi.max():.2f} keV, {self.n_energy} "
                f"energies {self.e_lo[0]:.2f}-{self.e_hi[-1]:.2f} keV, "
                f"up to {self.area.max():.0f} cm2>")

    @property
    def n_channels(self) -> int:
        """Number of channels."""
        return self.channel_e_lo.size

    @property
    def n_energy(self) -> int:
        """Number of incident energy bins."""
        return self.e_lo.size

    @property
    def matrix(self) -> csr_array:
        """Product of redistribution and area in cm2, csr array (n_channels, n_energy)."""
        matrix = self.redistribution.astype(np.float64)
        matrix.data *= self.area[matrix.indices]
        return matrix

    @property
    def arrays(self) -> tuple:
        """The arrays that make this response, by which `CACHE` knows it."""
        return self.redistribution, self.area, self.e_lo, self.e_hi, self.channel_e_lo, self.channel_e_hi

    def fold(self, spectrum: ArrayLike) -> np.ndarray:
        """
        Fold incident spectra through the response.

        Parameters
        ----------
        spectrum : array_like, shape (..., n_energy)
            Photons/cm2/s in each incident bin of this response; another length is an error.

        Returns
        -------
        rate : ndarray of float64, shape (..., n_channels)
            Expected counts/s per channel.
        """
        spectrum = np.asarray(spectrum, float)
        if spectrum.ndim == 0 or spectrum.shape[-1] != self.n_energy:
            msg = (f"spectrum has shape {spectrum.shape}, the response has {self.n_energy} incident bins; "
                   "give photons/cm2/s on its own grid, or use on_grid first")
            raise ResponseError(msg)
        flat = (spectrum * self.area).reshape(-1, self.n_energy)
        return (self.redistribution @ flat.T).T.reshape(*spectrum.shape[:-1], self.n_channels)

    def effective_area(self, energy_kev: ArrayLike | None = None) -> np.ndarray:
        """
        Area in cm2 with which photons end up in any channel.

        Parameters
        ----------
        energy_kev : array_like, optional
            Energies in keV; by default the incident bins' own.

        Returns
        -------
        area : ndarray
            Area times the summed redistribution, interpolated between bin centers; zero outside the grid.
        """
        area = self.area * np.asarray(self.redistribution.sum(axis=0)).ravel()
        if energy_kev is None:
            return area
        energy = np.asarray(energy_kev, float)
        inside = (energy >= self.e_lo[0]) & (energy <= self.e_hi[-1])
        return np.where(inside, np.interp(energy, 0.5 * (self.e_lo + self.e_hi), area), 0.0)

    def on_grid(self, edges: ArrayLike = ENERGY_EDGES) -> Response:
        """
        The same response for spectra given on another incident grid.

        Parameters
        ----------
        edges : array_like, shape (n + 1,), optional
            Increasing edges in keV, by default the grid of the package.

        Returns
        -------
        response : Response
            Photons are spread evenly within a bin; what lies outside the old grid is lost. ``redistribution``
            holds the area, ``area`` is one. Treat it as read-only.
        """
        edges = np.asarray(edges, float)
        made = CACHE.of(self.arrays, ("on_grid", edges.tobytes()), lambda: self._on_grid(edges),
                        lambda made: size_of_matrix(made.redistribution))
        return replace(made, telescope=self.telescope, instrument=self.instrument, meta=self.meta,
                       flags=self.flags)

    def _on_grid(self, edges):
        weights = overlap_matrix(edges[:-1], edges[1:], self.e_lo, self.e_hi)
        matrix = (self.matrix @ weights).tocsr()
        error = self.area_error
        if error is not None:
            error = np.interp(0.5 * (edges[1:] + edges[:-1]), 0.5 * (self.e_lo + self.e_hi), error)
        return replace(self, redistribution=matrix.astype(np.float32), area=np.ones(edges.size - 1),
                       e_lo=edges[:-1], e_hi=edges[1:], area_error=error)

    def rebin(self, groups: ArrayLike, n_groups: int) -> np.ndarray:
        """Rows of `matrix` (cm2) added up into ``groups`` (n_channels,; negative: dropped), float32."""
        from scipy.sparse import csr_array

        groups = np.asarray(groups)
        if groups.shape != (self.n_channels,) or (groups.size and groups.max() >= n_groups):
            msg = (f"groups must have shape ({self.n_channels},) and values below {n_groups}, got shape "
                   f"{groups.shape} and maximum {groups.max() if groups.size else None}")
            raise ResponseError(msg)
        kept = np.flatnonzero(groups >= 0)
        select = csr_array((np.ones(kept.size, np.float32), (groups[kept], kept)),
                           shape=(n_groups, self.n_channels))
        return (select @ self.redistribution).toarray() * self.area.astype(np.float32)

    def fwhm(self, energy_kev: ArrayLike) -> np.ndarray:
        """
        Energy resolution from the redistribution.

        Parameters
        ----------
        energy_kev : array_like, shape (n,)
            Photon energies in keV; outside the grid the nearest bin is used.

        Returns
        -------
        fwhm : ndarray, shape (n,)
            keV at half of the highest peak, at least the channel's width there; NaN where none is recorded.
        """
        energy = np.atleast_1d(np.asarray(energy_kev, float))
        index = np.searchsorted(self.e_lo, energy, side="right") - 1
        index = np.clip(index, 0, self.n_energy - 1)
        columns, where = np.unique(index, return_inverse=True)
        width = self.channel_e_hi - self.channel_e_lo
        width = np.where(width > 0, width, np.inf)
        density = self.redistribution.tocsc()[:, columns].toarray() / width[:, None]
        order = np.argsort(self.channel_e_lo, kind="stable")
        center = 0.5 * (self.channel_e_lo + self.channel_e_hi)[order]
        widths = [_one_width(center, density[order, i], width[order]) for i in range(columns.size)]
        return np.array(widths)[where]

    @classmethod
    def read(cls, arf: str | PathLike | None, rmf: str | PathLike) -> Response:
        """
        Read a response from OGIP files, gzipped or not.

        Parameters
        ----------
        arf, rmf : str or path-like
            None as ``arf`` if ``rmf`` is an RSP file that holds the area.

        Returns
        -------
        response : Response
            May share arrays with others of the same content: treat as read-only. Of two energy grids the
            finer is used (an ARF is interpolated; a coarser redistribution taken as it is), with
            ``Flag.GRID_INTERPOLATED``; the area is zero where the ARF does not reach.

        Raises
        ------
        ResponseError
            If a file is missing, damaged or not a response, or not exactly one of them holds the area.
        """
        (rmf_key, rmf_data), (arf_key, arf_data) = _load(rmf), _load(arf) if arf is not None else (b"", None)

        def make():
            parsed = CACHE.of((), rmf_key, lambda: parse_rmf(rmf_data(), rmf),
                              lambda parsed: size_of_matrix(parsed.matrix))
            if arf is not None and parsed.has_area:
                msg = (f"{rmf} already holds the effective area (an RSP file), {arf} would count it twice; "
                       "give arf=None with this matrix, or a pure RMF with the ARF")
                raise ResponseError(msg)
            area = None if arf is None else parse_arf(arf_data(), arf)
            return cls.from_tables(area, parsed, str(arf), str(rmf))

        def size(made):
            # A matrix on its own grid is that of the RMF, which is kept already.
            own = bool(made.flags & Flag.GRID_INTERPOLATED)
            return 3 * made.area.nbytes + own * size_of_matrix(made.redistribution)

        found = CACHE.of((), (arf_key, rmf_key), make, size)
        names = {"rmf": Path(rmf).name, "arf": None if arf is None else Path(arf).name}
        return replace(found, meta={**found.meta, **names})

    @classmethod
    def from_tables(cls, arf: Arf | None, rmf: Rmf, arf_name: str = "the ARF",
                    rmf_name: str = "the RMF") -> Response:
        """Area and redistribution joined, see `read`; the names are for messages."""
        if arf is None and not rmf.has_area:
            raise ResponseError(f"{rmf_name} is a pure redistribution matrix and no ARF is given; "
                                "give the ARF that belongs to it (arf=...)")
        matrix, area, e_lo, e_hi, note = join_grids(arf, rmf, arf_name, rmf_name)
        meta = {**rmf.meta, **({} if arf is None else arf.meta), **({"grid_note": note} if note else {})}
        response = cls(matrix, area, e_lo, e_hi, rmf.channel_e_lo, rmf.channel_e_hi, rmf.first_channel,
                       meta.get("telescop", "").upper(), meta.get("instrume", "").upper(), meta,
                       Flag.GRID_INTERPOLATED if note else 0)
        for text in [*rmf.notes, *([] if arf is None else arf.notes)]:
            assume(response, Flag.FILE_MENDED, text)
        return response

    def write(self, arf_path: str | PathLike, rmf_path: str | PathLike, *, overwrite: bool = False) -> None:
        """
        Write an OGIP ARF and RMF, each whole or not at all.

        Parameters
        ----------
        arf_path, rmf_path : str or path-like
        overwrite : bool, optional
            Otherwise a file that exists is a ResponseError.
        """
        from astro_xlatent.spectra._write import write_response

        write_response(self, arf_path, rmf_path, overwrite=overwrite)


def _one_width(center, line, channel_width):
    peak = int(np.argmax(line))
    if line[peak] <= 0:
        return np.nan
    half = 0.5 * line[peak]
    below = line < half
    left = peak - np.argmax(below[peak::-1]) if below[:peak].any() else -1
    right = peak + np.argmax(below[peak:]) if below[peak:].any() else line.size
    lo = _crossing(center, line, left, left + 1, half) if left >= 0 else center[0]
    hi = _crossing(center, line, right, right - 1, half) if right < line.size else center[-1]
    return max(hi - lo, channel_width[peak])


def _crossing(center, line, outside, inside, half):
    fraction = (half - line[outside]) / (line[inside] - line[outside])
    return center[outside] + fraction * (center[inside] - center[outside])


def _load(path):
    """Key of a response file's content, and a function that gives it decompressed."""
    if not isinstance(path, (str, os.PathLike)):
        raise ResponseError(f"arf and rmf must be strings or path-like, got {type(path).__name__}")
    raw = []

    def digest():
        raw.append(read_regular(path, ResponseError))
        return hashlib.sha256(raw[0]).digest()

    def content():
        return gunzip(raw.pop() if raw else read_regular(path, ResponseError), path, ResponseError)

    try:
        status = os.stat(path)
    except (OSError, ValueError):  # reading it says what is wrong
        return digest(), content
    # Clocks of file systems are coarse: a file that was just written may be written again unnoticed.
    if time.time_ns() - status.st_ctime_ns <= _SETTLED:
        return digest(), content
    state = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
    return CACHE.of((), ("file", *state), digest, len), content
