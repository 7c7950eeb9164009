# Licensed under a 3-clause BSD style license - see LICENSE
"""Columns of any kind as plain numbers, and the streams of random ones."""

import numpy as np
from astropy import units as u

__all__ = ["STREAMS", "plain_floats", "random_stream", "stream_seed"]

#: What draws random numbers beside the training itself, and what sets its seeds apart.
STREAMS = {
    "calibration": 1_000_003,
    "teacher": 2**31,
    "evaluation": 7_000_003,
    "baselines": 8_000_009,
    "guard rails": 9_000_011,
    "instruments": 10_000_019,
    "repeats": 11_000_003,
    "cells": 12_000_017,
    "reconstruction": 13_000_027,
    "paper style": 14_000_029,
    "absorbed": 15_000_031,
}


def plain_floats(column, unit=None) -> np.ndarray:
    """
    Values of a column, array or quantity of any shape as float64, whatever it stores them as.

    NaN where masked, blank or no (real) number; infinities stay. With a ``unit``, values
    are converted to it, or taken to be in it where they have none.
    """
    values = getattr(column, "unmasked", column)
    values = values.value if isinstance(values, u.Quantity) else values
    masked = getattr(column, "mask", None)
    array = np.ma.asarray(values)
    mask = np.ma.getmaskarray(array)
    if masked is not None and not isinstance(masked, bool | np.bool_):
        mask = mask | np.asarray(masked)
    data = np.ma.getdata(array)
    if data.dtype.kind in "USOc":
        data = np.array([_parse(value) for value in data.ravel().tolist()], float).reshape(data.shape)
    own = getattr(column, "unit", None)
    if unit is not None and own is not None:
        data = u.Quantity(data.astype(float), own).to_value(unit)
    return np.where(mask, np.nan, np.asarray(data, float))


def _parse(value):
    try:
        return float(value)
    except (TypeError, ValueError):
        return np.nan


def stream_seed(seed: int, name: str) -> int:
    """Seed of one of the `STREAMS`, where an integer is asked for."""
    return seed + STREAMS[name]


def random_stream(seed: int, name: str, *counters: int) -> np.random.Generator:
    """Random numbers of one of the `STREAMS`, told apart by counters."""
    return np.random.default_rng([seed, STREAMS[name], *counters])
