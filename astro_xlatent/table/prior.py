# Licensed under a 3-clause BSD style license - see LICENSE
"""
What a user gives as class prior, made into weights of every row.
"""

from collections.abc import Callable

import numpy as np
from astropy.coordinates import SkyCoord
from astropy.table import Table

from astro_xlatent.compare.positions import position_names
from astro_xlatent.core.errors import ParameterError, TableError
from astro_xlatent.missions._columns import Columns
from astro_xlatent.model.priors import GalacticPrior, prior_weights

__all__ = ["class_prior", "prior_name"]


def prior_name(prior) -> str | None:
    """The class prior in a word, for the provenance."""
    if prior is None or isinstance(prior, str):
        return prior
    return "given by the user"


def class_prior(table: Table, prior, model) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """
    Class weights as a function of row number and flux.

    Parameters
    ----------
    table : `~astropy.table.Table`
        The rows; their positions are needed for ``"galactic"``.
    prior : None, 'galactic', mapping or array_like
        As for `~astro_xlatent.add_latents`.
    model : `~astro_xlatent.model.posterior.Model`
        Which holds what the galactic prior was fitted to.

    Returns
    -------
    weights : callable
        ``weights(rows, flux)`` with row numbers (n,) and their fluxes 0.5-7 keV in
        erg/cm2/s (n,) gives an ndarray (n, 9), rows summing to one.

    Raises
    ------
    ParameterError
        If the prior cannot be used, or the model has none for ``"galactic"``.
    TableError
        If the table has no positions, or two columns of them that differ only by case.
    """
    if not (isinstance(prior, str) and prior == "galactic"):
        fixed = prior_weights(prior, len(table))
        return lambda rows, flux: fixed[rows]
    if "galactic_prior" not in model.calibration.tables:
        msg = f"prior='galactic': model {model.name} has none; use None or a mapping"
        raise ParameterError(msg)
    lon, lat = _galactic_coordinates(table)
    return GalacticPrior(model.calibration.tables["galactic_prior"], lon, lat).weights


def _galactic_coordinates(table):
    """Galactic longitude and latitude in degrees, NaN where unknown, from columns or a `SkyCoord` column."""
    columns = Columns(table)
    names = position_names(columns)
    coords = [name for name in table.colnames if isinstance(table[name], SkyCoord)]
    if names is not None:
        ra, dec = (columns.number(name, "deg") for name in names)
    elif len(coords) == 1:
        position = table[coords[0]].icrs
        ra, dec = (np.ma.filled(np.ma.asarray(getattr(a.deg, "unmasked", a.deg)), np.nan)
                   for a in (position.ra, position.dec))
    else:
        msg = (f"prior='galactic' needs columns ra and dec (degrees), or one SkyCoord column; found "
               f"{len(coords)} of these: add them or use another prior")
        raise TableError(msg)
    known = np.isfinite(ra) & (np.abs(dec) <= 90)
    galactic = SkyCoord(np.where(known, ra, 0), np.where(known, dec, 0), unit="deg").galactic
    return tuple(np.where(known, angle.deg, np.nan) for angle in (galactic.l, galactic.b))
