# Licensed under a 3-clause BSD style license - see LICENSE
"""Rows of an enriched table in words, for terminals."""

import functools
import operator

import numpy as np

from astro_xlatent.core.flags import Flag, decode_flags

__all__ = ["class_text", "flag_legend", "flag_text", "nh_text", "number_text"]


def number_text(value, form):
    """
    Write a number, or a dash where it is masked or NaN.

    Parameters
    ----------
    value : float
        May be masked.
    form : str
        Format specification.

    Returns
    -------
    text : str

    Examples
    --------
    >>> from astro_xlatent.cli.words import number_text
    >>> number_text(1234.5, ".2g"), number_text(float("nan"), ".2g")
    ('1.2e+03', '-')
    """
    value = np.ma.filled(np.ma.asarray(value, dtype=float), np.nan)
    return "-" if np.isnan(value) else format(float(value), form)


def nh_text(row):
    """
    Write the column density as a 68 % interval or, where flagged, a 90 % upper limit.

    Parameters
    ----------
    row : `~astropy.table.Row`
        Of an enriched table.

    Returns
    -------
    text : str
        In cm-2.
    """
    if row["xl_flag"] & Flag.NH_UPPER_LIMIT:
        return f"< {number_text(row['xl_nh_ul90'], '.2g')} (90%)"
    value, low, high = (number_text(row[f"xl_nh{end}"], ".2g") for end in ("", "_lolim", "_hilim"))
    return f"{value} ({low} - {high})"


def class_text(row):
    """
    Write the most probable class and its probability among all nine, and that of "other".

    Parameters
    ----------
    row : `~astropy.table.Row`
        Of an enriched table.

    Returns
    -------
    text : str
    """
    other = number_text(row["xl_class_other"], ".2f")
    # The column holds the probabilities of the eight, given that it is one of them.
    best = number_text(np.ma.max(row["xl_class_prob"]) * (1 - row["xl_class_other"]), ".2f")
    if best == "-" or np.ma.is_masked(row["xl_class"]):
        return f"-, other {other}"
    return f"other {other}" if row["xl_class"] == "other" else f"{row['xl_class']} {best}, other {other}"


def flag_text(row):
    """
    Write the names of a row's flags, or a dash.

    Parameters
    ----------
    row : `~astropy.table.Row`
        Of an enriched table.

    Returns
    -------
    text : str
    """
    return ",".join(decode_flags(int(row["xl_flag"]))) or "-"


def flag_legend(flags):
    """
    Say once what each of the flags means that occur in some rows.

    Parameters
    ----------
    flags : iterable of int

    Returns
    -------
    lines : list of str
        Such as ``"# FEW_COUNTS: fewer than ..."``.
    """
    raised = functools.reduce(operator.or_, map(int, flags), 0)
    words = zip(decode_flags(raised), decode_flags(raised, text=True), strict=True)
    return [f"# {name}: {text}" for name, text in words]
