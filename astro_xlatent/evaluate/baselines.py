# Licensed under a 3-clause BSD style license - see LICENSE
"""
What a table offers without any latents: hardness, flux, position, fits.

Every set of features has a name that says what is in it. Hardness ratios of
energy fluxes and of photon fluxes never share a column.
"""

import numpy as np
from astropy.coordinates import SkyCoord

from astro_xlatent.core.numbers import plain_floats
from astro_xlatent.evaluate.hardness import hardness_ratios

__all__ = ["FIT_COLUMNS", "baseline_features", "position_features", "without_constant"]

#: Columns of the catalog's own spectral fits, as the CSC and the labeled samples name them.
FIT_COLUMNS = (
    "powlaw_nh",
    "powlaw_gamma",
    "powlaw_stat",
    "bb_kt",
    "bb_nh",
    "brems_kt",
    "brems_nh",
    "apec_kt",
    "apec_nh",
    "powlaw_nh_mean",
    "powlaw_gamma_mean",
)


def _by_kind(values, energy):
    """Columns of their own for rows of either kind of flux."""
    parts = [np.where(which[:, None], values, np.nan) for which in (energy, ~energy) if which.any()]
    return np.concatenate(parts, axis=1)


def position_features(table):
    """
    What the position on the sky tells.

    Parameters
    ----------
    table : `~astropy.table.Table`
        With ``ra`` and ``dec`` in degrees, ``nh_gal`` if known.

    Returns
    -------
    features : dict of ndarray, shape (n, k)
        ``"nh_gal"`` where the column is there, ``"latitude"``: |b| and |l|.
    """
    features = {}
    if "nh_gal" in table.colnames:
        with np.errstate(invalid="ignore", divide="ignore"):
            features["nh_gal"] = np.log10(plain_floats(table["nh_gal"]))[:, None]
    ra, dec = plain_floats(table["ra"]), plain_floats(table["dec"])
    known = np.isfinite(ra) & np.isfinite(dec)
    galactic = np.full((len(table), 2), np.nan)
    sky = SkyCoord(ra[known], dec[known], unit="deg").galactic
    galactic[known] = np.abs(np.stack([sky.b.deg, sky.l.wrap_at("180d").deg], axis=1))
    features["latitude"] = galactic
    return features


def baseline_features(table, fluxes):
    """
    Feature sets of the baselines.

    Parameters
    ----------
    table : `~astropy.table.Table`
        The rows.
    fluxes : `~astro_xlatent.evaluate.hardness.BandFluxes`
        Of the same rows.

    Returns
    -------
    features : dict of ndarray, shape (n, k)
        ``"hardness"``, ``"flux"``, and where the table has the columns
        ``"nh_gal"``, ``"latitude"`` and ``"catalog fits"``; NaN where
        unknown, infinities included.
    """
    energy = np.asarray(fluxes.energy, bool)
    with np.errstate(invalid="ignore", divide="ignore"):
        total = np.log10(np.nansum(fluxes.flux, axis=1))[:, None]
    features = {"hardness": _by_kind(hardness_ratios(fluxes.flux), energy), "flux": _by_kind(total, energy)}
    if {"ra", "dec"} <= set(table.colnames):
        features |= position_features(table)
    fits = [plain_floats(table[name]) for name in FIT_COLUMNS if name in table.colnames]
    if fits:
        features["catalog fits"] = np.stack(fits, axis=1)
    return {name: np.where(np.isfinite(values), values, np.nan) for name, values in features.items()}


def without_constant(features):
    """
    Leave out columns that say nothing.

    Parameters
    ----------
    features : ndarray, shape (n, k)

    Returns
    -------
    features : ndarray, shape (n, m)
        Columns with at least two different known values.
    dropped : int
        How many columns went.
    """
    with np.errstate(invalid="ignore"):
        known = [column[np.isfinite(column)] for column in features.T]
    useful = np.array([c.size > 1 and c.min() < c.max() for c in known], bool)
    return features[:, useful], int(np.sum(~useful))
