# Licensed under a 3-clause BSD style license - see LICENSE
"""From several ways to read a catalog's bands, a `BandSet` of all rows each, to one `BandMeasurement`."""

from dataclasses import dataclass

import numpy as np

from astro_xlatent.core.flags import Flag
from astro_xlatent.missions.base import BandMeasurement
from astro_xlatent.spectra.bins import EnergyBins

__all__ = ["COUNT_VARIANCE", "MAX_FLUX", "ZERO_COUNTS_HILIM", "BandSet", "assemble", "counts_from_error",
           "counts_from_flux"]

#: Why a band cannot be used, and the way out where one is known; the index is what `BandSet.cause` holds.
_CAUSES = (
    ("", ""),
    ("missing", ""),
    ("negative", "; a negative number is no limit: write 0 with the upper limit in its column, or mask it"),
    ("no uncertainty", "; give limits or errors, a column of counts, significance or likelihood, or "
                       "relative_error (in a shell --relative-error)"),
    ("limits that do not enclose the value",
     "; limits are values of the flux, not distances from it: check which column is which"),
    ("no exposure or area", "; fill the column of the exposure or area"),
    ("counts that overflowed 16 bits", ""),
    ("implausible value", "; check the columns' units, and mask numbers that stand for missing values"),
    ("no aperture areas, nor net counts that tell them", ""),
    ("hardness ratios, but no broad flux or exposure that gives them a scale", ""),
)
#: Flux in photons/s/cm2 that no source in the sky has: five times that of Scorpius X-1.
MAX_FLUX = 500.0
#: Most counts, and range of area x exposure in cm2 s, that any telescope can have in a
#: row; beyond them single precision downstream would overflow.
MAX_COUNTS, AREA_RANGE = 1e10, (1e-3, 1e14)
#: (F / sigma)**2 per count, sigma being half the 68 % interval: the catalog's intervals are
#: 1.12 times as wide as the Poisson noise of aperture and background (median of the bands of
#: CSC 2 detections with a known aperture, 1.11 below 100 counts and 1.14 above 300; net counts,
#: which are corrected for the aperture, have wider ones than the counts in it).
COUNT_VARIANCE = 1.12**-2
#: Counts to which the upper 68 % limit of zero detected counts corresponds: -ln(1 - 0.68).
ZERO_COUNTS_HILIM = 1.14
#: Mean and standard deviation of a half-normal distribution of unit scale.
_HALF_NORMAL = (np.sqrt(2 / np.pi), np.sqrt(1 - 2 / np.pi))


@dataclass
class BandSet:
    """
    One way to read the bands of all rows; arrays of shape (rows, bands) as in `EnergyBins`, anything where
    ``cause``, an index into `_CAUSES`, is not zero. ``label`` is for `BandMeasurement.recipe`; ``flags`` are
    bits that a row gets if it uses the band.
    """

    label: object
    counts: np.ndarray
    area: np.ndarray
    cause: np.ndarray
    background: object = 0.0
    background_error: object = 0.0
    energy_weighted: bool = False
    flags: object = 0
    #: The table's name of each band's column, for reasons; empty where there is none.
    columns: tuple = ()

    def __post_init__(self):
        with np.errstate(invalid="ignore"):
            plausible = (self.area > AREA_RANGE[0]) & (self.area < AREA_RANGE[1])
            for values in (self.counts, self.background, self.background_error):
                plausible = plausible & (np.asarray(values) < MAX_COUNTS)
        self.cause = np.where((self.cause == 0) & ~plausible, 7, self.cause)

    @property
    def valid(self):
        """Which bands can be used."""
        return self.cause == 0

    def full(self, name):
        """An attribute as an array of shape (rows, bands), zero where invalid."""
        values = np.broadcast_to(getattr(self, name), self.cause.shape)
        return np.where(self.valid, values, 0)


