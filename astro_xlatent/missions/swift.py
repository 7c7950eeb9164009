# Licensed under a 3-clause BSD style license - see LICENSE
"""
Swift XRT, and the sources of its point source catalogs 2SXPS and LSXPS.

Bands 1 to 3 (0.3-1, 1-2, 2-10 keV) under the catalogs' own names: ``Counts_band1``,
``BgCounts_band1``, ``RateCF_band1``, ``Rate_band1`` with ``_pos`` and ``_neg``, ``Exposure``.
Rates are counts less background times the correction factor (point-spread function,
vignetting, dead pixels) over the exposure: for the area on axis.

References
----------
Evans et al. 2020, ApJS 247, 54 (2SXPS); Evans et al. 2023, MNRAS 518, 174 (LSXPS);
https://www.swift.ac.uk/2SXPS/docs.php .
"""

import re

import numpy as np

from astro_xlatent.core.flags import Flag
from astro_xlatent.missions._bandset import BandSet, assemble, counts_from_error
from astro_xlatent.missions._columns import COUNT_RATE, Columns, name_columns
from astro_xlatent.missions.base import MissingBandsError, Mission
from astro_xlatent.missions.curves import load_curve
from astro_xlatent.missions.responses import band_area, default_response

__all__ = ["SWIFT"]

#: Relative uncertainty of the modeled background (our assumption).
BACKGROUND_ERROR = 0.05
_TELL_TALE = re.compile(r"(rate|counts|bgcounts|ratecf)_band[0-3](_pos|_neg)?")


class SWIFT(Mission):
    """
    Swift XRT in photon counting mode, 2SXPS and LSXPS.

    Notes
    -----
    Counts and background in the aperture, with area x exposure over the correction factor;
    where a table has only rates, a rate R with error sigma stands for (R / sigma)**2 counts.
    The area is that of one on-axis response of 2013; of the catalog's own factor from rate
    to flux (0.3-10 keV, index 1.7) it makes 2 % less. No model was trained on Swift, which
    the flag `OUTSIDE_MISSION` says.

    Examples
    --------
    >>> from astropy.table import Table
    >>> from astro_xlatent.missions.swift import SWIFT
    >>> t = Table({f"Rate_band{b}{e}": [v] for b in "123" for e, v in (("", .01), ("_pos", .001),
    ...                                                                ("_neg", -.001))})
    >>> SWIFT().read_bands(t).bins.counts.round()
    array([[100., 100., 100.]])
    """

    name = "swift"
    title = "Swift XRT"
    telescopes = ("SWIFT",)
    instruments = ("XRT",)
    bands = (("1", 0.3, 1.0), ("2", 1.0, 2.0), ("3", 2.0, 10.0))

    def matches(self, table):
        """Number of band columns such as ``Rate_band1`` and ``BgCounts_band3``."""
        return sum(bool(_TELL_TALE.fullmatch(name)) for name in Columns(table))

    def expected_columns(self):
        """Columns looked for, in words."""
        return ("Counts_band1, BgCounts_band1, RateCF_band1 and Exposure, or Rate_band1, Rate_band1_pos and "
                "Rate_band1_neg, and the same for bands 2 and 3")

    def catalog_flags(self, table):
        """Bits for confusion: a bright source nearby, or stray light."""
        cols = Columns(table)
        flags = np.zeros(len(cols), np.int64)
        for name in ("nearbrightsourcewarning", "straylightwarning"):
            flags |= np.where(cols.number(name) > 0, Flag.CONFUSED, 0)
        return flags

    def read_bands(self, table):
        """Energy bins from the table's band columns; see `Mission.read_bands`."""
        cols = Columns(table)
        if not any(f"{stem}_band{b}" in cols for stem in ("counts", "rate") for b, _, _ in self.bands):
            msg = (f"table has no band columns of 2SXPS that can be read (it has "
                   f"{name_columns(table, _TELL_TALE.fullmatch)}); expected {self.expected_columns()}")
            raise MissingBandsError(msg)

        def get(stem, end="", unit=None):
            return np.stack([cols.number(f"{stem}_band{b}{end}", unit) for b, _, _ in self.bands], axis=1)

        def named(stem):
            return [cols.spelled(f"{stem}_band{b}") for b, _, _ in self.bands]

        area = band_area("swift-xrt", [b[1:] for b in self.bands])
        counts, background, factor = get("counts"), get("bgcounts"), get("ratecf")
        exposure = cols.number("exposure", "s")[:, None]
        with np.errstate(all="ignore"):
            effective = area * exposure / factor
        cause = np.select([~np.isfinite(counts) | ~np.isfinite(background), (counts < 0) | (background < 0),
                           ~(effective > 0)], [1, 2, 5], 0)
        sets = [BandSet("aperture counts", counts, effective, cause, background,
                        BACKGROUND_ERROR * background, columns=named("counts"))]
        rate, high, low = (get("rate", end, COUNT_RATE) for end in ("", "_pos", "_neg"))
        error = np.where(rate == 0, high, 0.5 * (np.abs(high) + np.abs(low)))
        counts, ratio, cause = counts_from_error(rate, error)
        sets.append(BandSet("count rates", counts, ratio * area, cause, columns=named("rate")))
        middle = np.sqrt([lo * hi for _, lo, hi in self.bands])
        return assemble(self.bands, load_curve("swift-xrt").fwhm(middle), sets, self.catalog_flags(table))

    def default_response(self, instrument=None, year=None):
        """XRT in photon counting mode, on axis."""
        return default_response(self.name, instrument, year)
