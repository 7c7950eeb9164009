# Licensed under a 3-clause BSD style license - see LICENSE
"""
The catalogs that can be fetched, and where each lies.

References
----------
CSC tables and their joins: https://cxc.cfa.harvard.edu/csc/organization.html .
eRASS1: Merloni et al. 2024, A&A 682, A34.
"""

import re
from dataclasses import dataclass

from astropy.coordinates import SkyCoord

from astro_xlatent.archive.areas import Cone
from astro_xlatent.core.config import conf
from astro_xlatent.core.errors import ParameterError

__all__ = ["CATALOGS", "Catalog", "get_catalog"]

_CSC_NAME = re.compile(r"2CXO J\d{6}\.\d[+-]\d{6}[A-Za-z]?")
_ERASS_NAME = re.compile(r"[1-9]eRASS J\d{6}\.\d[+-]\d{6}")
_DETECTIONS = """csc21.master_source m, csc21.master_stack_assoc a, csc21.stack_source s,
  csc21.stack_observation_assoc b, csc21.observation_source o"""
_UNIQUE = """a.match_type = 'u' AND m.name = a.name
  AND s.detect_stack_id = a.detect_stack_id AND s.region_id = a.region_id
  AND s.detect_stack_id = b.detect_stack_id AND s.region_id = b.region_id
  AND o.obsid = b.obsid AND o.obi = b.obi AND o.region_id = b.region_id"""
_MASTER = (
    "name",
    "ra",
    "dec",
    "err_ellipse_r0",
    "err_ellipse_r1",
    "err_ellipse_ang",
    "significance",
    "nh_gal",
)


@dataclass(frozen=True)
class Catalog:
    """
    One catalog at one archive.

    Attributes
    ----------
    key, title : str
    mission : str
        Whose columns it has.
    setting : str
        The item of `astro_xlatent.core.config.Conf` with the address.
    source, select : str
        ADQL after FROM and SELECT; for a cone search the name of the catalog.
    ra, dec, name : str
        ADQL of the columns with position in degrees and name.
    name_column : str
        The same column in what comes back, after arranging.
    pattern : re.Pattern
        Which names it has.
    protocol : {'tap', 'scs'}
    condition : str
        ADQL that every row must fulfil.
    geometry : bool
        Whether the service knows the functions of ADQL for circles. That of
        the CSC does not: it is asked for a box, which is cut here.
    """

    key: str
    title: str
    mission: str
    setting: str
    source: str
    ra: str
    dec: str
    name: str
    pattern: re.Pattern
    name_column: str = "name"
    select: str = "*"
    protocol: str = "tap"
    condition: str = ""
    geometry: bool = True

    @property
    def url(self):
        """Address of the service, from the settings."""
        base = getattr(conf, self.setting).rstrip("/")
        return f"{base}/catalogue/SCS" if self.protocol == "scs" else base

    def check_name(self, name):
        """
        A source's name in the catalog's own spelling.

        Parameters
        ----------
        name : str

        Returns
        -------
        name : str

        Raises
        ------
        ParameterError
            If it does not have the form of the catalog's names.
        """
        text = " ".join(str(name).split())
        if not self.pattern.fullmatch(text):
            example = "2CXO J004244.3+411608" if self.mission == "csc" else "1eRASS J052334.5-691545"
            msg = f"{name!r} is no name of {self.title}; they have the form {example!r}"
            raise ParameterError(msg)
        return text

    def cone_of_name(self, name, radius=10.0 / 3600):
        """Cone around the position in a source's name, which is cut to 0.1 s and 1 arcsec."""
        found = re.search(r"J(\d\d)(\d\d)(\d\d\.\d)([+-]\d\d)(\d\d)(\d\d)", self.check_name(name))
        position = SkyCoord("{}h{}m{}s {}d{}m{}s".format(*found.groups()))
        return Cone(float(position.ra.deg), float(position.dec.deg), radius)


def _csc(key, title, source, **other):
    columns = ("m.ra", "m.dec", "m.name")
    return Catalog(key, title, "csc", "csc_tap_url", source, *columns, _CSC_NAME, geometry=False, **other)


def _erass(key, title, setting, source, ra, dec, name, **other):
    return Catalog(key, title, "erosita", setting, source, ra, dec, name, _ERASS_NAME, "IAUNAME", **other)


def _vizier(key, title, table):
    return _erass(key, title, "vizier_tap_url", f'"J/A+A/682/A34/{table}"', "RA_ICRS", "DE_ICRS", "IAUName")


def _heasarc(key, title, table):
    return _erass(key, title, "heasarc_tap_url", table, "ra", "dec", "name")


def _mpe(key, title, table):
    return _erass(key, title, "erosita_url", table, "RA", "DEC", "IAUNAME", protocol="scs")


#: All catalogs by key.
CATALOGS = {
    item.key: item
    for item in (
        _csc("csc", "CSC 2.1 sources (CXC)", "csc21.master_source m", select="m.*"),
        _csc("csc-detections", "CSC 2.1 detections in single observations (CXC)", _DETECTIONS,
             select=", ".join([*(f"m.{name}" for name in _MASTER), "a.match_type", "o.*"]),
             condition=_UNIQUE),
        Catalog("csc-heasarc", "CSC 2 sources (HEASARC)", "csc", "heasarc_tap_url", "csc", "ra", "dec",
                "name", _CSC_NAME),
        _mpe("erass1", "eRASS1 main (MPE)", "DR1_Main"),
        _mpe("erass1-supp", "eRASS1 supplementary (MPE)", "DR1_Supp"),
        _mpe("erass1-hard", "eRASS1 hard (MPE)", "DR1_Hard"),
        _vizier("erass1-vizier", "eRASS1 main (VizieR)", "erass1-m"),
        _vizier("erass1-hard-vizier", "eRASS1 hard (VizieR)", "erass1-h"),
        _heasarc("erass1-heasarc", "eRASS1 main (HEASARC)", "erass1main"),
        _heasarc("erass1-hard-heasarc", "eRASS1 hard (HEASARC)", "erass1hard"),
    )
}


def get_catalog(key):
    """
    A catalog by its key.

    Parameters
    ----------
    key : str

    Returns
    -------
    catalog : Catalog

    Raises
    ------
    ParameterError
        With the keys there are.

    Examples
    --------
    >>> from astro_xlatent.archive.catalogs import get_catalog
    >>> get_catalog("csc").check_name("2CXO  J004244.3+411608")
    '2CXO J004244.3+411608'
    """
    if key not in CATALOGS:
        msg = f"unknown catalog {key!r}; there are {', '.join(CATALOGS)}"
        raise ParameterError(msg)
    return CATALOGS[key]
