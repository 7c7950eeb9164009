# Licensed under a 3-clause BSD style license - see LICENSE
"""
Observations unlike anything in the training, for the test of the guard rails.

An `Oddity` changes the incident spectra, the response that makes the counts
(the model is always given the instrument's own), or the finished counts.
`TESTED` are reported; `TUNING` are other ones, of other causes, on which the
statistic behind ``xl_outlier`` may be chosen.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import ndtr

from astro_xlatent.physics import emission
from astro_xlatent.physics.absorption import bin_cross_section
from astro_xlatent.physics.grid import ENERGY_MID, ENERGY_WIDTH
from astro_xlatent.simulate.families.tools import Draw, add_line, hot_plasma, unit_flux
from astro_xlatent.simulate.populations import absorb, draw_sources

__all__ = ["TESTED", "TUNING", "Oddity", "shift_gain"]

# ACIS pulse heights: keV per channel of all its spectra.
ACIS_CHANNEL = 0.0146


@dataclass(frozen=True)
class Oddity:
    """
    One way to be odd.

    Attributes
    ----------
    text : str
        What it is.
    spectra : callable, optional
        ``(spectra, rng) -> spectra``; rows of incident photons per bin.
    response : callable, optional
        ``(instrument, rng) -> matrix`` that makes the counts.
    counts : callable, optional
        ``(bins, rng) -> bins``, what happens afterwards.
    mission : str, optional
        Only observed by this one.
    oracle : bool, optional
        The same source without the oddity is a hypothesis to compare with.
    line : bool, optional
        It is a narrow line.
    """

    text: str
    spectra: Callable = None
    response: Callable = None
    counts: Callable = None
    mission: str = None
    oracle: bool = False
    line: bool = False


def shift_gain(matrix, factor):
    """
    A response whose measured energies are all too large by a factor.

    Parameters
    ----------
    matrix : ndarray, shape (bins, n_energy)
        cm2, on the package's incident grid.
    factor : float
        Measured energy over the one that the response claims.

    Returns
    -------
    matrix : ndarray, shape (bins, n_energy)
        Photons of energy E are distributed as the given matrix does for
        ``factor`` E, with the efficiency at E.
    """
    position = np.interp(ENERGY_MID * factor, ENERGY_MID, np.arange(ENERGY_MID.size))
    low = np.minimum(position.astype(int), ENERGY_MID.size - 2)
    t = (position - low).astype(matrix.dtype)
    area = matrix.sum(axis=0)
    unit = matrix / np.maximum(area, 1e-30)
    return ((1 - t) * unit[:, low] + t * unit[:, low + 1]) * area


def _microchannel_plate(instrument, rng):
    """
    HRC-I pulse heights taken for ACIS channels.

    Nearly the same for all energies: normal, centered at channel 150 (0.5 keV)
    to 175 (above 1.5 keV) with a width of 56 channels, as measured on the
    response of HRC-I observation 24564 of the Chandra Source Catalog. The area
    is that of the ACIS instrument, which costs nothing: without resolution
    only the sum of the counts knows of it.
    """
    center = np.interp(ENERGY_MID, [0.5, 1.5], [150.0, 175.0]) * ACIS_CHANNEL
    edges = instrument.e_lo, instrument.e_hi
    low, high = (ndtr((edge[:, None] - center) / (56 * ACIS_CHANNEL)) for edge in edges)
    return (high - low) * instrument.matrix.sum(axis=0) * instrument.valid[:, None]


def _ejecta(rich, kt_low, kt_high):
    """Plasma of supernova ejecta: some elements 8 to 30 times solar (training: at most 5, all alike)."""

    def draw(spectra, rng):
        n = len(spectra)
        metals = {name: Draw(n, rng).log_uniform(8, 30) for name in rich}
        metals |= {"metals": Draw(n, rng).log_uniform(0.3, 1.0), "Fe": Draw(n, rng).log_uniform(0.1, 1.0)}
        plasma = unit_flux(hot_plasma(Draw(n, rng).log_uniform(kt_low, kt_high), metals))
        return absorb(plasma, Draw(n, rng).log_normal(3e21, 0.4, 2e20, 3e22))

    return draw


def _line(energy, width, equivalent_width):
    def draw(spectra, rng):
        return add_line(spectra.copy(), energy, width, equivalent_width)

    return draw


def _soft_excess(spectra, rng):
    """A blackbody of 0.08-0.15 keV with 0.3 to 1 of the source's photons in 0.5-2 keV, not absorbed."""
    n = len(spectra)
    soft = ENERGY_MID**2 / np.expm1(ENERGY_MID / rng.uniform(0.08, 0.15, (n, 1)))
    band = (ENERGY_MID > 0.5) & (ENERGY_MID < 2.0)
    ratio = Draw(n, rng).log_uniform(0.3, 1.0) * spectra[:, band].sum(axis=1) / soft[:, band].sum(axis=1)
    return (spectra + ratio[:, None] * soft).astype(np.float32)


