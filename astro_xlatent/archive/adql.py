# Licensed under a 3-clause BSD style license - see LICENSE
"""
Questions in ADQL.

They are put together from fixed text, numbers that were checked as floats, and
names that were checked against the form the catalogue gives them; nothing
that a user typed reaches a query as it is.
"""

import math

from astro_xlatent.errors import ParameterError

__all__ = ["cone_query", "literal", "names_query", "number"]


def number(value):
    """
    A finite number as ADQL.

    Parameters
    ----------
    value : float

    Returns
    -------
    text : str

    Raises
    ------
    ParameterError
        If it is not finite.

    Examples
    --------
    >>> from astro_xlatent.archive.adql import number
    >>> number(1e-7)
    '0.000000100000'
    """
    value = float(value)
    if not math.isfinite(value) or abs(value) > 1e6:
        msg = f"a query takes finite numbers up to 1e6, got {value!r}"
        raise ParameterError(msg)
    return f"{value:.12f}"


def literal(text):
    """
    A string of printable ASCII as ADQL, quotes doubled.

    Parameters
    ----------
    text : str

    Returns
    -------
    quoted : str

    Examples
    --------
    >>> from astro_xlatent.archive.adql import literal
    >>> literal("it's")
    "'it''s'"
    """
    if not (text.isascii() and text.isprintable()):
        msg = f"a query takes printable ASCII, got {text!r}"
        raise ParameterError(msg)
    return "'" + text.replace("'", "''") + "'"


def _query(catalog, condition):
    conditions = [condition, *([catalog.condition] if catalog.condition else [])]
    return f"SELECT {catalog.select}\nFROM {catalog.source}\nWHERE " + "\n  AND ".join(conditions)


def cone_query(catalog, cone):
    """
    ADQL for the rows of a catalogue in a cone.

    Parameters
    ----------
    catalog : `~astro_xlatent.archive.catalogs.Catalog`
    cone : `~astro_xlatent.archive.areas.Cone`

    Returns
    -------
    query : str

    Examples
    --------
    >>> from astro_xlatent.archive.areas import Cone
    >>> from astro_xlatent.archive.catalogs import get_catalog
    >>> from astro_xlatent.archive.adql import cone_query
    >>> print(cone_query(get_catalog("csc"), Cone(10.0, -5.0, 0.1)))
    SELECT m.*
    FROM csc21.master_source AS m
    WHERE 1 = CONTAINS(POINT('ICRS', m.ra, m.dec),
      CIRCLE('ICRS', 10.000000000000, -5.000000000000, 0.100000000000))
    """
    circle = f"CIRCLE('ICRS', {number(cone.ra)}, {number(cone.dec)}, {number(cone.radius)})"
    return _query(catalog, f"1 = CONTAINS(POINT('ICRS', {catalog.ra}, {catalog.dec}),\n  {circle})")


def names_query(catalog, names):
    """
    ADQL for the rows of a catalogue with certain names.

    Parameters
    ----------
    catalog : `~astro_xlatent.archive.catalogs.Catalog`
    names : sequence of str

    Returns
    -------
    query : str
    """
    checked = ", ".join(literal(catalog.check_name(name)) for name in names)
    return _query(catalog, f"{catalog.name} IN ({checked})")
