# Licensed under a 3-clause BSD style license - see LICENSE
"""
From several ways to read a catalog's bands to one `BandMeasurement`.

Each way (raw aperture counts, photon fluxes, ...) gives a `BandSet` of all
rows; every row then takes the way with most usable bands, the earlier one in
case of a tie.
"""

from dataclasses import dataclass

import numpy as np

from astro_xlatent.core.flags import Flag
from astro_xlatent.missions.base import BandMeasurement
from astro_xlatent.spectra.bins import EnergyBins

__all__ = ["CAUSES", "COUNT_VARIANCE", "MAX_FLUX", "ZERO_COUNTS_HILIM", "BandSet", "assemble",
           "counts_from_error", "counts_from_flux"]

#: Why a band cannot be used; the index is what `BandSet.cause` holds.
CAUSES = (
    "",
    "missing",
    "negative",
    "no uncertainty",
    "limits that do not enclose the value",
    "no exposure or area",
    "counts that overflowed 16 bits",
    "implausible value",
    "no aperture areas, nor net counts that tell them",
    "hardness ratios, but no broad flux or exposure that gives them a scale",
)
#: Ways out, where one is known, by the cause.
_REMEDIES = {
    2: "a negative number is no limit: write 0 with the upper limit in its column, or mask it",
    3: "give limits or errors, a column of counts, significance or likelihood, or relative_error "
       "(in a shell --relative-error)",
    4: "limits are values of the flux, not distances from it: check which column is which",
    5: "fill the column of the exposure or area",
    7: "check the columns' units, and mask numbers that stand for missing values",
}
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
    One way to read the bands of all rows; arrays have shape (rows, bands).

    ``counts``, ``area``, ``background``, ``background_error`` and ``energy_weighted`` are as in
    `EnergyBins`, anything where ``cause`` (an index into `CAUSES`) is not zero; ``label`` is for
    `BandMeasurement.recipe`; ``flags`` are bits that a row gets if it uses the band.
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
            plausible = (
                (self.counts < MAX_COUNTS)
                & (self.area > AREA_RANGE[0])
                & (self.area < AREA_RANGE[1])
                & (np.asarray(self.background) < MAX_COUNTS)
                & (np.asarray(self.background_error) < MAX_COUNTS)
            )
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
    Equivalent Poisson counts and area times exposure from a flux with 68 % limits, shape (rows,).

    Where both limits are missing the symmetric ``error`` is used, else the ratio of the net counts
    ``net`` = (value, lolim, hilim) of the same measurement. Mean and error in the ratio 1.32 of a
    half-normal distribution are an undetected band (zero with an upper limit) that somebody made
    symmetric, and are read as such. The area is returned for ``flux / scale``. Aperture
    photometry gives net values whose intervals contain the background's noise: N is the number of
    background-free counts with the same relative uncertainty.

    Returns
    -------
    counts, area : ndarray
        N = (1.12 F / sigma)**2 and N / F; for F = 0: 0 and 1.14 / hilim.
    cause : ndarray of int
        0 or index into `CAUSES`.
    approximate : ndarray of bool
        True where limits were missing.

    Examples
    --------
    >>> import numpy as np
    >>> from astro_xlatent.missions._bandset import counts_from_flux
    >>> one = np.array([1e-5])
    >>> n, area, _, _ = counts_from_flux(one, 0.888 * one, 1.112 * one)
    >>> n.round(), (area * 1e-5).round()
    (array([100.]), array([100.]))
    """
    blank = np.full(np.shape(flux), np.nan)
    error = blank if error is None else error
    value, low, high = (blank,) * 3 if net is None else net
    with np.errstate(all="ignore"):
        folded = ~np.isfinite(hilim) & (np.abs(flux / error * _HALF_NORMAL[1] / _HALF_NORMAL[0] - 1) < 0.005)
        hilim = np.where(folded, flux / _HALF_NORMAL[0], hilim)
        flux = np.where(folded, 0.0, flux)
        sigma = 0.5 * (hilim - lolim)
        one_sided = np.where(np.isfinite(hilim), hilim - flux, flux - lolim)
        sigma = np.where(np.isfinite(sigma), sigma, one_sided)
        approximate = ~(np.isfinite(lolim) & np.isfinite(hilim)) | folded
        sigma = np.where(np.isfinite(sigma), sigma, error)
        sigma = np.where(np.isfinite(sigma), sigma, flux * 0.5 * (high - low) / value)
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
    From symmetric errors: counts of the same relative error, their ratio to the value, and causes.

    Values above ``most`` are implausible; the error of a value of zero is that of ``zero`` counts.
    """
    with np.errstate(all="ignore"):
        counts = np.where(value > 0, (value / error) ** 2, 0.0)
        ratio = np.where(value > 0, counts / value, zero / error)
    cause = np.select([~np.isfinite(value), value < 0, value > most, ~(error > 0) | ~np.isfinite(error)],
                      [1, 2, 7, 3], 0)
    return counts, np.where(cause == 0, ratio, 0.0), cause


