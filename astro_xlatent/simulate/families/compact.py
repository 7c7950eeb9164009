# Licensed under a 3-clause BSD style license - see LICENSE
"""
Families of isolated neutron stars.

References are listed in `astro_xlatent.simulate.families.parameters`.
"""

import numpy as np

from astro_xlatent.physics import emission
from astro_xlatent.simulate.families.tools import (
    Draft,
    add_flux,
    log_normal,
    log_uniform,
    truncated_normal,
    unit_flux,
)

__all__ = ["magnetar", "pulsar", "thermal_neutron_star"]


def pulsar(n, rng, p):
    """Young pulsars and their nebulae: power law, some with surface emission."""
    gamma = truncated_normal(rng, n, p["gamma_mean"], p["gamma_sd"], 0.8, 2.6)
    kt = log_normal(rng, n, p["kt"], p["kt_dex"], 0.05, 0.4)
    ratio = np.where(rng.random(n) < 0.3, log_uniform(rng, n, 0.1, 2.0), 0.0)
    spectrum = unit_flux(emission.powerlaw(gamma))
    return Draft(add_flux(spectrum, unit_flux(emission.blackbody(kt), 0.3, 2.0), ratio, 0.3, 2.0),
                 nh_gal=log_normal(rng, n, p["nh_gal"], p["nh_gal_dex"], 1e20, 1e23), photon_index=gamma,
                 kt=np.where(ratio > 0, kt, np.nan))


def thermal_neutron_star(n, rng, p):
    """Millisecond pulsars, cooling and central compact objects: black bodies, some with a tail."""
    kt = log_normal(rng, n, p["kt"], p["kt_dex"], 0.05, 0.6)
    surface = unit_flux(emission.blackbody(kt), 0.3, 2.0)
    spots = unit_flux(emission.blackbody(kt * truncated_normal(rng, n, 2.0, 0.3, 1.3, 3.0)), 0.3, 2.0)
    spot_ratio = np.where(rng.random(n) < 0.4, log_uniform(rng, n, 0.03, 0.5), 0.0)
    surface = add_flux(surface, spots, spot_ratio, 0.3, 2.0)
    gamma = truncated_normal(rng, n, p["gamma_mean"], p["gamma_sd"], 0.8, 2.6)
    tail = np.where(rng.random(n) < 0.6, log_normal(rng, n, p["tail_ratio"], 0.4), 0.0)
    return Draft(add_flux(surface, emission.powerlaw(gamma), tail, 0.3, 2.0),
                 nh_gal=log_normal(rng, n, p["nh_thermal"], 0.6, 1e19, 3e22),
                 photon_index=np.where(tail > 0, gamma, np.nan), kt=kt)


def magnetar(n, rng, p):
    """Magnetars: hot black body with a soft power law, or two black bodies."""
    kt = truncated_normal(rng, n, 0.5, 0.12, 0.25, 0.9)
    body = unit_flux(emission.blackbody(kt))
    gamma = truncated_normal(rng, n, 3.0, 0.6, 1.5, 4.5)
    two = rng.random(n) < 0.3
    ratio = log_uniform(rng, n, 0.1, 1.5)
    spectrum = np.where(two[:, None],
                        add_flux(body, unit_flux(emission.blackbody(kt * 2.2)), 0.5 * ratio, 0.5, 7.0),
                        add_flux(body, emission.powerlaw(gamma), ratio, 0.5, 7.0))
    return Draft(spectrum, nh_gal=log_normal(rng, n, p["nh_gal"] * 1.5, 0.35, 1e20, 1e23),
                 photon_index=np.where(two, np.nan, gamma), kt=kt)
