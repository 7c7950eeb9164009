# Licensed under a 3-clause BSD style license - see LICENSE
"""
XMM-Newton EPIC: spectra, and the bands of the 4XMM catalogs, of detections and of unique sources.

Fluxes of the catalog are count rates over the energy conversion factor of an absorbed power law, rates
are corrected for vignetting and for the whole point-spread function.

References
----------
Watson et al. 2009, A&A 493, 339 (bands, Table 1: conversion factors); Webb et al. 2020, A&A 641, A136 (4XMM).
"""

import re
from functools import cache

import numpy as np

from astro_xlatent.core.flags import Flag
from astro_xlatent.missions._bandset import COUNT_VARIANCE, MAX_FLUX, BandSet, counts_from_error
from astro_xlatent.missions._catalog import Catalog
from astro_xlatent.missions._columns import COUNT_RATE, ENERGY_FLUX
from astro_xlatent.missions._one_exposure import complete, exposure_of_ratios, first_finite, shape_of_ratios
from astro_xlatent.missions._spellings import XmmColumns
from astro_xlatent.missions.responses import band_area, conversion_factor
from astro_xlatent.physics.absorption import transmission
from astro_xlatent.physics.emission import powerlaw
from astro_xlatent.physics.grid import KEV_TO_ERG

__all__ = ["ECF", "XMM", "reference_spectrum"]

#: Cameras as the catalog's columns begin.
CAMERAS = ("pn", "m1", "m2")
#: Counts cm2 per 1e11 erg in bands 1 to 5, by optical filter and camera (Watson et al. 2009, Table 1).
ECF = {
    "thin": {"pn": (9.056, 8.253, 5.878, 1.950, 0.555), "m1": (1.725, 1.807, 2.028, 0.747, 0.144),
             "m2": (1.738, 1.810, 2.034, 0.751, 0.151)},
    "medium": {"pn": (7.880, 7.995, 5.779, 1.927, 0.554), "m1": (1.514, 1.756, 1.993, 0.738, 0.143),
               "m2": (1.521, 1.759, 1.999, 0.742, 0.151)},
    "thick": {"pn": (4.699, 6.138, 4.999, 1.827, 0.548), "m1": (0.985, 1.426, 1.775, 0.708, 0.141),
              "m2": (0.983, 1.428, 1.781, 0.712, 0.149)},
}
#: Photon index and column in 1/cm2 of the catalog's conversion factors (same table).
REFERENCE_INDEX, REFERENCE_NH = 1.7, 3e20
#: Detection likelihood per count: 0.4 to 1.5 in detections of 8 to 140; an order of magnitude for
#: rows that say nothing else.
LIKELIHOOD_PER_COUNT = 1.0


def reference_spectrum():
    """The spectrum of the catalog's conversion factors, photons/cm2/s per bin of the package's grid."""
    return powerlaw(REFERENCE_INDEX) * transmission(REFERENCE_NH)


@cache
def _area_per_ecf():
    """Mean band area over the conversion factor, in cm2 / (counts cm2 / erg), shape (5,); of EPIC pn."""
    bounds = [b[1:] for b in XMM.bands]
    return band_area("xmm-pn", bounds) / conversion_factor("xmm", bounds, reference_spectrum(), "EPN")


