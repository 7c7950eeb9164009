# Licensed under a 3-clause BSD style license - see LICENSE
"""
Counterparts in a table's columns, by the names that services give them, bare or behind a catalog's prefix:
found, searched and none, or unknown. Units are checked, and what cannot be true is left out and said.
"""

import numpy as np
from astropy import units as u

from astro_xlatent.core.errors import TableError
from astro_xlatent.core.flags import Flag
from astro_xlatent.missions._columns import Columns
from astro_xlatent.model.evidence import WRONG_MATCH

__all__ = ["NAMES", "PREFIXES", "Counterparts", "read_counterparts"]

#: Spellings of each quantity: VizieR's (I/355, II/246, II/328, II/365), then the archives' own.
NAMES: dict[str, dict[str, tuple[str, ...]]] = {
    "gaia": {"G": ("gmag", "phot_g_mean_mag"), "BP": ("bpmag", "phot_bp_mean_mag"),
             "RP": ("rpmag", "phot_rp_mean_mag")},
    "2mass": {"J": ("jmag", "j_m"), "H": ("hmag", "h_m"), "K": ("kmag", "ksmag", "k_m")},
    "wise": {"W1": ("w1mag", "w1mpro", "w1mpropm"), "W2": ("w2mag", "w2mpro", "w2mpropm"),
             "W3": ("w3mag", "w3mpro")},
}
_ASTROMETRY: dict[str, tuple[str, ...]] = {"Plx": ("plx", "parallax"), "e_Plx": ("e_plx", "parallax_error"),
               "PM": ("pm",), "e_PM": ("e_pm", "pm_error"), "PMRA": ("pmra",), "PMDE": ("pmde", "pmdec"),
               "e_PMRA": ("e_pmra", "pmra_error"), "e_PMDE": ("e_pmde", "pmdec_error")}
#: What may stand before a name; ``mw_`` is of the MUWCLASS tables.
PREFIXES = ("", "gaia_", "tmass_", "2mass_", "wise_", "allwise_", "catwise_", "mw_")
_SEPARATIONS = {"gaia": ("r_gaia", "gaia_angdist"), "2mass": ("r_2mass", "tmass_angdist"),
                "wise": ("r_allwise", "r_catwise", "allwise_angdist", "catwise_angdist")}
#: Names before ``_n`` (candidates) and ``_p_i`` (probability), as ``astro-xlatent counterparts`` writes them.
_SEARCHED = {"gaia": ("gaia",), "2mass": ("tmass",), "wise": ("allwise", "catwise")}
#: Magnitudes outside are no measurements: brighter than any star but the Sun, fainter than any survey.
FAINTEST, BRIGHTEST = 30.0, -3.0
#: Errors of an infrared magnitude above this mean an upper limit.
LARGEST_ERROR = 1.0
#: Gaia's smallest errors are about 0.007 mas (Gaia Collaboration 2023, A&A 674, A1), its largest a few
#: mas: what is below this, in mas, is in arcsec in truth.
SMALLEST_ERROR = 0.004
#: Counterparts farther than this, arcsec, and the source's own error, are not believed.
RADIUS = 1.0
#: Years between the first Chandra images and the epoch of Gaia DR3 (2016.0).
EPOCHS = 16.5
# Vega's flux in Jy: Gaia (SVO Filter Profile Service, DR3), 2MASS (Cohen et al. 2003, AJ 126, 1090),
# WISE (Jarrett et al. 2011, ApJ 735, 112).
_ZERO = {"G": 3228.75, "BP": 3552.01, "RP": 2554.95, "J": 1594.0, "H": 1024.0, "K": 666.7,
         "W1": 309.54, "W2": 171.787, "W3": 31.674}


def read_counterparts(table, error=0.0) -> "Counterparts":
    """
    Read the counterparts of every row.

    A survey of which the table has no column is unknown. Where its columns are there but empty it counts as
    searched with no result (`Flag.COUNTERPART_ASSUMED_NONE`), for so cross-matches are written. A column of
    the number of candidates (``gaia_n``, ``tmass_n``, ``allwise_n``) tells for sure: 0 means none, masked
    means that nobody looked.

    Parameters
    ----------
    table : `~astropy.table.Table`
    error : ndarray, (n,), optional
        Radius in arcsec within which the source lies, added to `RADIUS`.

    Raises
    ------
    TableError
        If a magnitude's unit is neither mag nor a flux density.
    """
    return Counterparts(table, error)


