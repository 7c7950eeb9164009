# Licensed under a 3-clause BSD style license - see LICENSE
"""
Families outside the Galaxy: active nuclei, clusters, gas of galaxies, ULXs, remnants.

References are listed in `astro_xlatent.simulate.families.parameters`.
"""

from functools import lru_cache

import numpy as np

from astro_xlatent.physics import emission
from astro_xlatent.physics.grid import ENERGY_MID
from astro_xlatent.physics.reflection import iron_equivalent_width, reflection
from astro_xlatent.simulate.families.tools import (
    Draft,
    add_flux,
    hot_plasma,
    log_normal,
    log_uniform,
    truncated_normal,
    unit_flux,
)

__all__ = ["agn", "cluster", "galaxy", "remnant", "soft_source", "ulx"]

# keV; width of the bins in which the reflected share is tabulated
_SHARE_STEP = 0.02


def _agn_columns(n, rng, p):
    """Intrinsic column: a log-normal for type 1, flat in the logarithm for type 2."""
    thin = log_normal(rng, n, p["nh_thin"], p["nh_thin_dex"], high=10 ** p["nh_thick_low"])
    thick = 10.0 ** rng.uniform(p["nh_thick_low"], p["nh_thick_high"], n)
    obscured = rng.random(n) < p["obscured"]
    return np.where(obscured, thick, thin), obscured


@lru_cache(maxsize=1)
def _reflected_share():
    """Reflected over direct photons at rest energies, for index 1.9; other indices differ little."""
    edges = np.arange(0.1, 80.0, _SHARE_STEP)
    share = reflection(1.9, edges=edges, line_sigma=0.03) / emission.powerlaw(1.9, edges=edges)
    return share.astype(np.float32)


def _with_reflection(spectrum, iron_ew, redshift):
    """Add reflection off thick matter, as much as gives Fe K the equivalent width ``iron_ew`` in keV."""
    amount = (iron_ew / iron_equivalent_width(1.9)).astype(np.float32)
    index = (ENERGY_MID * (1.0 + redshift[:, None]) - 0.1) / _SHARE_STEP
    return spectrum * (1 + amount[:, None] * _reflected_share()[index.astype(np.intp)])


def agn(n, rng, p):
    """
    Active nuclei: power law, reflection with Fe K, soft excess, scattered light.

    Obscured nuclei show a fraction of the unabsorbed power law scattered into
    the line of sight (Gupta et al. 2021), and some gas of the host.
    """
    z = log_normal(rng, n, p["redshift"], p["redshift_dex"], 0.003, 5.0)
    gamma = truncated_normal(rng, n, p["gamma_mean"], p["gamma_sd"], 1.0, 3.2)
    nh_int, obscured = _agn_columns(n, rng, p)
    nucleus = unit_flux(emission.powerlaw(gamma, z))
    primary = _with_reflection(nucleus, log_normal(rng, n, p["iron_ew"], 0.3, high=0.4), z)
    excess = log_normal(rng, n, p["soft_excess"], 0.4, high=3.0) * (rng.random(n) < p["soft_fraction"])
    soft = unit_flux(emission.blackbody(truncated_normal(rng, n, 0.14, 0.03, 0.08, 0.25), z), 0.3, 2.0)
    primary = add_flux(primary, soft, np.where(obscured, 0.0, excess), 0.3, 2.0)
    leak = np.where(obscured, log_normal(rng, n, p["scattered"], p["scattered_dex"], high=0.3), 0.0)
    return Draft(primary, nh_gal=log_normal(rng, n, p["nh_gal"], p["nh_gal_dex"], 3e19, 5e21), nh_int=nh_int,
                 secondary=nucleus * leak[:, None].astype(np.float32), redshift=z, photon_index=gamma)


def cluster(n, rng, p):
    """Clusters and groups: thermal plasma of 0.2-0.6 solar metals, redshifted."""
    kt = log_normal(rng, n, p["kt_cluster"], 0.3, 0.5, 12.0)
    z = log_normal(rng, n, 0.3, 0.35, 0.01, 1.3)
    metals = truncated_normal(rng, n, 0.35, 0.12, 0.1, 0.8)
    return Draft(unit_flux(hot_plasma(kt, metals, z)),
                 nh_gal=log_normal(rng, n, p["nh_gal"], p["nh_gal_dex"], 3e19, 5e21), redshift=z, kt=kt)


