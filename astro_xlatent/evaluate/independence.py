# Licensed under a 3-clause BSD style license - see LICENSE
"""
Where labels and quantities come from, and whether they used the same photons.

A score against something that was computed from the very photons that the
model sees tells less than one against an independent label.
"""

import re

import numpy as np

from astro_xlatent.core.numbers import plain_floats

__all__ = ["ORIGINS", "has_references", "independence_notes", "independent_labels", "origin_table"]

#: What a column holds, where it comes from, and whether it used the same photons.
ORIGINS = (
    (
        "class of a source",
        "literature: optical, infrared or radio catalogues; X-ray binaries from X-ray catalogues",
        "no, but X-ray binaries were found by other X-ray telescopes",
    ),
    (
        "class of a detection",
        "position within 2 arcsec of a catalogued binary, pulsar or nova",
        "no, but binaries were found in X-rays, partly with Chandra, and crowded fields mislead",
    ),
    ("class, true_* of a simulation", "the simulator", "no: they know nothing of the noise"),
    ("hardness ratios, fluxes", "the catalogue's photometry", "yes"),
    ("powlaw_nh, powlaw_gamma, bb_kt", "the catalogue's spectral fits", "yes"),
    ("var_*, kp_*, ks_*", "arrival times of the photons", "the same photons, other information"),
    ("nh_gal, position", "radio surveys, astrometry", "no"),
)

# Catalogues of sources that X-ray or gamma-ray telescopes found and classified.
_XRAY_REFERENCES = (
    "INTEGRAL",
    "2007A&A...469..807L",
    "2006A&A...455.1165L",
    "2000A&AS..147...25L",
    "2001A&A...368.1021L",
    "2010A&A...523A..61K",
)


def has_references(table):
    """
    Whether a table tells where its labels come from.

    Parameters
    ----------
    table : `~astropy.table.Table`

    Returns
    -------
    known : bool
        True if ``label_reference`` holds bibliographic codes; in samples
        matched by position it holds names of objects, which tell nothing.

    Examples
    --------
    >>> from astropy.table import Table
    >>> has_references(Table({"label_reference": ["2010A&A...518A..10V"]}))
    True
    """
    if "label_reference" not in table.colnames:
        return False
    values = np.ma.filled(np.ma.asarray(table["label_reference"]).astype(str), "")
    return any(re.match(r"(1[89]|20)\d\d[A-Za-z]", str(value)) for value in values)


def independent_labels(table):
    """
    Rows whose class came from no X-ray or gamma-ray catalogue.

    Parameters
    ----------
    table : `~astropy.table.Table`
        With ``label_reference``.

    Returns
    -------
    independent : ndarray of bool, shape (n,)
        False where the reference is missing.
    """
    reference = np.ma.filled(np.ma.asarray(table["label_reference"]).astype(str), "").astype(str)
    xray = np.zeros(len(table), bool)
    for name in _XRAY_REFERENCES:
        xray |= np.char.find(reference, name) >= 0
    return ~xray & (reference != "") & (reference != "N/A")


def origin_table():
    """
    The table of origins.

    Returns
    -------
    table : `~astropy.table.Table`
    """
    from astropy.table import Table

    return Table(rows=list(ORIGINS), names=("column", "origin", "same photons"))


def independence_notes(table):
    """
    What independence means for a table's columns, in words.

    Returns
    -------
    notes : list of str
    """
    if "true_nh" in table.colnames:
        return ["labels and true quantities are those of the simulation: they know nothing of the noise"]
    notes = [f"{name}: from {origin}; same photons: {same}" for name, origin, same in ORIGINS]
    if has_references(table):
        n = int(np.sum(independent_labels(table)))
        notes.append(f"{n} of {len(table)} labels name no X-ray catalogue of X-ray binaries")
    if "xl_nh" in table.colnames:
        known = np.isfinite(plain_floats(table["xl_nh"])).sum()
        notes.append(f"xl_nh is known for {known} of {len(table)} rows")
    return notes
