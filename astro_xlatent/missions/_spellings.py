# Licensed under a 3-clause BSD style license - see LICENSE
"""
Names of catalog columns as services spell them, brought to the catalogs' own.

CSC: CSCview and TAP put ``m.``, ``s.`` or ``o.`` (master, stack, observation) before names: of several
with one meaning a name without prefix goes first, then observation, stack, master. VizieR writes
``PFavgs`` for ``photflux_aper_avg_s``, with ``b_`` and ``B_`` before limits, HEASARC ``s_flux_ap_lo``.
eROSITA: of VizieR's and HEASARC's names only some have been seen in tables (``MLcts1``, ``MLFlux1``,
``s_MLRate1``, ``DetLike0``, ``posErr``; ``b1_flux``, ``b1_flux_error``, ``b1_count_rate``, ``b1_exposure``,
``error_radius``, ``source_extent``); the others follow by analogy.
4XMM: VizieR writes ``Flux1``, ``e_Flux1``, ``HR1``, HEASARC ``_error`` for ``_ERR``.

References
----------
https://cxc.cfa.harvard.edu/csc/columns/; VizieR IX/57, J/A+A/682/A34; HEASARC erass1main, erass1hard;
Merloni et al. 2024, A&A 682, A34, Table D.1; eFEDS: Brunner et al. 2022, A&A 661, A1.
"""

import re

from astro_xlatent.missions._columns import Columns

__all__ = ["CscColumns", "ErositaColumns", "XmmColumns"]

_PREFIXED = re.compile(r"([osm])[._](.+)", re.IGNORECASE)
_CSC_HEASARC = {f"{b}_flux_ap{end}": f"flux_aper{limit}_{b}" for b in "usmhbw"
                for end, limit in (("", ""), ("_lo", "_lolim"), ("_hi", "_hilim"))}
_LIMITS = {"": "", "b_": "_lolim", "B_": "_hilim"}
_APERTURES = {"lux": "aper", "90": "aper90", "avg": "aper_avg", "90avg": "aper90_avg"}
#: Only in a table that has the column ``2CXO``: the names are short.
_CSC_VIZIER = {"fs": "sat_src_flag", "fst": "streak_src_flag", "fp": "pileup_flag", "fc": "conf_flag",
               "fe": "extent_flag", "S/N": "significance", "S_N": "significance", "Ldet": "likelihood"}
for _before, _limit in _LIMITS.items():
    _CSC_VIZIER |= {f"{_before}HR{ratio}": f"hard_{ratio}{_limit}" for ratio in ("hm", "hs", "ms")}
    _CSC_VIZIER |= {f"{_before}{p}F{short}{b}": f"{quantity}_{aperture}{_limit}_{b}" for b in "usmhbw"
                    for p, quantity in (("", "flux"), ("P", "photflux"))
                    for short, aperture in _APERTURES.items()}

_QUANTITIES = {"counts": "cts", "count_rate": "rate", "flux": "flux", "exposure": "exp", "background": "bkg"}
_EROSITA_HEASARC = re.compile(r"([bp])(\d)_(ap(?:er(?:ture)?|e)?_)?"
                              rf"({'|'.join(_QUANTITIES)}|detect_likelihood)(_error)?")
#: ``MLctsP1`` and ``ml_cts_err_p1``, underscores removed.
_PHOTOMETRY = re.compile(r"([es])?(ape|ml)(cts|bkg|exp|rate|flux|eef|radius|pois)"
                         r"(err|lowerr|uperr)?(p\d|b[1-4]|\d)?")
_EROSITA = {name.replace("_", ""): name for name in (
    "detuid", "skytile", "id_src", "uid_hard", "uid_1b", "uid_main", "ext_like", "flag_sp_snr",
    "flag_sp_bps", "flag_sp_scl", "flag_sp_lga", "flag_sp_gc", "flag_sp_gc_cons", "flag_opt",
    *(f"det_like_{band}" for band in (*range(4), *(f"p{k}" for k in range(1, 10)), "b1", "b2", "b3", "b4")))}
_EROSITA |= {"optical_flag": "flag_opt", "source_extent": "ext", "sky_tile": "skytile",
             "source_number": "id_src", "extent_likelihood": "ext_like", "uidh": "uid_hard"}

_XMM_VIZIER = re.compile(r"(e_)?(?:F(?:lux)?([1-589])|HR([1-4]))")
#: Columns beside which VizieR's short names are those of an XMM-Newton catalog.
_OF_XMM = {"3xmm", "4xmm", "5xmm", "sc_det_ml"}


class CscColumns(Columns):
    """Columns of a table of the Chandra Source Catalog by the catalog's own names."""

    def __init__(self, table):
        self._present = {name.lower().lstrip("_") for name in table.colnames}
        super().__init__(table)

    def canonical(self, name):
        """The name without prefix, VizieR's and HEASARC's as CSCview's."""
        lower = name.lower()
        if lower in _CSC_HEASARC:
            return _CSC_HEASARC[lower]
        prefixed = _PREFIXED.fullmatch(lower)
        if prefixed:
            level, rest = prefixed.groups()
            before = "osm"[:"osm".index(level)]
            hidden = rest in self._present or any(f"{b}{lower[1]}{rest}" in self._present for b in before)
            return lower if hidden else rest
        return _CSC_VIZIER.get(name, lower) if "2cxo" in self._present else lower


class ErositaColumns(Columns):
    """
    Columns of an eROSITA table by the catalog's own names.

    >>> from astropy.table import Table
    >>> from astro_xlatent.missions._spellings import ErositaColumns
    >>> cols = ErositaColumns(Table())
    >>> [cols.canonical(name) for name in ("ML_CTS_P1", "s_MLRate1", "p2_counts_error", "DetLike0")]
    ['ml_cts_p1', 'ml_rate_err_1', 'ml_cts_err_p2', 'det_like_0']
    """

    def canonical(self, name):
        """The catalog's spelling in lower case; the name itself where no rule applies."""
        lower = name.lower()
        bare = lower.replace("_", "")
        if found := _EROSITA_HEASARC.fullmatch(lower):
            kind, number, aperture, quantity, error = found.groups()
            # HEASARC's b1 is the catalog's 1 (eFEDS alone writes b1 behind the quantity).
            band = number if kind == "b" else f"p{number}"
            if quantity == "detect_likelihood":
                return f"det_like_{band}"
            family = "ape" if aperture else "ml"
            return f"{family}_{_QUANTITIES[quantity]}{'_err' if error else ''}_{band}"
        found = _PHOTOMETRY.fullmatch(bare)
        if found and not (found[1] and found[4]):
            error = "err" if found[1] else found[4]
            return "_".join(part for part in (found[2], found[3], error, found[5]) if part)
        return _EROSITA.get(lower) or _EROSITA.get(bare, lower)


class XmmColumns(Columns):
    """Columns of a 4XMM table by the catalog's own names."""

    def __init__(self, table):
        self._of_xmm = bool(_OF_XMM & {name.lower().lstrip("_") for name in table.colnames})
        super().__init__(table)

    def canonical(self, name):
        """VizieR's and HEASARC's spellings as the catalog's."""
        found = _XMM_VIZIER.fullmatch(name) if self._of_xmm else None
        if found:
            what = f"ep_{found[2]}_flux" if found[2] else f"ep_hr{found[3]}"
            return what + ("_err" if found[1] else "")
        return re.sub(r"_(?:count_)?(rate|flux)(_err)?(?:or)?$", r"_\1\2", name.lower())
