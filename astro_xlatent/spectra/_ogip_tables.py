# Licensed under a 3-clause BSD style license - see LICENSE
"""ARF and RMF tables as arrays (George I. M., Arnaud K. A. et al., OGIP CAL/GEN/92-002 and 92-002a)."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from astro_xlatent.core.errors import ResponseError
from astro_xlatent.spectra._fits import MAX_ELEMENTS, parse_tables

if TYPE_CHECKING:
    from os import PathLike

    from scipy.sparse import csr_array

__all__ = ["Arf", "Rmf", "join_grids", "overlap_matrix", "parse_arf", "parse_rmf"]

# Replaces a lower bound of zero, where power laws diverge (keV; as in Sherpa).
_MIN_ENERGY = 1e-10
_AREA_UNITS = {"": 1.0, "cm2": 1.0, "cm**2": 1.0, "cm^2": 1.0, "cm^{2}": 1.0, "cm 2": 1.0,
               "m2": 1e4, "m**2": 1e4, "m^2": 1e4}

_MAX_CHANNELS = 100_000
# Share of neighboring lines whose peaks may go down, by smoothing or escape peaks.
_DISORDER = 0.05

# Damaged floats (signalling NaN) warn when cast; the checks of values find them.
_QUIET = np.errstate(invalid="ignore", over="ignore")


@dataclass
class Arf:
    """Effective area: ``e_lo``, ``e_hi`` in keV, ``area`` in cm2, all (n_energy,); ``notes``: what is odd."""

    e_lo: np.ndarray
    e_hi: np.ndarray
    area: np.ndarray
    meta: dict = field(default_factory=dict)
    notes: list = field(default_factory=list)


@dataclass
class Rmf:
    """Redistribution: csr array ``matrix`` (n_channels, n_energy), axes in keV; ``notes`` as for `Arf`."""

    e_lo: np.ndarray
    e_hi: np.ndarray
    channel_e_lo: np.ndarray
    channel_e_hi: np.ndarray
    first_channel: int
    matrix: object
    has_area: bool
    meta: dict = field(default_factory=dict)
    notes: list = field(default_factory=list)


@_QUIET
def parse_arf(data: bytes, path: str | PathLike) -> Arf:
    """Read the effective area from the bytes of a file; ResponseError if that fails."""
    names = {"ENERG_LO", "ENERG_HI", "SPECRESP"}
    table = next((t for t in parse_tables(data, path, ResponseError) if names <= set(t.columns)), None)
    if table is None:
        msg = (f"{path}: no effective area found (a table with ENERG_LO, ENERG_HI and SPECRESP); "
               "give an ARF file")
        raise ResponseError(msg)
    e_lo, e_hi = _energies(table)
    area = table.column("SPECRESP")
    if area.ndim != 1:
        table.fail("SPECRESP has several values a row (type II ARF); extract one order or source")
    unit = table.columns["SPECRESP"].unit
    if unit not in _AREA_UNITS:
        table.fail(f"SPECRESP has the unit {unit!r}; cm**2 or m**2 is needed")
    area = area.astype(float) * _AREA_UNITS[unit]
    if not np.all(np.isfinite(area)) or np.any(area < 0) or np.any(area > 1e8):
        table.fail("SPECRESP has values that are NaN, negative or above 1e8 cm2; the file is damaged")
    return Arf(e_lo, e_hi, area, _meta(table), [note for note in [table.wrong_sum()] if note])


@_QUIET
def parse_rmf(data: bytes, path: str | PathLike) -> Rmf:
    """Read the redistribution matrix from the bytes of a file; ResponseError if that fails."""
    tables = parse_tables(data, path, ResponseError)
    matrices = [t for t in tables if {"ENERG_LO", "N_GRP", "F_CHAN", "N_CHAN", "MATRIX"} <= set(t.columns)]
    bounds = [t for t in tables if {"E_MIN", "E_MAX"} <= set(t.columns)]
    if len(matrices) != 1:
        names = ", ".join(t.name or "(unnamed)" for t in tables[:10]) or "none"
        what = (f"{len(matrices)} MATRIX extensions; merge them (for example with ftrbnrmf) first" if matrices
                else "no MATRIX (or SPECRESP MATRIX, RSP_MATRIX) extension found, its table extensions: "
                f"{names}; give an RMF or RSP file")
        raise ResponseError(f"{path}: {what}")
    table = matrices[0]
    notes = [note for note in (t.wrong_sum() for t in [table, *bounds[:1]]) if note]
    e_lo, e_hi = _energies(table)
    if bounds:
        ch_lo, ch_hi, first = _channels(bounds[0], notes)
        matrix = _matrix(table, _offset([(table, "F_CHAN"), (bounds[0], "CHANNEL")], first), ch_lo.size)
    else:
        first = _offset([(table, "F_CHAN")], 1)
        matrix = _matrix(table, first, table.header.integer("DETCHANS", top=_MAX_CHANNELS))
        ch_lo, ch_hi = _channels_of_lines(table, matrix, 0.5 * (e_lo + e_hi))
        notes.append(f"{Path(path).name} has no EBOUNDS: energies of the channels from the peaks of lines")
    if e_lo[0] > e_lo[-1]:
        matrix, e_lo, e_hi = matrix[:, ::-1].tocsr(), e_lo[::-1], e_hi[::-1]
    return Rmf(e_lo, e_hi, ch_lo, ch_hi, first, matrix, _has_area(table, matrix), _meta(table), notes)


def _meta(table):
    keys = ("TELESCOP", "INSTRUME", "OBS_ID", "HDUCLAS3")
    return {key.lower(): table.header.text(key) for key in keys if key in table.header}


def _bounds(table, low, high, units):
    """Two columns of energies in keV."""
    lo, hi = (table.column(name).astype(float) for name in (low, high))
    if lo.ndim != 1 or hi.ndim != 1 or lo.size == 0:
        table.fail(f"{low} and {high} must have one value a row and at least one row")
    unit = table.columns[low].unit
    if units and unit not in units:
        table.fail(f"{low} has the unit {unit!r}; keV is needed")
    bounds = np.array([lo, hi]) * (1e-3 if unit == "ev" else 1.0)
    if not np.all(np.abs(bounds) <= 1e6):
        table.fail(f"{low} and {high} have values that are NaN, infinite or above 1e6 keV; the file is "
                   "damaged")
    return bounds


def _energies(table):
    e_lo, e_hi = _bounds(table, "ENERG_LO", "ENERG_HI", ("", "kev", "ev"))
    step = np.diff(e_lo)
    # ROSAT matrices have a few bins of zero width; they do no harm.
    ordered = np.all(step >= 0) or np.all(step <= 0)
    if not ordered or np.any(e_hi < e_lo) or e_lo.min() < 0 or not 0 < e_hi.max() < 1e6:
        table.fail("energy bounds must be positive and in order; the file is damaged")
    return np.where(e_lo == 0, np.minimum(_MIN_ENERGY, 0.5 * e_hi), e_lo), e_hi


def _channels(table, notes):
    """Bounds in keV and number of the first channel; what was assumed goes to ``notes``."""
    lo, hi = np.sort(_bounds(table, "E_MIN", "E_MAX", ()), axis=0)
    if "CHANNEL" not in table.columns:
        return lo, hi, 1
    channel = table.column("CHANNEL").astype(float)
    if channel.ndim == 1 and np.all(np.diff(channel) == 1) and abs(channel[0]) <= 1e6:
        return lo, hi, int(channel[0])
    middle = np.diff(lo + hi)
    if not (np.all(middle > 0) or np.all(middle < 0)):
        table.fail("CHANNEL does not go up by one from row to row, and the energies E_MIN, E_MAX are not in "
                   "order either; the file is damaged, fetch it again")
    notes.append(f"{Path(table.path).name}: CHANNEL of EBOUNDS does not go up by one from row to row: "
                 "channels taken in the order of their energies")
    # Where F_CHAN has no TLMIN, the standard lets channels begin at 1.
    return lo, hi, _offset([(table, "CHANNEL")], 1)


def _channels_of_lines(table, matrix, energy):
    """
    Bounds in keV of channels without EBOUNDS, from where the matrix puts photons of known energy.

    Interpolated centroids above half the peaks: 0.4-8 keV, within two channels of EBOUNDS for 12 instruments.
    """
    columns = matrix.tocsc()
    row = np.repeat(np.arange(energy.size), np.diff(columns.indptr))
    top = matrix.max(axis=0).toarray().ravel()
    weight = np.where(columns.data >= 0.5 * top[row], columns.data, 0.0)
    total = np.bincount(row, weight, energy.size)
    used = total > 0
    place = np.bincount(row, weight * columns.indices, energy.size)[used] / total[used]
    order = np.argsort(energy[used], kind="stable")
    place, energy = place[order], energy[used][order]
    if place.size < 2 or place[-1] <= place[0] or np.mean(np.diff(place) < -1) > _DISORDER:
        table.fail("there is no EBOUNDS extension, and the lines of the matrix do not go up with energy, so "
                   "that the channels have no energies; give an RMF with EBOUNDS")
    place, first = np.unique(np.maximum.accumulate(place), return_index=True)
    edges = np.arange(matrix.shape[0] + 1) - 0.5
    slope = (energy[first][-1] - energy[first][0]) / (place[-1] - place[0])
    bounds = np.interp(edges, place, energy[first])
    bounds += slope * (np.minimum(edges - place[0], 0) + np.maximum(edges - place[-1], 0))
    return np.maximum(bounds[:-1], 0.0), np.maximum(bounds[1:], _MIN_ENERGY)


def _offset(columns, first):
    """Number of the first channel as F_CHAN counts: its TLMIN, else that of CHANNEL."""
    for source, name in columns:
        minimum = source.columns[name].limits[0] if name in source.columns else None
        if isinstance(minimum, (int, float)) and not isinstance(minimum, bool):
            if not abs(minimum) <= 1e6 or int(minimum) != minimum:
                source.fail(f"TLMIN of {name} is {minimum}; a channel number is needed")
            return int(minimum)
    return first


def _matrix(table, offset, n_channels):
    from scipy.sparse import csc_array

    start, width, row = _groups(table)
    used = width > 0
    start, width, row = start[used] - offset, width[used], row[used]
    if np.any(width > n_channels) or np.any(start < 0) or np.any(start + width > n_channels):
        table.fail(f"F_CHAN and N_CHAN point outside the {n_channels} channels of EBOUNDS "
                   f"(first channel {offset}); the file is damaged or TLMIN of F_CHAN is wrong")
    total = int(width.sum())
    if total > MAX_ELEMENTS:
        table.fail(f"the matrix has {total} elements; at most {MAX_ELEMENTS} are allowed")
    needed = np.bincount(row, weights=width, minlength=table.n_rows).astype(np.int64)
    values = _first_of_row(table, "MATRIX", needed)
    # Smoothed XMM matrices have small negative elements; they are kept as they are.
    top = values.max(initial=0.0)
    if not np.all(np.isfinite(values)) or top > 1e8 or values.min(initial=0.0) < -0.01 * top:
        table.fail("MATRIX has values that are NaN, above 1e8, or more negative than a hundredth "
                   "of the peak; the file is damaged")
    index = np.repeat((start - (np.cumsum(width) - width)).astype(np.int32), width)
    index += np.arange(total, dtype=np.int32)
    pointer = np.concatenate([[0], np.cumsum(needed)]).astype(np.int32)
    matrix = csc_array((values.astype(np.float32), index, pointer), shape=(n_channels, table.n_rows)).tocsr()
    if np.count_nonzero(matrix.data) < 0.9 * matrix.data.size:
        matrix.eliminate_zeros()
    return matrix


def _groups(table):
    """First channel, number of channels and energy row of every group, in file order."""
    n_group = _whole(table, "N_GRP", table.column("N_GRP"))
    if n_group.ndim != 1 or np.any(n_group < 0) or n_group.sum() > MAX_ELEMENTS:
        table.fail("N_GRP must hold one whole number a row; the file is damaged")
    row = np.repeat(np.arange(table.n_rows), n_group)
    first, width = (_whole(table, n, _first_of_row(table, n, n_group)) for n in ("F_CHAN", "N_CHAN"))
    return first, width, row


def _whole(table, name, values):
    """Whole numbers as int64; some files store them as floats."""
    if values.dtype.kind == "f" and not np.all(np.abs(values) < 2**31):
        table.fail(f"{name} has values that are NaN or beyond 2^31; the file is damaged")
    return values.astype(np.int64)


def _first_of_row(table, name, needed):
    """The first ``needed[i]`` values of row i, joined; fixed or variable width."""
    flat, length = table.ragged(name)
    if np.any(length < needed):
        bad = int(np.argmax(length < needed))
        table.fail(f"row {bad + 1} has {length[bad]} values of {name}, {needed[bad]} are needed; "
                   "the file is damaged")
    if np.array_equal(length, needed):
        return flat
    shift = np.repeat(np.cumsum(length) - length - (np.cumsum(needed) - needed), needed)
    return flat[shift + np.arange(int(needed.sum()))]


def _has_area(table, matrix):
    """Whether the matrix already holds the effective area (an RSP file)."""
    if table.header.text("HDUCLAS3").upper() == "FULL":
        return True
    # A pure redistribution, even with detector efficiency, sums to at most about one.
    return bool(matrix.sum(axis=0).max() > 2.0)


def join_grids(arf: Arf | None, rmf: Rmf, arf_name: str, rmf_name: str) -> tuple:
    """Matrix, area, lower and upper energies on one grid, and a note if the grids differed."""
    if arf is None:
        return rmf.matrix, np.ones(rmf.e_lo.size), rmf.e_lo, rmf.e_hi, ""
    if _same_grid(arf.e_lo, arf.e_hi, rmf.e_lo, rmf.e_hi):
        return rmf.matrix, arf.area, rmf.e_lo, rmf.e_hi, ""
    low, high = max(arf.e_lo[0], rmf.e_lo[0]), min(arf.e_hi[-1], rmf.e_hi[-1])
    if low >= high:
        msg = (f"{arf_name} covers {arf.e_lo[0]:.3g}-{arf.e_hi[-1]:.3g} keV, {rmf_name} "
               f"{rmf.e_lo[0]:.3g}-{rmf.e_hi[-1]:.3g} keV: no overlap; they do not belong together")
        raise ResponseError(msg)
    note = (f"ARF has {arf.e_lo.size} energy bins ({arf.e_lo[0]:.3g}-{arf.e_hi[-1]:.3g} keV), RMF "
            f"{rmf.e_lo.size} ({rmf.e_lo[0]:.3g}-{rmf.e_hi[-1]:.3g} keV): finer grid used, "
            f"no area outside {low:.3g}-{high:.3g} keV")
    if np.median(arf.e_hi - arf.e_lo) <= np.median(rmf.e_hi - rmf.e_lo):
        matrix = (rmf.matrix @ overlap_matrix(arf.e_lo, arf.e_hi, rmf.e_lo, rmf.e_hi)).tocsr()
        return matrix.astype(np.float32), arf.area, arf.e_lo, arf.e_hi, note
    middle = 0.5 * (rmf.e_lo + rmf.e_hi)
    area = np.interp(middle, 0.5 * (arf.e_lo + arf.e_hi), arf.area)
    area[(middle < arf.e_lo[0]) | (middle > arf.e_hi[-1])] = 0.0
    return rmf.matrix, area, rmf.e_lo, rmf.e_hi, note


def _same_grid(lo_a: np.ndarray, hi_a: np.ndarray, lo_b: np.ndarray, hi_b: np.ndarray) -> bool:
    """Whether two sets of bins agree to a hundredth of a bin width."""
    if lo_a.size != lo_b.size:
        return False
    tolerance = 0.01 * (hi_b - lo_b) + 1e-6
    return bool(np.all(np.abs(lo_a - lo_b) <= tolerance) and np.all(np.abs(hi_a - hi_b) <= tolerance))


def overlap_matrix(from_lo: np.ndarray, from_hi: np.ndarray, to_lo: np.ndarray,
                   to_hi: np.ndarray) -> csr_array:
    """
    Fractions of photons from bins of one increasing grid to another's, csr (n_to, n_from), spread evenly.
    """
    from scipy.sparse import csr_array

    # Float32 edges of neighbors may differ in the last digit: midpoints of elementary intervals decide.
    edges = np.unique(np.concatenate([from_lo, from_hi, to_lo, to_hi]))
    middle, width = 0.5 * (edges[1:] + edges[:-1]), np.diff(edges)
    source, in_source = _locate(middle, from_lo, from_hi)
    target, in_target = _locate(middle, to_lo, to_hi)
    both = in_source & in_target
    source, target = source[both], target[both]
    fraction = width[both] / (from_hi - from_lo)[source]
    return csr_array((fraction, (target, source)), shape=(to_lo.size, from_lo.size))


def _locate(energy, lo, hi):
    index = np.clip(np.searchsorted(lo, energy, side="right") - 1, 0, lo.size - 1)
    return index, (energy >= lo[index]) & (energy < hi[index])
