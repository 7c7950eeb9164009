# Licensed under a 3-clause BSD style license - see LICENSE
"""Checks that every physical parameter passes before it is used."""

import numpy as np

from astro_xlatent.core.errors import ParameterError

__all__ = ["check_parameter", "plain_numbers"]


def check_parameter(name, value, low, high, unit=""):
    """
    Turn a parameter into a float array in ``unit`` and refuse NaN and what lies outside ``low``..``high``.

    A quantity is converted, plain numbers are in ``unit``.

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
    Float array of a number, array, column or quantity, in ``unit`` where it carries one; masked becomes NaN.
    """
    own = getattr(value, "unit", None)
    if np.ma.isMaskedArray(value):
        value = value.astype(float).filled(np.nan)
    value = np.asarray(value, dtype=float)
    return value if own is None else np.asarray((value * own).to_value(unit))


def _in(unit):
    return f" {unit}" if unit else ""
