# Licensed under a 3-clause BSD style license - see LICENSE
"""
What a user gives as class prior, made into weights of every row.
"""

from collections.abc import Callable

import numpy as np
from astropy.table import Table

from astro_xlatent.core.errors import TableError
from astro_xlatent.core.flags import Flag
from astro_xlatent.model.priors import prior_weights, survey_weights
from astro_xlatent.table.evidence import galactic_column, galactic_position

__all__ = ["class_prior", "prior_flags", "prior_name"]


def prior_name(prior, evidence=None) -> str | None:
    """The class prior in words, for the provenance; with evidence, which differs by row as priors do."""
    name = prior if prior is None or isinstance(prior, str) else "given by the user"
    if evidence is None:
        return name
    chosen = evidence if isinstance(evidence, str) else ", ".join(evidence)
    return f"{name or 'none'}; evidence {chosen}"


def class_prior(table: Table, prior) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """
    Class weights as a function of row numbers (n,) and fluxes 0.5-7 keV in erg/cm2/s (n,).

    The prior is given as for `~astro_xlatent.add_latents`; ``"survey"`` needs the table's positions. The
    weights are (n, 9), rows sum to one.

    Raises
    ------
    ParameterError
        If the prior cannot be used.
    TableError
        If the table has no positions, or two columns of them that differ only by case.
    """
    if not (isinstance(prior, str) and prior == "survey"):
        fixed = prior_weights(prior, len(table))
        return lambda rows, flux: fixed[rows]
    lon, lat = _positions(table)
    column = galactic_column(table)
    return lambda rows, flux: survey_weights(lon[rows], lat[rows], flux, column[rows])


def prior_flags(table: Table, prior) -> np.ndarray:
    """Flags of rows, (n,), of which the survey prior knows nothing for lack of a position."""
    if not (isinstance(prior, str) and prior == "survey"):
        return np.zeros(len(table), np.int64)
    return np.where(np.isfinite(_positions(table)[0]), 0, int(Flag.EVIDENCE_UNKNOWN))


def _positions(table):
    """Galactic longitude and latitude in degrees, NaN where unknown; there must be columns of them."""
    found = galactic_position(table)
    if found is None:
        msg = ("prior='survey' needs columns ra and dec (degrees), or one SkyCoord column: add them or use "
               "another prior")
        raise TableError(msg)
    return found
