# Licensed under a 3-clause BSD style license - see LICENSE
"""Fluxes and hardness ratios of CSC rows as ways to read their bands."""

from dataclasses import replace

import numpy as np

from astro_xlatent.core.flags import Flag
from astro_xlatent.missions._bandset import BandSet, counts_from_flux
from astro_xlatent.missions._columns import ENERGY_FLUX, PHOTON_FLUX
from astro_xlatent.missions._csc_areas import effective_area, mean_over_effective
from astro_xlatent.missions._one_exposure import (
    complete,
    counts_of_significance,
    exposure_of_ratios,
    first_finite,
    shape_of_ratios,
)
from astro_xlatent.physics.grid import KEV_TO_ERG

__all__ = ["flux_sets", "hardness_sets", "reference_energy"]

#: Column families of fluxes in order of preference: value, lower and upper 68 % limit.
#: "mean" (of the labeled samples) before averages over observations: those weigh the
#: observations of a variable source differently in every band, which bends its colors.
_FAMILIES = [tuple(f"{{q}}_{aperture}{part}_{{b}}" for part in ("", "_lolim", "_hilim")) for aperture in (
    "aper", "aper90", "aper_mean", "aper_avg", "aper_ave", "aper90_mean", "aper90_avg", "aper90_ave")]
#: Detection likelihood per count of detections of the CSC: median of likelihood_b over the
#: equivalent counts of the bands s, m and h (``tools/check_csc_constants.py``, MATCH fields).
LIKELIHOOD_PER_COUNT = 2.93
#: Mean energies in keV of what the bands detect: median of energy over photon flux of detections of
#: the CSC (the same); of u and b the effective energies.
MEAN_ENERGY = {"u": 0.4, "s": 1.02, "m": 1.52, "h": 4.07, "b": 2.3}
_RATIOS = ("hm", "hs", "ms")


def reference_energy(bands):
    """Geometric middle of the bands in erg, shape (bands,)."""
    return np.array([np.sqrt(lo * hi) for _, lo, hi in bands]) * KEV_TO_ERG


def _net_counts(cols, aperture, bands):
    """Net counts and their limits, three arrays of shape (rows, bands)."""
    return [cols.of_bands(bands, f"src_cnts_{aperture}_{part}{{}}") for part in ("", "lolim_", "hilim_")]


def _broad_counts(cols, spread=1.0):
    """Counts of the broad band from net counts, fluxes or significance, shape (rows,); see `_spread`."""
    found = []
    with np.errstate(all="ignore"):
        for aperture in ("aper", "aper90"):
            net, low, high = (values[:, 0] for values in _net_counts(cols, aperture, "b"))
            found += [counts_of_significance(2 * net / (high - low)), net]
        found.append(counts_of_significance(cols.number("flux_significance_b")))
        for quantity in ("photflux", "flux"):
            for family in _FAMILIES:
                flux, low, high = (cols.number(t.format(q=quantity, b="b")) for t in family)
                counts = counts_of_significance(2 * flux / (high - low))
                found.append(counts * spread if quantity == "flux" else counts)
    return first_finite(*found)


def _spread(unit, cols, bands):
    """
    Counts over the counts with the relative error of their broad energy flux, (rows,): n (sum of w**2) / (sum
    of w)**2 over n events of weight w, the mean of each band; ``unit`` are counts of bands up to a factor.
    """
    weight = np.array([MEAN_ENERGY[b] for b, _, _ in bands]) / effective_area(cols, bands)[0]
    with np.errstate(all="ignore"):
        spread = unit.sum(axis=1) * (weight**2 * unit).sum(axis=1) / (weight * unit).sum(axis=1) ** 2
    return np.where(np.isfinite(spread), spread, 1.0)


def _last_resort(cols):
    """Equivalent counts from the significance or likelihood of a master source, shape (rows,)."""
    # Beside observations these are the best of all the source's observations and stacks.
    observed = np.isfinite(cols.number("obsid"))
    found = first_finite(counts_of_significance(cols.number("significance")),
                         cols.number("likelihood") / LIKELIHOOD_PER_COUNT)
    return np.where(observed, np.nan, found)


def _ratios(cols, bands):
    """Pairs of bands, ratios and half the widths of their limits, of the hardness columns that are there."""
    numbers = {b: k for k, (b, _, _) in enumerate(bands)}
    pairs = [(numbers[r[0]], numbers[r[1]]) for r in _RATIOS]
    value, low, high = (cols.numbers([f"hard_{r}{part}" for r in _RATIOS])
                        for part in ("", "_lolim", "_hilim"))
    return pairs, value, 0.5 * (high - low)