class XMM(Catalog):
    """
    XMM-Newton EPIC, and 4XMM.

    For each band a value F with error sigma stands for (F / sigma)**2 counts;
    a value of zero for no counts, and 1.14 counts at sigma. In order:

    1. ``EP_1_FLUX``, all cameras together: needs no filter;
    2. rates ``PN_1_RATE``, ``M1_...``, ``M2_...``, with the conversion factors of the camera's filter
       (medium where ``PN_FILTER`` is not there: flagged), counts and area x exposure added up;
    3. fluxes of a single camera; 4. ``SC_EP_1_FLUX``, the mean over the observations of a source;
    5. where a row has none of these, hardness ratios ``EP_HR1`` to ``EP_HR4`` (``SC_``, ``PN_``, ...)
       of neighboring bands' rates with a broad flux, all cameras with the medium filter.

    Fluxes without errors get their counts from broad-band counts, rates or the detection
    likelihood, see `~astro_xlatent.missions._one_exposure.complete`.
    """

    name = "xmm"
    title = "XMM-Newton EPIC"
    telescopes = ("XMM", "XMM-NEWTON")
    instruments = ("EPN", "EMOS1", "EMOS2")
    bands = (("1", 0.2, 0.5), ("2", 0.5, 1.0), ("3", 1.0, 2.0), ("4", 2.0, 4.5), ("5", 4.5, 12.0))
    _columns, _curve = XmmColumns, "xmm-pn"
    _tell_tale = re.compile(
        r"(sc_)?(ep|pn|m1|m2)_[1-9]_(rate|flux|rate_err|flux_err|det_ml)|(sc|ep|pn|m1|m2)_hr[1-4]")
    _true = (("confused", Flag.CONFUSED),)
    _positive = (("ep_extent", Flag.EXTENDED), ("sc_extent", Flag.EXTENDED))
    #: Of the pipeline: P, observation, camera, exposure, source number in hexadecimal.
    _spectrum = re.compile(r"p(?P<obs>\d{10})(?P<camera>pn|m1|m2)[su]\d{3}srspec(?P<source>[0-9a-f]{4})"
                           r"\.(?:ftz|fits|fits\.gz)")

    def expected_columns(self):
        """Columns looked for, in words."""
        return ("EP_1_FLUX, EP_1_FLUX_ERR (or PN_1_RATE, PN_1_RATE_ERR, M1_..., M2_..., or SC_EP_1_FLUX) and "
                "the same for bands 2 to 5, or EP_HR1 to EP_HR4 with EP_8_FLUX")

    def find_spectra(self, table, folder):
        """Source spectra by the pipeline's names, ``OBS_ID`` and ``SRC_NUM``: of pn, MOS1 or MOS2."""
        def describe(found, path):
            key = int(found["obs"]), int(found["source"], 16)
            return [key], (CAMERAS.index(found["camera"]), path.name)

        cols = XmmColumns(table)
        keys = zip(cols.number("obs_id").tolist(), cols.number("src_num").tolist(), strict=True)
        return self._find(folder, keys, describe)

    def read_bands(self, table):
        """Energy bins from the table's band columns; without a unit they are in the catalog's."""
        cols = XmmColumns(table)
        sets = [*self._fluxes(cols, "ep"), *self._rates(cols),
                *(one for prefix in (*CAMERAS, "sc_ep") for one in self._fluxes(cols, prefix))]
        ratios = [one for prefix in ("ep", "sc", *CAMERAS) for one in self._ratios(cols, prefix)]
        if not sets + ratios:
            raise self._missing(table)
        return self._assemble(table, self.bands, sets, ratios)

    def _fluxes(self, cols, prefix):
        """Fluxes of one camera or of all, as a `BandSet`, none without the columns."""
        columns = [cols.spelled(f"{prefix}_{b}_flux") for b, _, _ in self.bands]
        if not any(columns):
            return []
        value, error = (cols.of_bands(self.bands, f"{prefix}_{{}}_flux{end}", ENERGY_FLUX)
                        for end in ("", "_err"))
        counts, area, cause = counts_from_error(value, error, most=MAX_FLUX * KEV_TO_ERG)
        counts, area, cause, flags = complete(value, counts, area, cause, conversion=_medium_ecf(), scale=1.0,
                                              total=_total(cols), relative_error=self.relative_error)
        area = area * _area_per_ecf()
        return [BandSet(f"{prefix} flux", counts, area, cause, flags=flags, columns=columns)]

    def _ratios(self, cols, prefix):
        """Hardness ratios of neighboring bands' rates with a broad flux, as a `BandSet`, or none."""
        names = [f"{prefix}_hr{k}" for k in range(1, 5)]
        if not any(name in cols for name in names):
            return []
        pairs = [(k + 1, k) for k in range(4)]
        ratios, errors = (cols.numbers([name + end for name in names]) for end in ("", "_err"))
        shape = shape_of_ratios(pairs, ratios, 5)
        rates = np.nan_to_num(shape)
        broad = first_finite(*(cols.number(f"{p}_8_flux", ENERGY_FLUX) for p in (prefix, "sc_ep", "ep")))
        with np.errstate(all="ignore"):
            per_rate = broad / (rates / _medium_ecf()).sum(axis=1)  # flux over ECF-weighted shape
            time = exposure_of_ratios(pairs, errors, shape, np.ones_like(shape)) * COUNT_VARIANCE
            time = first_finite(_total(cols), time)
            area = (time / per_rate)[:, None] * _medium_ecf() * _area_per_ecf()
        cause = np.select([~np.isfinite(shape), np.isnan(per_rate)[:, None] | (rates < 0),
                           np.isnan(time)[:, None] | (rates < 0)], [1, 9, 3], 0)
        return [BandSet("hardness ratios", rates * time[:, None], area, cause, flags=int(Flag.FROM_HARDNESS))]

    def _rates(self, cols):
        """Rates of all cameras, counts and areas added up, as a `BandSet`, none without the columns."""
        cameras = [camera for camera in CAMERAS if f"{camera}_1_rate" in cols]
        if not cameras:
            return []
        shape = len(cols), len(self.bands)
        counts, area, cause = np.zeros(shape), np.zeros(shape), np.ones(shape, int)
        flags = np.zeros((shape[0], 1), np.int64)
        for camera in cameras:
            value, error = (cols.of_bands(self.bands, f"{camera}_{{}}_rate{end}", COUNT_RATE)
                            for end in ("", "_err"))
            n, exposure, why = counts_from_error(value, error)
            factor, assumed = _conversion(cols, camera)
            good = why == 0
            counts += np.where(good, n, 0.0)
            area += np.where(good, exposure * factor * _area_per_ecf(), 0.0)
            cause = np.where(good, 0, np.where(cause == 1, why, cause))
            flags |= np.where(assumed[:, None] & good.any(axis=1, keepdims=True), Flag.DEFAULT_RESPONSE, 0)
        columns = [cols.spelled(*(f"{camera}_{b}_rate" for camera in CAMERAS)) for b, _, _ in self.bands]
        return [BandSet("camera rates", counts, area, cause, flags=flags, columns=columns)]


