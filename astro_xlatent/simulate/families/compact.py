# Licensed under a 3-clause BSD style license - see LICENSE
"""Compact objects: CVs, high-mass and low-mass X-ray binaries, isolated neutron stars."""

import numpy as np

from astro_xlatent.physics import emission
from astro_xlatent.simulate.families.tools import Draft, add_flux, add_iron, hot_plasma, unit_flux

__all__ = ["be_hmxb", "cv_boundary", "cv_magnetic", "lmxb_faint", "lmxb_quiescent", "lmxb_soft", "magnetar",
           "pulsar", "spider", "supergiant", "thermal_neutron_star"]


def _galactic(draw):
    return draw.spread("nh_gal", 1e19, 1e23)


def _cooling_flow(kt, slope, metals):
    """Plasma at kT, 0.4 kT and 0.13 kT, emission measures falling as T^slope (Mukai 2017)."""
    total = 0.0
    for factor in (1.0, 0.4, 0.13):
        total = total + factor**slope * hot_plasma(np.maximum(kt * factor, 0.1), metals)
    return total


def cv_magnetic(draw):
    """Polars and intermediate polars: cooling plasma, of which a part leaks past the covering absorber."""
    kt = draw.log_normal(draw["kt"] * 1.3, draw["kt_dex"], 3.0, 60.0)
    spectrum = unit_flux(_cooling_flow(kt, draw["cool_slope"], draw.log_uniform(0.3, 1.0)))
    spectrum = add_iron(spectrum, draw, draw.log_normal(draw["iron_ew"], 0.25, high=0.4))
    covered = draw.normal(draw["partial_mean"], 0.2, 0.05, 0.98)[:, None].astype(np.float32)
    open_part = spectrum * (1.0 - covered)
    soft_ratio = draw.some(draw["soft"] * 2, 0.1, 5.0)
    soft = unit_flux(emission.blackbody(draw.normal(0.045, 0.012, 0.02, 0.09)), 0.3, 2.0)
    return Draft(spectrum * covered, nh_gal=_galactic(draw), nh_int=draw.spread("partial_nh", high=1e24),
                 secondary=add_flux(open_part, soft, soft_ratio, 0.3, 2.0), kt=kt)


def cv_boundary(draw):
    """Dwarf novae, nova-likes and cluster CVs: cooling plasma or one temperature, little covering."""
    kt = draw.log_normal(draw["kt"] * 0.6, draw["kt_dex"], 1.0, 50.0)
    metals = draw.log_uniform(0.3, 1.0)
    single = draw.chance(draw["single"])
    flow = unit_flux(_cooling_flow(kt, draw["cool_slope"], metals))
    spectrum = np.where(single[:, None], unit_flux(hot_plasma(kt, metals)), flow)
    spectrum = add_iron(spectrum, draw, 0.5 * draw.log_normal(draw["iron_ew"], 0.25, high=0.4))
    return Draft(spectrum, nh_gal=_galactic(draw), nh_int=draw.log_normal(3e20, 0.7, high=1e23), kt=kt)


def _accreting(draw):
    gamma = draw.normal(draw["gamma_mean"], draw["gamma_sd"], -0.5, 2.5)
    return gamma, unit_flux(emission.cutoff_powerlaw(gamma, draw.log_normal(20.0, 0.2, 8.0, 60.0)))


def supergiant(draw):
    """Wind-fed pulsars: hard cut-off power law behind a dense wind, Fe K, a scattered soft part."""
    gamma, spectrum = _accreting(draw)
    nh_wind = draw.spread("nh_wind", high=2e24)
    width = draw["iron_ew"] * (1.0 + (nh_wind / 1e23) ** 0.5)
    spectrum = add_iron(spectrum, draw, width * draw.log_normal(1.0, 0.25))
    leak = draw.log_uniform(0.003, 0.1)
    return Draft(spectrum, nh_gal=_galactic(draw), nh_int=nh_wind,
                 secondary=spectrum * leak[:, None].astype(np.float32), photon_index=gamma)


def be_hmxb(draw):
    """Be binaries (and gamma-ray binaries): power law of little absorption, some with a soft excess."""
    gamma, spectrum = _accreting(draw)
    spectrum = add_iron(spectrum, draw, 0.5 * draw.log_normal(draw["iron_ew"], 0.3))
    kt = draw.log_normal(0.4, 0.4, 0.1, 2.0)
    ratio = draw.some(draw["soft"], 0.05, 1.0)
    soft = unit_flux(emission.blackbody(kt), 0.3, 7.0)
    return Draft(add_flux(spectrum, soft, ratio, 0.5, 7.0), nh_gal=_galactic(draw),
                 nh_int=draw.spread("nh_be", high=3e23), photon_index=gamma,
                 kt=np.where(ratio > 0, kt, np.nan))


