# Licensed under a 3-clause BSD style license - see LICENSE
"""
The catalogs that can be fetched, and where each lies.

CSC tables and joins: https://cxc.cfa.harvard.edu/csc/organization.html . eRASS1: Merloni et al. 2024, A&A
682, A34.
"""

import re
from dataclasses import dataclass

from astropy.coordinates import SkyCoord

from astro_xlatent.archive.areas import Cone
from astro_xlatent.core.errors import ParameterError

__all__ = ["CATALOGS", "CSC_NAME", "Catalog", "get_catalog"]

CSC_NAME = re.compile(r"2CXO J\d{6}\.\d[+-]\d{6}[A-Za-z]?")
_NAMES = {
    "csc": (CSC_NAME, "2CXO J004244.3+411608", "name"),
    "erosita": (re.compile(r"[1-9]eRASS J\d{6}\.\d[+-]\d{6}"), "1eRASS J052334.5-691545", "IAUNAME"),
}
_DETECTIONS = """csc21.master_source m, csc21.master_stack_assoc a, csc21.stack_source s,
  csc21.stack_observation_assoc b, csc21.observation_source o"""
_UNIQUE = """
  AND a.match_type = 'u' AND m.name = a.name
  AND s.detect_stack_id = a.detect_stack_id AND s.region_id = a.region_id
  AND s.detect_stack_id = b.detect_stack_id AND s.region_id = b.region_id
  AND o.obsid = b.obsid AND o.obi = b.obi AND o.region_id = b.region_id"""
_MASTER = ("name", "ra", "dec", "err_ellipse_r0", "err_ellipse_r1", "err_ellipse_ang", "significance",
           "nh_gal")


@dataclass(frozen=True)
class Catalog:
    """
    A catalog with the columns of ``mission`` at ``service``: csc, heasarc, vizier or mpe. ``table`` is its
    name there, for the CSC what follows FROM, with ``select`` after SELECT and a ``condition`` on every row.
    """

    key: str
    title: str
    mission: str
    service: str
    table: str
    select: str = "*"
    condition: str = ""

    @property
    def name_column(self):
        """Column with the sources' names in what comes back, after arranging."""
        return _NAMES[self.mission][2]

    def check_name(self, name):
        """A source's name in the catalog's spelling: letters, digits, spaces, points and signs only."""
        text, (pattern, example, _) = " ".join(str(name).split()), _NAMES[self.mission]
        if not pattern.fullmatch(text):
            raise ParameterError(f"{name!r} is no name of {self.title}; they have the form {example!r}")
        return text

    def cone_of_name(self, name, radius=10.0 / 3600):
        """Cone around the position in a source's name, which is cut to 0.1 s and 1 arcsec."""
        found = re.search(r"J(\d\d)(\d\d)(\d\d\.\d)([+-]\d\d)(\d\d)(\d\d)", self.check_name(name))
        position = SkyCoord("{}h{}m{}s {}d{}m{}s".format(*found.groups()))
        return Cone(float(position.ra.deg), float(position.dec.deg), radius)


#: All catalogs by key.
CATALOGS = {
    item.key: item
    for item in (
        Catalog("csc", "CSC 2.1 sources (CXC)", "csc", "csc", "csc21.master_source m", "m.*"),
        Catalog("csc-detections", "CSC 2.1 detections in single observations (CXC)", "csc", "csc",
                _DETECTIONS, ", ".join([*(f"m.{name}" for name in _MASTER), "a.match_type", "o.*"]), _UNIQUE),
        Catalog("csc-heasarc", "CSC 2 sources (HEASARC)", "csc", "heasarc", "csc"),
        Catalog("erass1", "eRASS1 main (MPE)", "erosita", "mpe", "DR1_Main"),
        Catalog("erass1-supp", "eRASS1 supplementary (MPE)", "erosita", "mpe", "DR1_Supp"),
        Catalog("erass1-hard", "eRASS1 hard (MPE)", "erosita", "mpe", "DR1_Hard"),
        Catalog("erass1-vizier", "eRASS1 main (VizieR)", "erosita", "vizier", "J/A+A/682/A34/erass1-m"),
        Catalog("erass1-hard-vizier", "eRASS1 hard (VizieR)", "erosita", "vizier", "J/A+A/682/A34/erass1-h"),
        Catalog("erass1-heasarc", "eRASS1 main (HEASARC)", "erosita", "heasarc", "erass1main"),
        Catalog("erass1-hard-heasarc", "eRASS1 hard (HEASARC)", "erosita", "heasarc", "erass1hard"),
    )
}


def get_catalog(key):
    """A catalog by its key; ParameterError with the keys there are."""
    if key not in CATALOGS:
        raise ParameterError(f"unknown catalog {key!r}; there are {', '.join(CATALOGS)}")
    return CATALOGS[key]
