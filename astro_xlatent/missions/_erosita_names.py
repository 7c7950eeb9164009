# Licensed under a 3-clause BSD style license - see LICENSE
"""
Names of eROSITA's catalog columns, brought to one spelling.

The catalogs themselves write ``ML_CTS_P1``; VizieR writes ``MLctsP1`` with
``e_`` or ``s_`` in front of errors, HEASARC ``p1_counts`` or ``b1_count_rate``.
Of VizieR's and HEASARC's names only some have been seen in tables (``MLcts1``,
``MLFlux1``, ``s_MLRate1``, ``DetLike0``, ``posErr``; ``b1_flux``, ``b1_flux_error``,
``b1_count_rate``, ``b1_exposure``, ``error_radius``, ``source_extent``); the others
follow by analogy, so that a table that has them is understood.

References
----------
Merloni et al. 2024, A&A 682, A34, Table D.1; eFEDS: Brunner et al. 2022, A&A
661, A1; VizieR J/A+A/682/A34; HEASARC erass1main, erass1hard.
"""

import re

from astro_xlatent.missions._columns import Columns

__all__ = ["ErositaColumns", "canonical_name"]

_QUANTITIES = "cts|bkg|exp|rate|flux|eef|radius|pois"
#: ``MLctsP1`` and ``ml_cts_err_p1``, underscores removed.
_PHOTOMETRY = re.compile(rf"([es])?(ape|ml)({_QUANTITIES})(err|lowerr|uperr)?(p\d|b[1-4]|\d)?")
_HEASARC = re.compile(r"([bp])(\d)_(ap(?:er(?:ture)?|e)?_)?"
                      r"(counts|count_rate|flux|exposure|background|detect_likelihood)(_error)?")
_HEASARC_QUANTITIES = {"counts": "cts", "count_rate": "rate", "flux": "flux", "exposure": "exp",
                       "background": "bkg"}
_OTHERS = ("detuid", "skytile", "id_src", "uid_hard", "uid_1b", "uid_main", "ext_like", "flag_sp_snr",
           "flag_sp_bps", "flag_sp_scl", "flag_sp_lga", "flag_sp_gc", "flag_sp_gc_cons", "flag_opt",
           *(f"det_like_{band}" for band in (*range(4), *(f"p{k}" for k in range(1, 10)))),
           *(f"det_like_b{k}" for k in range(1, 5)))
_BARE = {name.replace("_", ""): name for name in _OTHERS}
_BARE |= {"optical_flag": "flag_opt", "source_extent": "ext", "sky_tile": "skytile",
          "source_number": "id_src", "extent_likelihood": "ext_like", "uidh": "uid_hard"}


def canonical_name(name):
    """
    The catalog's own spelling of a column name in lower case; that itself where no rule applies.

    Examples
    --------
    >>> from astro_xlatent.missions._erosita_names import canonical_name
    >>> [canonical_name(name) for name in ("ML_CTS_P1", "s_MLRate1", "p2_counts_error", "DetLike0")]
    ['ml_cts_p1', 'ml_rate_err_1', 'ml_cts_err_p2', 'det_like_0']
    """
    lower = name.lower()
    found = _HEASARC.fullmatch(lower)
    if found:
        kind, number, aperture, quantity, error = found.groups()
        # HEASARC's b1 is the catalog's 1 (eFEDS alone writes b1 behind the quantity).
        band = number if kind == "b" else f"p{number}"
        if quantity == "detect_likelihood":
            return f"det_like_{band}"
        family = "ape" if aperture else "ml"
        return f"{family}_{_HEASARC_QUANTITIES[quantity]}{'_err' if error else ''}_{band}"
    bare = lower.replace("_", "")
    found = _PHOTOMETRY.fullmatch(bare)
    if found and not (found[1] and found[4]):
        error = "err" if found[1] else found[4]
        return "_".join(part for part in (found[2], found[3], error, found[5]) if part)
    return _BARE.get(lower) or _BARE.get(bare, lower)


class ErositaColumns(Columns):
    """Columns of an eROSITA table, in any of the known spellings, by the catalog's own names."""

    def canonical(self, name):
        """See `canonical_name`."""
        return canonical_name(name)
