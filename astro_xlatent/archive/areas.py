# Licensed under a 3-clause BSD style license - see LICENSE
"""Cones on the sky, from numbers, text, or around a region."""

import re
from dataclasses import dataclass

import numpy as np
from astropy import units as u
from astropy.coordinates import Angle, SkyCoord

from astro_xlatent.core.errors import ParameterError
from astro_xlatent.events.sky_regions import enclosing_cone, on_sky

__all__ = ["Cone", "cones_around", "parse_cone"]

#: Largest radius in degrees; beyond it a whole catalog is better taken from its own page.
LARGEST_RADIUS = 20.0


@dataclass(frozen=True)
class Cone:
    """A circle on the sky, in degrees (ICRS); ParameterError if a value is not finite or out of range."""

    ra: float
    dec: float
    radius: float

    def __post_init__(self):
        for name, low, high in (("ra", 0.0, 360.0), ("dec", -90.0, 90.0), ("radius", 0.0, LARGEST_RADIUS)):
            value = getattr(self, name)
            if not (np.isfinite(value) and low <= value <= high) or (name == "radius" and value == 0):
                msg = f"{name} of a cone must lie in {low:g} to {high:g} degrees, got {value!r}"
                raise ParameterError(msg)

    @property
    def center(self):
        """Its middle, a `~astropy.coordinates.SkyCoord`."""
        return SkyCoord(self.ra, self.dec, unit="deg")


def parse_cone(ra, dec, radius):
    """
    A cone from text, numbers (degrees) or quantities; ``"05h23m34.5s"`` is in hours, the radius has a unit.

    Examples
    --------
    >>> from astro_xlatent.archive.areas import parse_cone
    >>> parse_cone("10h", "-5d30m", "3arcmin")
    Cone(ra=150.0, dec=-5.5, radius=0.05)
    """
    ra = _degrees(ra, "ra", u.deg, "10.68, 10.68d or 00h42m44.3s")
    dec = _degrees(dec, "dec", u.deg, "-41.27 or -41d16m09s")
    radius = _degrees(radius, "radius", None, "5arcmin, 30arcsec or 0.1deg, with a unit")
    return Cone(ra % 360.0, dec, radius)


def _degrees(value, name, unit, example):
    try:
        if unit is None and isinstance(value, str) and re.search(r"\d\s*[hs]", value):
            # Astropy takes 3s for time: 45 arcsec.
            raise ValueError("hours or seconds of time")
        angle = Angle(value.strip() if isinstance(value, str) else value, unit=unit)
        return float(angle.deg.round(12))
    except (u.UnitsError, ValueError, TypeError) as error:
        msg = f"{name} of a cone cannot be read from {value!r}; write it like {example}"
        raise ParameterError(msg) from error


def cones_around(region):
    """
    Cones that together hold a `~astro_xlatent.events.regions.RegionSet`, each once: one around each included
    shape, where shapes are intersected around the smallest, none larger than `LARGEST_RADIUS`.
    """
    cones = []
    for component in region.components:
        around = [enclosing_cone(on_sky(shape, region)) for shape, included in component if included]
        center, radius = min(around, key=lambda cone: cone[1])
        cones.append(Cone(float(center.ra.deg) % 360.0, float(center.dec.deg), float(radius.to_value("deg"))))
    return list(dict.fromkeys(cones))
