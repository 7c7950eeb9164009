# Licensed under a 3-clause BSD style license - see LICENSE
"""
Chandra Source Catalog, releases 2.0 and 2.1.

Tables of master sources, stacks and single observations, with the column names of CSCview
and TAP, of HEASARC, or of VizieR's master table IX/57 (known by its column ``2CXO``).

References
----------
Column descriptions: https://cxc.cfa.harvard.edu/csc/columns/ (fluxes.html, ebands.html);
Evans et al. 2024, ApJS 274, 22; Evans et al. 2010, ApJS 189, 37.
"""

import re
from functools import partial

import numpy as np

from astro_xlatent.core.errors import ParameterError
from astro_xlatent.core.flags import Flag
from astro_xlatent.missions._bandset import BandSet
from astro_xlatent.missions._catalog import Catalog
from astro_xlatent.missions._columns import ENERGY_FLUX, PHOTON_FLUX
from astro_xlatent.missions._csc_areas import (
    EFFECTIVE_ENERGY,
    FRACTION_OF_BAND,
    default_area,
    mean_over_effective,
    solve_apertures,
)
from astro_xlatent.missions._csc_fluxes import flux_sets, hardness_sets, reference_energy
from astro_xlatent.missions._spellings import CscColumns
from astro_xlatent.spectra.binning import off_region_error

__all__ = ["CSC", "EFFECTIVE_ENERGY", "FRACTION_OF_BAND", "RICHEST_FIRST"]

ULTRASOFT = ("u", 0.2, 0.5)
#: What a row may be read from, the most informative first. The bundled model was trained on all.
RICHEST_FIRST = ("aperture counts", "photon flux", "energy flux")
_WIDE_BAND = ("flux_aper_w", "photflux_aper_w", "flux_aper90_w", "src_cnts_aper_w")


