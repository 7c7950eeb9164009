# Licensed under a 3-clause BSD style license - see LICENSE
"""
What real observations have and ideal ones lack: errors of calibration, and spectra unlike their family.

The reader is told the nominal response, and the latents to find stay those of the family's own spectrum:
a model trained so learns which details not to trust. Everything that acts before counts are drawn is a
factor on the incident spectrum, R (f A) s = R A (f s). Amplitudes are standard deviations unless they
are called a range.

References
----------
Drake et al. 2006, SPIE 6270, 62701I, and Lee et al. 2011, ApJ 731, 126: curves of the effective area drawn
within the limits of its calibration, smooth between edges and with steps at them. Gain of ACIS: Chandra
Calibration Status Summary (Chandra X-ray Center). Background: Bartalucci et al. 2014, A&A 566, A25. Pile-up:
Davis 2001, ApJ 562, 575.
"""

from functools import cache

import numpy as np

from astro_xlatent.core.errors import ParameterError
from astro_xlatent.physics.absorption import absorption_cross_section
from astro_xlatent.physics.grid import ENERGY_MID
from astro_xlatent.physics.plasma import plasma
from astro_xlatent.simulate.conditions import log_uniform

__all__ = ["PIECES", "add_soft_gas", "area_factor", "check_pieces", "deviate", "gain_shift", "imperfect",
           "misjudge_background", "pile_up"]

#: Smooth error of the effective area: a few per cent in Drake et al. (2006), 10 %
#: between front- and back-illuminated chips of ACIS.
AREA_SMOOTH = 0.05
#: Step of the area at every edge.
AREA_STEP = 0.015
#: K edges of oxygen (filters, contamination) and silicon (detector), M5 edge of the
#: mirrors' iridium, keV (X-ray Data Booklet, LBNL 2009).
AREA_EDGES = (0.543, 1.839, 2.040)
#: Relative error of the energy scale. The Chandra X-ray Center states 0.3 % before and 0.5 %
#: after 2022 for whole chips; single positions and the other missions are known less well.
GAIN = 0.008
#: Share of sources that are just what their family says.
TRUE_TO_FAMILY = 1 / 3
#: Range, log-uniform, of the deviation of the other sources' spectra. No survey has
#: measured it; the residuals of single-component fits to bright sources are of this size.
DEVIATION_RANGE = (0.02, 0.25)
#: Share of sources with gas of their host or field in the aperture.
GAS_SHARE = 0.2
#: Range of its temperature in keV: hot gas of galaxies and star-forming regions
#: (Mineo, Gilfanov & Sunyaev 2012, MNRAS 426, 1870: 0.24 and 0.71 keV).
GAS_KT_RANGE = (0.15, 0.9)
#: Range, log-uniform, of its photons relative to the source's, 0.5 to 2 keV.
GAS_FLUX_RANGE = (0.01, 0.5)
#: Range, log-uniform, of the column before it, 1/cm2: that of our Galaxy out of its plane.
GAS_NH_RANGE = (1e20, 2e21)
#: Error of the background's normalization, of every source: 2 % in the continuum, 5 % in lines.
BACKGROUND = 0.03
#: Share of Chandra's sources with some pile-up. It depends on the rate, not on the counts:
#: in faint sources it is there, too, and lost in the noise.
PILE_UP_SHARE = 0.1
#: Range, log-uniform, of the share of photons that meet another in their frame.
PILE_UP_RANGE = (0.005, 0.08)
#: Share of pairs that survive grade selection (Davis 2001 fits values of 0.5 to 0.9).
PILE_UP_GRADE = 0.6
# ln(energy) between the knots of smooth curves, and the width of their kernel: a curve
# has about six independent values between 0.3 and 10 keV.
_KNOT_STEP, _KERNEL = 0.4, 0.55
# Below this share of the largest area, no counts of a shifted or piled spectrum are followed.
_LITTLE_AREA = 1e-3
_STEP = ENERGY_MID[1] - ENERGY_MID[0]

#: Names of the pieces, each of which can be left out.
PIECES = ("area", "gain", "deviation", "soft gas", "background", "pile-up")


def check_pieces(pieces):
    """The names as a tuple; `ParameterError` if one is not of `PIECES`."""
    pieces = tuple(pieces)
    unknown = sorted(set(pieces) - set(PIECES))
    if unknown:
        raise ParameterError(f"imperfections are {unknown}; allowed: {', '.join(PIECES)}")
    return pieces


@cache
def _kernels():
    x = np.log(ENERGY_MID)
    knots = np.arange(x[0] - 2 * _KERNEL, x[-1] + 2 * _KERNEL, _KNOT_STEP)
    kernels = np.exp(-0.5 * ((x - knots[:, None]) / _KERNEL) ** 2)
    return kernels / np.sqrt(np.sum(kernels**2, axis=0))


def _smooth(rng, n):
    """Smooth Gaussian curves of unit variance at every energy, shape (n, N_ENERGY)."""
    return rng.standard_normal((n, len(_kernels()))) @ _kernels()


