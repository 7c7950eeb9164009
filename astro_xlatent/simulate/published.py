# Licensed under a 3-clause BSD style license - see LICENSE
"""
What a mission's catalog publishes of simulated rows, and what the package reads out of it.

A mission's maker of columns turns `Apertures` into catalog columns, and the
mission's own reader turns these into `EnergyBins`, in training and in mock
catalogs alike. A mission whose reader reads bands gets rows by an entry in
`BAND_COLUMNS`.
"""

import numpy as np
from astropy.table import Table

from astro_xlatent.missions.base import get_mission
from astro_xlatent.missions.csc import CSC, RICHEST_FIRST
from astro_xlatent.simulate.conditions import condition
from astro_xlatent.simulate.rows_csc import csc_band_columns
from astro_xlatent.simulate.rows_erosita import erosita_band_columns
from astro_xlatent.simulate.rows_xmm import xmm_band_columns
from astro_xlatent.spectra.bins import EnergyBins

__all__ = ["BAND_COLUMNS", "RECIPES", "draw_recipes", "read_published"]

#: Makers of a mission's band columns: apertures and a generator to ``{name: (values, unit, text)}``.
BAND_COLUMNS = {"csc": csc_band_columns, "erosita": erosita_band_columns, "xmm": xmm_band_columns}
#: mission -> what a row publishes -> its share in training; ``""`` is everything.
RECIPES = {
    "csc": {recipe: 0.5 if recipe == "energy flux" else 0.25 for recipe in RICHEST_FIRST},
    "erosita": {"aperture counts": 1.0 - condition("erosita", "fitted"),
                "PSF-fitted counts": condition("erosita", "fitted")},
    "xmm": {"": 1.0},
}
# Beginnings of the names of the columns that each is read from; "" is every column.
_CHIP_AND_DATE = ("detector", "gti_mjd_obs", "theta")
_COLUMNS = {
    ("csc", "energy flux"): ("flux_aper",), ("csc", "photon flux"): ("photflux_aper", *_CHIP_AND_DATE),
    ("csc", "aperture counts"): ("cnts_", "area_", "psf_frac", "src_cnts", "photflux_aper", *_CHIP_AND_DATE),
    ("erosita", "aperture counts"): ("APE_",), ("erosita", "PSF-fitted counts"): ("ML_",),
}
_AREAS = ("area_aper", "psf_frac_aper_s", "psf_frac_aper_m", "psf_frac_aper_h")


def draw_recipes(mission, n, rng):
    """Draw what n rows of a mission publish, as an array of str."""
    return rng.choice(list(RECIPES[mission]), n, p=list(RECIPES[mission].values()))


def read_published(apertures, recipes, rng):
    """
    Publish rows as the mission's catalog does, and read them as the package does.

    Parameters
    ----------
    apertures : `~astro_xlatent.simulate.apertures.Apertures`
    recipes : str or ndarray of str, shape (rows,)
        What each row publishes, see `RECIPES`.
    rng : `numpy.random.Generator`
        Of what catalogs add: Monte-Carlo limits, errors of maps, columns left out.

    Returns
    -------
    bins : EnergyBins
        From the mission's ``read_bands``.
    """
    recipes = np.broadcast_to(recipes, len(apertures))
    columns = {name: column[0] for name, column in BAND_COLUMNS[apertures.mission](apertures, rng).items()}
    if apertures.mission == "csc":
        bare = rng.random(len(apertures)) < condition("csc", "no_areas")
        columns |= {name: np.where(bare, np.nan, columns[name]) for name in _AREAS}
    pieces, order = [], []
    for recipe in np.unique(recipes).tolist():
        rows = np.flatnonzero(recipes == recipe)
        wanted = _COLUMNS.get((apertures.mission, recipe), "")
        table = Table({name: values[rows] for name, values in columns.items() if name.startswith(wanted)},
                      copy=False)
        mission = CSC(recipes=(recipe,)) if apertures.mission == "csc" else get_mission(apertures.mission)
        pieces.append(mission.read_bands(table).bins)
        order.append(rows)
    return EnergyBins.concatenate(pieces)[np.argsort(np.concatenate(order), kind="stable")]
