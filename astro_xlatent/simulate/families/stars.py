# Licensed under a 3-clause BSD style license - see LICENSE
"""
Families of stars: cool, young and massive.

References are listed in `astro_xlatent.simulate.families.parameters`.
"""

import numpy as np

from astro_xlatent.simulate.families.tools import (
    Draft,
    add_flux,
    hot_plasma,
    log_normal,
    truncated_normal,
    unit_flux,
)

__all__ = ["active_star", "colliding_winds", "cool_star", "embedded_young_star", "massive_star", "young_star"]


def _corona(n, rng, metals):
    """Abundances of active coronae: iron low, neon high (Robrade & Schmitt 2005; Maggio et al. 2007)."""
    iron = log_normal(rng, n, metals, 0.15, 0.05, 2.0)
    neon = iron * truncated_normal(rng, n, 2.5, 0.7, 1.0, 5.0)
    return {"metals": iron, "O": 1.5 * iron, "Ne": neon}


def _two_temperatures(kt_cool, kt_hot, ratio, metals):
    cool = unit_flux(hot_plasma(kt_cool, metals))
    return add_flux(cool, hot_plasma(kt_hot, metals), ratio, 0.5, 7.0)


def cool_star(n, rng, p):
    """Main-sequence and evolved cool stars: two plasma temperatures, little absorption."""
    cool = log_normal(rng, n, p["kt_cool"], p["kt_dex"], 0.1, 0.7)
    hot = log_normal(rng, n, p["kt_hot"], p["kt_dex"], 0.4, 2.0)
    ratio = log_normal(rng, n, p["hot_ratio"], p["hot_ratio_dex"], 0.0, 30.0)
    return Draft(_two_temperatures(cool, hot, ratio, _corona(n, rng, p["metals"])),
                 nh_gal=log_normal(rng, n, p["nh_gal"], p["nh_gal_dex"], 1e18, 2e22), kt=hot)


def active_star(n, rng, p):
    """Active and flaring cool stars: a hot component of 1-4 keV."""
    cool = log_normal(rng, n, 0.7, p["kt_dex"], 0.3, 1.2)
    hot = log_normal(rng, n, p["active_kt"], 0.15, 1.0, 6.0)
    ratio = log_normal(rng, n, p["hot_ratio"], p["hot_ratio_dex"], 0.0, 30.0)
    return Draft(_two_temperatures(cool, hot, ratio, _corona(n, rng, p["metals"])),
                 nh_gal=log_normal(rng, n, p["nh_gal"], p["nh_gal_dex"], 1e18, 2e22), kt=hot)


def _young(n, rng, p, nh):
    cool = log_normal(rng, n, p["kt_cool"], 0.1, 0.4, 1.5)
    hot = log_normal(rng, n, p["kt_hot"], p["kt_hot_dex"], 1.2, 15.0)
    ratio = log_normal(rng, n, p["hot_ratio"], p["hot_ratio_dex"], 0.0, 30.0)
    return Draft(_two_temperatures(cool, hot, ratio, _corona(n, rng, p["metals"])), nh_gal=nh, kt=hot)


def young_star(n, rng, p):
    """Pre-main-sequence stars: two temperatures near 0.8 and 3 keV behind the cloud (COUP)."""
    return _young(n, rng, p, log_normal(rng, n, p["nh_gal"], p["nh_gal_dex"], 1e19, 1e23))


def embedded_young_star(n, rng, p):
    """Protostars and stars deep in their clouds: as young stars, columns above 1e22."""
    return _young(n, rng, p, log_normal(rng, n, p["nh_embedded"], 0.3, 3e21, 5e23))


def _winds(n, rng, p):
    cool = log_normal(rng, n, p["kt_cool"], p["kt_dex"], 0.1, 0.5)
    warm = log_normal(rng, n, p["kt_warm"], p["kt_dex"], 0.4, 1.5)
    metals = truncated_normal(rng, n, 0.9, 0.25, 0.3, 1.6)
    ratio = log_normal(rng, n, p["warm_ratio"], 0.3, 0.0, 10.0)
    nh_gal = log_normal(rng, n, p["nh_gal"], p["nh_gal_dex"], 1e19, 1e23)
    nh_int = log_normal(rng, n, p["nh_wind"], p["nh_wind_dex"], high=3e23)
    return _two_temperatures(cool, warm, ratio, metals), warm, metals, nh_gal, nh_int


def massive_star(n, rng, p):
    """Single OB stars: shocks in the wind, 0.2-1 keV, absorbed by wind and cloud."""
    spectrum, warm, _, nh_gal, nh_int = _winds(n, rng, p)
    return Draft(spectrum, nh_gal=nh_gal, nh_int=nh_int, kt=warm)


def colliding_winds(n, rng, p):
    """Colliding winds, Wolf-Rayet and magnetic OB stars: a component of 1.5-6 keV is added."""
    spectrum, _, metals, nh_gal, nh_int = _winds(n, rng, p)
    hot = log_normal(rng, n, p["hard_kt"], 0.15, 1.0, 8.0)
    ratio = log_normal(rng, n, p["hard_ratio"], 0.4, 0.0, 30.0)
    spectrum = add_flux(spectrum, hot_plasma(hot, metals), ratio, 0.5, 7.0)
    return Draft(spectrum, nh_gal=nh_gal, nh_int=3 * nh_int, kt=np.asarray(hot))
