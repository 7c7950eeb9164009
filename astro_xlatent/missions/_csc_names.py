# Licensed under a 3-clause BSD style license - see LICENSE
"""
Names of the Chandra Source Catalog's columns, brought to those of CSCview and TAP.

CSCview and TAP queries put ``m.``, ``s.`` or ``o.`` (master, stack, observation) before
names: of several with one meaning a name without prefix goes first, then observation,
stack, master. VizieR writes ``PFavgs`` for ``photflux_aper_avg_s``, with ``b_`` and
``B_`` before limits, HEASARC ``s_flux_ap``, ``s_flux_ap_lo``, ``s_flux_ap_hi``.

References
----------
https://cxc.cfa.harvard.edu/csc/columns/ (master, stack, observation); VizieR IX/57.
"""

import re

from astro_xlatent.missions._columns import Columns

__all__ = ["CscColumns"]

_PREFIXED = re.compile(r"([osm])[._](.+)", re.IGNORECASE)
_HEASARC = re.compile(r"([usmhbw])_flux_ap(_lo|_hi)?")
_VIZIER = re.compile(r"([bB]_)?(?:(P?)F(lux|90|avg|90avg)([usmhbw])|HR([hm][ms]))")
_APERTURES = {"lux": "aper", "90": "aper90", "avg": "aper_avg", "90avg": "aper90_avg"}
_LIMITS = {None: "", "b_": "_lolim", "B_": "_hilim", "_lo": "_lolim", "_hi": "_hilim"}
#: Only in a table that has the column ``2CXO``: the names are short.
_VIZIER_OTHERS = {"fs": "sat_src_flag", "fst": "streak_src_flag", "fp": "pileup_flag", "fc": "conf_flag",
                  "fe": "extent_flag", "S/N": "significance", "S_N": "significance", "Ldet": "likelihood"}


class CscColumns(Columns):
    """
    Columns of a table of the Chandra Source Catalog, in any spelling, by the catalog's own names.

    Examples
    --------
    >>> from astropy.table import Table
    >>> from astro_xlatent.missions._csc_names import CscColumns
    >>> CscColumns(Table({"2CXO": ["J"], "B_PF90avgs": [1.0]})).number("photflux_aper90_avg_hilim_s")
    array([1.])
    """

    def __init__(self, table):
        lower = [name.lower().lstrip("_") for name in table.colnames]
        self._present, self._of_vizier = set(lower), "2cxo" in lower
        super().__init__(table)

    def canonical(self, name):
        """The name without prefix, VizieR's and HEASARC's as CSCview's."""
        prefixed = _PREFIXED.fullmatch(name)
        if prefixed and _HEASARC.fullmatch(name.lower()) is None:
            level, dot, rest = prefixed[1].lower(), name[1], prefixed[2].lower()
            before = "osm"[:"osm".index(level)]
            hidden = rest in self._present or any(f"{b}{dot}{rest}" in self._present for b in before)
            return name.lower() if hidden else rest
        found = _HEASARC.fullmatch(name.lower())
        if found:
            return f"flux_aper{_LIMITS[found[2]]}_{found[1]}"
        found = _VIZIER.fullmatch(name) if self._of_vizier else None
        if found is None:
            return (_VIZIER_OTHERS.get(name) if self._of_vizier else None) or name.lower()
        limit, photons, aperture, band, ratio = found.groups()
        if ratio:
            return f"hard_{ratio}{_LIMITS[limit]}"
        return f"{'phot' if photons else ''}flux_{_APERTURES[aperture]}{_LIMITS[limit]}_{band}"
