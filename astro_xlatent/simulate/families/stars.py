# Licensed under a 3-clause BSD style license - see LICENSE
"""Stars: cool, young and massive."""

from astro_xlatent.simulate.families.tools import Draft, add_flux, hot_plasma, unit_flux

__all__ = ["active_star", "colliding_winds", "cool_star", "embedded_young_star", "massive_star", "young_star"]


def _two_temperatures(kt_cool, kt_hot, ratio, metals):
    cool = unit_flux(hot_plasma(kt_cool, metals))
    return add_flux(cool, hot_plasma(kt_hot, metals), ratio, 0.5, 7.0)


def _corona(draw, kt_cool, kt_hot):
    """Active coronae have low iron and high neon (Robrade & Schmitt 2005; Maggio et al. 2007)."""
    ratio = draw.spread("hot_ratio", 0.0, 30.0)
    iron = draw.log_normal(draw["metals"], 0.15, 0.05, 2.0)
    metals = {"metals": iron, "O": 1.5 * iron, "Ne": iron * draw.normal(2.5, 0.7, 1.0, 5.0)}
    return _two_temperatures(kt_cool, kt_hot, ratio, metals)


def cool_star(draw):
    """Main-sequence and evolved cool stars: two plasma temperatures, little absorption."""
    cool = draw.log_normal(draw["kt_cool"], draw["kt_dex"], 0.1, 0.7)
    hot = draw.log_normal(draw["kt_hot"], draw["kt_dex"], 0.4, 2.0)
    return Draft(_corona(draw, cool, hot), nh_gal=draw.spread("nh_gal", 1e18, 2e22), kt=hot)


def active_star(draw):
    """Active and flaring cool stars: a hot component of 1-4 keV."""
    cool = draw.log_normal(0.7, draw["kt_dex"], 0.3, 1.2)
    hot = draw.log_normal(draw["active_kt"], 0.15, 1.0, 6.0)
    return Draft(_corona(draw, cool, hot), nh_gal=draw.spread("nh_gal", 1e18, 2e22), kt=hot)


def _young(draw, nh):
    cool = draw.log_normal(draw["kt_cool"], 0.1, 0.4, 1.5)
    hot = draw.spread("kt_hot", 1.2, 15.0)
    return Draft(_corona(draw, cool, hot), nh_gal=nh, kt=hot)


def young_star(draw):
    """Pre-main-sequence stars: two temperatures near 0.8 and 3 keV behind the cloud (COUP)."""
    return _young(draw, draw.spread("nh_gal", 1e19, 1e23))


def embedded_young_star(draw):
    """Protostars and stars deep in their clouds: as young stars, columns above 1e22."""
    return _young(draw, draw.log_normal(draw["nh_embedded"], 0.3, 3e21, 5e23))


def _winds(draw):
    cool = draw.log_normal(draw["kt_cool"], draw["kt_dex"], 0.1, 0.5)
    warm = draw.log_normal(draw["kt_warm"], draw["kt_dex"], 0.4, 1.5)
    metals = draw.normal(0.9, 0.25, 0.3, 1.6)
    ratio = draw.log_normal(draw["warm_ratio"], 0.3, 0.0, 10.0)
    columns = {"nh_gal": draw.spread("nh_gal", 1e19, 1e23), "nh_int": draw.spread("nh_wind", high=3e23)}
    return Draft(_two_temperatures(cool, warm, ratio, metals), kt=warm, **columns), metals


def massive_star(draw):
    """Single OB stars: shocks in the wind, 0.2-1 keV, absorbed by wind and cloud."""
    return _winds(draw)[0]


def colliding_winds(draw):
    """Colliding winds, Wolf-Rayet and magnetic OB stars: a component of 1.5-6 keV is added."""
    winds, metals = _winds(draw)
    hot = draw.log_normal(draw["hard_kt"], 0.15, 1.0, 8.0)
    ratio = draw.log_normal(draw["hard_ratio"], 0.4, 0.0, 30.0)
    spectrum = add_flux(winds.primary, hot_plasma(hot, metals), ratio, 0.5, 7.0)
    return Draft(spectrum, nh_gal=winds.nh_gal, nh_int=3 * winds.nh_int, kt=hot)