def _uneven(bins, rng):
    """Counts of every bin scattered by 20 % more than Poisson noise."""
    return replace(bins, counts=np.rint(bins.counts * rng.normal(1.0, 0.2, bins.counts.shape).clip(0)))


def _blend(spectra, rng):
    """Add to every source another one of any class, of 0.3 to 3 times its photons."""
    other = draw_sources(rng.integers(8, size=len(spectra)), rng).spectrum
    ratio = Draw(len(spectra), rng).log_uniform(0.3, 3.0)
    photons = [s[:, 40:690].sum(axis=1) for s in (spectra, other)]
    return spectra + other * (ratio * photons[0] / photons[1])[:, None].astype(np.float32)


def _smooth_absorber(spectra, rng):
    """Power laws behind a column without edges, sigma as E^-3 and 2.2e-22 cm2 at 1 keV."""
    n = len(spectra)
    continuum = emission.powerlaw(rng.uniform(1.4, 2.4, n))
    depth = Draw(n, rng).log_uniform(3e21, 3e22)[:, None] * 2.2e-22 * ENERGY_MID**-3.0
    return (continuum * np.exp(-depth)).astype(np.float32)


def _warm_absorber(spectra, rng):
    """Absorption edges of O VII and O VIII (0.739, 0.871 keV; threshold depth 1 to 3)."""
    depth = 0.0
    for edge in (0.739, 0.871):
        above = np.where(ENERGY_MID > edge, (ENERGY_MID / edge) ** -3.0, 0)
        depth = depth + rng.uniform(1, 3, (len(spectra), 1)) * above
    return (spectra * np.exp(-depth)).astype(np.float32)


def _cyclotron(spectra, rng):
    """Absorption trough at 3 to 5 keV, 0.3 keV wide."""
    center = rng.uniform(3, 5, (len(spectra), 1))
    return (spectra * np.exp(-2 * np.exp(-0.5 * ((ENERGY_MID - center) / 0.3) ** 2))).astype(np.float32)


def _recombination(spectra, rng):
    """Recombination edges of Si XIV and S XVI (2.67, 3.49 keV; kT 0.15 keV) as bright as a fifth."""
    excess = sum(np.where(ENERGY_MID > edge, np.exp(-(ENERGY_MID - edge) / 0.15), 0) for edge in (2.67, 3.49))
    share = excess * ENERGY_WIDTH / (excess * ENERGY_WIDTH).sum()
    return (spectra + 0.2 * spectra[:, 40:690].sum(axis=1, keepdims=True) * share).astype(np.float32)


def _broken(spectra, rng):
    """Power laws that harden or soften by 1.5 at 2 to 4 keV."""
    n = len(spectra)
    at, turn = rng.uniform(2, 4, (n, 1)), rng.choice([-1.5, 1.5], (n, 1))
    bend = np.where(ENERGY_MID > at, (ENERGY_MID / at) ** turn, 1.0)
    return absorb(emission.powerlaw(rng.uniform(1.2, 2.2, n)) * bend, Draw(n, rng).log_uniform(1e20, 1e22))


def _degraded(instrument, rng):
    """Twice the resolution's width: every column smoothed over three fine bins."""
    matrix = instrument.matrix
    padded = np.pad(matrix, ((2, 2), (0, 0)))
    return sum(padded[k:k + len(matrix)] for k in range(5)) / 5 * instrument.valid[:, None]


def _contaminated(instrument, rng):
    """A layer on the detector that the response does not know: 0.5 at 0.7 keV, oxygen and carbon."""
    sigma = bin_cross_section()
    return instrument.matrix * np.exp(-0.8 * sigma / np.interp(0.7, ENERGY_MID, sigma)).astype(np.float32)


