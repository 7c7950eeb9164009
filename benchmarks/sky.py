# Licensed under a 3-clause BSD style license - see LICENSE
"""
The makers' split of the sky: MATCH fields may tune, JUDGE fields only judge.

Every field of `~astro_xlatent.compare.positions.sky_fields` goes as a whole to one
side, by a hash of its name, so that a source never sits on both.
"""

import hashlib
from pathlib import Path

import numpy as np
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.table import Table

from astro_xlatent.compare.positions import LINKING_LENGTH, sky_fields

__all__ = ["JUDGE", "MATCH", "SkySplit", "load_sky"]

#: Names of the two sides.
MATCH, JUDGE = "MATCH", "JUDGE"
# changing it would deal the fields anew and spoil every JUDGE number ever printed
_SALT = "astro_xlatent sky split 1"


def _side(name):
    digest = hashlib.sha256(f"{_SALT} {name}".encode()).digest()
    return MATCH if digest[0] % 2 == 0 else JUDGE


class SkySplit:
    """
    Fields with a side each.

    Attributes
    ----------
    field : ndarray of int, shape (n,)
        Number of the field of every position.
    split : ndarray of str, shape (n,)
        ``MATCH`` or ``JUDGE``, of every position.

    Examples
    --------
    >>> sky = SkySplit([10.0, 10.5, 10.2], [89.9, -89.9, 89.8])
    >>> sky.field.tolist(), bool(sky.split[0] == sky.split[2])
    ([0, 1, 0], True)
    """

    def __init__(self, ra, dec):
        self.field, names = sky_fields(ra, dec)
        self._sky = SkyCoord(np.atleast_1d(ra), np.atleast_1d(dec), unit="deg")
        self._sides = np.array([_side(name) for name in names], dtype="<U5")
        self.split = self._sides[self.field]

    def assign(self, ra, dec):
        """Fields of other positions: that of the nearest known one within the linking length, else -1."""
        nearest, separation, _ = SkyCoord(ra, dec, unit="deg").match_to_catalog_sky(self._sky)
        return np.where(separation <= LINKING_LENGTH * u.deg, self.field[nearest], -1)

    def side(self, ra, dec):
        """``MATCH``, ``JUDGE``, or empty where no field is near; ndarray of str, shape (n,)."""
        field = self.assign(ra, dec)
        return np.where(field >= 0, self._sides[field], "")


def load_sky(data):
    """
    The fields of all positions with real data: sources, detections, spectra.

    Parameters
    ----------
    data : path-like
        Folder with ``labels/`` and ``spectra/``.

    Returns
    -------
    sky : SkySplit
    """
    files = ("labels/csc2_labelled_sources.csv", "labels/csc2_labelled_detections.csv.gz",
             "spectra/inventory.csv")
    # every row, also those whose labels are not used: nobody may see both sides of a field
    tables = [Table.read(Path(data) / name, format="ascii.csv") for name in files]
    ra, dec = (np.concatenate([np.ma.filled(np.ma.asarray(t[name], float), np.nan) for t in tables])
               for name in ("ra", "dec"))
    known = np.isfinite(ra) & np.isfinite(dec)
    return SkySplit(ra[known], dec[known])
