# Licensed under a 3-clause BSD style license - see LICENSE
"""
Under which conditions a catalog sees its sources: epoch, exposure, aperture.

Rows come in observations of `ROWS_PER_OBSERVATION` sources, so that epoch,
exposure and background level are shared as in a real catalog. Positions,
observation numbers and names are made up; they follow no real pointing and
know nothing of the Galaxy (a source's Galactic column is drawn with its
class, not looked up at its position).
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from astro_xlatent.core.errors import MissionError
from astro_xlatent.missions.curves import load_curve
from astro_xlatent.physics.grid import ENERGY_MID
from astro_xlatent.simulate.conditions import CONDITIONS, draw_geometry

__all__ = ["ROWS_PER_OBSERVATION", "Pointings", "arf_area", "draw_pointings"]

ROWS_PER_OBSERVATION = 32
#: Off-axis angles in arcmin for which ACIS areas are computed; sources take the nearest.
THETA_STEP = 3.0


@dataclass
class Pointings:
    """
    Conditions of rows; arrays of shape (rows,).

    Attributes
    ----------
    observation : ndarray of int64
        Number of the observation: row number over `ROWS_PER_OBSERVATION`.
    curve : ndarray of str
        Response curve.
    epoch, exposure, off_axis : ndarray
        Decimal year, s, arcmin.
    ra, dec, field_ra, field_dec : ndarray
        Position of the source and of the pointing, degrees.
    aperture, scale, fraction : ndarray
        Area of the aperture in arcsec2, over that of the background region, and
        the share of the point-spread function that the catalog takes it to hold.
    background : ndarray
        Expected background counts in the aperture, in the detection band.
    arf : ndarray of str
        Label that rows with the same effective area share.
    """

    observation: np.ndarray
    curve: np.ndarray
    epoch: np.ndarray
    exposure: np.ndarray
    off_axis: np.ndarray
    ra: np.ndarray
    dec: np.ndarray
    field_ra: np.ndarray
    field_dec: np.ndarray
    aperture: np.ndarray
    scale: np.ndarray
    fraction: np.ndarray
    background: np.ndarray
    arf: np.ndarray

    def __getitem__(self, rows):
        return Pointings(**{name: value[rows] for name, value in vars(self).items()})


def draw_pointings(mission, rows, rng):
    """
    Draw the conditions under which rows are observed.

    Parameters
    ----------
    mission : {'csc', 'erosita', 'xmm'}
    rows : ndarray of int64
        Row numbers in ascending order; rows of an observation share its
        epoch, exposure and camera.
    rng : numpy.random.Generator

    Returns
    -------
    pointings : Pointings

    Raises
    ------
    MissionError
        If the mission has no simulated catalog.
    """
    if mission not in CONDITIONS:
        msg = f"mission is {mission!r}; allowed: {', '.join(CONDITIONS)}"
        raise MissionError(msg)
    c = CONDITIONS[mission]
    numbers, back = np.unique(np.asarray(rows, np.int64) // ROWS_PER_OBSERVATION, return_inverse=True)
    n_fields, n = numbers.size, len(rows)
    camera = rng.choice(len(c.cameras), n_fields, p=[share for _, share, _ in c.cameras])
    epoch = rng.uniform(*c.epochs, n_fields)
    exposure = c.exposure * 10 ** (c.exposure_dex * rng.standard_normal(n_fields)).clip(-1.2, 0.8)
    level = 10 ** (0.15 * rng.standard_normal(n_fields))
    field_ra, field_dec = rng.uniform(0, 360, n_fields), np.degrees(np.arcsin(rng.uniform(-1, 1, n_fields)))
    distance, angle = _distance(mission, c, n, rng), rng.uniform(0, 2 * np.pi, n)
    # only the vignetting of ACIS is shipped
    off_axis = distance if mission == "csc" else np.zeros(n)
    aperture = np.pi * (c.radius + 10.0 * (off_axis / 10.0) ** 2) ** 2
    ra, dec = _offset(field_ra[back], field_dec[back], distance / 60.0, angle)
    rate = np.array([rate for _, _, rate in c.cameras])[camera] * level
    background = rate[back] * aperture * exposure[back]
    # Counts are not drawn yet; most sources have few.
    ratio, fraction = draw_geometry(mission, np.full(n, 20.0), off_axis, rng)
    curve = np.array([name for name, _, _ in c.cameras])[camera[back]]
    return Pointings(
        observation=numbers[back], curve=curve, epoch=epoch[back], exposure=exposure[back],
        off_axis=off_axis, ra=ra, dec=dec, field_ra=field_ra[back], field_dec=field_dec[back],
        aperture=aperture, scale=ratio, fraction=fraction,
        background=background,
        arf=np.array([_arf_label(name, year, angle)
                      for name, year, angle in zip(curve, epoch[back], off_axis, strict=True)], str),
    )


def _distance(mission, c, n, rng):
    """Arcmin from the pointing: bulging for Chandra, uniform over the field for the others."""
    if mission == "csc":
        return c.field * rng.beta(1.6, 2.4, n)
    return c.field * np.sqrt(rng.random(n))


def _offset(ra, dec, distance, angle):
    """Positions at a distance (degrees) and position angle (radian) from others."""
    dec, d = np.radians(dec), np.radians(distance)
    sin_dec = np.sin(dec) * np.cos(d) + np.cos(dec) * np.sin(d) * np.cos(angle)
    east = np.arctan2(np.sin(angle) * np.sin(d) * np.cos(dec), np.cos(d) - np.sin(dec) * sin_dec)
    return (ra + np.degrees(east)) % 360.0, np.degrees(np.arcsin(sin_dec.clip(-1, 1)))


def _arf_label(curve, epoch, off_axis):
    """Curve, year and off-axis step, such as ``acis-s_2004_06``; the curve alone if nothing varies."""
    if load_curve(curve).years.size == 0:
        return str(curve)
    return f"{curve}_{int(epoch):04d}_{THETA_STEP * round(off_axis / THETA_STEP):02.0f}"


@lru_cache(maxsize=1024)
def arf_area(label, fraction):
    """
    Effective area that belongs to a label of `Pointings.arf`.

    Parameters
    ----------
    label : str
    fraction : float
        Share of the point-spread function in the aperture.

    Returns
    -------
    area : ndarray of float32, shape (N_ENERGY,)
        In cm2, aperture fraction included, in the middle of the label's year.
    """
    curve, *rest = label.split("_")
    if not rest:
        return (fraction * load_curve(curve).area(ENERGY_MID)).astype(np.float32)
    area = load_curve(curve).area(ENERGY_MID, year=int(rest[0]) + 0.5, off_axis=float(rest[1]))
    return (fraction * area).astype(np.float32)
