# Licensed under a 3-clause BSD style license - see LICENSE
"""Catalog columns in any case and storage, with units, as float64 (NaN: missing), bool or str arrays."""

import re

import numpy as np
from astropy import units as u
from astropy.coordinates import Angle

from astro_xlatent.core.errors import TableError
from astro_xlatent.core.numbers import plain_floats
from astro_xlatent.core.silence import quiet

__all__ = ["COUNT_RATE", "ENERGY_FLUX", "PHOTON_FLUX", "Columns", "name_columns"]

ENERGY_FLUX = u.erg / (u.s * u.cm**2)
COUNT_RATE = u.ct / u.s
PHOTON_FLUX = u.ph / (u.s * u.cm**2)
#: What band columns of an X-ray catalog are called, more or less.
_BAND_LIKE = re.compile(r".*(flux|rate|cts|cnts|counts).*").fullmatch
_TRUE = {"true", "t", "1", "1.0", "y", "yes"}
#: Angles as hours or degrees, minutes and seconds.
_SEXAGESIMAL = re.compile(r"[+-]?\d{1,3}[ :hd]\s*[0-5]?\d(?:[ :m]\s*[0-5]?\d(?:\.\d*)?s?)?")
#: Every column ends so where a VOTable is read by its fields' IDs.
_NUMBERED = re.compile(r"(.+)_(\d+)")
#: Spellings that astropy does not parse, as found in published tables.
_SPELLINGS = [(r"\bphotons?\b", "ph"), (r"\bcounts?\b|\bcts?\b", "ct"), (r"\bergs\b", "erg"),
              (r"\bsec(onds?)?\b", "s"), (r"\barcseconds?\b", "arcsec"),
              (r"sq\.? ?arcsec", "arcsec2"), (r"\barcmin(ute)?s?\b", "arcmin"), (r"\*\*", "")]


def name_columns(table):
    """A table's columns for an error message, twenty at most, those that look like bands first."""
    names = sorted(table.colnames, key=lambda name: not _BAND_LIKE(name.lower()))
    more = f" and {len(names) - 20} more" if len(names) > 20 else ""
    return ", ".join(names[:20]) + more if names else "no columns at all"