class Counterparts:
    """
    What the columns say of each row's counterparts, (n,): ``values`` (Vega mag, mas, mas/yr; NaN: missing);
    ``known`` (looked for) and ``found`` by survey; ``wrong``, the chance that the match is wrong.
    """

    def __init__(self, table, error=0.0):
        self.columns, self.flags = Columns(table), np.zeros(len(table), np.int64)
        self.known, self.found, values = {}, {}, self._astrometry()
        for survey, members in NAMES.items():
            values |= {name: self._magnitude(name, spellings) for name, spellings in members.items()}
            seen = np.any([np.isfinite(values[name]) for name in members], axis=0)
            self.known[survey] = self._searched(survey, seen)
            self.found[survey] = seen & ~self._far(survey, values["PM"], error)
            names = (*members, *(("Plx", "e_Plx", "PM", "e_PM") if survey == "gaia" else ()))
            values |= {name: np.where(self.found[survey], values[name], np.nan) for name in names}
        self.values, self.wrong = values, self._wrong()

    def _names(self, spellings):
        """The columns that hold a quantity; the bare name first."""
        found = [prefix + name for prefix in PREFIXES for name in spellings if prefix + name in self.columns]
        # SDSS and Pan-STARRS call theirs gmag, beside rmag; Gaia's is Gmag.
        return [name for name in found if name != "gmag" or "rmag" not in self.columns]

    def _name(self, spellings):
        return next(iter(self._names(spellings)), "")

    def _magnitude(self, band, spellings):
        """A magnitude by the first column that has one, NaN where missing or impossible."""
        found = np.full(len(self.flags), np.nan)
        for name in self._names(spellings):
            found = np.where(np.isfinite(found), found, self._read_magnitude(name, band, spellings))
        return found

    def _read_magnitude(self, name, band, spellings):
        unit, raw = getattr(self.columns.raw(name), "unit", None), self.columns.number(name)
        given = np.isfinite(raw)
        if unit is not None and u.Unit(unit, parse_strict="silent").is_equivalent(u.Jy):
            with np.errstate(invalid="ignore", divide="ignore"):
                raw = -2.5 * np.log10(self.columns.number(name, u.Jy) / _ZERO[band])
        elif str(unit or "").lower().replace("(vega)", "") not in ("", "mag", "vegamag"):
            raise TableError(f"column {name!r} has unit {unit}; a Vega magnitude (mag) or a flux density "
                             "(Jy) is needed: convert it, or rename the column if it is something else")
        good = (raw > BRIGHTEST) & (raw < FAINTEST) & (raw != 0)
        prefix = next(name[:-len(s)] for s in spellings if name.endswith(s))
        errors = [f"{prefix}{form.format(s)}" for s in spellings for form in ("e_{}", "{}_error")]
        limit = given & good & (self.columns.number(self.columns.spelled(*errors)) > LARGEST_ERROR)
        self.flags[given & ~good | limit] |= Flag.COUNTERPART_ODD
        return np.where(good & ~limit, raw, np.nan)

    def _astrometry(self):
        """Parallax and proper motion with errors, in mas and mas/yr."""
        raw = {key: self._angle(key, spellings) for key, spellings in _ASTROMETRY.items()}
        if not self._name(_ASTROMETRY["PM"]):
            raw["PM"] = np.hypot(raw["PMRA"], raw["PMDE"])
        if not self._name(_ASTROMETRY["e_PM"]):
            raw["e_PM"] = np.hypot(raw["e_PMRA"], raw["e_PMDE"]) / np.sqrt(2)
        found = {}
        for key in ("Plx", "PM"):
            value, error = raw[key], raw[f"e_{key}"]
            sure = (error > 0) & (error < 100) & (np.abs(value) < 2e4)
            blank = (value == 0) & ~(error > 0)
            self.flags[np.isfinite(value) & ~sure & ~blank] |= Flag.COUNTERPART_ODD
            found |= {key: np.where(sure, value, np.nan), f"e_{key}": np.where(sure, error, np.nan)}
        return found

    def _angle(self, key, spellings):
        """A column in mas (a year); rows in arcsec are recognized by impossibly small errors."""
        error = _ASTROMETRY[key if key.startswith("e_") else f"e_{key}"]
        values, errors = (self.columns.number(self._name(names), u.mas / u.yr if "PM" in key else u.mas)
                          for names in (spellings, error))
        arcsec = (errors > 0) & (errors < SMALLEST_ERROR)
        self.flags[arcsec] |= Flag.COUNTERPART_ODD
        return np.where(arcsec, 1000.0 * values, values)

    def _searched(self, survey, seen):
        numbers = [self.columns.number(f"{s}_n") for s in _SEARCHED[survey] if f"{s}_n" in self.columns]
        if numbers:
            self.flags[seen & np.any(np.array(numbers) > 1, axis=0)] |= Flag.COUNTERPART_AMBIGUOUS
            return np.any(np.isfinite(numbers), axis=0) | seen
        present = any(self._name(spellings) for spellings in NAMES[survey].values())
        self.flags[~seen & present] |= Flag.COUNTERPART_ASSUMED_NONE
        return np.full(len(seen), present)

    def _far(self, survey, motion, error):
        """Rows whose counterpart lies farther than errors and proper motion allow."""
        apart = [self.columns.number(name, u.arcsec) for name in ("", *self._names(_SEPARATIONS[survey]))]
        apart = np.fmin.reduce(apart)
        allowed = RADIUS + error
        moved = allowed + np.nan_to_num(motion) * EPOCHS / 1000.0
        self.flags[apart > moved] |= Flag.COUNTERPART_ODD
        self.flags[(apart > allowed) & (apart <= moved)] |= Flag.COUNTERPART_AMBIGUOUS
        return apart > moved

    def _wrong(self):
        """Chance that the counterpart is not the source's: 1 - p_i of the surest survey, or a default."""
        names = [self.columns.spelled(f"{form}_p_i", "p_i") for survey, forms in _SEARCHED.items()
                 for form in forms if self.found[survey].any()]
        best = np.fmax.reduce([self.columns.number(name) for name in ("", *names)])
        return np.where(best >= 0, 1 - np.clip(best, 0.0, 1.0), WRONG_MATCH)
