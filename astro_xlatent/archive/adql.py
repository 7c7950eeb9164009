# Licensed under a 3-clause BSD style license - see LICENSE
"""
Questions in ADQL.

They are put together from fixed text, numbers that were checked as floats, and
names that were checked against the form the catalog gives them; nothing
that a user typed reaches a query as it is.
"""

import math

from astro_xlatent.core.errors import ParameterError

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
    ADQL for the rows of a catalog in a cone, or in a box around it.

    Parameters
    ----------
    catalog : `~astro_xlatent.archive.catalogs.Catalog`
        Its ``geometry`` tells whether circles can be asked for.
    cone : `~astro_xlatent.archive.areas.Cone`

    Returns
    -------
    query : str

    Examples
    --------
    >>> from astro_xlatent.archive.adql import cone_query
    >>> from astro_xlatent.archive.areas import Cone
    >>> from astro_xlatent.archive.catalogs import get_catalog
    >>> print(cone_query(get_catalog("csc"), Cone(0.0, 60.0, 0.25)))
    SELECT m.*
    FROM csc21.master_source m
    WHERE m.dec BETWEEN 59.750000000000 AND 60.250000000000
      AND (m.ra BETWEEN 359.499995240194 AND 360.000000000000
        OR m.ra BETWEEN 0.000000000000 AND 0.500004759806)
    """
    if not catalog.geometry:
        return _query(catalog, _box(catalog, cone))
    circle = f"CIRCLE('ICRS', {number(cone.ra)}, {number(cone.dec)}, {number(cone.radius)})"
    return _query(catalog, f"1 = CONTAINS(POINT('ICRS', {catalog.ra}, {catalog.dec}),\n  {circle})")


def _between(column, low, high):
    return f"{column} BETWEEN {number(low)} AND {number(high)}"


def _box(catalog, cone):
    """The smallest box in right ascension and declination that holds a cone."""
    low, high = cone.dec - cone.radius, cone.dec + cone.radius
    condition = _between(catalog.dec, max(low, -90.0), min(high, 90.0))
    if low <= -90.0 or high >= 90.0:
        return condition
    width = math.degrees(math.asin(math.sin(math.radians(cone.radius)) / math.cos(math.radians(cone.dec))))
    left, right = cone.ra - width, cone.ra + width
    parts = [(left, right)]
    if left < 0.0:
        parts = [(left + 360.0, 360.0), (0.0, right)]
    elif right > 360.0:
        parts = [(left, 360.0), (0.0, right - 360.0)]
    ways = "\n    OR ".join(_between(catalog.ra, *part) for part in parts)
    return f"{condition}\n  AND ({ways})"


def names_query(catalog, names):
    """
    ADQL for the rows of a catalog with certain names.

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
