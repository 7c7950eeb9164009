# Licensed under a 3-clause BSD style license - see LICENSE
"""
Families of accreting binaries: CVs, high-mass and low-mass X-ray binaries.

References are listed in `astro_xlatent.simulate.families.parameters`.
"""

import numpy as np

from astro_xlatent.physics import emission
from astro_xlatent.simulate.families import lines
from astro_xlatent.simulate.families.tools import (
    Draft,
    add_flux,
    hot_plasma,
    log_normal,
    log_uniform,
    truncated_normal,
    unit_flux,
)

__all__ = [
    "be_hmxb",
    "cv_boundary",
    "cv_magnetic",
    "lmxb_faint",
    "lmxb_quiescent",
    "lmxb_soft",
    "spider",
    "supergiant",
]


def _galactic(n, rng, p):
    return log_normal(rng, n, p["nh_gal"], p["nh_gal_dex"], 1e19, 1e23)


def _cooling_flow(kt, slope, metals):
    """Plasma at kT, 0.4 kT and 0.13 kT, emission measures falling as T^slope (Mukai 2017)."""
    total = 0.0
    for factor in (1.0, 0.4, 0.13):
        total = total + factor**slope * hot_plasma(np.maximum(kt * factor, 0.1), metals)
    return total


def cv_magnetic(n, rng, p):
    """
    Polars and intermediate polars: cooling plasma behind a partial covering absorber.

    The covering fraction splits the same emission into a part behind
    ``nh_int`` and a part that leaks.
    """
    kt = log_normal(rng, n, p["kt"] * 1.3, p["kt_dex"], 3.0, 60.0)
    spectrum = unit_flux(_cooling_flow(kt, p["cool_slope"], log_uniform(rng, n, 0.3, 1.0)))
    spectrum = lines.add_iron(spectrum, rng, log_normal(rng, n, p["iron_ew"], 0.25, high=0.4))
    covered = truncated_normal(rng, n, p["partial_mean"], 0.2, 0.05, 0.98)[:, None].astype(np.float32)
    open_part = spectrum * (1.0 - covered)
    soft_ratio = np.where(rng.random(n) < p["soft"] * 2, log_uniform(rng, n, 0.1, 5.0), 0.0)
    soft = unit_flux(emission.blackbody(truncated_normal(rng, n, 0.045, 0.012, 0.02, 0.09)), 0.3, 2.0)
    return Draft(spectrum * covered, nh_gal=_galactic(n, rng, p),
                 nh_int=log_normal(rng, n, p["partial_nh"], p["partial_nh_dex"], high=1e24),
                 secondary=add_flux(open_part, soft, soft_ratio, 0.3, 2.0), kt=kt)


def cv_boundary(n, rng, p):
    """Dwarf novae, nova-likes and cluster CVs: cooling plasma or one temperature, little covering."""
    kt = log_normal(rng, n, p["kt"] * 0.6, p["kt_dex"], 1.0, 50.0)
    metals = log_uniform(rng, n, 0.3, 1.0)
    single = rng.random(n) < p["single"]
    flow = unit_flux(_cooling_flow(kt, p["cool_slope"], metals))
    spectrum = np.where(single[:, None], unit_flux(hot_plasma(kt, metals)), flow)
    spectrum = lines.add_iron(spectrum, rng, 0.5 * log_normal(rng, n, p["iron_ew"], 0.25, high=0.4))
    return Draft(spectrum, nh_gal=_galactic(n, rng, p), nh_int=log_normal(rng, n, 3e20, 0.7, high=1e23),
                 kt=kt)


def _pulsar(n, rng, p):
    gamma = truncated_normal(rng, n, p["gamma_mean"], p["gamma_sd"], -0.5, 2.5)
    cut = log_normal(rng, n, 20.0, 0.2, 8.0, 60.0)
    return gamma, unit_flux(emission.cutoff_powerlaw(gamma, cut))


def supergiant(n, rng, p):
    """Wind-fed pulsars: hard cut-off power law behind a dense wind, Fe K, a scattered soft part."""
    gamma, spectrum = _pulsar(n, rng, p)
    nh_wind = log_normal(rng, n, p["nh_wind"], p["nh_wind_dex"], high=2e24)
    width = p["iron_ew"] * (1.0 + (nh_wind / 1e23) ** 0.5)
    spectrum = lines.add_iron(spectrum, rng, width * log_normal(rng, n, 1.0, 0.25))
    leak = log_uniform(rng, n, 0.003, 0.1)
    return Draft(spectrum, nh_gal=_galactic(n, rng, p), nh_int=nh_wind,
                 secondary=spectrum * leak[:, None].astype(np.float32), photon_index=gamma)


