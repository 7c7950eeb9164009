# Licensed under a 3-clause BSD style license - see LICENSE
"""
Swift XRT, and the sources of its point source catalogs 2SXPS and LSXPS.

References
----------
Evans et al. 2020, ApJS 247, 54 (2SXPS); Evans et al. 2023, MNRAS 518, 174 (LSXPS);
https://www.swift.ac.uk/2SXPS/docs.php .
"""

import re

import numpy as np

from astro_xlatent.core.flags import Flag
from astro_xlatent.missions._bandset import BandSet, counts_from_error
from astro_xlatent.missions._catalog import Catalog
from astro_xlatent.missions._columns import COUNT_RATE, Columns
from astro_xlatent.missions.responses import band_area

__all__ = ["SWIFT"]

#: Relative uncertainty of the modeled background (our assumption).
BACKGROUND_ERROR = 0.05


class SWIFT(Catalog):
    """
    Swift XRT in photon counting mode, 2SXPS and LSXPS.

    Counts and background in the aperture, with area x exposure over the correction factor ``RateCF``
    (point-spread function, vignetting, dead pixels); where a table has only rates, a rate R with error
    sigma stands for (R / sigma)**2 counts. The area is that of one on-axis response of 2013; of the
    catalog's own factor from rate to flux (0.3-10 keV, index 1.7) it makes 2 % less. No model was trained
    on Swift, which the flag `OUTSIDE_MISSION` says.
    """

    name = "swift"
    title = "Swift XRT"
    telescopes = ("SWIFT",)
    instruments = ("XRT",)
    bands = (("1", 0.3, 1.0), ("2", 1.0, 2.0), ("3", 2.0, 10.0))
    _curve = "swift-xrt"
    _tell_tale = re.compile(r"(rate|counts|bgcounts|ratecf)_band[0-3](_pos|_neg)?")
    #: A bright source nearby, or stray light.
    _positive = (("nearbrightsourcewarning", Flag.CONFUSED), ("straylightwarning", Flag.CONFUSED))

    def expected_columns(self):
        """Columns looked for, in words."""
        return ("Counts_band1, BgCounts_band1, RateCF_band1 and Exposure, or Rate_band1, Rate_band1_pos and "
                "Rate_band1_neg, and the same for bands 2 and 3")

    def read_bands(self, table):
        """Energy bins from the table's band columns; see `Mission.read_bands`."""
        cols, bands = Columns(table), self.bands
        named = {kind: [cols.spelled(f"{kind}_band{b}") for b, _, _ in bands] for kind in ("counts", "rate")}
        if not any(named["counts"] + named["rate"]):
            raise self._missing(table)
        area = band_area(self._curve, [b[1:] for b in bands])
        counts, background, factor = (cols.of_bands(bands, f"{stem}_band{{}}")
                                      for stem in ("counts", "bgcounts", "ratecf"))
        with np.errstate(all="ignore"):
            effective = area * cols.number("exposure", "s")[:, None] / factor
        cause = np.select([~np.isfinite(counts) | ~np.isfinite(background), (counts < 0) | (background < 0),
                           ~(effective > 0)], [1, 2, 5], 0)
        sets = [BandSet("aperture counts", counts, effective, cause, background,
                        BACKGROUND_ERROR * background, columns=named["counts"])]
        rate, high, low = (cols.of_bands(bands, f"rate_band{{}}{end}", COUNT_RATE)
                           for end in ("", "_pos", "_neg"))
        error = np.where(rate == 0, high, 0.5 * (np.abs(high) + np.abs(low)))
        counts, ratio, cause = counts_from_error(rate, error)
        sets.append(BandSet("count rates", counts, ratio * area, cause, columns=named["rate"]))
        return self._assemble(table, bands, sets)
