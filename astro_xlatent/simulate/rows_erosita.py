# Licensed under a 3-clause BSD style license - see LICENSE
"""Simulated rows of the eRASS1 main catalog: aperture photometry in P1 to P5, and fitted counts of it."""

import numpy as np
from astropy import units as u

from astro_xlatent.missions.erosita import APERTURE_FRACTION, BACKGROUND_ERROR
from astro_xlatent.missions.responses import band_area
from astro_xlatent.simulate.conditions import condition
from astro_xlatent.simulate.rows import apertures_of, position, start_time

__all__ = ["erosita_band_columns", "erosita_columns", "source_numbers", "tiles"]

_COUNTS, _FLUX = u.ct, u.erg / u.s / u.cm**2
#: Energy conversion factors of eRASS1, cm2/erg: tbabs(3e20) x power law of index 2 (Merloni et al. 2024).
ECF = {"P1": 9.22e11, "P2": 1.359e12, "P3": 1.014e12, "P4": 1.613e11, "P5": 2.776e10}
#: Area of the catalog's apertures (radius 30 arcsec).
SQUARE_ARCMIN = np.pi * 0.5**2


def tiles(observed):
    """Sky tile of eROSITA's naming (RRRDDD: right ascension, distance from the pole), one a row."""
    p = observed.pointings
    return np.array([f"{int(a) % 360:03d}{int(90 - d):03d}" for a, d in
                     zip(p.field_ra, p.field_dec, strict=True)], "U6")


def source_numbers(observed):
    """Source numbers within eROSITA's tiles."""
    return 1 + observed.row % 99999


def erosita_columns(observed):
    """Columns of the eRASS1 main catalog of observed rows, name to ``(values, unit, description)``."""
    name, ra, dec = position(observed)
    tile, number = tiles(observed), source_numbers(observed)
    detections = [f"em01_{t}_020_ML{k:05d}_002_c010" for t, k in zip(tile, number, strict=True)]
    columns = {
        "IAUNAME": (name, None, "made-up source name"),
        "DETUID": (np.array(detections, "U32"), None, "detection"),
        "SKYTILE": (tile.astype(np.int64), None, "sky tile"),
        "ID_SRC": (number, None, "source number in the tile"),
        "RA": (ra, u.deg, "right ascension, ICRS"), "DEC": (dec, u.deg, "declination, ICRS"),
        "MJD": (start_time(observed).mjd, u.d, "date of observation"),
        "EXT": (np.zeros(len(observed)), u.arcsec, "extent"),
        "DET_LIKE_0": (observed.likelihood, None, "detection likelihood, 0.2-2.3 keV"),
    }
    return columns | erosita_band_columns(apertures_of(observed), observed.generator())


def erosita_band_columns(seen, rng):
    """Band columns of the eRASS1 main catalog; the maps of background and exposure have errors."""
    on_axis = band_area("erosita-tm0", list(zip(seen.edges[:-1], seen.edges[1:], strict=True)))
    # Aperture fraction and vignetting per band are known to a few per cent.
    exposed, mapped = rng.standard_normal((2, *seen.counts.shape))
    known = (1.0 + condition("erosita", "exposure_scatter") * exposed).clip(0.8)
    exposure = seen.area * known / (APERTURE_FRACTION * on_axis)
    mapped = seen.background * (1.0 + BACKGROUND_ERROR * mapped).clip(0.5)
    net = np.maximum(seen.counts - mapped, 0.0)
    fitted = net / APERTURE_FRACTION
    error = np.where(net > 0, np.sqrt(seen.counts + 0.25), 0.5) / APERTURE_FRACTION
    rate = fitted / exposure
    columns = (
        ("APE_CTS", seen.counts.astype(np.int64), _COUNTS, "counts in the aperture"),
        ("APE_BKG", mapped, _COUNTS, "background in the aperture, from the map"),
        ("APE_EXP", exposure, u.s, "vignetted exposure"),
        ("ML_CTS", fitted, _COUNTS, "source counts in the whole PSF"),
        ("ML_CTS_ERR", error, _COUNTS, "error of the counts"),
        ("ML_RATE", rate, u.ct / u.s, "vignetting-corrected rate"),
        ("ML_FLUX", rate / list(ECF.values()), _FLUX, "rate over the energy conversion factor"),
        ("ML_BKG", mapped / SQUARE_ARCMIN, u.ct / u.arcmin**2, "background"),
        ("ML_EXP", exposure, u.s, "vignetted exposure"),
    )
    return {f"{name}_{band}": (values[:, k], unit, text) for k, band in enumerate(ECF)
            for name, values, unit, text in columns}