def area_factor(rng, n):
    """Draw n errors of an effective area, true over nominal, (n, N_ENERGY)."""
    log_factor = AREA_SMOOTH * _smooth(rng, n)
    for edge in AREA_EDGES:
        log_factor += AREA_STEP * rng.standard_normal((n, 1)) * (ENERGY_MID > edge)
    return np.exp(log_factor)


def deviate(spectra, rng):
    """Bend spectra (rows, N_ENERGY) smoothly away from their family, but for a third of them."""
    rows = len(spectra)
    size = log_uniform(rng, *DEVIATION_RANGE, rows) * (rng.random(rows) > TRUE_TO_FAMILY)
    return spectra * np.exp(size[:, None] * _smooth(rng, rows)).astype(spectra.dtype)


@cache
def _gas():
    """Plasma of 16 temperatures with a photon between 0.5 and 2 keV, and what 1e20/cm2 absorbs."""
    spectra = plasma(np.geomspace(*GAS_KT_RANGE, 16))
    soft = (ENERGY_MID > 0.5) & (ENERGY_MID < 2.0)
    spectra = spectra / spectra[:, soft].sum(axis=1, keepdims=True)
    return spectra.astype(np.float32), 1e20 * absorption_cross_section(ENERGY_MID), soft


def add_soft_gas(spectra, rng):
    """Add hot gas of a host or field to a fifth of the spectra (rows, N_ENERGY)."""
    templates, depth, soft = _gas()
    chosen = np.flatnonzero(rng.random(len(spectra)) < GAS_SHARE)
    gas = templates[rng.integers(len(templates), size=chosen.size)]
    column = log_uniform(rng, *GAS_NH_RANGE, chosen.size)[:, None] / 1e20
    gas = gas * np.exp(-column * depth).astype(np.float32)
    gas /= gas[:, soft].sum(axis=1, keepdims=True)
    share = log_uniform(rng, *GAS_FLUX_RANGE, chosen.size) * spectra[chosen][:, soft].sum(axis=1)
    result = spectra.copy()
    result[chosen] += (share[:, None] * gas).astype(spectra.dtype)
    return result


def gain_shift(spectra, area, gain):
    """
    Spectra that give nominally what a detector records that takes photons of energy E as of (1 + gain) E; the
    edges of the ``area`` move with the scale.
    """
    position = (ENERGY_MID / (1 + gain) - ENERGY_MID[0]) / _STEP
    lower = np.clip(np.floor(position).astype(int), 0, len(ENERGY_MID) - 2)
    weight = (position - lower).clip(0, 1).astype(spectra.dtype)
    counts = spectra * area.astype(spectra.dtype)
    moved = (counts[:, lower] * (1 - weight) + counts[:, lower + 1] * weight) / (1 + gain)
    return _over_area(moved, spectra, area)


def _over_area(counts, spectra, area):
    """Counts over area; where there is hardly any area, the spectra as they were."""
    seen = area > _LITTLE_AREA * area.max()
    result = spectra.copy()
    result[:, seen] = counts[:, seen] / area[seen]
    return result


def pile_up(spectra, area, fraction):
    """
    Spectra that give nominally what a piled-up detector records, to first order (Davis 2001): a ``fraction``,
    (rows,), of photons meets another, recorded as one of the sum of their energies, or not at all.
    """
    counts = spectra * area
    n = counts.shape[1]
    transformed = np.fft.rfft(counts, 2 * n, axis=1)
    # Bins i and j add up to energy i + j + offset in units of the bin, half a bin aside at most.
    offset = int(ENERGY_MID[0] / _STEP)
    pairs = np.fft.irfft(transformed**2, 2 * n, axis=1)[:, :n - offset].clip(min=0)
    pairs /= np.maximum(counts.sum(axis=1, keepdims=True), 1e-300)
    piled = (1 - fraction[:, None]) * counts
    piled[:, offset:] += 0.5 * PILE_UP_GRADE * fraction[:, None] * pairs
    return _over_area(piled.astype(spectra.dtype), spectra, area)


def imperfect(spectra, instrument, rng, pieces=PIECES):
    """
    Incident spectra (rows, N_ENERGY) of one pointing, to be folded through the nominal response: errors of
    area and gain are drawn once for all rows, pile-up is Chandra's; none of `PIECES`, nothing drawn.
    """
    area = instrument.matrix.sum(axis=0)
    if "deviation" in pieces:
        spectra = deviate(spectra, rng)
    if "soft gas" in pieces:
        spectra = add_soft_gas(spectra, rng)
    if "area" in pieces:
        spectra = spectra * area_factor(rng, 1).astype(spectra.dtype)
    if "pile-up" in pieces and instrument.mission == "csc":
        chosen = np.flatnonzero(rng.random(len(spectra)) < PILE_UP_SHARE)
        if chosen.size:
            spectra = spectra.copy()
            spectra[chosen] = pile_up(spectra[chosen], area, log_uniform(rng, *PILE_UP_RANGE, chosen.size))
    if "gain" in pieces:
        spectra = gain_shift(spectra, area, GAIN * rng.standard_normal())
    return spectra


def misjudge_background(background, rng, pieces=PIECES):
    """Estimates of the background (rows, bins) wrong by a few per cent, the same in all bins of a row."""
    if "background" not in pieces:
        return background
    return background * np.exp(BACKGROUND * rng.standard_normal((len(background), 1)))
