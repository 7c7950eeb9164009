# Licensed under a 3-clause BSD style license - see LICENSE
"""Class priors: how probable each class is before its spectrum is seen."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import ArrayLike

from astro_xlatent.core.columns import CLASSES, OTHER
from astro_xlatent.core.errors import ParameterError

__all__ = ["POPULATIONS", "Population", "against_spectrum", "apply_prior", "prior_weights", "survey_weights"]

#: Share of the spectrum's probability that the classes hold which it does not speak against.
NOT_AGAINST = 0.9


def prior_weights(prior: Mapping[str, float] | ArrayLike | None, n_rows: int) -> np.ndarray:
    """
    Weights of the nine classes for every row.

    Parameters
    ----------
    prior : None, mapping, or array_like
        None: all alike. A mapping from class name (or ``"other"``) to a weight, zero where left out. An array
        of shape (9,) or (n, 9); with 8 columns "other" gets their mean.
    n_rows : int

    Returns
    -------
    weights : ndarray, shape (n_rows, 9)
        Rows sum to one.

    Raises
    ------
    ParameterError
        If classes are unknown, shapes do not fit, or weights are negative, NaN or all zero.

    Examples
    --------
    >>> prior_weights({"AGN": 3, "YSO": 1}, 1)[0, 0].item()
    0.75
    """
    n_classes = len(CLASSES) + 1
    prior = np.ones(n_classes) if prior is None else prior
    if isinstance(prior, str):
        msg = f"prior is {prior!r}; allowed: None, 'survey', a mapping of class names, or an (n, 9) array"
        raise ParameterError(msg)
    if isinstance(prior, Mapping):
        names = [*CLASSES, OTHER]
        if unknown := sorted(str(k) for k in set(prior) - set(names)):
            raise ParameterError(f"prior names unknown classes {unknown}; allowed: {names}")
        prior = [float(prior.get(name, 0.0)) for name in names]
    weights = np.asarray(prior, float)
    if weights.ndim and weights.shape[-1] == len(CLASSES):
        weights = np.concatenate([weights, weights.mean(axis=-1, keepdims=True)], axis=-1)
    if weights.shape not in ((n_classes,), (n_rows, n_classes)):
        msg = (f"prior has shape {weights.shape}; allowed: ({n_classes},), ({n_rows}, {n_classes}), "
               f"or the same with {len(CLASSES)} columns")
        raise ParameterError(msg)
    weights = np.broadcast_to(weights, (n_rows, n_classes))
    if not np.all(np.isfinite(weights)) or np.any(weights < 0) or np.any(weights.sum(axis=1) <= 0):
        raise ParameterError("prior weights must be finite, not negative, and not all zero in any row")
    return weights / weights.sum(axis=1, keepdims=True)


@dataclass(frozen=True)
class Population:
    """Sources of one class in the Galaxy."""

    #: At the Sun, in the midplane, 1/pc3.
    density: float
    #: Mean and scatter of log10 L_X (0.5-7 keV, erg/s).
    log_luminosity: float
    scatter: float
    #: Scale height, pc.
    height: float
    #: Absorbed like a plasma of 0.8 keV, else like a power law of index 1.7.
    soft: bool = False
    #: Also in the bulge, in proportion to stellar mass.
    old: bool = False


#: What is known of the classes in the Galaxy, within factors of a few.
POPULATIONS = {
    # Density and height: Pala et al. 2020, MNRAS 494, 3799; the luminosity gives the 1e27 erg/s per solar
    # mass of Sazonov et al. 2006, A&A 450, 117.
    "CV": Population(4.8e-6, 30.2, 0.8, 280.0, old=True),
    # O to B2 stars: Reed 2000, AJ 120, 314; L_X of 1e-7 of the bolometric: Naze 2009, A&A 506, 1055.
    "HM-STAR": Population(3e-7, 31.0, 0.8, 45.0, soft=True),
    # Numbers and heights: Lutovinov et al. 2013, MNRAS 431, 327, with faint ones of Be stars.
    "HMXB": Population(2e-9, 34.0, 1.2, 90.0),
    # All late-type stars; luminosities: Schmitt & Liefke 2004, A&A 417, 651, the tail being young
    # and of small height: Guillout et al. 1996, A&A 316, 89.
    "LM-STAR": Population(0.08, 27.5, 0.8, 200.0, soft=True),
    # About 300 above 1e35 erg/s (Grimm et al. 2002, A&A 391, 923), more in quiescence; height there.
    "LMXB": Population(1.3e-9, 33.0, 1.7, 410.0, old=True),
    # Pulsars younger than 1e6 yr: Faucher-Giguere & Kaspi 2006, ApJ 643, 332; L_X: Possenti et al. 2002,
    # A&A 387, 993.
    "NS": Population(4e-8, 30.5, 1.3, 330.0),
    # Star formation of about 1e-9 Msun/yr/pc2 (Fuchs et al. 2009, AJ 137, 266) for 1e7 yr; L_X: Preibisch
    # et al. 2005, ApJS 160, 401. Spread evenly, although clusters are where they are found.
    "YSO": Population(2e-4, 29.8, 0.7, 60.0, soft=True),
}
#: AGN, 0.5-10 keV: slopes below and above the break (erg/s/cm2), and dN/dS at 1e-14 in 1e14 /deg2
#: (Georgakakis et al. 2008, MNRAS 388, 1205).
AGN_SLOPES, AGN_BREAK, AGN_NUMBER = (-1.58, -2.48), 2.63e-14, 374.0
#: 0.5-7 keV flux of a power law of index 1.4, in units of that of 0.5-10 keV.
_AGN_BAND = 0.78
#: Galaxies and clusters among the rest, for lack of a better number (eFEDS: Brunner et al. 2022, A&A
#: 661, A1, has 2 % of clusters).
OTHER_SHARE = 0.05
#: Distance of the Galactic center, scale lengths of disc and gas, scale of the bulge, all pc (Bland-
#: Hawthorn & Gerhard 2016, ARA&A 54, 529), and stellar density of its center in units of that at the Sun.
_SUN, _DISC, _GAS, _BULGE, _BULGE_DENSITY = 8200.0, 2600.0, 4000.0, 500.0, 110.0
#: Gas at the Sun, 1/cm3, and its scale height, pc (Kalberla & Kerp 2009, ARA&A 47, 27).
_GAS_DENSITY, _GAS_HEIGHT = 1.0, 120.0
_PC = 3.0857e18
#: No class is less expected than this: numbers are uncertain, and sources come in clusters.
SURVEY_FLOOR = 1e-3
_DISTANCES = np.geomspace(5.0, 30000.0, 60)
_COLUMNS = np.linspace(18.0, 24.5, 66)


@cache
def _transmitted():
    """Share of the 0.5-7 keV energy flux that passes each of `_COLUMNS`: hard and soft, (2, columns)."""
    from astro_xlatent.physics.absorption import transmission
    from astro_xlatent.physics.grid import ENERGY_MID, ENERGY_WIDTH, band_weights

    weights = band_weights([0.5], [7.0])[0] * ENERGY_MID * ENERGY_WIDTH
    shapes = np.stack([ENERGY_MID**-1.7, np.exp(-ENERGY_MID / 0.8) / ENERGY_MID]) * weights
    passed = np.stack([transmission(10.0**column) for column in _COLUMNS])
    return shapes @ passed.T / shapes.sum(axis=1, keepdims=True)


def survey_weights(lon, lat, flux, nh_gal) -> np.ndarray:
    """
    What a source of this flux at this position is expected to be.

    Parameters
    ----------
    lon, lat : ndarray, (n,)
        Galactic, in degrees.
    flux, nh_gal : ndarray, (n,)
        Absorbed, 0.5-7 keV, erg/cm2/s; column through the whole Galaxy, 1/cm2 (NaN: by the gas model).

    Returns
    -------
    weights : ndarray, (n, 9)
        Numbers per square degree and decade of flux, normalized; each at least `SURVEY_FLOOR`. Rows without
        position or flux are flat.

    Examples
    --------
    >>> high = survey_weights(np.array([90.0]), np.array([70.0]), np.array([1e-14]), np.array([np.nan]))
    >>> bool(high[0, 0] > 0.8)
    True
    """
    known = np.isfinite(lon) & np.isfinite(lat) & (flux > 0)
    counts = np.ones((len(lon), len(CLASSES) + 1))
    for start in range(0, len(lon), 2000):
        rows = np.flatnonzero(known[start:start + 2000]) + start
        if rows.size:
            counts[rows] = _expected(lon[rows], lat[rows], flux[rows], nh_gal[rows])
    share = counts / counts.sum(axis=1, keepdims=True)
    return SURVEY_FLOOR + (1 - SURVEY_FLOOR * share.shape[1]) * share


def _expected(lon, lat, flux, nh_gal):
    """Numbers of every class per square degree and decade of flux, (n, 9)."""
    lon, lat = np.radians(lon)[:, None], np.radians(lat)[:, None]
    height = _DISTANCES * np.abs(np.sin(lat))
    radius = np.sqrt(_SUN**2 + (_DISTANCES * np.cos(lat))**2
                     - 2 * _SUN * _DISTANCES * np.cos(lat) * np.cos(lon))
    gas = _GAS_DENSITY * np.exp(-height / _GAS_HEIGHT - (radius - _SUN) / _GAS)
    step = np.gradient(_DISTANCES)
    column = np.cumsum(gas * step, axis=1) * _PC
    total = np.where(nh_gal > 0, nh_gal, column[:, -1])
    column *= (total / column[:, -1])[:, None]
    passed = [np.interp(np.log10(np.maximum(column, 1e18)), _COLUMNS, curve) for curve in _transmitted()]
    counts = np.zeros((len(lon), len(CLASSES) + 1))
    through = np.interp(np.log10(total), _COLUMNS, _transmitted()[0])
    counts[:, CLASSES.index("AGN")] = _agn(flux / through)
    square_degree = np.radians(1.0) ** 2
    for name, kind in POPULATIONS.items():
        density = kind.density * np.exp(-height / kind.height - (radius - _SUN) / _DISC)
        if kind.old:
            density = density + kind.density * _BULGE_DENSITY * np.exp(-np.hypot(radius, height) / _BULGE)
        luminosity = 4 * np.pi * (_DISTANCES * _PC) ** 2 * flux[:, None] / passed[int(kind.soft)]
        odd = (np.log10(luminosity) - kind.log_luminosity) / kind.scatter
        chance = np.exp(-0.5 * odd**2) / (np.sqrt(2 * np.pi) * kind.scatter)
        counts[:, CLASSES.index(name)] = (density * chance * _DISTANCES**2 * step).sum(axis=1) * square_degree
    counts[:, -1] = OTHER_SHARE * counts.sum(axis=1)
    return counts


def _agn(flux):
    """AGN per square degree and decade of unabsorbed flux 0.5-7 keV."""
    flux = flux / _AGN_BAND
    low = (flux / 1e-14) ** AGN_SLOPES[0]
    high = (AGN_BREAK / 1e-14) ** (AGN_SLOPES[0] - AGN_SLOPES[1]) * (flux / 1e-14) ** AGN_SLOPES[1]
    return AGN_NUMBER * np.where(flux < AGN_BREAK, low, high) * (flux / 1e-14) * np.log(10)


def apply_prior(probability: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Class probabilities for a prior, from those for equal priors and the prior; all (n, 9)."""
    product = np.maximum(probability, 1e-12) * weights
    return product / product.sum(axis=1, keepdims=True)


def against_spectrum(spectrum: np.ndarray, final: np.ndarray) -> np.ndarray:
    """
    Rows (n,) whose final class is outside those that hold `NOT_AGAINST` of the spectrum's probability.

    Examples
    --------
    >>> spectrum, final = np.array([[0.7, 0.25, 0.05]] * 2), np.array([[0.1, 0.8, 0.1], [0.1, 0.1, 0.8]])
    >>> against_spectrum(spectrum, final).tolist()
    [False, True]
    """
    named = np.take_along_axis(spectrum, final.argmax(axis=1)[:, None], axis=1)
    likelier = np.where(spectrum > named, spectrum, 0.0).sum(axis=1)
    return likelier >= NOT_AGAINST * spectrum.sum(axis=1)