def _without_area(instrument, rng):
    """A true area that does not depend on energy, where the telescope's is claimed."""
    area = instrument.matrix.sum(axis=0)
    return instrument.matrix / np.maximum(area, 1e-3 * area.max()) * area.mean()


def _other_telescope(instrument, rng):
    """EPIC-pn's response instead of the one that is claimed."""
    from astro_xlatent.missions.responses import default_response
    from astro_xlatent.spectra.binning import fine_response

    return fine_response(default_response("xmm", "EPN")).matrix * instrument.valid[:, None]


def _piled_up(bins, rng, share=0.2):
    """Pile-up: a share of events arrive in pairs and are read as one of the summed energy."""
    counts = np.zeros_like(bins.counts)
    for row in range(len(bins)):
        n = bins.counts[row].astype(int)
        energy = rng.permutation(rng.uniform(np.repeat(bins.e_lo[row], n), np.repeat(bins.e_hi[row], n)))
        pairs = int(0.5 * share * energy.size)
        energy = np.append(energy[:pairs] + energy[pairs:2 * pairs], energy[2 * pairs:])
        index = np.searchsorted(bins.e_hi[row][bins.valid[row]], energy)
        keep = index < bins.valid[row].sum()
        counts[row, np.flatnonzero(bins.valid[row])[index[keep]]] = 0
        np.add.at(counts[row], np.flatnonzero(bins.valid[row])[index[keep]], 1)
    return replace(bins, counts=counts)


def _background_too_low(bins, rng):
    """Only half of the background was subtracted, with the error of that half."""
    return replace(bins, background=0.5 * bins.background, background_error=0.7 * bins.background_error)


def _dead_channels(bins, rng):
    """One bin in fifteen lost its counts (dead columns, bad channels not marked)."""
    return replace(bins, counts=np.where(rng.random(bins.counts.shape) < 1 / 15, 0.0, bins.counts))


TESTED = {
    "HRC read as ACIS": Oddity("no energy resolution", response=_microchannel_plate, mission="csc"),
    "SNR, Si-group ejecta": Oddity("Si, S, Ar, Ca 8-30 solar", _ejecta(("Si", "S", "Ar", "Ca"), 0.7, 2.5)),
    "SNR, O-group ejecta": Oddity("O, Ne, Mg 8-30 solar", _ejecta(("O", "Ne", "Mg"), 0.3, 1.2)),
    "2 keV line, EW 200 eV": Oddity("narrow line on any source", _line(2.0, 0.01, 0.2), oracle=True,
                                    line=True),
    "3.3 keV line, EW 150 eV": Oddity("narrow line on any source", _line(3.3, 0.01, 0.15), oracle=True,
                                      line=True),
    "soft excess": Oddity("blackbody in front of an absorbed source", _soft_excess, oracle=True),
    "20 % excess scatter": Oddity("bins uneven", counts=_uneven),
    "gain 3 % high": Oddity("gain", response=lambda i, rng: shift_gain(i.matrix, 1.03), oracle=True),
    "gain 3 % low": Oddity("gain", response=lambda i, rng: shift_gain(i.matrix, 0.97), oracle=True),
    "pile-up, 20 % of events": Oddity("pairs read as one event", counts=_piled_up),
    "half of the background": Oddity("background too low", counts=_background_too_low),
    "absorber without edges": Oddity("wrong law of N_H", _smooth_absorber),
    "two blended sources": Oddity("of any two classes", _blend),
}

TUNING = {
    "warm absorber edges": Oddity("O VII and O VIII", _warm_absorber),
    "cyclotron trough": Oddity("3-5 keV", _cyclotron),
    "recombination edges": Oddity("Si XIV, S XVI", _recombination),
    "broken power law": Oddity("by 1.5 at 2-4 keV", _broken),
    "half the resolution": Oddity("response too sharp", response=_degraded),
    "contamination": Oddity("response too clean", response=_contaminated),
    "dead channels": Oddity("not marked", counts=_dead_channels),
    "effective area ignored": Oddity("flat in truth", response=_without_area),
    "EPIC read as ACIS": Oddity("another telescope", response=_other_telescope, mission="csc"),
}