def counts_from_flux(flux, lolim, hilim, *, error=None, net=None, scale=1.0):
    """
    Counts as certain as a flux with 68 % limits, area x exposure of ``flux / scale``, and causes, (rows,).

    N = (1.12 F / sigma)**2, as of background-free counts, and N / F; for F = 0: 0 and 1.14 / hilim. Without
    limits (true in the last array) by the symmetric ``error``, else the ratio of ``net`` = (value, lolim,
    hilim). Mean and error in the ratio 1.32 of a half-normal distribution are an undetected band that
    somebody made symmetric, and are read as such.
    """
    blank = np.full(np.shape(flux), np.nan)
    error = blank if error is None else error
    value, low, high = (blank,) * 3 if net is None else net
    with np.errstate(all="ignore"):
        folded = ~np.isfinite(hilim) & (np.abs(flux / error * _HALF_NORMAL[1] / _HALF_NORMAL[0] - 1) < 0.005)
        hilim = np.where(folded, flux / _HALF_NORMAL[0], hilim)
        flux = np.where(folded, 0.0, flux)
        approximate = ~(np.isfinite(lolim) & np.isfinite(hilim)) | folded
        widths = (0.5 * (hilim - lolim), hilim - flux, flux - lolim, error, flux * 0.5 * (high - low) / value)
        sigma = np.select([np.isfinite(width) for width in widths], widths, np.nan)
        counts = (flux / sigma) ** 2 / COUNT_VARIANCE
        counts = np.where(np.isfinite(counts), counts, np.where(np.isfinite(sigma), np.nan, value))
        top = np.where(np.isfinite(hilim), hilim, 2.0 * error)
        zero = flux == 0
        counts = np.where(zero, 0.0, counts)
        area = np.where(zero, ZERO_COUNTS_HILIM / top, counts / flux) * scale
    enclosed = ~(hilim < 0.99 * flux) & ~(lolim > 1.01 * flux)
    usable = np.isfinite(counts) & np.isfinite(area) & (area > 0)
    absurd = flux > MAX_FLUX * scale
    cause = np.select([~np.isfinite(flux), flux < 0, absurd, ~enclosed, ~usable], [1, 2, 7, 4, 3], 0)
    return counts, area, cause, approximate & (cause == 0)


def counts_from_error(value, error, *, most=np.inf, zero=ZERO_COUNTS_HILIM):
    """
    Counts of the same relative error, their ratio to the value, and causes. Values above ``most`` are
    implausible; the error of a value of zero is that of ``zero`` counts.
    """
    with np.errstate(all="ignore"):
        counts = np.where(value > 0, (value / error) ** 2, 0.0)
        ratio = np.where(value > 0, counts / value, zero / error)
    cause = np.select([~np.isfinite(value), value < 0, value > most, ~(error > 0) | ~np.isfinite(error)],
                      [1, 2, 7, 3], 0)
    return counts, np.where(cause == 0, ratio, 0.0), cause


def _describe(names, causes):
    """Text for one combination of causes."""
    bad = [f"{n}: {_CAUSES[c][0]}" for n, c in zip(names, causes, strict=True) if c]
    if not bad:
        return ""
    text = f"no usable band ({', '.join(bad)})" if len(bad) == len(names) else f"band {', '.join(bad)}"
    return text + "".join(_CAUSES[c][1] for c in sorted(set(causes)))


def assemble(bands, resolution, sets, flags, notes=None):
    """
    Take for every row the `BandSet` with most usable bands, of equals the first. ``bands`` are (name, low,
    high) in keV with the FWHM ``resolution``; ``flags`` and ``notes`` of the catalog, (rows,), are added to.
    """
    rows = len(flags)
    best = np.argmax([s.valid.sum(axis=1) for s in sets], axis=0)  # (rows,), the first of equals
    chosen = best, np.arange(rows)

    def take(name):
        return np.array([s.full(name) for s in sets])[chosen]

    cause = np.array([s.cause for s in sets])[chosen]
    valid = cause == 0
    lo, hi = (np.broadcast_to([b[k] for b in bands], valid.shape) for k in (1, 2))
    bins = EnergyBins(
        e_lo=lo, e_hi=hi, resolution=np.broadcast_to(resolution, valid.shape), valid=valid,
        energy_weighted=np.array([s.energy_weighted for s in sets])[best] & valid.any(axis=1),
        **{name: take(name) for name in ("counts", "background", "background_error", "area")})
    some, every = valid.any(axis=1), valid.all(axis=1)
    flags = flags | np.bitwise_or.reduce(take("flags").astype(np.int64), axis=1)
    flags = flags | np.where(some, Flag.BANDS_ONLY, Flag.NO_DATA)
    flags = flags | np.where(some & ~every, Flag.PARTIAL_BANDS, 0)
    labels = np.array([np.broadcast_to(np.asarray(s.label, "U48"), (rows,)) for s in sets], "U48")
    recipe = np.where(some, labels[chosen], "")
    return BandMeasurement(bins, flags, _reasons(bands, cause, best, sets, notes or [""] * rows), recipe)


def _reasons(bands, cause, best, sets, notes):
    """Why bands are missing, with their columns, a row."""
    names = [[f"{b[0]} ({column})" if column else b[0]
              for b, column in zip(bands, one.columns or [""] * len(bands), strict=True)] for one in sets]
    combos, which = np.unique(np.column_stack([best, cause]), axis=0, return_inverse=True)
    texts = [_describe(names[combo[0]], combo[1:]) for combo in combos]
    return ["; ".join(text for text in (texts[k], note) if text)
            for k, note in zip(np.ravel(which), notes, strict=True)]
