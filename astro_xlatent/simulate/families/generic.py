# Licensed under a 3-clause BSD style license - see LICENSE
"""Wide mixtures of continuum shapes, tied to no class: they fill the space between the classes."""

import numpy as np

from astro_xlatent.physics import emission
from astro_xlatent.physics.grid import N_ENERGY
from astro_xlatent.simulate.families.tools import Draft, Draw, add_flux, hot_plasma, unit_flux

__all__ = ["generic"]


#: Shares of the components, and range of kT in keV of the thermal ones.
_SHARES = {"power law": 0.28, "black body": 0.15, "disk": 0.12, "cut-off": 0.1, "plasma": 0.35}
_KT_RANGE = {"black body": (0.04, 3.0), "disk": (0.1, 3.0), "plasma": (0.1, 15.0)}


def _shape(draw, kind):
    """Spectra of one kind of component, photon index and kT."""
    if kind == "power law":
        gamma = draw.rng.uniform(-0.5, 4.5, draw.n)
        return emission.powerlaw(gamma), gamma, np.nan
    if kind == "cut-off":
        gamma = draw.rng.uniform(-0.5, 2.5, draw.n)
        return emission.cutoff_powerlaw(gamma, draw.log_uniform(1.0, 20.0)), gamma, np.nan
    kt = draw.log_uniform(*_KT_RANGE[kind])
    if kind == "plasma":
        return hot_plasma(kt, draw.log_uniform(0.1, 3.0)), np.nan, kt
    return (emission.blackbody if kind == "black body" else emission.disk_blackbody)(kt), np.nan, kt


def _component(draw):
    """Spectra of one component each, of unit flux, with photon index and kT."""
    spectrum = np.empty((draw.n, N_ENERGY), np.float32)
    gamma, kt = np.full((2, draw.n), np.nan)
    kinds = draw.rng.choice(len(_SHARES), draw.n, p=list(_SHARES.values()))
    for number, kind in enumerate(_SHARES):
        rows = np.flatnonzero(kinds == number)
        if rows.size:
            drawn, gamma[rows], kt[rows] = _shape(Draw(rows.size, draw.rng), kind)
            spectrum[rows] = unit_flux(drawn, 0.3, 7.0)
    return spectrum, gamma, kt


def generic(draw):
    """
    One or two components (the second of 0.03 to 3 times the flux), columns log-uniform from 1e18 to 1e24,
    some at redshift; a fifth leak 0.3 to 30 percent of their light past the screen.
    """
    first, gamma, kt = _component(draw)
    second, gamma2, kt2 = _component(draw)
    ratio = draw.some(0.5, 0.03, 3.0)
    spectrum = unit_flux(add_flux(first, second, ratio, 0.3, 7.0), 0.3, 7.0)
    leak = draw.some(0.2, 0.003, 0.3)
    redshift = draw.some(0.3, 0.01, 3.0)
    two = ratio > 0
    return Draft(spectrum, nh_gal=draw.log_normal(3e20, 0.4, 1e19, 1e22),
                 nh_int=draw.log_uniform(1e18, 1e24), redshift=redshift,
                 secondary=spectrum * leak[:, None].astype(np.float32),
                 photon_index=np.where(np.isnan(gamma) & two, gamma2, gamma),
                 kt=np.where(two, np.fmax(kt, kt2), kt))
