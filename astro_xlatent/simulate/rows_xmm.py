# Licensed under a 3-clause BSD style license - see LICENSE
"""
Simulated rows in the manner of the 4XMM catalogue.

One EPIC camera per row stands for all three. The package reads no bands from
such tables; they go with spectra.
"""

import numpy as np
from astropy import units as u

from astro_xlatent.simulate.pointings import ROWS_PER_OBSERVATION
from astro_xlatent.simulate.rows import apertures_of, position, start_time

__all__ = ["xmm_band_columns", "xmm_columns"]

_COUNTS = u.ct
#: Added to the number of the observation; no real one begins so.
FIRST_OBS_ID = 9900000001


def xmm_columns(observed):
    """
    Columns in the manner of 4XMM, of one EPIC camera per row.

    Parameters
    ----------
    observed : `~astro_xlatent.simulate.chunks.Observed`

    Returns
    -------
    columns : dict
        Name to ``(values, unit, description)``.
    """
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
    """
    Band columns in the manner of 4XMM, of one EPIC camera per row.

    Parameters
    ----------
    seen : `~astro_xlatent.simulate.apertures.Apertures`
    rng : `numpy.random.Generator`
        Not used.

    Returns
    -------
    columns : dict
        Name to ``(values, unit, description)``.
    """
    fraction, scale = seen.fraction[:, None], seen.scale[:, None]
    net = (seen.counts - seen.off * scale) / fraction
    sigma = np.sqrt(np.maximum(seen.counts, 1.0) + seen.off * scale**2) / fraction
    columns = {
        "EP_8_CTS": (net.sum(axis=1), _COUNTS, "source counts, 0.2-12 keV"),
        "EP_8_CTS_ERR": (np.sqrt((sigma**2).sum(axis=1)), _COUNTS, "error of the counts"),
    }
    for k in range(seen.counts.shape[1]):
        for end, values, text in (("", net, "rate"), ("_ERR", sigma, "error of the rate")):
            rate = values[:, k] / seen.exposure
            columns[f"EP_{k + 1}_RATE{end}"] = (rate, u.ct / u.s, f"{text} in band {k + 1}")
    return columns
