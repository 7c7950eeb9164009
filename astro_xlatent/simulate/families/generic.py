# Licensed under a 3-clause BSD style license - see LICENSE
"""Wide mixtures of continuum shapes, tied to no class: they fill the space between the classes."""

import numpy as np

from astro_xlatent.physics import emission
from astro_xlatent.simulate.families.tools import (
    Draft,
    add_flux,
    hot_plasma,
    log_normal,
    log_uniform,
    unit_flux,
)

__all__ = ["generic"]


def _shape(n, rng, kind):
    """One component of the given kind; returns its spectrum, photon index and kT."""
    nothing = np.full(n, np.nan)
    if kind == 0:
        gamma = rng.uniform(-0.5, 4.5, n)
        return emission.powerlaw(gamma), gamma, nothing
    if kind == 1:
        kt = log_uniform(rng, n, 0.04, 3.0)
        return emission.blackbody(kt), nothing, kt
    if kind == 2:
        kt = log_uniform(rng, n, 0.1, 3.0)
        return emission.disk_blackbody(kt), nothing, kt
    if kind == 3:
        gamma = rng.uniform(-0.5, 2.5, n)
        return emission.cutoff_powerlaw(gamma, log_uniform(rng, n, 1.0, 20.0)), gamma, nothing
    kt = log_uniform(rng, n, 0.1, 15.0)
    return hot_plasma(kt, log_uniform(rng, n, 0.1, 3.0)), nothing, kt


def _component(n, rng):
    spectrum = np.empty((n, emission.powerlaw(np.ones(1)).shape[1]), np.float32)
    gamma, kt = np.full(n, np.nan), np.full(n, np.nan)
    kinds = rng.choice(5, n, p=(0.28, 0.15, 0.12, 0.1, 0.35))
    for kind in range(5):
        rows = np.flatnonzero(kinds == kind)
        if rows.size:
            shape, gamma[rows], kt[rows] = _shape(rows.size, rng, kind)
            spectrum[rows] = unit_flux(shape, 0.3, 7.0)
    return spectrum, gamma, kt


def generic(n, rng, _p=None):
    """
    One or two components behind a screen, some of it at redshift or leaking.

    Columns are uniform in the logarithm from 1e19 to 1e24; half of the
    sources have a second component of 0.03 to 3 times the flux of the first,
    a fifth leak 0.3 to 30 percent of their light past the screen.
    """
    first, gamma, kt = _component(n, rng)
    second, gamma2, kt2 = _component(n, rng)
    ratio = np.where(rng.random(n) < 0.5, log_uniform(rng, n, 0.03, 3.0), 0.0)
    spectrum = unit_flux(add_flux(first, second, ratio, 0.3, 7.0), 0.3, 7.0)
    leak = np.where(rng.random(n) < 0.2, log_uniform(rng, n, 0.003, 0.3), 0.0)
    redshift = np.where(rng.random(n) < 0.3, log_uniform(rng, n, 0.01, 3.0), 0.0)
    two = ratio > 0
    return Draft(spectrum, nh_gal=log_normal(rng, n, 3e20, 0.4, 1e19, 1e22),
                 nh_int=log_uniform(rng, n, 1e18, 1e24),
                 secondary=spectrum * leak[:, None].astype(np.float32), redshift=redshift,
                 photon_index=np.where(np.isnan(gamma) & two, gamma2, gamma),
                 kt=np.where(two, np.fmax(kt, kt2), kt))