def be_hmxb(n, rng, p):
    """Be binaries (and gamma-ray binaries): power law of little absorption, some with a soft excess."""
    gamma, spectrum = _pulsar(n, rng, p)
    spectrum = lines.add_iron(spectrum, rng, 0.5 * log_normal(rng, n, p["iron_ew"], 0.3))
    kt = log_normal(rng, n, 0.4, 0.4, 0.1, 2.0)
    ratio = np.where(rng.random(n) < p["soft"], log_uniform(rng, n, 0.05, 1.0), 0.0)
    soft = unit_flux(emission.blackbody(kt), 0.3, 7.0)
    return Draft(add_flux(spectrum, soft, ratio, 0.5, 7.0), nh_gal=_galactic(n, rng, p),
                 nh_int=log_normal(rng, n, p["nh_be"], p["nh_be_dex"], high=3e23), photon_index=gamma,
                 kt=np.where(ratio > 0, kt, np.nan))


def lmxb_soft(n, rng, p):
    """Bright states: disk black body with a Comptonised tail, some with a surface black body."""
    kt = log_normal(rng, n, p["disk_kt"], p["disk_kt_dex"], 0.15, 2.5)
    disk = unit_flux(emission.disk_blackbody(kt))
    gamma = truncated_normal(rng, n, p["gamma_mean"] + 0.5, p["gamma_sd"], 1.4, 3.2)
    tail = np.where(rng.random(n) < 0.6, log_uniform(rng, n, p["corona"], 2.0), 0.0)
    surface = np.where(rng.random(n) < 0.3, log_uniform(rng, n, 0.05, 1.0), 0.0)
    spectrum = add_flux(disk, emission.powerlaw(gamma), tail, 2.0, 7.0)
    hot = emission.blackbody(truncated_normal(rng, n, 1.7, 0.4, 0.8, 3.0))
    return Draft(add_flux(spectrum, hot, surface, 2.0, 7.0), nh_gal=_galactic(n, rng, p),
                 nh_int=log_normal(rng, n, 3e20, 0.8, high=1e23),
                 photon_index=np.where(tail > 0, gamma, np.nan), kt=kt)


def lmxb_faint(n, rng, p):
    """Hard and faint states, and binaries of nearby galaxies: power law, some with a cool disk."""
    gamma = truncated_normal(rng, n, p["gamma_mean"], p["gamma_sd"], 0.8, 2.8)
    spectrum = unit_flux(emission.powerlaw(gamma))
    disk = unit_flux(emission.disk_blackbody(log_normal(rng, n, 0.3, 0.2, 0.1, 0.8)), 0.3, 2.0)
    ratio = np.where(rng.random(n) < 0.25, log_uniform(rng, n, 0.1, 1.0), 0.0)
    # seen edge-on, or through the disk of a galaxy
    dipping = rng.random(n) < 0.15
    return Draft(
        add_flux(spectrum, disk, ratio, 0.3, 2.0),
        nh_gal=_galactic(n, rng, p),
        nh_int=np.where(dipping, log_normal(rng, n, 5e22, 0.5, high=1e24), log_normal(rng, n, 3e20, 0.7)),
        photon_index=gamma,
    )


def _surface_and_tail(n, rng, p, nh_gal, tail_chance, tail_low, tail_high):
    kt = log_normal(rng, n, p["surface_kt"], p["surface_kt_dex"], 0.06, 0.5)
    gamma = truncated_normal(rng, n, 1.5, 0.3, 0.8, 2.3)
    surface = unit_flux(emission.blackbody(kt))
    tail = np.where(rng.random(n) < tail_chance, log_uniform(rng, n, tail_low, tail_high), 0.0)
    return Draft(add_flux(surface, emission.powerlaw(gamma), tail, 0.5, 7.0), nh_gal=nh_gal,
                 photon_index=np.where(tail > 0, gamma, np.nan), kt=kt)


def lmxb_quiescent(n, rng, p):
    """Quiescent neutron stars: surface emission of 0.1-0.3 keV and a hard tail."""
    return _surface_and_tail(n, rng, p, _galactic(n, rng, p), 0.6, 0.03, 1.0)


def spider(n, rng, p):
    """Redbacks, black widows and pulsars with companions: shock power law and surface emission."""
    nh_gal = log_normal(rng, n, p["nh_spider"], 0.5, 1e19, 3e22)
    return _surface_and_tail(n, rng, p, nh_gal, 0.7, 0.3, 30.0)
