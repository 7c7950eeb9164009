# Licensed under a 3-clause BSD style license - see LICENSE
"""What the package's own missions share: tables of names, and files found by their names."""

import os
import re
from dataclasses import replace
from pathlib import Path

import numpy as np

from astro_xlatent.core.errors import TableError
from astro_xlatent.missions._bandset import assemble
from astro_xlatent.missions._columns import Columns, name_columns
from astro_xlatent.missions.base import MissingBandsError, Mission
from astro_xlatent.missions.curves import load_curve

__all__ = ["Catalog"]


class Catalog(Mission):
    """
    A mission of which tables say how its catalog and its files are named.

    ``_tell_tale`` matches its band columns, ``_identifiers`` identify rows; ``_true`` and ``_positive`` pair
    a column with the bit of rows where it is true, or above zero; ``_products`` the kinds of products with
    their words in file names, ``_spectrum`` matches names of spectra; ``_curve`` tells the resolution.
    """

    _columns: type[Columns] = Columns
    _curve: str
    _tell_tale: re.Pattern
    _identifiers: tuple = ()
    _true: tuple = ()
    _positive: tuple = ()
    _products: dict[str, str] = {}
    _spectrum: re.Pattern

    def matches(self, table):
        """Number of band columns, in any of the known spellings, and one for columns that identify rows."""
        cols = self._columns(table)
        identified = any(all(name in cols for name in names) for names in self._identifiers)
        return sum(bool(self._tell_tale.fullmatch(name)) for name in cols) + identified

    def catalog_flags(self, table):
        """Bits from the catalog's own flags, see `Mission.catalog_flags`."""
        cols, flags = self._columns(table), np.zeros(len(table), np.int64)
        for name, bit in self._true:
            flags |= np.where(cols.boolean(name), bit, 0)
        for name, bit in self._positive:
            flags |= np.where(cols.number(name) > 0, bit, 0)
        return flags

    def _missing(self, table):
        """The error for a table without any column of bands."""
        return MissingBandsError(f"table has no band columns of {self.title} that can be read (it has "
                                 f"{name_columns(table)}); expected {self.expected_columns()}")

    def _assemble(self, table, bands, sets, last=(), notes=None):
        """`assemble` with the mission's resolution and flags; ``last`` for rows without a usable band."""
        usable = np.any([np.zeros(len(table), bool), *(one.valid.any(axis=1) for one in sets)], axis=0)
        sets = [*sets, *(replace(one, cause=np.where(usable[:, None], 1, one.cause)) for one in last)]
        middle = np.sqrt([lo * hi for _, lo, hi in bands])
        return assemble(bands, load_curve(self._curve).fwhm(middle), sets, self.catalog_flags(table), notes)

    def _word(self, kind):
        """What a kind of product is called in file names."""
        if kind not in self._products:
            raise TableError(f"kind is {kind!r}; allowed: {', '.join(self._products)}")
        return self._products[kind]

    def _find(self, folder, keys, describe):
        """
        Path of each key's spectrum below a folder (links are not followed), or None: of several the lowest
        rank. ``describe`` gives keys and rank of a path from its match with ``_spectrum``.
        """
        folder, files = Path(folder), {}
        if not folder.is_dir():
            raise TableError(f"folder {str(folder)!r} does not exist or is not a folder")
        below = [Path(root) / name for root, _, names in os.walk(folder) for name in names]
        for path in sorted(below):
            if found := self._spectrum.fullmatch(path.name.lower()):
                own, rank = describe(found, path)
                files |= {key: (rank, path) for key in own if key not in files or rank < files[key][0]}
        return [files.get(key, (None, None))[1] for key in keys]
