# Licensed under a 3-clause BSD style license - see LICENSE
"""
Under which conditions sources are observed: the population of observations.

`LITERATURE` gives what training draws, as `families.parameters` does for sources:
value, range, unit and reference of every parameter. `CONDITIONS` gives how a
simulated catalog sees its fields.

References
----------
.. [A] Chandra Source Catalog 2, rows of the MATCH fields, at most two a source:
   net counts = (aperture counts - ratio x background counts) / fraction holds
   for all bands of a row and gives ratio and fraction; limits, zeros and missing
   fluxes are counted (``benchmarks/judge_rows.py`` compares the outcome)
.. [B] Evans et al. 2024, ApJS 274, 22, and the catalog's pages on columns,
   fluxes, and aperture photometry values and errors (cxc.cfa.harvard.edu/csc)
.. [C] Merloni et al. 2024, A&A 682, A34; Brunner et al. 2022, A&A 661, A1 (eROSITA)
.. [D] Webb et al. 2020, A&A 641, A136 (4XMM); Carter & Read 2007, A&A 464, 1155
.. [E] our choice: wider than archives, so that no user's spectrum lies outside
"""

from dataclasses import dataclass

import numpy as np

from astro_xlatent.core.errors import MissionError
from astro_xlatent.simulate.ranges import read_ranges

__all__ = ["CONDITIONS", "LITERATURE", "MISSION_SHARE", "Conditions", "condition", "draw_geometry",
           "aperture_radius", "draw_background", "draw_off_axis", "log_uniform"]

#: mission or mode -> parameter -> (value, low, high, unit, reference).
LITERATURE = read_ranges("observations")[0]
#: Share of each mission where none is asked for.
MISSION_SHARE = {"csc": 0.5, "erosita": 0.25, "xmm": 0.25}
#: Lower and upper ends of the energy ranges that analysts choose, keV; half of the rows keep everything.
ENERGY_STARTS, ENERGY_STOPS = (0.0, 0.0, 0.3, 0.4, 0.5), (99.0, 99.0, 8.0, 7.0, 5.0)
#: Share of bands s, m, h without any event whose energy flux the CSC leaves out [A].
NO_ENERGY_FLUX = (0.77, 0.78, 0.85)


def condition(mission: str, name: str) -> float:
    """
    Value of a parameter of the observations.

    Examples
    --------
    >>> from astro_xlatent.simulate.conditions import condition
    >>> condition("csc", "ratio")
    0.042
    """
    if mission not in LITERATURE:
        msg = f"mission is {mission!r}; conditions are known for {', '.join(LITERATURE)}"
        raise MissionError(msg)
    return LITERATURE[mission][name][0]


def aperture_radius(mission: str, off_axis: np.ndarray) -> np.ndarray:
    """Radius of source apertures in arcsec; Chandra's grows with the off-axis angle in arcmin."""
    growth = 10.0 * (np.asarray(off_axis) / 10.0) ** 2 if mission == "csc" else np.zeros(np.shape(off_axis))
    return CONDITIONS[mission].radius + growth


def draw_off_axis(mission: str, n: int, rng: np.random.Generator) -> np.ndarray:
    """Off-axis angles in arcmin; zero but for Chandra, the only one whose vignetting is shipped."""
    if mission != "csc":
        return np.zeros(n)
    shape = (condition("csc", "off_axis_rise"), condition("csc", "off_axis_fall"))
    return CONDITIONS["csc"].field * rng.beta(*shape, n)


def draw_background(mission: str, counts: np.ndarray, off_axis: np.ndarray,
                    rng: np.random.Generator) -> np.ndarray:
    """Expected background counts in the apertures of rows that a catalog would hold, shape (n,)."""
    c = {name: value[0] for name, value in LITERATURE[mission].items()}
    if "background_level" not in c:
        return counts * log_uniform(rng, c["background_low"], c["background_high"], counts.size)
    typical = (c["background_level"] * counts ** c["background_of_counts"]
               * aperture_radius(mission, off_axis) ** (2 * c["background_of_area"]))
    # Neighbors and diffuse emission add most in the middle of the field, at which observers pointed.
    crowded = rng.random(counts.size) < c["crowded"] / (1.0 + (off_axis / c["crowded_within"]) ** 2)
    scatter = np.exp(c["background_scatter"] * rng.standard_normal(counts.size)
                     + np.where(crowded, rng.uniform(0.0, c["crowded_excess"], counts.size), 0.0))
    # A row is a detection: N > significance x sqrt(N + B).
    most = np.maximum((counts / c["significance"]) ** 2 - counts, 0.5)
    return np.minimum(typical * scatter, most)


