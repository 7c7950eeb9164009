# Licensed under a 3-clause BSD style license - see LICENSE
"""Areas and apertures of CSC rows: what the columns say, and what shipped curves must add."""

import re

import numpy as np

from astro_xlatent.core.flags import Flag
from astro_xlatent.missions._bandset import MAX_COUNTS
from astro_xlatent.missions.curves import (
    ACIS_BACK_ILLUMINATED,
    ACIS_IMAGING,
    FIRST_LIGHT,
    MAX_OFF_AXIS,
    acis_curve,
    load_curve,
)
from astro_xlatent.missions.responses import band_area
from astro_xlatent.spectra.binning import share_within_error

__all__ = ["EFFECTIVE_ENERGY", "FRACTION_OF_BAND", "chip_of", "default_area", "effective_area",
           "effective_energies", "mean_over_effective", "solve_apertures", "year_of"]

#: Fraction of the point-spread function in the aperture where no column says it: median
#: and scatter of CSC 2 detections whose bands tell it.
PSF_FRACTION, PSF_FRACTION_SCATTER = 0.94, 0.03
#: Area of the source aperture over that of the background region: the same.
TYPICAL_RATIO, RATIO_SCATTER = 0.042, 0.03
#: The fraction at bands over that of a row (the point-spread function widens with energy): the same.
FRACTION_OF_BAND = {"u": 1.0, "s": 0.989, "m": 0.985, "h": 0.968, "b": 0.98}
#: Energies in keV at which the catalog takes the area of its bands for photon fluxes (ebands.html).
EFFECTIVE_ENERGY = {"u": 0.4, "s": 0.92, "m": 1.56, "h": 3.8, "b": 2.3}
#: That of band m lies on the K edge of the filter's aluminum, which takes a tenth of the area within
#: 20 eV: photon fluxes have the area that the shipped curves of back- and of front-illuminated chips
#: have a little below (medians of energy over photon flux of CSC 2 detections in the makers' MATCH
#: fields, above a significance of 8, beside simulated ones).
MEDIUM_ENERGY = {"acis-s": 1.555, "acis-i": 1.5585, "acis-s-front": 1.5585}
#: Chip and year of the default area where no column tells them: the most frequent chip, and
#: the middle of the release.
DEFAULT_CHIP, DEFAULT_YEAR = 7, 2010.0


def _by_curve(cols, bands, function):
    """
    ``function(curve, years, angles)`` of every row, (n, bands), and flags (n, 1) where chip or date is
    unknown, or past the curves' end.
    """
    chip, known = chip_of(cols)
    year = year_of(cols)
    flags = np.where(known & np.isfinite(year), 0, Flag.AREA_ASSUMED).astype(np.int64)
    year = np.where(np.isfinite(year), np.maximum(year, FIRST_LIGHT), DEFAULT_YEAR)
    theta = np.clip(np.nan_to_num(cols.number("theta", "arcmin")), 0.0, MAX_OFF_AXIS)
    curves, values = np.array([acis_curve(c) for c in chip.tolist()], "U16"), np.ones((len(cols), len(bands)))
    for name in np.unique(curves).tolist():
        rows = curves == name
        # a tenth of a year and a quarter of an arcmin change the area by less than a percent
        keys, back = np.unique(np.stack([year[rows].round(1), (4 * theta[rows]).round() / 4]), axis=1,
                               return_inverse=True)
        values[rows] = function(name, *keys)[back.ravel()]
        flags[rows] |= np.where(load_curve(name).is_extrapolated(year[rows]), Flag.RESPONSE_EXTRAPOLATED, 0)
    return values, flags[:, None]


def mean_over_effective(cols, bands):
    """Mean area of the bands over that at the catalog's energies, (rows, bands), and flags (rows, 1)."""
    mean, flags = _mean_area(cols, bands)
    return mean / effective_area(cols, bands)[0], flags


def _mean_area(cols, bands):
    bounds = [b[1:] for b in bands]
    return _by_curve(cols, bands, lambda name, year, theta: band_area(name, bounds, year, theta))