def lmxb_soft(draw):
    """Bright states: disk black body with a Comptonized tail, some with a surface black body."""
    kt = draw.spread("disk_kt", 0.15, 2.5)
    disk = unit_flux(emission.disk_blackbody(kt))
    gamma = draw.normal(draw["gamma_mean"] + 0.5, draw["gamma_sd"], 1.4, 3.2)
    tail = draw.some(0.6, draw["corona"], 2.0)
    surface = draw.some(0.3, 0.05, 1.0)
    spectrum = add_flux(disk, emission.powerlaw(gamma), tail, 2.0, 7.0)
    hot = emission.blackbody(draw.normal(1.7, 0.4, 0.8, 3.0))
    return Draft(add_flux(spectrum, hot, surface, 2.0, 7.0), nh_gal=_galactic(draw),
                 nh_int=draw.log_normal(3e20, 0.8, high=1e23),
                 photon_index=np.where(tail > 0, gamma, np.nan), kt=kt)


def lmxb_faint(draw):
    """Hard and faint states, and binaries of nearby galaxies: power law, some with a cool disk."""
    gamma = draw.normal(draw["gamma_mean"], draw["gamma_sd"], 0.8, 2.8)
    spectrum = unit_flux(emission.powerlaw(gamma))
    disk = unit_flux(emission.disk_blackbody(draw.log_normal(0.3, 0.2, 0.1, 0.8)), 0.3, 2.0)
    ratio = draw.some(0.25, 0.1, 1.0)
    # seen edge-on, or through the disk of a galaxy
    dipping = draw.chance(0.15)
    return Draft(add_flux(spectrum, disk, ratio, 0.3, 2.0), nh_gal=_galactic(draw), photon_index=gamma,
                 nh_int=np.where(dipping, draw.log_normal(5e22, 0.5, high=1e24), draw.log_normal(3e20, 0.7)))


def _surface_and_tail(draw, nh_gal, *tail):
    kt = draw.spread("surface_kt", 0.06, 0.5)
    gamma = draw.normal(1.5, 0.3, 0.8, 2.3)
    ratio = draw.some(*tail)
    return Draft(add_flux(unit_flux(emission.blackbody(kt)), emission.powerlaw(gamma), ratio, 0.5, 7.0),
                 nh_gal=nh_gal, photon_index=np.where(ratio > 0, gamma, np.nan), kt=kt)


def lmxb_quiescent(draw):
    """Quiescent neutron stars: surface emission of 0.1-0.3 keV and a hard tail."""
    return _surface_and_tail(draw, _galactic(draw), 0.6, 0.03, 1.0)


def spider(draw):
    """Redbacks, black widows and pulsars with companions: shock power law and surface emission."""
    return _surface_and_tail(draw, draw.log_normal(draw["nh_spider"], 0.5, 1e19, 3e22), 0.7, 0.3, 30.0)


def pulsar(draw):
    """Young pulsars and their nebulae: power law, some with surface emission."""
    gamma = draw.normal(draw["gamma_mean"], draw["gamma_sd"], 0.8, 2.6)
    kt = draw.spread("kt", 0.05, 0.4)
    ratio = draw.some(0.3, 0.1, 2.0)
    surface = unit_flux(emission.blackbody(kt), 0.3, 2.0)
    return Draft(add_flux(unit_flux(emission.powerlaw(gamma)), surface, ratio, 0.3, 2.0),
                 nh_gal=draw.spread("nh_gal", 1e20, 1e23), photon_index=gamma,
                 kt=np.where(ratio > 0, kt, np.nan))


def thermal_neutron_star(draw):
    """Millisecond pulsars, cooling and central compact objects: black bodies, some with a tail."""
    kt = draw.spread("kt", 0.05, 0.6)
    surface = unit_flux(emission.blackbody(kt), 0.3, 2.0)
    spots = unit_flux(emission.blackbody(kt * draw.normal(2.0, 0.3, 1.3, 3.0)), 0.3, 2.0)
    surface = add_flux(surface, spots, draw.some(0.4, 0.03, 0.5), 0.3, 2.0)
    gamma = draw.normal(draw["gamma_mean"], draw["gamma_sd"], 0.8, 2.6)
    tail = np.where(draw.chance(0.6), draw.log_normal(draw["tail_ratio"], 0.4), 0.0)
    return Draft(add_flux(surface, emission.powerlaw(gamma), tail, 0.3, 2.0),
                 nh_gal=draw.log_normal(draw["nh_thermal"], 0.6, 1e19, 3e22),
                 photon_index=np.where(tail > 0, gamma, np.nan), kt=kt)


def magnetar(draw):
    """Magnetars: hot black body with a soft power law, or two black bodies."""
    kt = draw.normal(0.5, 0.12, 0.25, 0.9)
    body = unit_flux(emission.blackbody(kt))
    gamma = draw.normal(3.0, 0.6, 1.5, 4.5)
    two = draw.chance(0.3)
    ratio = draw.log_uniform(0.1, 1.5)
    spectrum = np.where(two[:, None],
                        add_flux(body, unit_flux(emission.blackbody(kt * 2.2)), 0.5 * ratio, 0.5, 7.0),
                        add_flux(body, emission.powerlaw(gamma), ratio, 0.5, 7.0))
    return Draft(spectrum, nh_gal=draw.log_normal(draw["nh_gal"] * 1.5, 0.35, 1e20, 1e23),
                 photon_index=np.where(two, np.nan, gamma), kt=kt)
