# Licensed under a 3-clause BSD style license - see LICENSE
"""
Chandra Source Catalog, releases 2.0 and 2.1.

Tables of master sources, stacks and single observations, with the column
names of CSCview and TAP (``flux_aper_lolim_s``, ``o.flux_aper_s``), of HEASARC
(``s_flux_ap``), or of VizieR's master table IX/57 (``Fluxs``, known by its column
``2CXO``): see `~astro_xlatent.missions._csc_names`. HEASARC's names of photon fluxes are
not known.

References
----------
Column descriptions: https://cxc.cfa.harvard.edu/csc/columns/ (fluxes.html, ebands.html);
Evans et al. 2024, ApJS 274, 22; Evans et al. 2010, ApJS 189, 37.
"""

import re
from dataclasses import replace
from functools import partial

import numpy as np

from astro_xlatent.core.errors import ParameterError
from astro_xlatent.core.flags import Flag
from astro_xlatent.missions._bandset import BandSet, assemble
from astro_xlatent.missions._columns import ENERGY_FLUX, PHOTON_FLUX, name_columns
from astro_xlatent.missions._csc_areas import (
    EFFECTIVE_ENERGY,
    FRACTION_OF_BAND,
    default_area,
    mean_over_effective,
    solve_apertures,
)
from astro_xlatent.missions._csc_fluxes import energy_sets, hardness_sets, photon_sets, reference_energy
from astro_xlatent.missions._csc_names import CscColumns
from astro_xlatent.missions.base import (
    MissingBandsError,
    Mission,
    list_files,
    product_kind,
)
from astro_xlatent.missions.curves import load_curve
from astro_xlatent.missions.responses import default_response
from astro_xlatent.spectra.binning import off_region_error

__all__ = ["CSC", "EFFECTIVE_ENERGY", "FRACTION_OF_BAND", "RICHEST_FIRST", "TRAINED_RECIPES"]

ULTRASOFT = ("u", 0.2, 0.5)
#: What the products are called in file names.
PRODUCTS = {"spectrum": "pha3", "arf": "arf3", "rmf": "rmf3", "events": "regevt3", "regions": "reg3"}
#: What a row may be read from, the most informative first.
RICHEST_FIRST = ("aperture counts", "photon flux", "energy flux")
#: Of these, what the bundled model was trained on as the catalog defines it: goes before the
#: others, which get a flag. All of `RICHEST_FIRST` once such a model is bundled.
TRAINED_RECIPES = RICHEST_FIRST
_WIDE_BAND = ("flux_aper_w", "photflux_aper_w", "flux_aper90_w", "src_cnts_aper_w")
_FLAG_COLUMNS = (
    ("sat_src_flag", Flag.SATURATED), ("streak_src_flag", Flag.SATURATED),
    ("pileup_flag", Flag.PILEUP), ("conf_flag", Flag.CONFUSED), ("conf_code", Flag.CONFUSED),
    ("extent_flag", Flag.EXTENDED), ("extent_code", Flag.EXTENDED),
)
_TELL_TALE = re.compile(
    r"(photflux|flux|src_cnts|cnts)_aper(90)?(bkg)?_(\w+_)?[usmhbw]|hard_(hm|hs|ms)(_\w+)?")
_PHA_NAME = re.compile(
    r"(?P<instrument>acis|hrc)[a-z](?P<obsid>\d{5,6})_(?P<obi>\d{3})n(?P<version>\d{3})"
    r"(?:_(?P<cycle>[a-z]\d))?_r(?P<region>\d{4,5})_pha3\.fits(?:\.gz)?"
)


