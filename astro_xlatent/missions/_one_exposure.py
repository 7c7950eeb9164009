# Licensed under a 3-clause BSD style license - see LICENSE
"""
Bands that share one exposure: what a row without uncertainties still says. Counts are values times a known
conversion times one unknown a row: by other bands, by the row's counts, or by an error that a user grants.
"""

import numpy as np

from astro_xlatent.core.flags import Flag
from astro_xlatent.missions._bandset import COUNT_VARIANCE

__all__ = ["complete", "counts_of_significance", "exposure_of_ratios", "first_finite", "shape_of_ratios"]

#: Second eigenvalue below which hardness ratios fix no shape: above the square of what is left of
#: a ratio of one where catalogs round it (0.9994 in the CSC).
_DEGENERATE = 1e-5


def counts_of_significance(significance):
    """Counts with the relative error of a flux of that significance; NaN unless positive."""
    with np.errstate(all="ignore"):
        return np.where(significance > 0, significance**2 / COUNT_VARIANCE, np.nan)


def first_finite(*values):
    """Element by element the first that is a positive number, else NaN."""
    return np.select([np.isfinite(value) & (value > 0) for value in values], values, np.nan)


def complete(value, counts, area, cause, *, conversion, scale, net=None, total=None, relative_error=None):
    """
    Fill the bands whose uncertainty is missing, and those without a value of which counts are known.

    Arrays are (rows, bands): ``counts`` and ``area`` follow from a ``value`` with an uncertainty (``cause``
    0; 3: "no uncertainty", 1: "missing"). ``conversion`` is counts per value and unit of exposure, ``scale``
    area over counts and value, ``net`` net counts (zero where undetected), ``total``, (rows,), the counts of
    all bands that the row implies, or NaN: then ``relative_error`` holds. Gives counts, area, cause, and
    flags.
    """
    net = np.full(np.shape(value), np.nan) if net is None else net
    known, wanted, valued = (cause == 0) & (counts > 0), cause == 3, (cause == 1) & (net >= 0)
    with np.errstate(all="ignore"):
        unit = np.where(np.isin(cause, (0, 3)) & (value > 0), value * conversion, 0.0)

        def exposure(rows, amount, per_exposure=unit):
            return np.where(rows, amount, 0.0).sum(axis=1) / np.where(rows, per_exposure, 0.0).sum(axis=1)

        every = unit > 0
        whole = np.full(len(unit), np.nan) if total is None else total / unit.sum(axis=1)
        per_area = np.broadcast_to(conversion * scale, unit.shape)
        time = first_finite(exposure(known, counts), whole, exposure(cause == 0, area, per_area))[:, None]
        # equivalent counts, which allow for background, over net ones
        both = known & (net > 0)
        share = first_finite(exposure(both, counts, net), np.ones(len(unit)))[:, None]
        made = np.where(valued, net * share, unit * time)
        filled = time * per_area
        if relative_error is not None:
            granted = 1.0 / (COUNT_VARIANCE * relative_error**2)
            other = ~np.isfinite(time) & np.ones_like(every)
            made = np.where(other & every, granted, made)
            one = exposure(every, granted)[:, None]
            filled = np.where(other, np.where(every, granted / value, conversion * one) * scale, filled)
    use = (wanted | valued) & np.isfinite(filled) & (filled > 0)
    counts = np.where(use, np.nan_to_num(made), counts)
    flags = np.where(use & wanted, int(Flag.ERRORS_ASSUMED), 0).astype(np.int64)
    return counts, np.where(use, filled, area), np.where(use, 0, cause), flags


def shape_of_ratios(pairs, ratios, n_bands):
    """
    Values of bands up to a factor, (rows, bands), from hardness ratios (x - y) / (x + y) of ``pairs`` of
    bands: the smallest singular vector of their linear equations. NaN outside the largest group that ratios
    join.
    """
    rows = len(ratios)
    equations, joined = np.zeros((rows, len(pairs), n_bands)), np.tile(np.eye(n_bands), (rows, 1, 1))
    known = np.isfinite(ratios) & (np.abs(np.nan_to_num(ratios)) <= 1)
    for k, (x, y) in enumerate(pairs):
        equations[:, k, x] = np.where(known[:, k], 1 - ratios[:, k], 0.0)
        equations[:, k, y] = np.where(known[:, k], -1 - ratios[:, k], 0.0)
        joined[:, x, y] = joined[:, y, x] = known[:, k]
    reached = np.linalg.matrix_power(joined, n_bands) > 0
    group = np.argmax(reached.sum(axis=2), axis=1)
    inside = reached[np.arange(rows), group] & (reached.sum(axis=2).max(axis=1) > 1)[:, None]
    # bands outside are held at zero by an equation of their own
    outside = np.where(inside, 0.0, 1e3)[..., None] * np.eye(n_bands)
    normal = np.swapaxes(equations, 1, 2) @ equations + outside
    size, vector = np.linalg.eigh(normal)
    shape = np.where(inside, np.abs(vector[..., 0]), 0.0)
    # a band of zero in the middle of a chain leaves both its sides free: no shape is told
    inside &= (size[:, 1] > _DEGENERATE)[:, None]
    with np.errstate(invalid="ignore"):
        return np.where(inside, shape / shape.sum(axis=1, keepdims=True), np.nan)


def exposure_of_ratios(pairs, half_widths, shape, conversion):
    """
    Exposure, (rows,), at which counting noise makes ratios as uncertain as ``half_widths`` (rows, n_pairs) of
    their 68 % intervals: median over ratios, errors propagated to first order; NaN without limits.
    """
    found = []
    for k, (x, y) in enumerate(pairs):
        one, two = shape[:, x], shape[:, y]
        with np.errstate(all="ignore"):
            per_exposure = one * two**2 / conversion[:, x] + one**2 * two / conversion[:, y]
            found.append(4 * per_exposure / (COUNT_VARIANCE * half_widths[:, k] ** 2 * (one + two) ** 4))
    found = np.array(found)
    found[~np.isfinite(found) | (found <= 0)] = np.nan
    every = np.isnan(found).all(axis=0)
    return np.where(every, np.nan, np.nanmedian(np.where(every, 0.0, found), axis=0))
