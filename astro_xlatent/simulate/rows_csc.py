# Licensed under a 3-clause BSD style license - see LICENSE
"""
Simulated rows of the Chandra Source Catalog, one per detection.

Every kind of column is there from which the reader can take its bands: raw
aperture counts, net counts, photon and energy fluxes with 68 % limits (see
`astro_xlatent.simulate.photometry`). Band u, which the package does not use,
is left out. Observation numbers have six digits, real ones five.
"""

import numpy as np
from astropy import units as u

from astro_xlatent.physics.grid import KEV_TO_ERG
from astro_xlatent.simulate.photometry import CSC_BANDS, HALF_WIDTH, csc_photometry, hardness
from astro_xlatent.simulate.pointings import CONDITIONS, ROWS_PER_OBSERVATION
from astro_xlatent.simulate.rows import position, start_time, sub_bands

__all__ = ["csc_columns"]

_COUNTS, _FLUX, _PHOTONS = u.ct, u.erg / u.s / u.cm**2, u.ph / u.s / u.cm**2
#: Added to the number of the observation.
FIRST_OBSID = 100001


def csc_columns(observed):
    """
    Columns of the Chandra Source Catalog.

    Parameters
    ----------
    observed : `~astro_xlatent.simulate.chunks.Observed`

    Returns
    -------
    columns : dict
        Name to ``(values, unit, description)``.
    """
    p, t = observed.pointings, observed.sources.truth
    name, ra, dec = position(observed)
    fraction = CONDITIONS["csc"].aperture_fraction
    start = start_time(observed)
    off = observed.detector.into_bands(observed.off_counts)
    bands = csc_photometry(*sub_bands(observed), observed.detector.unit.band_edges)
    columns = {
        "name": (name, None, "made-up source name"),
        "ra": (ra, u.deg, "right ascension, ICRS"), "dec": (dec, u.deg, "declination, ICRS"),
        "obsid": (FIRST_OBSID + p.observation, None, "made-up observation number"),
        "obi": (np.zeros(len(observed), np.int64), None, "observation interval"),
        "region_id": (1 + observed.row % ROWS_PER_OBSERVATION, None, "source region in the observation"),
        "instrument": (np.full(len(observed), "ACIS"), None, "instrument"),
        "chip_id": (np.where(p.curve == "acis-s", 7, 3), None, "chip"),
        "theta": (p.off_axis, u.arcmin, "off-axis angle"),
        "livetime": (p.exposure, u.s, "live time"),
        "gti_obs": (np.array([s[:19] for s in start.isot], "U19"), None, "start of the observation"),
        "gti_mjd_obs": (start.mjd, u.d, "start of the observation, MJD"),
        "nh_gal": (t["nh_gal"] / 1e20, 1e20 / u.cm**2, "Galactic column (that of the source's truth)"),
        "likelihood": (observed.likelihood, None, "-ln(probability of a background fluctuation), 0.5-7 keV"),
        "area_aper": (p.aperture, u.arcsec**2, "area of the source aperture"),
        "area_aperbkg": (p.aperture / p.scale, u.arcsec**2, "area of the background aperture"),
    }
    member = [(c > lo) & (c < hi) for c in [_centre(observed)] for _, lo, hi in CSC_BANDS]
    for k, (band, _, _) in enumerate(CSC_BANDS):
        columns |= _csc_band(bands, k, band, off[:, member[k]].sum(axis=1), fraction)
    wide = bands["net"][:, 3], bands["counts"][:, 3] + bands["background_error"][:, 3] ** 2
    columns["significance"] = (wide[0] / (HALF_WIDTH * np.sqrt(np.maximum(wide[1], 1.0))), None,
                               "net counts over their 68 % half-width, 0.5-7 keV")
    for hard, soft in ("hm", "hs", "ms"):
        ratio = hardness(bands, hard, soft)
        for part, values in zip(("", "_lolim", "_hilim"), ratio, strict=True):
            columns[f"hard_{hard}{soft}{part}"] = (values, None, f"hardness ratio {hard} against {soft}")
    return columns


def _centre(observed):
    edges = observed.detector.unit.band_edges
    return 0.5 * (edges[:-1] + edges[1:])


def _csc_band(bands, k, band, off, fraction):
    """Columns of one band."""
    columns = {
        f"cnts_aper_{band}": (bands["counts"][:, k], _COUNTS, "counts in the source aperture"),
        f"cnts_aperbkg_{band}": (off, _COUNTS, "counts in the background aperture"),
        f"psf_frac_aper_{band}": (np.full(len(off), fraction), None, "share of the PSF in the aperture"),
    }
    kinds = (("src_cnts", "net", _COUNTS, 1 / fraction, "aperture-corrected net counts"),
             ("photflux", "photon", _PHOTONS, 1.0, "photon flux"),
             ("flux", "energy", _FLUX, KEV_TO_ERG, "energy flux"))
    for stem, key, unit, factor, text in kinds:
        for part, end in (("", ""), ("lolim_", "_lo"), ("hilim_", "_hi")):
            limit = {"": "", "_lo": ", lower 68 % limit", "_hi": ", upper 68 % limit"}[end]
            columns[f"{stem}_aper_{part}{band}"] = (bands[key + end][:, k] * factor, unit, text + limit)
    return columns