def flux_sets(cols, bands, quantity, relative_error=None):
    """Every family of photon or energy fluxes (``"photflux"``, ``"flux"``) as a `BandSet`, best first."""
    weighted = quantity == "flux"
    unit, scale = (ENERGY_FLUX, reference_energy(bands)) if weighted else (PHOTON_FLUX, np.ones(len(bands)))
    sets = []
    for family in _FAMILIES:
        names = [[t.format(q=quantity, b=b) for t in family] for b, _, _ in bands]
        if not any(n[0] in cols for n in names):
            continue
        flux, low, high = (cols.numbers(column, unit) for column in zip(*names, strict=True))
        error = cols.numbers([cols.first(f"e_{n[0]}", f"{n[0]}_err") or f"e_{n[0]}" for n in names], unit)
        if family is _FAMILIES[0]:
            with np.errstate(all="ignore"):
                told = flux / cols.of_bands(bands, "flux_significance_{}")
            error = np.where(np.isfinite(error), error, np.where(told > 0, told, np.nan))
        net = _net_counts(cols, "aper90" if "aper90" in names[0][0] else "aper", bands)
        counts, area, cause, approximate = counts_from_flux(
            flux, low, high, error=error, net=net, scale=scale)
        one = BandSet("energy flux" if weighted else "photon flux", counts, area, cause,
                      energy_weighted=weighted, flags=np.where(approximate, int(Flag.LIMITS_MISSING), 0),
                      columns=[cols.spelled(n[0]) for n in names])
        sets.append(_completed(cols, bands, one, flux, scale, relative_error))
    if weighted or not sets:
        return sets
    ratio, flags = mean_over_effective(cols, bands)
    return [replace(one, area=one.area * ratio, flags=one.flags | flags) for one in sets]


def _net(cols, bands):
    """Net counts of the bands, zero where photon fluxes are, shape (rows, bands)."""
    net = np.full((len(cols), len(bands)), np.nan)
    for aperture in ("aper", "aper90"):
        found, flux = (cols.of_bands(bands, f"{stem}_{aperture}_{{}}") for stem in ("src_cnts", "photflux"))
        net = np.where(flux == 0, 0.0, np.where(np.isfinite(net), net, found))
    return net


def _completed(cols, bands, one, value, scale, relative_error):
    """The same `BandSet` with the bands whose uncertainty or value is missing, by their common exposure."""
    if not np.isin(one.cause, (1, 3)).any():
        return one
    conversion, curve_flags = effective_area(cols, bands)
    if one.energy_weighted:
        conversion = conversion / (np.array([MEAN_ENERGY[b] for b, _, _ in bands]) * KEV_TO_ERG)
    pairs, _, width = _ratios(cols, [b for b in bands if b[0] in "smh"])
    with np.errstate(all="ignore"):
        unit = np.where(value > 0, value * conversion, 0.0)
        photons = (unit / effective_area(cols, bands)[0])[:, -3:]
        of_ratios = exposure_of_ratios(pairs, width, photons, conversion[:, -3:] * value[:, -3:] / photons)
        total = first_finite(_broad_counts(cols, _spread(unit, cols, bands)), of_ratios * unit.sum(axis=1),
                             _last_resort(cols))
    counts, area, cause, flags = complete(
        value, one.counts, one.area, one.cause, conversion=conversion, scale=scale,
        net=_net(cols, bands), total=total, relative_error=relative_error)
    made = (cause == 0) & (one.cause != 0)
    return replace(one, counts=counts, area=area, cause=cause,
                   flags=one.flags | flags | np.where(made, curve_flags, 0))


def hardness_sets(cols, bands):
    """
    Hardness ratios of photon fluxes, as a `BandSet` or none: with the broad photon, else energy flux, else
    ``livetime``, and counts of the broad band, else by widths of limits, significance or likelihood.
    """
    bands3 = [b for b in bands if b[0] in "smh"]
    if not any(f"hard_{r}" in cols for r in _RATIOS):
        return []
    pairs, ratios, width = _ratios(cols, bands3)
    shape = shape_of_ratios(pairs, ratios, len(bands3))
    conversion, flags = effective_area(cols, bands3)
    energy = np.array([MEAN_ENERGY[b] for b, _, _ in bands3]) * KEV_TO_ERG
    filled = np.nan_to_num(shape)
    with np.errstate(all="ignore"):
        unit = (filled * conversion).sum(axis=1)  # counts per exposure and photon flux of the three bands
        broad_area = effective_area(cols, (("b", 0.5, 7.0),))[0][:, 0]
        time = exposure_of_ratios(pairs, width, shape, conversion)
        total = first_finite(_broad_counts(cols, _spread(filled * conversion, cols, bands3)), time * unit,
                             _last_resort(cols))
        photon, energies = ([cols.number(f[0].format(q=q, b="b"), flux_unit) for f in _FAMILIES]
                            for q, flux_unit in (("photflux", PHOTON_FLUX), ("flux", ENERGY_FLUX)))
        photons = first_finite(*(flux * broad_area / unit for flux in photon),
                               *(flux / (filled * energy).sum(axis=1) for flux in energies),
                               total / unit / cols.number("livetime", "s"))
        total = first_finite(total, photons * unit * cols.number("livetime", "s"))
        time = (total / unit / photons)[:, None]
        counts, area = shape * photons[:, None] * conversion * time, conversion * time
    ratio, more = mean_over_effective(cols, bands3)
    unscaled, endless = (np.broadcast_to(~np.isfinite(v), shape.shape) for v in (photons[:, None], time))
    cause = np.select([~np.isfinite(shape), unscaled, endless], [1, 9, 3], 0)
    wide = [k for k, b in enumerate(bands) if b[0] in "smh"]
    full = [np.full((len(cols), len(bands)), fill) for fill in (0.0, 0.0, 1)]
    for array, part in zip(full, (counts, area * ratio, cause), strict=True):
        array[:, wide] = part
    flags |= more | int(Flag.FROM_HARDNESS | Flag.UNTRAINED_RECIPE)
    return [BandSet("hardness ratios", *full, flags=flags)]
