# Licensed under a 3-clause BSD style license - see LICENSE
"""Checks that every physical parameter passes before it is used."""

import numpy as np

from astro_xlatent.core.errors import ParameterError

__all__ = ["check_parameter", "plain_numbers"]


def check_parameter(name, value, low, high, unit=""):
    """
    Turn a parameter into a float array and refuse values out of range.

    Parameters
    ----------
    name : str
        The argument's name, for the message.
    value : array_like or `~astropy.units.Quantity`
        A quantity is converted to ``unit``; plain numbers are in ``unit``.
    low, high : float
        Allowed range, ends included.
    unit : str, optional
        Unit of the numbers, as astropy spells it; empty for none.

    Returns
    -------
    value : ndarray of float64

    Raises
    ------
    ParameterError
        If a value is NaN or lies outside ``low``..``high``.

    Examples
    --------
    >>> from astro_xlatent.physics._checks import check_parameter
    >>> check_parameter("kt", 2.0, 0.1, 10.0, "keV")
    array(2.)
    """
    try:
        value = plain_numbers(value, unit)
    except (TypeError, ValueError) as error:
        msg = f"{name} must be numbers{_in(unit)} from {low:g} to {high:g}, got {value!r}: {error}"
        raise ParameterError(msg) from error
    bad = ~((value >= low) & (value <= high))
    if bad.any():
        first = value[bad].flat[0]
        where = "" if value.ndim == 0 else f" ({int(bad.sum())} of {value.size} values are outside)"
        allowed = f"it must be a number from {low:g} to {high:g}"
        msg = f"{name} = {first:g}{_in(unit)} is not allowed; {allowed}{where}"
        raise ParameterError(msg)
    return value


def plain_numbers(value, unit=""):
    """
    Float array of a number, array, column or quantity; masked becomes NaN.

    Parameters
    ----------
    value : array_like, `~astropy.table.Column` or `~astropy.units.Quantity`
        What carries a unit is converted to ``unit``.
    unit : str, optional
        Unit of the result.

    Returns
    -------
    value : ndarray of float64

    Examples
    --------
    >>> from astropy import units as u
    >>> from astro_xlatent.physics._checks import plain_numbers
    >>> plain_numbers(2000 * u.eV, "keV")
    array(2.)
    """
    own = getattr(value, "unit", None)
    if np.ma.isMaskedArray(value):
        value = value.astype(float).filled(np.nan)
    value = np.asarray(value, dtype=float)
    return value if own is None else np.asarray((value * own).to_value(unit))


def _in(unit):
    return f" {unit}" if unit else ""
