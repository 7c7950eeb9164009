# Licensed under a 3-clause BSD style license - see LICENSE
"""Simulated rows in the manner of the 4XMM catalog; one EPIC camera per row stands for all three."""

import numpy as np
from astropy import units as u

from astro_xlatent.missions.xmm import XMM, reference_spectrum
from astro_xlatent.physics.grid import ENERGY_MID, KEV_TO_ERG
from astro_xlatent.simulate.conditions import ROWS_PER_OBSERVATION, condition
from astro_xlatent.simulate.rows import apertures_of, position, start_time

__all__ = ["xmm_band_columns", "xmm_columns"]

_COUNTS, _FLUX = u.ct, u.erg / u.s / u.cm**2
#: Added to the number of the observation; no real one begins so.
FIRST_OBS_ID = 9900000001


def xmm_columns(observed):
    """Columns in the manner of 4XMM, of one EPIC camera per row."""
    p = observed.pointings
    name, ra, dec = position(observed)
    columns = {
        "IAUNAME": (name, None, "made-up source name"),
        "OBS_ID": (np.array([f"{k:010d}" for k in FIRST_OBS_ID + p.observation], "U10"), None,
                   "made-up observation number"),
        "SRC_NUM": (1 + observed.row % ROWS_PER_OBSERVATION, None, "source number in the observation"),
        "RA": (ra, u.deg, "right ascension, ICRS"), "DEC": (dec, u.deg, "declination, ICRS"),
        "MJD_START": (start_time(observed).mjd, u.d, "start of the observation"),
        "CAMERA": (np.where(p.curve == "xmm-pn", "PN", "M1"), None, "the camera that the EP columns are of"),
        "ONTIME": (p.exposure, u.s, "exposure"),
        "EP_8_DET_ML": (observed.likelihood, None, "detection likelihood, 0.2-12 keV"),
    }
    return columns | xmm_band_columns(apertures_of(observed), observed.generator())


def xmm_band_columns(seen, rng):
    """Counts, and fluxes by the conversion factors of `reference_spectrum`, known to a few per cent."""
    member = seen.member(XMM.bands)
    scale = seen.scale[:, None]
    net = np.maximum((seen.counts - seen.off * scale) @ member, 0.0) / seen.fraction[:, None]
    sigma = np.sqrt(np.maximum(seen.counts @ member, 1.0) + (seen.off * scale**2) @ member)
    sigma = sigma / seen.fraction[:, None]
    known = 1.0 + condition("xmm", "exposure_scatter") * rng.standard_normal(net.shape)
    per_flux = _conversion(seen, member) / seen.fraction[:, None] * known.clip(0.8)
    columns = {
        "EP_8_CTS": (net.sum(axis=1), _COUNTS, "source counts, 0.2-12 keV"),
        "EP_8_CTS_ERR": (np.sqrt((sigma**2).sum(axis=1)), _COUNTS, "error of the counts"),
    }
    for k, (band, _, _) in enumerate(XMM.bands):
        for end, values, text in (("", net, "flux"), ("_ERR", sigma, "error of the flux")):
            columns[f"EP_{band}_FLUX{end}"] = (values[:, k] / per_flux[:, k], _FLUX, f"{text} in band {band}")
    return columns


def _conversion(seen, member):
    """Counts per erg/cm2 of the reference spectrum in the aperture, shape (rows, 5)."""
    photons = reference_spectrum()
    inside = [(ENERGY_MID > lo) & (ENERGY_MID < hi)
              for lo, hi in zip(seen.edges[:-1], seen.edges[1:], strict=True)]
    number = np.array([photons[k].sum() for k in inside])
    energy = np.array([(photons * ENERGY_MID)[k].sum() for k in inside]) @ member * KEV_TO_ERG
    return (seen.area * number) @ member / energy