def effective_energies(curve, bands="smhb"):
    """Energies in keV at which a shipped curve has the catalog's area of the bands."""
    energy = EFFECTIVE_ENERGY | {"m": MEDIUM_ENERGY.get(curve, EFFECTIVE_ENERGY["m"])}
    return np.array([energy[b] for b in bands])


def effective_area(cols, bands):
    """Area in cm2 at the catalog's energy of each band; arguments and flags as `mean_over_effective`."""
    names = [b[0] for b in bands]
    return _by_curve(cols, bands, lambda name, year, theta: load_curve(name).area(
        effective_energies(name, names), year[:, None], theta[:, None]))


def default_area(cols, bands, net):
    """
    Area x exposure from the shipped curves by year, chip and angle, the share of net counts ``net`` that the
    error of an extrapolated area leaves (`share_within_error`), both (rows, bands), and flags.
    """
    middle = np.array([0.5 * (low + high) for _, low, high in bands])
    area, flags = _mean_area(cols, bands)
    error, _ = _by_curve(cols, bands,
                         lambda name, year, _: load_curve(name).area_error(middle, year[:, None]))
    return area * cols.number("livetime", "s")[:, None], share_within_error(net, error), flags


def chip_of(cols):
    """Number of the rows' chips (the default where not told), and whether they tell."""
    number = cols.number("chip_id")
    chips = [name.removeprefix("acis-") for name in cols.text("detector").tolist()]
    told = (number >= 0) & (number < 10)
    known = told | np.array([chip.isdigit() for chip in chips], bool)
    dithered = np.array([_main_chip(chip) for chip in chips], int)
    return np.where(told, np.where(told, number, 0).astype(int), dithered), known


def _main_chip(chips):
    """One of the chips that a source dithers over: of the kind of half of them, back-illuminated first."""
    if not chips.isdigit():
        return DEFAULT_CHIP
    numbers = [int(c) for c in chips]
    for kind in (ACIS_BACK_ILLUMINATED, ACIS_IMAGING, range(10)):
        inside = [n for n in numbers if n in kind]
        if 2 * len(inside) >= len(numbers):
            return inside[0]
    return numbers[0]


def year_of(cols):
    """Decimal year of the observations, NaN where not told."""
    year = 2000.0 + (cols.number("gti_mjd_obs") - 51544.5) / 365.25
    if np.isfinite(year).all() or "gti_obs" not in cols:
        return year
    date = [re.match(r"(\d{4})-(\d\d)", text) for text in cols.text("gti_obs").tolist()]
    told = [int(d[1]) + (int(d[2]) - 0.5) / 12.0 if d else np.nan for d in date]
    return np.where(np.isfinite(year), year, told)


def solve_apertures(counts, off, net):
    """
    Ratio of the apertures' areas and share of the PSF that published net counts imply: least squares of
    ``counts - ratio off - fraction net`` over bands with net counts, both held near their usual values;
    weighted for rounding, and for fractions that differ by a per cent between bands.
    """
    usable = np.isfinite(counts) & np.isfinite(off) & (np.nan_to_num(net) > 0)
    usable &= (np.abs(np.nan_to_num(counts)) < MAX_COUNTS) & (np.abs(np.nan_to_num(off)) < MAX_COUNTS)
    usable &= np.nan_to_num(net) < MAX_COUNTS
    c, o, n = (np.where(usable, v, 0.0) for v in (counts, off, net))
    weight = np.where(usable, (0.3 + 0.01 * np.abs(c)) ** -2, 0.0)

    def dot(a, b):
        return (weight * a * b).sum(axis=1)

    prior, prior_ratio = PSF_FRACTION_SCATTER**-2, RATIO_SCATTER**-2
    nn, cn = dot(n, n) + prior, dot(c, n) + prior * PSF_FRACTION
    oo, on, co = dot(o, o) + prior_ratio, dot(o, n), dot(c, o) + prior_ratio * TYPICAL_RATIO
    ratio = np.maximum((co * nn - cn * on) / (oo * nn - on**2), 0.1 * TYPICAL_RATIO)
    fraction = np.clip((cn - ratio * on) / nn, 0.5, 1.0)
    return np.where(usable.any(axis=1), ratio, np.nan), fraction