def _medium_ecf():
    """Conversion factors of all cameras with the medium filter in counts cm2 / erg, shape (5,)."""
    return 1e11 * np.sum(list(ECF["medium"].values()), axis=0)


def _total(cols):
    """Counts of all bands that broad-band counts, rates or the likelihood stand for, shape (rows,)."""
    found = []
    with np.errstate(all="ignore"):
        for stem in ("ep_8_cts", "ep_8_rate", "pn_8_cts", "pn_8_rate", "ep_8_flux", "sc_ep_8_flux"):
            found.append((cols.number(stem) / cols.number(f"{stem}_err")) ** 2)
    return first_finite(*found, *(cols.number(name) / LIKELIHOOD_PER_COUNT
                                  for name in ("ep_8_det_ml", "sc_det_ml", "pn_8_det_ml")))


def _conversion(cols, camera):
    """Conversion factors in counts cm2 / erg, shape (rows, 5), and where the filter is an assumption."""
    text = cols.text(f"{camera}_filter")
    known = [np.char.startswith(text, kind)[:, None] for kind in ECF]
    factor = np.select(known, [1e11 * np.array(table[camera]) for table in ECF.values()],
                       1e11 * np.array(ECF["medium"][camera]))
    return factor, ~np.any(known, axis=0)[:, 0]