def galaxy(n, rng, p):
    """Galaxies without bright nucleus: hot gas and a power law of unresolved binaries."""
    kt = log_normal(rng, n, p["kt_gas"], 0.2, 0.15, 1.5)
    z = log_normal(rng, n, 0.02, 0.5, 0.0005, 0.3)
    gamma = truncated_normal(rng, n, 1.7, 0.15, 1.3, 2.2)
    gas = unit_flux(hot_plasma(kt, log_uniform(rng, n, 0.2, 1.5), z), 0.5, 2.0)
    spectrum = add_flux(gas, emission.powerlaw(gamma), log_uniform(rng, n, 0.05, 2.0))
    return Draft(unit_flux(spectrum), nh_gal=log_normal(rng, n, p["nh_gal"], p["nh_gal_dex"], 3e19, 5e21),
                 nh_int=log_normal(rng, n, p["nh_int"] / 4, 0.5, high=1e22), redshift=z, photon_index=gamma,
                 kt=kt)


def remnant(n, rng, p):
    """
    Supernova remnants, Galactic and in nearby galaxies.

    Thermal plasma, alpha elements up to several times solar; ionization is
    taken in equilibrium, a low kT standing in for young, underionized gas.
    """
    kt = log_normal(rng, n, p["kt_remnant"], 0.2, 0.15, 3.0)
    alpha = log_uniform(rng, n, 0.3, 5.0)
    metals = {"metals": alpha, "Fe": log_uniform(rng, n, 0.2, 2.0)}
    spectrum = unit_flux(hot_plasma(kt, metals), 0.5, 2.0)
    gamma = truncated_normal(rng, n, 2.3, 0.3, 1.5, 3.0)
    tail = np.where(rng.random(n) < 0.3, log_uniform(rng, n, 0.02, 1.0), 0.0)
    return Draft(unit_flux(add_flux(spectrum, emission.powerlaw(gamma), tail)),
                 nh_gal=log_normal(rng, n, p["nh_gal"] * 3, 0.5, 3e19, 5e22),
                 nh_int=log_normal(rng, n, p["nh_int"] / 2, 0.6, high=5e22),
                 photon_index=np.where(tail > 0, gamma, np.nan), kt=kt)


def ulx(n, rng, p):
    """Ultraluminous sources: soft disk and cut-off power law, or one hot disk."""
    gamma = truncated_normal(rng, n, 1.7, 0.3, 1.0, 2.6)
    cold = unit_flux(emission.disk_blackbody(log_normal(rng, n, 0.2, 0.15, 0.08, 0.5)), 0.3, 2.0)
    hard = unit_flux(emission.cutoff_powerlaw(gamma, log_normal(rng, n, 6.0, 0.15, 3.0, 15.0)))
    kt = log_normal(rng, n, 1.3, 0.15, 0.6, 2.5)
    hot = unit_flux(emission.disk_blackbody(kt))
    disk = rng.random(n) < 0.35
    ratio = np.where(rng.random(n) < 0.6, log_uniform(rng, n, 0.1, 2.0), 0.0)
    spectrum = np.where(disk[:, None], hot, add_flux(hard, cold, ratio, 0.3, 2.0))
    return Draft(spectrum, nh_gal=log_normal(rng, n, p["nh_gal"], p["nh_gal_dex"], 3e19, 5e21),
                 nh_int=log_normal(rng, n, p["nh_int"], 0.4, high=3e22),
                 photon_index=np.where(disk, np.nan, gamma), kt=np.where(disk, kt, np.nan))


def soft_source(n, rng, p):
    """Supersoft and tidal-disruption-like sources: black bodies of 40-150 eV, some with a tail."""
    kt = log_uniform(rng, n, 0.04, 0.15)
    soft = unit_flux(emission.blackbody(kt), 0.3, 2.0)
    tail = np.where(rng.random(n) < 0.4, log_uniform(rng, n, 0.003, 0.1), 0.0)
    return Draft(add_flux(soft, emission.powerlaw(np.full(n, 2.0)), tail, 0.3, 2.0),
                 nh_gal=log_normal(rng, n, p["nh_gal"], p["nh_gal_dex"], 3e19, 5e21),
                 nh_int=log_normal(rng, n, p["nh_int"] / 10, 0.5, high=2e21), kt=kt)
