# Licensed under a 3-clause BSD style license - see LICENSE
"""
eROSITA: eRASS1 main, supplementary and hard catalogs, eFEDS, and later ones (eRASS:3).

The forced-photometry bands P1 to P5, in eFEDS b1 to b4, do not overlap and are the tokens; P6 to P9
overlap them and are never read. The numbered bands mean other energies in one-band and in three-band
catalogs (``_1`` is 0.2-2.3 keV in Main, 0.2-0.6 keV in Hard): they are used only where the P bands are
absent and other columns tell the catalog.

References
----------
Merloni et al. 2024, A&A 682, A34 (catalogs, Table D.1); Brunner et al.
2022, A&A 661, A1 (photometry, encircled-energy fraction of the apertures).
"""

import re
from functools import partial
from pathlib import Path

import numpy as np

from astro_xlatent.core.errors import TableError
from astro_xlatent.core.flags import Flag
from astro_xlatent.missions._bandset import MAX_FLUX, BandSet, counts_from_error
from astro_xlatent.missions._catalog import Catalog
from astro_xlatent.missions._columns import COUNT_RATE, ENERGY_FLUX
from astro_xlatent.missions._one_exposure import complete, first_finite
from astro_xlatent.missions._spellings import ErositaColumns
from astro_xlatent.missions.responses import band_area, conversion_factor
from astro_xlatent.physics.absorption import transmission
from astro_xlatent.physics.emission import powerlaw
from astro_xlatent.physics.grid import KEV_TO_ERG

__all__ = ["EROSITA"]

#: Fraction of the point-spread function in the catalogs' apertures.
APERTURE_FRACTION = 0.75
#: Relative uncertainty of the modeled background maps (our assumption).
BACKGROUND_ERROR = 0.05
#: Upper 1-sigma limit in counts of zero counts without background: Cash
#: statistic rises by 2 s, so s = 1/2; catalogs' errors of zero counts follow it.
ZERO_COUNTS_ERROR = 0.5
_P_BANDS = (("P1", 0.2, 0.5), ("P2", 0.5, 1.0), ("P3", 1.0, 2.0), ("P4", 2.0, 5.0), ("P5", 5.0, 8.0))
_EFEDS_BANDS = (("b1", 0.2, 0.5), ("b2", 0.5, 1.0), ("b3", 1.0, 2.0), ("b4", 2.0, 4.5))
_ONE_BAND = (("1", 0.2, 2.3),)
_THREE_BANDS = (("1", 0.2, 0.6), ("2", 0.6, 2.3), ("3", 2.3, 5.0))
#: Photon index and column in 1/cm2 of the catalogs' conversion factors.
REFERENCE_INDEX, REFERENCE_NH = 2.0, 3e20
#: What holds a band's photometry, the first that is there.
_KINDS = ("ape_cts", "ml_cts", "ml_rate", "ml_flux")
#: Columns that only catalogs detected in three bands, or in one, have.
_ONLY_THREE = ("uid_1b", "uid_main", "det_like_3", "ml_cts_3", "ml_rate_3", "ml_flux_3")
_ONLY_ONE = ("uid_hard",)
_SPURIOUS = ("flag_sp_snr", "flag_sp_bps", "flag_sp_scl", "flag_sp_lga", "flag_sp_gc", "flag_sp_gc_cons")
_MODULE_DIGIT = re.compile(r"(?:^|_)(\d)[0-4]\d_sourcespec")
_DETUID = re.compile(r"[a-z]{2}\d{2}_(?P<tile>\d{6})_\d{3}_ml(?P<source>\d{5})_\d{3}_c\d{3}")


