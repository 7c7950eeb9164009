# Licensed under a 3-clause BSD style license - see LICENSE
"""
What a mission has to offer, and how its tables are recognized.

Other packages add missions through the entry-point group ``astro_xlatent.missions`` (name to a class that
is a `Mission`).
"""

import re
import warnings
from abc import abstractmethod
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np

from astro_xlatent.core.errors import MissionError, TableError, XlatentWarning
from astro_xlatent.core.plugins import load_plugins
from astro_xlatent.missions._columns import name_columns
from astro_xlatent.missions.responses import default_response
from astro_xlatent.spectra.bins import EnergyBins

if TYPE_CHECKING:
    from astropy.table import Table

    from astro_xlatent.spectra.response import Response
    from astro_xlatent.spectra.spectrum import XraySpectrum

__all__ = ["BandMeasurement", "MissingBandsError", "Mission", "available_missions", "get_mission",
           "identify_mission"]

#: The package's own, so that a checkout on PYTHONPATH works without metadata.
_BUILT_IN = ("csc", "erosita", "swift", "xmm")


class MissingBandsError(TableError):
    """A table has no band columns that can be read; with spectra that is no fault."""


@dataclass
class BandMeasurement:
    """
    What the band columns of a table say.

    Attributes
    ----------
    bins : `~astro_xlatent.spectra.bins.EnergyBins`
        One row per table row; unusable bands are invalid.
    flags : ndarray of int64, shape (rows,)
        Bits of `~astro_xlatent.core.flags.FLAGS` from band data and catalog flags.
    reason : list of str
        One a row: why bands are missing or what is peculiar; mostly empty.
    recipe : ndarray of str, shape (rows,)
        How counts and areas were derived, such as ``"photon flux"``; empty without a usable band.
    """

    bins: EnergyBins
    flags: np.ndarray
    reason: list
    recipe: np.ndarray

    def __len__(self):
        return len(self.bins)


@runtime_checkable
class Mission(Protocol):
    """
    What a mission must be: one mission's catalogs, products and default response.

    A class that has all of it is a mission; one that derives from this needs only its names
    and the three methods that have no default: `matches`, `read_bands`, `expected_columns`.

    Attributes
    ----------
    name, title : str
        Short name, as in ``add_latents(..., mission="csc")``, and name for people.
    telescopes, instruments : tuple of str
        TELESCOP values of its spectra (upper case), and INSTRUME values of
        energy-resolving instruments that spectra may come from.
    bands : tuple of (str, float, float)
        Name and bounds in keV of the bands that are read, without overlap; empty if no band columns are read.
    relative_error : float or None
        What a user grants fluxes for which the table has no error; None: nothing.
    """

    name: str = ""
    title: str = ""
    telescopes: tuple[str, ...] = ()
    instruments: tuple[str, ...] = ()
    bands: tuple[tuple[str, float, float], ...] = ()
    relative_error: float | None = None

    @abstractmethod
    def matches(self, table: "Table") -> int:
        """Number of the mission's own tell-tale columns in ``table``; 0: not its table."""

    @abstractmethod
    def read_bands(self, table: "Table") -> BandMeasurement:
        """
        Band columns as a `BandMeasurement`; unusable rows get flags and a reason. Raises `MissingBandsError`
        without a usable column, and `~astro_xlatent.core.errors.TableError` if one has a wrong unit.
        """

    @abstractmethod
    def expected_columns(self) -> str:
        """Say in one sentence which columns are looked for."""

    def catalog_flags(self, table: "Table") -> np.ndarray:
        """Bits of `~astro_xlatent.core.flags.FLAGS` from the catalog's own flags, int64 (rows,)."""
        return np.zeros(len(table), np.int64)

    def product_names(self, table: "Table", kind: str = "spectrum") -> list:
        """
        File names under which the rows' products are published, None where the columns do not identify one.

        ``kind`` is ``"spectrum"``, ``"arf"`` or ``"rmf"``; a mission may know more. Names are patterns for
        `fnmatch.fnmatchcase`: parts that the table does not tell, such as versions, are ``*``.
        """
        return [None] * len(table)

    def find_spectra(self, table: "Table", folder: Path | str) -> list:
        """Paths of the rows' spectra below ``folder``, None where no file is found by its name."""
        return [None] * len(table)

    def instrument_of(self, spectrum: "XraySpectrum") -> str:
        """What `default_response` is to be asked for, from a spectrum's header and file name."""
        return spectrum.instrument

    def default_response(self, instrument: str | None = None, year: float | None = None) -> "Response":
        """A typical on-axis `~astro_xlatent.spectra.response.Response`; MissionError if there is none."""
        return default_response(self.name, instrument, year)

    def __repr__(self) -> str:
        return f"<Mission {self.name}: {self.title}>"


