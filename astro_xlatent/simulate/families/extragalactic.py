# Licensed under a 3-clause BSD style license - see LICENSE
"""Sources outside the Galaxy: active nuclei, clusters, gas of galaxies, ULXs, remnants."""

from functools import lru_cache

import numpy as np

from astro_xlatent.physics import emission
from astro_xlatent.physics.grid import ENERGY_MID
from astro_xlatent.physics.reflection import iron_equivalent_width, reflection
from astro_xlatent.simulate.families.tools import Draft, add_flux, hot_plasma, unit_flux

__all__ = ["agn", "cluster", "galaxy", "remnant", "soft_source", "ulx"]

# keV; width of the bins in which the reflected share is tabulated
_SHARE_STEP = 0.02


def _galactic(draw):
    return draw.spread("nh_gal", 3e19, 5e21)


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


def agn(draw):
    """
    Power law, reflection with Fe K, soft excess. Columns are log-normal for type 1, log-uniform for type 2,
    which show a scattered fraction of the unabsorbed power law (Gupta et al. 2021).
    """
    z = draw.spread("redshift", 0.003, 5.0)
    gamma = draw.normal(draw["gamma_mean"], draw["gamma_sd"], 1.0, 3.2)
    thin = draw.spread("nh_thin", high=10 ** draw["nh_thick_low"])
    thick = 10.0 ** draw.rng.uniform(draw["nh_thick_low"], draw["nh_thick_high"], draw.n)
    obscured = draw.chance(draw["obscured"])
    nucleus = unit_flux(emission.powerlaw(gamma, z))
    primary = _with_reflection(nucleus, draw.log_normal(draw["iron_ew"], 0.3, high=0.4), z)
    excess = draw.log_normal(draw["soft_excess"], 0.4, high=3.0) * draw.chance(draw["soft_fraction"])
    soft = unit_flux(emission.blackbody(draw.normal(0.14, 0.03, 0.08, 0.25), z), 0.3, 2.0)
    primary = add_flux(primary, soft, np.where(obscured, 0.0, excess), 0.3, 2.0)
    leak = np.where(obscured, draw.spread("scattered", high=0.3), 0.0)
    return Draft(primary, nh_gal=_galactic(draw), nh_int=np.where(obscured, thick, thin), redshift=z,
                 secondary=nucleus * leak[:, None].astype(np.float32), photon_index=gamma)


def cluster(draw):
    """Clusters and groups: thermal plasma of 0.2-0.6 solar metals, redshifted."""
    kt = draw.log_normal(draw["kt_cluster"], 0.3, 0.5, 12.0)
    z = draw.log_normal(0.3, 0.35, 0.01, 1.3)
    metals = draw.normal(0.35, 0.12, 0.1, 0.8)
    return Draft(unit_flux(hot_plasma(kt, metals, z)), nh_gal=_galactic(draw), redshift=z, kt=kt)


def galaxy(draw):
    """Galaxies without bright nucleus: hot gas and a power law of unresolved binaries."""
    kt = draw.log_normal(draw["kt_gas"], 0.2, 0.15, 1.5)
    z = draw.log_normal(0.02, 0.5, 0.0005, 0.3)
    gamma = draw.normal(1.7, 0.15, 1.3, 2.2)
    gas = unit_flux(hot_plasma(kt, draw.log_uniform(0.2, 1.5), z), 0.5, 2.0)
    spectrum = add_flux(gas, emission.powerlaw(gamma), draw.log_uniform(0.05, 2.0))
    return Draft(unit_flux(spectrum), nh_gal=_galactic(draw), redshift=z, photon_index=gamma, kt=kt,
                 nh_int=draw.log_normal(draw["nh_int"] / 4, 0.5, high=1e22))


def remnant(draw):
    """Remnants: plasma in equilibrium (low kT for underionized gas), alpha elements up to 5 solar."""
    kt = draw.log_normal(draw["kt_remnant"], 0.2, 0.15, 3.0)
    metals = {"metals": draw.log_uniform(0.3, 5.0), "Fe": draw.log_uniform(0.2, 2.0)}
    spectrum = unit_flux(hot_plasma(kt, metals), 0.5, 2.0)
    gamma = draw.normal(2.3, 0.3, 1.5, 3.0)
    tail = draw.some(0.3, 0.02, 1.0)
    return Draft(unit_flux(add_flux(spectrum, emission.powerlaw(gamma), tail)),
                 nh_gal=draw.log_normal(draw["nh_gal"] * 3, 0.5, 3e19, 5e22),
                 nh_int=draw.log_normal(draw["nh_int"] / 2, 0.6, high=5e22),
                 photon_index=np.where(tail > 0, gamma, np.nan), kt=kt)


def ulx(draw):
    """Ultraluminous sources: soft disk and cut-off power law, or one hot disk."""
    gamma = draw.normal(1.7, 0.3, 1.0, 2.6)
    cold = unit_flux(emission.disk_blackbody(draw.log_normal(0.2, 0.15, 0.08, 0.5)), 0.3, 2.0)
    hard = unit_flux(emission.cutoff_powerlaw(gamma, draw.log_normal(6.0, 0.15, 3.0, 15.0)))
    kt = draw.log_normal(1.3, 0.15, 0.6, 2.5)
    disk = draw.chance(0.35)
    ratio = draw.some(0.6, 0.1, 2.0)
    spectrum = np.where(disk[:, None], unit_flux(emission.disk_blackbody(kt)),
                        add_flux(hard, cold, ratio, 0.3, 2.0))
    return Draft(spectrum, nh_gal=_galactic(draw), nh_int=draw.log_normal(draw["nh_int"], 0.4, high=3e22),
                 photon_index=np.where(disk, np.nan, gamma), kt=np.where(disk, kt, np.nan))


def soft_source(draw):
    """Supersoft and tidal-disruption-like sources: black bodies of 40-150 eV, some with a tail."""
    kt = draw.log_uniform(0.04, 0.15)
    soft = unit_flux(emission.blackbody(kt), 0.3, 2.0)
    tail = draw.some(0.4, 0.003, 0.1)
    return Draft(add_flux(soft, emission.powerlaw(np.full(draw.n, 2.0)), tail, 0.3, 2.0),
                 nh_gal=_galactic(draw), nh_int=draw.log_normal(draw["nh_int"] / 10, 0.5, high=2e21), kt=kt)