class EROSITA(Catalog):
    """
    eROSITA all-sky survey catalogs.

    For each band: aperture counts ``APE_CTS_P*`` with the background ``APE_BKG_P*`` (5 % uncertain)
    and 0.75 x on-axis area x ``APE_EXP_P*``. Where these are missing or have overflowed:
    (``ML_CTS`` / ``ML_CTS_ERR``)**2 equivalent counts without background, and the on-axis area x
    ``ML_EXP`` in proportion; ``ML_RATE`` x ``ML_EXP`` where counts are left out; last ``ML_FLUX`` by the
    catalogs' conversion factors, without errors by ``DET_LIKE`` as counts. Both exposures are
    vignetted, so the area is that on axis. ``ML_BKG`` is counts per square arcminute and is not
    used; nor are the ``_UPERR`` columns, which in the three-pass catalog hold rate errors.
    """

    name = "erosita"
    title = "eROSITA all-sky survey"
    telescopes = ("EROSITA", "SRG/EROSITA")
    instruments = ("TM0", "MERGED", *(f"TM{k}" for k in range(1, 10)))
    bands = _P_BANDS
    _columns, _curve, _identifiers = ErositaColumns, "erosita-tm0", (("detuid",), ("skytile", "id_src"))
    _tell_tale = re.compile(r"(ape|ml)_(cts|bkg|exp|rate|flux)(_err)?_(p?\d|b[1-4])|det_like_(p?\d|b[1-4])")
    _true, _positive = tuple((name, Flag.CONFUSED) for name in _SPURIOUS), (("ext", Flag.EXTENDED),)
    _products = {"spectrum": "SourceSpec", "background": "BackgrSpec", "arf": "ARF", "rmf": "RMF",
                 "lightcurve": "LightCurve"}
    _spectrum = re.compile(r"(?:[a-z]{2}\d{2}_(?P<tile>\d{6})_)?(?P<tm>\d)\d\d_sourcespec_(?P<source>\d{5})"
                           r"(?:_c\d{3})?\.fits(?:\.gz)?")

    def expected_columns(self):
        """Columns looked for, in words."""
        return ("APE_CTS_P1, APE_BKG_P1, APE_EXP_P1 (or ML_CTS_P1, ML_CTS_ERR_P1, ML_EXP_P1, or ML_RATE_P1 "
                "with ML_RATE_ERR_P1 and ML_EXP_P1) and the same for P2 to P5, in eFEDS b1 to b4; numbered "
                "bands only with UID_Hard, or UID_1B or UID_Main, which tell the catalog")

    def _bands_of(self, cols):
        """Bands that the table has; the numbered ones only if the catalog is certain."""
        def present(bands):
            return any(f"{kind}_{b[0]}" in cols for b in bands for kind in _KINDS)

        for bands in (_P_BANDS, _EFEDS_BANDS):
            if present(bands):
                return bands
        if not present(_THREE_BANDS):
            raise self._missing(cols.table)
        three, one = (any(name in cols for name in names) for names in (_ONLY_THREE, _ONLY_ONE))
        if three == one:
            msg = ("ML_CTS_1 is 0.2-2.3 keV in the main catalog and 0.2-0.6 keV in the hard one, and the "
                   "table's columns do not tell which it is: keep UID_Hard (main) or UID_1B (hard), or the "
                   "P1 to P5 columns")
            raise TableError(msg)
        return _THREE_BANDS if three else _ONE_BAND

    def read_bands(self, table):
        """Energy bins from the table's band columns, see `Mission.read_bands`; no unit: seconds."""
        cols = ErositaColumns(table)
        bands = self._bands_of(cols)
        area = band_area(self._curve, [b[1:] for b in bands])
        aperture = self._aperture(cols, bands, area)
        mixed = _merge(_merge(aperture, self._fitted(cols, bands, area)), self._fluxes(cols, bands, area))
        mixed.columns = [cols.spelled(*(f"{kind}_{b[0]}" for kind in _KINDS)) for b in bands]
        return self._assemble(table, bands, [mixed], notes=self._notes(cols, aperture))

    @staticmethod
    def _aperture(cols, bands, area):
        get = partial(cols.of_bands, bands)
        counts, background, exposure = get("ape_cts_{}"), get("ape_bkg_{}"), get("ape_exp_{}", "s")
        fitted = get("ml_cts_{}")
        # Catalogs store the counts in 16 bits; bright sources wrap to negative
        # values or, further on, to small ones that the fitted counts betray.
        wrapped = (counts < 0) | (APERTURE_FRACTION * np.nan_to_num(fitted) > 32767)
        background = np.where(background < 0, 0.0, background)
        cause = np.select(
            [~np.isfinite(counts) | ~np.isfinite(background), wrapped, ~(exposure > 0)], [1, 6, 5], 0)
        with np.errstate(over="ignore"):
            effective = APERTURE_FRACTION * area * exposure
        return BandSet("aperture counts", counts, effective, cause, background, BACKGROUND_ERROR * background)

    @staticmethod
    def _fitted(cols, bands, area):
        get = partial(cols.of_bands, bands)
        fitted, error, exposure = get("ml_cts_{}"), get("ml_cts_err_{}"), get("ml_exp_{}", "s")
        with np.errstate(all="ignore"):
            # Where counts are left out, as at HEASARC, the vignetting-corrected rate holds them.
            fitted, error = (np.where(np.isfinite(v), v, get(rate, COUNT_RATE) * exposure)
                             for v, rate in ((fitted, "ml_rate_{}"), (error, "ml_rate_err_{}")))
            counts = np.where(fitted == 0, 0.0, (fitted / error) ** 2)
            share = np.where(fitted == 0, np.minimum(ZERO_COUNTS_ERROR / error, 1.0), counts / fitted)
            effective = area * exposure * share
        cause = np.select(
            [~np.isfinite(fitted), fitted < 0, ~(error > 0), ~(exposure > 0)], [1, 2, 3, 5], 0)
        return BandSet("PSF-fitted counts", counts, effective, cause)

    def _fluxes(self, cols, bands, area):
        """Fluxes: counts of the same relative error, by the catalog's conversion factors."""
        flux, error = (cols.of_bands(bands, name, ENERGY_FLUX) for name in ("ml_flux_{}", "ml_flux_err_{}"))
        counts, ratio, cause = counts_from_error(flux, error, most=MAX_FLUX * KEV_TO_ERG,
                                                 zero=ZERO_COUNTS_ERROR)
        photons = powerlaw(REFERENCE_INDEX) * transmission(REFERENCE_NH)
        factor = conversion_factor("erosita", [b[1:] for b in bands], photons)
        counts, ratio, cause, flags = complete(
            flux, counts, ratio, cause, conversion=factor, scale=1.0,
            total=first_finite(*(cols.number(f"det_like_{b}") for b in ("0", "1"))),
            relative_error=self.relative_error)
        return BandSet("band fluxes", counts, ratio * area / factor, cause, flags=flags)

    @staticmethod
    def _notes(cols, aperture):
        wrapped = (aperture.cause == 6).any(axis=1)
        notes = np.where(wrapped, "aperture counts overflowed 16 bits", "").astype(object)
        for name in (*_SPURIOUS, "flag_opt"):
            flagged = cols.boolean(name)
            notes[flagged] = [f"{n}; {name.upper()}" if n else name.upper() for n in notes[flagged]]
        return notes.tolist()

    def product_names(self, table, kind="spectrum"):
        """See `Mission.product_names`; of all telescopes, by ``DETUID`` or ``SKYTILE`` and ``ID_SRC``."""
        word, cols = self._word(kind), ErositaColumns(table)
        ends = [(name[:4], f"_{name[-4:]}") if _DETUID.fullmatch(name) else ("*", "*")
                for name in cols.text("detuid").tolist()]
        return [None if tile is None else f"{survey}_{tile}_020_{word}_{source:05d}{processing}.fits*"
                for (survey, processing), (tile, source) in zip(ends, self._keys(cols), strict=True)]

    def find_spectra(self, table, folder):
        """
        ``em01_RRRDDD_020_SourceSpec_NNNNN.fits`` by sky tile and source number; ``020_SourceSpec_NNNNN.fits``
        in a folder named after tile or DETUID, or if the table has one tile. Module 0 (all merged) is
        preferred.
        """
        keys = self._keys(ErositaColumns(table))
        tiles = {tile for tile, _ in keys if tile is not None}

        def describe(found, path):
            tile = found["tile"] or (re.findall(r"(?<!\d)\d{6}(?!\d)", path.parent.name) or [None])[0]
            tile = tile or (next(iter(tiles)) if len(tiles) == 1 else None)
            return [(tile, int(found["source"]))] if tile else [], (found["tm"] != "0", path.name)

        return self._find(folder, keys, describe)

    @staticmethod
    def _keys(cols):
        """(tile, source number) a row, None where unknown."""
        keys = []
        tiles, sources = cols.number("skytile").tolist(), cols.number("id_src").tolist()
        for detuid, tile, source in zip(cols.text("detuid").tolist(), tiles, sources, strict=True):
            found = _DETUID.fullmatch(detuid)
            if np.isfinite(tile) and np.isfinite(source):
                keys.append((f"{int(tile):06d}", int(source)))
            else:
                keys.append((found["tile"], int(found["source"])) if found else (None, None))
        return keys

    def instrument_of(self, spectrum):
        """
        Telescope modules by INSTRUME, merged ones by INSTRUM1 to INSTRUM7; else by the file name's digit (0
        all, 8 and 9 with and without on-chip filter; https://erosita.mpe.mpg.de/dr1/), else all seven.
        """
        if spectrum.instrument != "MERGED":
            return spectrum.instrument
        listed = {str(spectrum.meta.get(f"instrum{k}", "")).strip().upper() for k in range(1, 8)}
        digits = "".join(sorted(name[2:] for name in listed if re.fullmatch("TM[1-7]", name)))
        if not digits:
            found = _MODULE_DIGIT.search(Path(spectrum.path or "").name.lower())
            digits = found[1] if found else "0"
        return "TM0" if len(digits) == 7 else f"TM{digits}"


def _merge(first, second):
    """Cell by cell the first set where valid, else the second."""
    use = first.valid | ~second.valid
    both = np.char.add(np.char.add(np.asarray(first.label, "U48"), ", "), second.label)
    label = np.where(use.all(axis=1), first.label, both)
    label = np.where(~first.valid.any(axis=1), second.label, label)

    def pick(name):
        return np.where(use, first.full(name), second.full(name))

    cause = np.where(use, first.cause, second.cause)
    # If neither works, say why the fitted counts do not, unless they are absent altogether.
    neither = ~first.valid & ~second.valid & (second.cause > 1) & (first.cause == 1)
    return BandSet(label, pick("counts"), pick("area"), np.where(neither, second.cause, cause),
                   pick("background"), pick("background_error"), flags=pick("flags"))