def _lacks(mission):
    """Members of a `Mission` that a class or object does not have."""
    members = [*Mission.__annotations__, *(name for name in vars(Mission) if not name.startswith("_"))]
    return [name for name in dict.fromkeys(members) if not hasattr(mission, name)]


@cache
def _registry():
    found = {name: resolve_name(f"astro_xlatent.missions.{name}:{name.upper()}") for name in _BUILT_IN}
    for name, mission in load_plugins("astro_xlatent.missions").items():
        if name in found:
            continue
        lacking = _lacks(mission)
        if not isinstance(mission, type) or lacking:
            what = f"it lacks {', '.join(lacking)}" if isinstance(mission, type) else "it is no class"
            msg = (f"entry point {name!r} in astro_xlatent.missions is left out: {what}; see "
                   "astro_xlatent.missions.base.Mission")
            warnings.warn(msg, XlatentWarning, stacklevel=3)
            continue
        found[name] = mission
    return found


def available_missions():
    """
    Names of the missions that can be used, sorted; plug-ins that fail to load are left out with a warning.

    Examples
    --------
    >>> from astro_xlatent import available_missions
    >>> {"csc", "erosita", "xmm"} <= set(available_missions())
    True
    """
    return tuple(sorted(_registry()))


def get_mission(name):
    """
    A mission by name.

    Parameters
    ----------
    name : str, Mission or its class
        One of `available_missions`; a `Mission` is returned as it is.

    Raises
    ------
    MissionError
        If there is no such mission, or a plug-in's class cannot be instantiated.

    Examples
    --------
    >>> from astro_xlatent.missions.base import get_mission
    >>> get_mission("csc").title
    'Chandra Source Catalog'
    """
    if not isinstance(name, type) and isinstance(name, Mission):
        return name
    found = _registry().get(name.lower()) if isinstance(name, str) else None
    if isinstance(name, type) and not _lacks(name):
        found = name
    if found is None:
        raise MissionError(f"unknown mission {name!r}; available: {', '.join(available_missions())}")
    try:
        return found()
    except TypeError as error:
        raise MissionError(f"mission {name!r} cannot be used: {error}") from error


def identify_mission(table):
    """
    The mission whose catalog a table is.

    Parameters
    ----------
    table : `~astropy.table.Table`
        Only columns are looked at.

    Raises
    ------
    MissionError
        If no mission recognizes its columns, or several do (a table of matches between catalogs).

    Examples
    --------
    >>> from astropy.table import Table
    >>> from astro_xlatent.missions.base import identify_mission
    >>> names = ["flux_aper_s", "flux_aper_lolim_s", "flux_aper_hilim_s"]
    >>> identify_mission(Table(names=names)).name
    'csc'
    """
    scores = {}
    for name in available_missions():
        try:
            mission = get_mission(name)
            scores[mission] = int(mission.matches(table))
        except MissionError as error:
            warnings.warn(f"mission left out: {error}", XlatentWarning, stacklevel=2)
    found = [m for m, score in scores.items() if score > 0]
    if len(found) == 1:
        return found[0]
    what = "columns of no mission" if not found else f"columns of {' and '.join(m.name for m in found)}"
    expected = "; ".join(f"{m.name}: {m.expected_columns()}" for m in (found or scores))
    msg = (f"table has {what} ({name_columns(table)}). Expected were {expected}. "
           f"Pass mission= one of {', '.join(m.name for m in scores)}")
    if table.colnames and all(re.fullmatch(r"col_?\d+", name) for name in table.colnames):
        msg += ("; the columns have numbers for names: read a VOTable with use_names_over_ids=True, "
                "and tell a text file's header from its data")
    raise MissionError(msg)