class CSC(Mission):
    """
    Chandra Source Catalog.

    Parameters
    ----------
    ultrasoft : bool, optional
        Also read band u (0.2-0.5 keV). Its flux-to-count ratio is unreliable.
    recipes : sequence of str, optional
        What to read, of `RICHEST_FIRST`; by default everything.

    Notes
    -----
    Each row is read in the way with most usable bands; of equals, in the order of
    `RICHEST_FIRST`, those in `TRAINED_RECIPES` before the others:

    - aperture counts and background (``cnts_aper_*``, ``cnts_aperbkg_*``); the ratio of the
      apertures' areas is ``area_aper`` over ``area_aperbkg``, or follows from the net counts
      ``src_cnts_aper_*`` = (counts - ratio x background) / fraction of all bands; area x
      exposure is the published net counts over the photon (else energy) flux, times the
      fraction of the PSF;
    - photon fluxes with limits; counts over flux is exposure times the area at
      `EFFECTIVE_ENERGY`, which the shipped curve of chip and year turns into the mean area;
    - energy fluxes with limits (or symmetric errors ``e_...``): see
      `~astro_xlatent.missions._bandset.counts_from_flux`;
    - aperture counts with the default response, ``livetime`` and ``theta``;
    - last, hardness ratios ``hard_hm``, ``hard_hs``, ``hard_ms`` with a broad flux or an exposure.

    Fluxes without an error, and bands without a flux in which nothing was detected, get their
    counts from the other bands, the broad band, the widths of the hardness ratios' limits or the
    significance, see `~astro_xlatent.missions._one_exposure.complete`.

    Examples
    --------
    >>> from astropy.table import Table
    >>> from astro_xlatent.missions.csc import CSC
    >>> t = Table({f"{k}_{b}": [v] for b in "smh" for k, v in [("photflux_aper", 1e-5),
    ...            ("photflux_aper_lolim", 0.888e-5), ("photflux_aper_hilim", 1.112e-5)]})
    >>> CSC().read_bands(t).bins.counts.round()
    array([[100., 100., 100.]])
    """

    name = "csc"
    title = "Chandra Source Catalog"
    telescopes = ("CHANDRA",)
    instruments = ("ACIS",)
    bands = (("s", 0.5, 1.2), ("m", 1.2, 2.0), ("h", 2.0, 7.0))

    def __init__(self, ultrasoft=False, recipes=RICHEST_FIRST):
        unknown = [name for name in recipes if name not in RICHEST_FIRST]
        if unknown:
            msg = f"recipes names {', '.join(map(repr, unknown))}; allowed: {', '.join(RICHEST_FIRST)}"
            raise ParameterError(msg)
        self.recipes = tuple(recipes)
        if ultrasoft:
            self.bands = (ULTRASOFT, *self.bands)

    def matches(self, table):
        """Number of CSC band columns, and one for ``obsid`` with ``region_id``."""
        cols = CscColumns(table)
        found = sum(bool(_TELL_TALE.fullmatch(name)) for name in cols)
        return found + ("obsid" in cols and "region_id" in cols)

    def expected_columns(self):
        """Columns looked for, in words."""
        return ("flux_aper_s, flux_aper_lolim_s, flux_aper_hilim_s (or photflux_aper_..., flux_aper90_..., "
                "s_flux_ap, Fluxs with 2CXO, or cnts_aper_s with src_cnts_aper_s) and the same for m and h")

    def catalog_flags(self, table):
        """Bits for saturation and streaks, pile-up, confusion and extent."""
        cols = CscColumns(table)
        flags = np.zeros(len(table), np.int64)
        for name, bit in _FLAG_COLUMNS:
            flags |= np.where(cols.boolean(name), bit, 0)
        return flags

    def read_bands(self, table):
        """
        Energy bins from the table's band columns, see `Mission.read_bands`.

        Columns without a unit are taken to have the catalog's (photons/s/cm2, erg/s/cm2, s, arcmin,
        arcsec2).
        """
        cols = CscColumns(table)
        sets = self._ways(cols)
        # Decided by columns alone, so that a chunk of rows is treated like the whole table.
        if not sets and not any(name in cols for name in _WIDE_BAND):
            msg = (f"table has no band columns of the CSC that can be read (it has "
                   f"{name_columns(table, _looks_like_band)}); expected {self.expected_columns()}")
            raise MissingBandsError(msg)
        shape = (len(cols), len(self.bands))
        sets = sets or [BandSet("", np.zeros(shape), np.zeros(shape), np.ones(shape, int))]
        middle = np.sqrt([lo * hi for _, lo, hi in self.bands])
        result = assemble(self.bands, load_curve("acis-s").fwhm(middle), sets, self.catalog_flags(table))
        empty = (result.flags & Flag.NO_DATA) > 0
        for row in np.flatnonzero(empty & self._has_wide_band(cols)):
            result.reason[row] = "no usable band (only the HRC band w, which has no energy resolution)"
        return result

    @staticmethod
    def _has_wide_band(cols):
        """Rows of HRC: a flux in band w, or the instrument's name."""
        found = np.char.startswith(cols.text("instrument"), "hrc")
        for name in _WIDE_BAND:
            found = found | np.isfinite(cols.number(name))
        return found

    def _ways(self, cols):
        """All `BandSet` that the columns allow, best first."""
        makers = {"aperture counts": self._count_sets,
                  "photon flux": lambda cols: photon_sets(cols, self.bands, self.relative_error),
                  "energy flux": lambda cols: energy_sets(cols, self.bands, self.relative_error)}
        order = sorted(RICHEST_FIRST, key=lambda name: name not in TRAINED_RECIPES)
        sets = []
        for name in order:
            if name not in self.recipes:
                continue
            made = makers[name](cols)
            if name not in TRAINED_RECIPES:
                made = [replace(one, flags=one.flags | Flag.UNTRAINED_RECIPE) for one in made]
            sets += made
        if "aperture counts" in self.recipes:
            sets += self._default_sets(cols)
        usable = np.any([np.zeros(len(cols), bool), *(one.valid.any(axis=1) for one in sets)], axis=0)
        # Ratios know less than any band: only for rows that have nothing else.
        return sets + [replace(one, cause=np.where(usable[:, None], 1, one.cause), flags=one.flags
                               | Flag.UNTRAINED_RECIPE) for one in hardness_sets(cols, self.bands)]

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
        if not any(f"src_cnts_aper_{b}" in cols and f"{quantity}_aper_{b}" in cols for b, _, _ in self.bands):
            return None
        areas = []
        for k, (band, _, _) in enumerate(self.bands):
            ratio = np.full(len(cols), np.nan)
            for part in ("hilim_", ""):  # the upper limit is above zero for undetected bands, too
                net = cols.number(f"src_cnts_aper_{part}{band}")
                flux = cols.number(f"{quantity}_aper_{part}{band}", unit)
                with np.errstate(all="ignore"):
                    ratio = np.where(np.isfinite(ratio) & (ratio > 0), ratio, net / flux)
            with np.errstate(over="ignore"):
                areas.append(ratio * (reference_energy(self.bands)[k] if weighted else 1.0))
        return np.stack(areas, axis=1)

    def product_names(self, table, kind="spectrum"):
        """
        File names of per-observation products, see `Mission.product_names`; ``kind`` is one of `PRODUCTS`.

        The version is ``*``, for spectrum and responses of one detection may have different ones; so is
        the cycle of alternating exposures. None without ``obsid`` and ``region_id``.

        Examples
        --------
        >>> from astropy.table import Table
        >>> from astro_xlatent.missions.csc import CSC
        >>> CSC().product_names(Table({"obsid": [4487], "obi": [1], "region_id": [9]}))
        ['acisf04487_001N*_r0009_pha3.fits*']
        """
        ending = product_kind(kind, PRODUCTS)
        cols = CscColumns(table)
        detector = np.where(np.char.startswith(cols.text("instrument"), "hrc"), "hrc", "acis")
        keys = zip(*(cols.number(k).tolist() for k in ("obsid", "obi", "region_id")), strict=True)
        return [f"{name}f{int(obsid):05d}_{'*' if np.isnan(obi) else f'{int(obi):03d}'}N*_r{int(region):04d}"
                f"_{ending}.fits*" if np.isfinite([obsid, region]).all() else None
                for name, (obsid, obi, region) in zip(detector.tolist(), keys, strict=True)]

    def find_spectra(self, table, folder):
        """
        PHA files by the CSC's naming.

        Needs the columns ``obsid`` and ``region_id``, and ``obi`` (0 where
        absent matches any). Of several versions of a file the newest counts,
        whatever the versions of its ARF and RMF; of alternating exposures the
        first cycle. Rows of master tables cannot be matched by name: None.
        """
        cols = CscColumns(table)
        if "obsid" not in cols or "region_id" not in cols:
            return [None] * len(table)
        files = {}
        for path in list_files(folder, ("_pha3.fits", "_pha3.fits.gz")):
            found = _PHA_NAME.fullmatch(path.name.lower())
            if found:
                key = tuple(int(found[k]) for k in ("obsid", "obi", "region"))
                rank = (int(found["version"]), -ord((found["cycle"] or " ")[-1]), path.suffix != ".gz")
                for k in (key, (key[0], None, key[2])):
                    if k not in files or rank > files[k][0]:
                        files[k] = (rank, path)
        keys = zip(*(cols.number(k).tolist() for k in ("obsid", "obi", "region_id")), strict=True)
        return [_lookup(files, key) for key in keys]

    def default_response(self, instrument=None, year=None):
        """ACIS-S (or ``instrument="ACIS-I"``) on axis."""
        return default_response(self.name, instrument, year)


def _looks_like_band(name):
    return "flux" in name or "cnts" in name


def _per_band(cols, bands, stem, unit=None, default=np.nan):
    """Columns ``stem_s``, ... or one column ``stem`` for all bands, shape (rows, bands)."""
    names = [cols.first(f"{stem}_{b[0]}", stem) or stem for b in bands]
    return np.stack([cols.number(name, unit, default=default) for name in names], axis=1)


def _with_area(raw, area, weighted, flag):
    """Raw counts with an area as a `BandSet`."""
    cause = np.where((raw["cause"] == 0) & ~(np.isfinite(area) & (area > 0)), 5, raw["cause"])
    flags = np.broadcast_to(np.asarray(flag, np.int64), cause.shape)
    return BandSet("aperture counts", raw["counts"], area, cause, raw["background"], raw["error"],
                   energy_weighted=weighted, flags=flags, columns=raw["columns"])


def _lookup(files, key):
    """Path for (obsid, obi, region) with NaN for missing, or None."""
    obsid, obi, region = key
    if not (np.isfinite(obsid) and np.isfinite(region)):
        return None
    found = files.get((int(obsid), int(obi) if np.isfinite(obi) else None, int(region)))
    return found[1] if found else None
