# Licensed under a 3-clause BSD style license - see LICENSE
"""
The sample of classified CSC sources, from VizieR: Yang et al. 2022, ApJ 941, 104 (training set of MUWCLASS);
table ``td`` of the catalog J/ApJ/941/104 has 2,941 rows.
"""

import re
import warnings
from datetime import UTC, datetime

import numpy as np
from astropy import units as u
from astropy.table import MaskedColumn, Table

from astro_xlatent.archive.catalogs import CSC_NAME
from astro_xlatent.archive.fetch import NAMES_PER_QUERY
from astro_xlatent.archive.query import asking, named, read_text, run_tap, vizier_service
from astro_xlatent.archive.web import open_session
from astro_xlatent.core.config import conf
from astro_xlatent.core.errors import ArchiveError, XlatentWarning
from astro_xlatent.missions._columns import Columns

__all__ = ["fetch_labels"]

_TABLE = "J/ApJ/941/104/td"
_FLUX = u.erg / (u.s * u.cm**2)
# Column here -> spellings, without case, underscores and signs, of authors and VizieR.
_TEXT = {
    "name": ("cscv2name", "2cxo", "csc", "name"),
    "class_label": ("trueclass", "tclass"),
    "subclass": ("catalogname", "catname"),
    "label_reference": ("classref", "rclass", "ref"),
}
_NUMBER = {
    "ra": (("cscv2ra", "raicrs", "radeg", "raj2000", "ra"), u.deg),
    "dec": (("cscv2dec", "deicrs", "dedeg", "dej2000", "dec", "de"), u.deg),
    "significance": (("cscv2sn", "cscv2signif", "signif", "sn"), None),
    "kp_intra_prob_b": (("pintra",), None),
    "var_inter_prob_b": (("pinter",), None),
} | {f"{sign}flux_aper90_ave_{band}": ((f"{sign.strip('_')}f{band}",), _FLUX)
     for band in "smhb" for sign in ("", "e_")}
_FLAGS = {"extent_flag": "extent", "pileup_flag": "pileup", "conf_flag": "conf"}
_OPTIONAL = ("subclass", "label_reference", "kp_intra_prob_b", "var_inter_prob_b")


def fetch_labels(*, nh_gal=True):
    """
    Fetch the classified CSC sources that the evaluation uses.

    Parameters
    ----------
    nh_gal : bool, optional
        Also ask the CSC (release 2.0) for the Galactic columns, which VizieR lacks; masked on failure.

    Returns
    -------
    table : `~astropy.table.Table`
        Columns as ``astro-xlatent evaluate`` reads them: ``name``, ``ra``, ``dec``, ``class_label``,
        ``significance``, flags, and energy fluxes averaged over observations, ``flux_aper90_ave_s`` with
        ``e_flux_aper90_ave_s`` and so on, erg/s/cm2.

    Raises
    ------
    ArchiveError
        If VizieR cannot be reached, or its table lacks a column.

    Warns
    -----
    XlatentWarning
        If ``nh_gal`` could not be had, or for some sources only.

    Notes
    -----
    The published fluxes are averages over observations, rounded to about the first digit of the errors. They
    weigh the observations of a variable source differently in every band, which bends its colors. The
    authors' ``flux_aper90_mean_*``, which `~astro_xlatent.missions.csc.CSC` prefers where a table has both,
    are not in it: scores on one are not those on the other.
    """
    with open_session() as session:
        service = vizier_service(session)
        url = service._server_to_url()
        with asking(url):
            raw = service.get_catalogs(_TABLE, verbose=True)[0]
        table = _arrange(read_text(raw), url)
        if nh_gal:
            _fill_nh(session, table)
    table.meta = {
        "ARCHIVE": "VizieR J/ApJ/941/104/td (Yang et al. 2022, ApJ 941, 104)",
        "ARCHURL": url,
        "ARCHDATE": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    return table


def _key(name):
    sign = "e" if name.lower().startswith("e_") else ""
    return sign + re.sub(r"[^a-z0-9]", "", name.lower().removeprefix("e_"))


def _arrange(raw, url):
    names = {_key(name): name for name in reversed(raw.colnames)}

    def find(column, spellings):
        own = next((names[key] for key in spellings if key in names), "")
        if not own and column not in _OPTIONAL:
            msg = f"{url}: the table td has no column for {column!r}; it has {', '.join(raw.colnames)}"
            raise ArchiveError(msg)
        return own

    table, cols = Table(), Columns(raw)
    for column, spellings in _TEXT.items():
        table[column] = cols.text_exact(find(column, spellings))
    for column, (spellings, unit) in _NUMBER.items():
        table[column] = _masked(cols.number(find(column, spellings), unit), unit)
    # ``conf|extent`` as one column for each flag.
    flags = cols.text_exact(names.get("cscv2flags") or names.get("flags", ""))
    flags = [text.split("|") for text in flags.tolist()]
    for column, word in _FLAGS.items():
        table[column] = np.array(["True" if word in words else "False" for words in flags], "U5")
    table["nh_gal"] = _masked(np.full(len(table), np.nan), "1e20 cm-2")
    return table


def _masked(values, unit):
    return MaskedColumn(np.nan_to_num(values), mask=np.isnan(values), unit=unit)


def _fill_nh(session, table):
    """Fill in the column of the CSC; say how many sources have none."""
    # A source that lost its name since is rather left without a column than asked for by position.
    names, found = [name for name in dict.fromkeys(table["name"].tolist()) if CSC_NAME.fullmatch(name)], {}
    try:
        for k in range(0, len(names), NAMES_PER_QUERY):
            query = ("SELECT name, nh_gal\nFROM csc2.master_source\nWHERE "
                     + named("name", names[k : k + NAMES_PER_QUERY]))
            rows = run_tap(session, conf.csc20_tap_url, query).table
            found.update(zip(rows["name"].tolist(), np.ma.asarray(rows["nh_gal"], dtype=float).tolist()))
    except ArchiveError as error:
        msg = f"the column nh_gal stays empty, which the CSC would give: {error}"
        warnings.warn(msg, XlatentWarning, stacklevel=3)
    nh = np.array([found.get(name) for name in table["name"].tolist()], dtype=float)
    table["nh_gal"] = _masked(nh, "1e20 cm-2")
    absent = int(np.sum(~np.isfinite(nh)))
    if found and absent:
        msg = f"{absent} of {len(table)} sources have no nh_gal in the CSC"
        warnings.warn(msg, XlatentWarning, stacklevel=3)