class CSC(Catalog):
    """
    Chandra Source Catalog.

    Parameters
    ----------
    ultrasoft : bool, optional
        Also read band u (0.2-0.5 keV). Its flux-to-count ratio is unreliable.
    recipes : sequence of str, optional
        What to read, of `RICHEST_FIRST`; by default everything.

    Each row is read in the way with most usable bands; of equals, in the order of `RICHEST_FIRST`:

    - aperture counts and background (``cnts_aper_*``, ``cnts_aperbkg_*``); the ratio of the apertures'
      areas is ``area_aper`` over ``area_aperbkg``, or follows from the net counts ``src_cnts_aper_*`` =
      (counts - ratio x background) / fraction of all bands; area x exposure is net counts over
      photon (else energy) flux, times the fraction of the PSF;
    - photon fluxes with limits; counts over flux is exposure times the area at `EFFECTIVE_ENERGY`,
      which the shipped curve of chip and year turns into the mean area;
    - energy fluxes with limits (or symmetric errors ``e_...``), see `counts_from_flux`;
    - aperture counts with the default response, ``livetime`` and ``theta``;
    - last, hardness ratios ``hard_hm``, ``hard_hs``, ``hard_ms`` with a broad flux or an exposure.

    Fluxes without an error, and bands without a flux in which nothing was detected, get their counts
    from the other bands, the broad band, the widths of the hardness ratios' limits or the
    significance, see `~astro_xlatent.missions._one_exposure.complete`.
    """

    name = "csc"
    title = "Chandra Source Catalog"
    telescopes = ("CHANDRA",)
    instruments = ("ACIS",)
    bands = (("s", 0.5, 1.2), ("m", 1.2, 2.0), ("h", 2.0, 7.0))
    _columns, _curve, _identifiers = CscColumns, "acis-s", (("obsid", "region_id"),)
    _tell_tale = re.compile(
        r"(photflux|flux|src_cnts|cnts)_aper(90)?(bkg)?_(\w+_)?[usmhbw]|hard_(hm|hs|ms)(_\w+)?")
    _true = (
        ("sat_src_flag", Flag.SATURATED), ("streak_src_flag", Flag.SATURATED), ("pileup_flag", Flag.PILEUP),
        ("conf_flag", Flag.CONFUSED), ("conf_code", Flag.CONFUSED), ("extent_flag", Flag.EXTENDED),
        ("extent_code", Flag.EXTENDED),
    )
    _products = {"spectrum": "pha3", "arf": "arf3", "rmf": "rmf3", "events": "regevt3", "regions": "reg3"}
    _spectrum = re.compile(
        r"(?:acis|hrc)[a-z](?P<obsid>\d{5,6})_(?P<obi>\d{3})n(?P<version>\d{3})"
        r"(?:_(?P<cycle>[a-z]\d))?_r(?P<region>\d{4,5})_pha3\.fits(?:\.gz)?")

    def __init__(self, ultrasoft=False, recipes=RICHEST_FIRST):
        unknown = [name for name in recipes if name not in RICHEST_FIRST]
        if unknown:
            msg = f"recipes names {', '.join(map(repr, unknown))}; allowed: {', '.join(RICHEST_FIRST)}"
            raise ParameterError(msg)
        self.recipes = tuple(recipes)
        if ultrasoft:
            self.bands = (ULTRASOFT, *self.bands)

    def expected_columns(self):
        """Columns looked for, in words."""
        return ("flux_aper_s, flux_aper_lolim_s, flux_aper_hilim_s (or photflux_aper_..., flux_aper90_..., "
                "s_flux_ap, Fluxs with 2CXO, or cnts_aper_s with src_cnts_aper_s) and the same for m and h")

    def read_bands(self, table):
        """Energy bins from the table's band columns, see `Mission.read_bands`; no unit: the catalog's."""
        cols = CscColumns(table)
        sets, ratios = self._ways(cols), hardness_sets(cols, self.bands)
        # Decided by columns alone, so that a chunk of rows is treated like the whole table.
        if not sets + ratios and not any(name in cols for name in _WIDE_BAND):
            raise self._missing(table)
        shape = (len(cols), len(self.bands))
        sets = sets or [BandSet("", np.zeros(shape), np.zeros(shape), np.ones(shape, int))]
        result = self._assemble(table, self.bands, sets, ratios)
        hrc = np.char.startswith(cols.text("instrument"), "hrc")
        hrc = hrc | np.isfinite(cols.numbers(_WIDE_BAND)).any(axis=1)
        for row in np.flatnonzero(hrc & ((result.flags & Flag.NO_DATA) > 0)):
            result.reason[row] = "no usable band (only the HRC band w, which has no energy resolution)"
        return result

    def _ways(self, cols):
        """All `BandSet` that the columns allow, best first."""
        counted, sets = "aperture counts" in self.recipes, []
        if counted:
            sets += self._count_sets(cols)
        for name, quantity in (("photon flux", "photflux"), ("energy flux", "flux")):
            if name in self.recipes:
                sets += flux_sets(cols, self.bands, quantity, self.relative_error)
        return sets + (self._default_sets(cols) if counted else [])

    def _count_sets(self, cols):
        raw = self._raw_counts(cols)
        if raw is None:
            return []
        sets = []
        for quantity, unit, weighted in (("photflux", PHOTON_FLUX, False), ("flux", ENERGY_FLUX, True)):
            area = self._area_from_counts(cols, quantity, unit, weighted)
            if area is None:
                continue
            ratio, flags = (1.0, 0) if weighted else mean_over_effective(cols, self.bands)
            sets.append(_with_area(raw, area * ratio * raw["fraction"], weighted, flags))
        return sets

    def _default_sets(self, cols):
        raw = self._raw_counts(cols)
        if raw is None or "livetime" not in cols:
            return []
        area, share, flags = default_area(cols, self.bands, raw["counts"] - raw["background"])
        thinned = {**raw, **{key: raw[key] * share for key in ("counts", "background", "error")}}
        area = area * share * raw["fraction"]
        return [_with_area(thinned, area, False, flags | Flag.DEFAULT_RESPONSE)]

    def _raw_counts(self, cols):
        """Aperture counts, expected background and its error, or None without the columns."""
        for ap in ("aper", "aper90"):
            names = [f"cnts_{ap}_{b}" for b, _, _ in self.bands]
            if not any(n in cols for n in names):
                continue
            get = partial(_per_band, cols, self.bands)
            on, off_area = get(f"area_{ap}", "arcsec2"), get(f"area_{ap}bkg", "arcsec2")
            counts, off = get(f"cnts_{ap}"), get(f"cnts_{ap}bkg")
            fraction = get(f"psf_frac_{ap}")
            bands = np.array([FRACTION_OF_BAND[b] for b, _, _ in self.bands])
            solved, share = solve_apertures(counts, off, get(f"src_cnts_{ap}") * bands)
            with np.errstate(all="ignore"):
                scale = on / off_area
                unknown = ~(np.isfinite(on) & np.isfinite(off_area))
                scale = np.where(unknown, solved[:, None], scale)
                fraction = np.where((fraction > 0) & (fraction <= 1), fraction, share[:, None] * bands)
                width = np.array([hi - lo for _, lo, hi in self.bands])
                background, error = off * scale, off_region_error(off, scale, width)
            cause = np.select(
                [~np.isfinite(counts) | ~np.isfinite(off), (counts < 0) | (off < 0),
                 unknown & ~np.isfinite(scale), ~(scale > 0) | ~np.isfinite(scale)], [1, 2, 8, 5], 0)
            return {"counts": counts, "background": background, "error": error,
                    "cause": cause, "fraction": fraction, "columns": [cols.spelled(n) for n in names]}
        return None

    def _area_from_counts(self, cols, quantity, unit, weighted):
        """Published net counts over flux: area x exposure of the whole PSF, or None."""
        names = [b for b, _, _ in self.bands]
        if not any(f"src_cnts_aper_{b}" in cols and f"{quantity}_aper_{b}" in cols for b in names):
            return None
        with np.errstate(all="ignore"):
            # the upper limit is above zero for undetected bands, too
            top, plain = (cols.numbers([f"src_cnts_aper_{part}{b}" for b in names])
                          / cols.numbers([f"{quantity}_aper_{part}{b}" for b in names], unit)
                          for part in ("hilim_", ""))
            ratio = np.where(np.isfinite(top) & (top > 0), top, plain)
            return ratio * reference_energy(self.bands) if weighted else ratio

    def product_names(self, table, kind="spectrum"):
        """See `Mission.product_names`; version and cycle of alternating exposures are ``*``."""
        ending, cols = self._word(kind), CscColumns(table)
        detector = np.where(np.char.startswith(cols.text("instrument"), "hrc"), "hrc", "acis")
        return [f"{name}f{int(obsid):05d}_{'*' if obi is None else f'{int(obi):03d}'}N*_r{int(region):04d}"
                f"_{ending}.fits*" if np.isfinite([obsid, region]).all() else None
                for name, (obsid, obi, region) in zip(detector.tolist(), _keys(cols), strict=True)]

    def find_spectra(self, table, folder):
        """
        PHA files by ``obsid``, ``region_id`` and ``obi`` (where absent any), which master tables lack: None.
        Of several versions the newest counts, of alternating exposures the first cycle.
        """
        def describe(found, path):
            obsid, obi, region = (int(found[k]) for k in ("obsid", "obi", "region"))
            rank = (-int(found["version"]), ord((found["cycle"] or " ")[-1]), path.suffix == ".gz")
            return ((obsid, obi, region), (obsid, None, region)), rank

        return self._find(folder, _keys(CscColumns(table)), describe)


def _keys(cols):
    """Observation, interval (None where not told) and region a row, NaN where not told."""
    keys = zip(*(cols.number(k).tolist() for k in ("obsid", "obi", "region_id")), strict=True)
    return [(obsid, None if np.isnan(obi) else obi, region) for obsid, obi, region in keys]


def _per_band(cols, bands, stem, unit=None):
    """Columns ``stem_s``, ... or one column ``stem`` for all bands, shape (rows, bands)."""
    return cols.numbers([cols.first(f"{stem}_{b[0]}", stem) or stem for b in bands], unit)


def _with_area(raw, area, weighted, flag):
    """Raw counts with an area as a `BandSet`."""
    cause = np.where((raw["cause"] == 0) & ~(np.isfinite(area) & (area > 0)), 5, raw["cause"])
    flags = np.broadcast_to(np.asarray(flag, np.int64), cause.shape)
    return BandSet("aperture counts", raw["counts"], area, cause, raw["background"], raw["error"],
                   energy_weighted=weighted, flags=flags, columns=raw["columns"])