def _describe(names, causes):
    """Text for one combination of causes."""
    bad = [f"{n}: {CAUSES[c]}" for n, c in zip(names, causes, strict=True) if c]
    if not bad:
        return ""
    text = f"no usable band ({', '.join(bad)})" if len(bad) == len(names) else f"band {', '.join(bad)}"
    return text + "".join(f"; {text}" for cause, text in _REMEDIES.items() if cause in causes)


def assemble(bands, resolution, sets, flags, notes=None):
    """
    Take for every row the best of the `BandSet` ``sets``, which are in order of preference.

    ``bands`` are (name, low, high) in keV with the FWHM ``resolution``; bits of the bands are added
    to the catalog's ``flags``, shape (rows,), and ``notes``, a text a row, to the reasons.
    """
    rows = len(flags)
    best = np.argmax([s.valid.sum(axis=1) for s in sets], axis=0)  # (rows,), the first of equals

    def take(name):
        stacked = np.array([s.full(name) for s in sets])  # (sets, rows, bands)
        return np.take_along_axis(stacked, best[None, :, None], axis=0)[0]

    cause = np.take_along_axis(np.array([s.cause for s in sets]), best[None, :, None], axis=0)[0]
    valid = cause == 0
    lo, hi = (np.broadcast_to([b[k] for b in bands], valid.shape) for k in (1, 2))
    bins = EnergyBins(
        e_lo=lo, e_hi=hi, counts=take("counts"), background=take("background"),
        background_error=take("background_error"), area=take("area"),
        resolution=np.broadcast_to(resolution, valid.shape), valid=valid,
        energy_weighted=np.array([s.energy_weighted for s in sets])[best] & valid.any(axis=1),
    )
    some, every = valid.any(axis=1), valid.all(axis=1)
    flags = flags | np.bitwise_or.reduce(take("flags").astype(np.int64), axis=1)
    flags = flags | np.where(some, Flag.BANDS_ONLY, Flag.NO_DATA)
    flags = flags | np.where(some & ~every, Flag.PARTIAL_BANDS, 0)
    labels = np.array([np.broadcast_to(np.asarray(s.label, "U48"), (rows,)) for s in sets], "U48")
    recipe = np.where(some, np.take_along_axis(labels, best[None], axis=0)[0], "")
    return BandMeasurement(bins, flags, _reasons(bands, cause, best, sets, notes), recipe)


def _reasons(bands, cause, best, sets, notes):
    """Why bands are missing, with their columns, a row."""
    names = [[f"{b[0]} ({column})" if column else b[0]
              for b, column in zip(bands, one.columns or [""] * len(bands), strict=True)] for one in sets]
    combos, which = np.unique(np.column_stack([best, cause]), axis=0, return_inverse=True)
    texts = [_describe(names[combo[0]], combo[1:]) for combo in combos]
    reasons = [texts[k] for k in np.ravel(which)]
    if notes is None:
        return reasons
    return ["; ".join(t for t in pair if t) for pair in zip(reasons, notes, strict=True)]
