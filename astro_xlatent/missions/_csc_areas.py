# Licensed under a 3-clause BSD style license - see LICENSE
"""
Areas and apertures of CSC rows: what the columns say, and what shipped curves must add.
"""

import re
from functools import lru_cache

import numpy as np

from astro_xlatent.core.flags import Flag
from astro_xlatent.missions._bandset import MAX_COUNTS
from astro_xlatent.missions.curves import load_curve
from astro_xlatent.missions.responses import band_area

__all__ = ["EFFECTIVE_ENERGY", "FRACTION_OF_BAND", "default_area", "illumination", "mean_over_effective",
           "solve_apertures", "year_of"]

#: Fraction of the point-spread function in the aperture where no column says it: median
#: and scatter of CSC 2 detections whose bands tell it.
PSF_FRACTION, PSF_FRACTION_SCATTER = 0.94, 0.03
#: Area of the source aperture over that of the background region: the same.
TYPICAL_RATIO, RATIO_SCATTER = 0.042, 0.03
#: The fraction at bands over that of a row (the point-spread function widens with energy): the same.
FRACTION_OF_BAND = {"u": 1.0, "s": 0.985, "m": 0.985, "h": 0.97, "b": 0.98}
#: Energies in keV at which the catalogue takes the area of its bands for photon fluxes (ebands.html).
EFFECTIVE_ENERGY = {"u": 0.4, "s": 0.92, "m": 1.56, "h": 3.8, "b": 2.3}
#: Back-illuminated chips of ACIS; all others are front-illuminated.
_BACK_ILLUMINATED = {"5", "7"}
#: Decimal years of the area curves, and the year taken where a row tells none.
_YEARS, _MIDDLE_YEAR = (1999.6, 2025.0), 2010.0


def _by_curve(cols, function):
    """
    Values of ``function(curve, year)``, shape (bands,), for every row by its chip and year.

    Returns
    -------
    values : ndarray, shape (rows, bands)
    flags : ndarray of int64, shape (rows, 1)
        `Flag.AREA_ASSUMED` where a row tells no chip or no date.
    """
    back, chip_known = illumination(cols)
    year = year_of(cols)
    known = chip_known & np.isfinite(year)
    year = np.clip(np.where(np.isfinite(year), np.round(year, 1), _MIDDLE_YEAR), *_YEARS)
    # One pair at least, so that an empty table has bands, too.
    keys = [*dict.fromkeys(zip(back.tolist(), year.tolist(), strict=True))] or [(True, _MIDDLE_YEAR)]
    which = {key: k for k, key in enumerate(keys)}
    index = [which[key] for key in zip(back.tolist(), year.tolist(), strict=True)]
    values = np.array([function("acis-s" if on_back else "acis-i", y) for on_back, y in keys])
    return values[np.array(index, int)], np.where(known, 0, Flag.AREA_ASSUMED).astype(np.int64)[:, None]


def mean_over_effective(cols, bands):
    """
    Mean area of the bands over the area at the catalogue's energies.

    Parameters
    ----------
    cols : Columns
        Of a table with chips (``detector`` or ``chip_id``) and dates (``gti_mjd_obs``, ``gti_obs``).
    bands : sequence of (str, float, float)

    Returns
    -------
    ratio : ndarray, shape (rows, bands)
    flags : ndarray of int64, shape (rows, 1)
    """
    return _by_curve(cols, lambda name, year: _area_ratio(tuple(bands), name, year))


def default_area(cols, bands):
    """Area x exposure from the shipped curves, by year, chip and off-axis angle; flags as above."""
    bounds = [b[1:] for b in bands]
    area, flags = _by_curve(cols, lambda name, year: band_area(name, bounds, year=year))
    theta = np.clip(np.nan_to_num(cols.number("theta", "arcmin")), 0.0, 25.0)
    factor = 1.0 / (1.0 + (theta / load_curve("acis-i").vignetting[0]) ** 2)
    return area * (factor * cols.number("livetime", "s"))[:, None], flags


@lru_cache(maxsize=1024)
def _area_ratio(bands, name, year):
    energy = np.array([EFFECTIVE_ENERGY[b] for b, _, _ in bands])
    mean = band_area(name, [b[1:] for b in bands], year=year)
    return mean / load_curve(name).area(energy, year=year)


def illumination(cols):
    """Whether the rows' chips are back-illuminated (S3 where not told), and whether they tell."""
    chips = np.array([name.removeprefix("acis-") for name in cols.text("detector").tolist()])
    number = cols.number("chip_id")
    told = (number >= 0) & (number < 10)
    chips = np.where(told, np.where(told, number, 0).astype(int).astype(str), chips)
    known = np.char.isdigit(chips)
    # A source that dithers over several chips is mostly on a back-illuminated one if half of them are.
    back = [2 * sum(c in _BACK_ILLUMINATED for c in chip) >= len(chip) for chip in chips.tolist()]
    return np.array(back, bool) | ~known, known


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
    Ratio of the apertures' areas and share of the PSF that published net counts imply.

    Least squares of ``counts - ratio off - fraction net`` over the bands with net counts, both
    held near their usual values, which decide where background hardly matters; published
    numbers are rounded and the fraction differs by a per cent between bands, hence the weights.
    NaN where no band has net counts.
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