class Columns:
    """
    Columns of a table by name, in any case.

    >>> from astropy.table import Table
    >>> from astro_xlatent.missions._columns import Columns
    >>> Columns(Table({"THETA": [1, 2]})).number("theta")
    array([1., 2.])
    """

    def __init__(self, table):
        self.table = table
        exact, meant = {}, {}
        numbered = [_NUMBERED.fullmatch(name) for name in table.colnames]
        by_id = all(numbered) and all(len({m[k] for m in numbered}) == len(numbered) > 1 for k in (1, 2))
        for name, found in zip(table.colnames, numbered, strict=True):
            exact.setdefault(name.lower(), []).append(name)
            bare = found[1] if by_id else name
            meant.setdefault(self.canonical(bare.lstrip("_")), []).append(name)
        # A column of exactly the asked name goes before those that only mean the same.
        self._names = meant | exact

    def canonical(self, name):
        """The catalog's own spelling, in lower case, of a name without service's underscore or number."""
        return name.lower()

    def __len__(self):
        return len(self.table)

    def __contains__(self, name):
        return name.lower() in self._names

    def __iter__(self):
        """Lower-case names."""
        return iter(self._names)

    def first(self, *names):
        """The first of ``names`` that the table has, or None."""
        return next((name for name in names if name in self), None)

    def spelled(self, *names):
        """The table's own name of the first of ``names`` that it has; empty without."""
        name = self.first(*names)
        return self._names[name.lower()][0] if name else ""

    def raw(self, name):
        """The column itself; TableError if two differ only by case."""
        found = self._names[name.lower()]
        if len(found) > 1:
            raise TableError(f"columns {', '.join(found)} differ only by case or spelling and all mean "
                             f"{name.lower()!r}: rename or remove all but one")
        column = self.table[found[0]]
        if getattr(column, "ndim", 1) != 1:
            raise TableError(f"column {found[0]!r} has shape {column.shape}; one number a row is expected")
        return column

    def numbers(self, names, unit=None):
        """Several numeric columns, shape (rows, names), see `number`."""
        return np.stack([self.number(name, unit) for name in names], axis=1)

    def of_bands(self, bands, template, unit=None):
        """The numeric columns of bands, whose names take the place of ``{}``, shape (rows, bands)."""
        return self.numbers([template.format(b[0]) for b in bands], unit)

    def number(self, name, unit=None, *, default=np.nan):
        """
        A numeric column as float64: NaN where masked, blank, infinite or no number; ``default`` if not there.
        Without a unit it is in ``unit``; `TableError` if that cannot be had. Sexagesimal angles are read
        where degrees are wanted, with hours where the name begins with ``ra``.
        """
        if name not in self:
            return np.full(len(self), default)
        column = self.raw(name)
        values = plain_floats(column)
        if unit is not None and np.ma.asarray(column).dtype.kind in "USO" and u.Unit(unit) == u.deg:
            return _angles(self.text(name), values, hours=name.lower().lstrip("_").startswith("ra"))
        if unit is not None and getattr(column, "unit", None) is not None:
            values = values * _factor(column.unit, unit, self.spelled(name))
        return np.where(np.isfinite(values), values, np.nan)

    def boolean(self, name):
        """A flag column: True are numbers but 0, and TRUE, T, YES, Y, 1 in any case; all else is False."""
        if name not in self:
            return np.zeros(len(self), bool)
        if np.ma.asarray(self.raw(name)).dtype.kind in "USO":
            return np.isin(self.text(name), list(_TRUE))
        values = plain_floats(self.raw(name))
        return np.isfinite(values) & (values != 0)

    def text(self, name):
        """A column as stripped, lower-case str; empty where absent or masked."""
        return np.char.lower(self.text_exact(name))

    def text_exact(self, name):
        """A column as stripped str in its own case; empty where absent or masked."""
        if name not in self:
            return np.full(len(self), "", "U1")
        array = np.ma.asarray(self.raw(name))
        texts = [v.decode("utf-8", "replace") if isinstance(v, bytes) else "" if v is None else str(v)
                 for v in np.ma.getdata(array).tolist()]
        return np.where(np.ma.getmaskarray(array), "", np.char.strip(np.array(texts, str)))


def _angles(texts, values, hours):
    """Degrees of texts such as ``09 57 46.18`` and ``+01:57:12.7``; plain numbers as they are."""
    rows = [k for k, text in enumerate(texts.tolist()) if _SEXAGESIMAL.fullmatch(text)]
    if rows:
        values[rows] = Angle(texts[rows], unit=u.hourangle if hours else u.deg).deg
    return np.where(np.isfinite(values), values, np.nan)


def _bare(unit):
    """A unit without photons and counts, which catalogs write or leave out at will."""
    unit = u.Unit(unit).decompose()
    kept = [(base, power) for base, power in zip(unit.bases, unit.powers) if base not in (u.ph, u.ct)]
    return u.CompositeUnit(unit.scale, [b for b, _ in kept], [p for _, p in kept])


def _factor(found, wanted, name):
    """Number by which values in the unit ``found`` become values in ``wanted``."""
    try:
        found = _parse_unit(found)
        return _bare(found).to(_bare(wanted))
    except (u.UnitConversionError, ValueError, TypeError) as error:
        raise TableError(f"column {name!r} has unit {str(found)!r}, which cannot be converted to "
                         f"{u.Unit(wanted).to_string()!r}: correct the column's unit") from error


def _parse_unit(unit):
    if not isinstance(unit, u.UnrecognizedUnit):
        return u.Unit(unit)
    text = unit.to_string().lower()
    for pattern, short in _SPELLINGS:
        text = re.sub(pattern, short, text)
    # Several slashes, as in photons/s/cm2, are the habit of catalogs.
    with quiet(u.UnitsWarning):
        return u.Unit(text)