def draw_geometry(mission: str, counts: np.ndarray, off_axis: np.ndarray,
                  rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """
    Draw apertures by expected counts of the source and off-axis angle.

    Background regions of Chandra stand for all missions.

    Returns
    -------
    ratio, fraction : ndarray, shape (n,)
        Area of the source aperture over that of the background region, and share of
        the point-spread function in the source aperture (1 where no catalog corrects for it).
    """
    c, n = {name: value[0] for name, value in LITERATURE["csc"].items()}, len(counts)
    ratio = c["ratio"] * np.exp(c["ratio_scatter"] * rng.standard_normal(n))
    if mission != "csc":
        value = LITERATURE[mission].get("fraction", (1.0,))[0]
        return ratio, np.full(n, value)
    typical = c["fraction"] + c["fraction_of_counts"] * np.log10(counts / 60.0)
    typical = typical + 2.0 * c["fraction_of_area"] * np.log10(aperture_radius(mission, off_axis))
    fraction = np.clip(typical + c["fraction_scatter"] * rng.standard_normal(n), 0.5, 1.0)
    odd, odd_ratio = rng.random((2, n)) < c["odd_apertures"]
    ratio = np.where(odd_ratio, log_uniform(rng, c["ratio"], c["odd_ratio"], n), ratio)
    return ratio, np.where(odd, rng.uniform(c["odd_fraction"], c["fraction"], n), fraction)


def log_uniform(rng, low, high, size=None):
    """Draw log-uniform numbers."""
    return np.exp(rng.uniform(np.log(low), np.log(high), size))


@dataclass(frozen=True)
class Conditions:
    """
    How a mission's simulated catalog sees its fields.

    Attributes
    ----------
    cameras : tuple of (str, float, float)
        Curve, its share, and background in counts/s/arcsec2 in ``band``.
    epochs : tuple of float
        First and last decimal year.
    exposure, exposure_dex : float
        Median in s, and scatter in dex.
    aperture_fraction : float
        Share of the point-spread function in the source aperture.
    radius : float
        Aperture radius in arcsec (on axis).
    band : tuple of float
        Detection band in keV, in which counts are quoted.
    field : float
        Largest distance of a source from the pointing, arcmin.
    slope, faintest : float
        Expected counts N follow N(>N) ~ N**-slope above ``faintest``.
    likelihood : float
        Rows are detections: -ln P(background alone gives as many counts)
        exceeds this.
    """

    cameras: tuple
    epochs: tuple
    exposure: float
    exposure_dex: float
    aperture_fraction: float
    radius: float
    band: tuple
    field: float
    slope: float
    faintest: float
    likelihood: float


#: Chandra: exposures log-normal around 30 ks (the release's 245 Ms over 10,382
#: observations, weighted with the sources found); apertures of radius
#: 1" + 10" (theta / 10')**2 (Hickox & Markevitch 2006, ApJ 645, 95); background so that
#: apertures between 4' and 14' hold what those of [A] hold. eROSITA: one survey of 340 s,
#: vignetted about 150 s in 0.2-2.3 keV [C], 75 % apertures of 30", a background of about
#: half a count. XMM: 15 ks, apertures of 25", background of [D] to a factor of two.
CONDITIONS = {
    "csc": Conditions(
        (("acis-i", 0.5, 1.4e-6), ("acis-s", 0.5, 3.4e-6)), (2000.0, 2025.0), 30e3, 0.35,
        condition("csc", "fraction"), 1.0, (0.5, 7.0), 14.0, 1.1, 2.0, 10.0),
    "erosita": Conditions(
        (("erosita-survey", 1.0, 4e-7),), (2019.95, 2020.44), 340.0, 0.25, 0.75, 30.0,
        (0.2, 2.3), 90.0, 1.4, 2.0, 6.0),
    "xmm": Conditions(
        (("xmm-pn", 0.6, 6e-7), ("xmm-mos", 0.4, 2e-7)), (2000.2, 2025.0), 15e3, 0.3,
        condition("xmm", "fraction"), 25.0, (0.2, 12.0), 14.0, 1.1, 3.0, 6.0),
}
