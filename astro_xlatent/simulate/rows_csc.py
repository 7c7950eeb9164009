# Licensed under a 3-clause BSD style license - see LICENSE
"""
Simulated rows of the Chandra Source Catalog, one per detection; band u is left out.

Definitions are the catalog's [1]_ [2]_. Net counts are those of the source aperture minus the scaled
background, over the share of the point-spread function. Photon flux is net counts over exposure and the
area at one energy per band. Energy flux is the sum of event energies over area at these energies, minus
the scaled background's. Values are modes of the posterior with a flat prior; limits enclose 68 % in the
smallest non-negative interval about the mode; modes within about 0.7 of their noise of zero are published
as zero, and the posterior is taken as exponential then. The half-width so has the noise of aperture and
background in it; the catalog's Monte-Carlo estimate makes it 1.1 times as wide, more for many counts and
for a few crowded rows (measured, see `astro_xlatent.simulate.conditions`).

References
----------
.. [1] https://cxc.cfa.harvard.edu/csc/why/ap_vals_errs.html ; columns/fluxes.html, columns/ebands.html there
.. [2] Primini & Kashyap 2014, ApJ 796, 24
"""

import numpy as np
from astropy import units as u

from astro_xlatent.missions._bandset import ZERO_COUNTS_HILIM
from astro_xlatent.missions.csc import FRACTION_OF_BAND
from astro_xlatent.physics.grid import KEV_TO_ERG
from astro_xlatent.simulate.conditions import NO_ENERGY_FLUX, ROWS_PER_OBSERVATION, condition
from astro_xlatent.simulate.rows import apertures_of, position, start_time

__all__ = ["csc_band_columns", "csc_columns"]

_COUNTS, _FLUX, _PHOTONS = u.ct, u.erg / u.s / u.cm**2, u.ph / u.s / u.cm**2
#: Bands of the CSC in keV: name, lower, upper edge. The broad band comes last.
BANDS = (("s", 0.5, 1.2), ("m", 1.2, 2.0), ("h", 2.0, 7.0), ("b", 0.5, 7.0))
OF_BAND = np.array([FRACTION_OF_BAND[band] for band, _, _ in BANDS])
#: Added to the number of the observation.
FIRST_OBSID = 100001
#: Share of a Gaussian within one standard deviation of its mean over which limits are quoted.
_LEVEL = 0.68


def _limits(net, sigma, below_zero):
    """Lower and upper 68 % limit of non-negative counts about the mode ``net`` > 0."""
    from scipy.special import ndtr, ndtri

    a = net / sigma
    inside = _LEVEL * ndtr(a)  # of the part above zero
    half = ndtri(0.5 * (1.0 + inside))
    one_sided = ndtri(np.minimum(inside + ndtr(-a), 1 - 1e-12))
    low, high = np.where(half > a, 0.0, a - half) * sigma, np.where(half > a, a + one_sided, a + half) * sigma
    return np.where(net > 0, low, 0.0), np.where(net > 0, high, below_zero)


def _zero_limit(counts, background):
    """Upper 68 % limit where the mode is zero: of an exponential with the mean of the posterior."""
    from scipy.special import gammaincc

    tail = np.maximum(gammaincc(counts + 1.0, background), 1e-300)
    mean = (counts + 1.0) * gammaincc(counts + 2.0, background) / tail - background
    return ZERO_COUNTS_HILIM * np.clip(mean, 0.1, None)


def csc_band_columns(seen, rng):
    """Band columns of the catalog; the generator is that of limits' noise and missing energy fluxes."""
    member, scale = seen.member(BANDS), seen.scale[:, None]
    between = condition("csc", "fraction_between_bands") * rng.standard_normal((len(seen), len(BANDS)))
    fraction = np.minimum(seen.fraction[:, None] * (OF_BAND + between), 1.0)
    counts, off = seen.counts @ member, seen.off @ member
    common = rng.standard_normal((len(seen), 1))
    noise = np.exp(condition("csc", "limit_scatter") * (rng.standard_normal(counts.shape) + common))
    dex = np.log10(np.maximum(counts, 1.0) / 100.0)
    odd = rng.random((len(seen), 1)) < condition("csc", "odd_apertures")
    wider = np.where(odd, rng.uniform(1.0, condition("csc", "odd_width"), odd.shape), 1.0)
    width = wider * (condition("csc", "limit_width") + condition("csc", "limit_width_of_counts") * dex)
    poisson = np.sqrt(counts + 1.0 + scale**2 * off)
    sigma = width * noise * poisson
    zero = _zero_limit(counts, scale * off) * np.where(counts > 0, width, 1.0) * noise
    net = counts - scale * off
    net = np.where(net < condition("csc", "least_mode") * poisson, 0.0, net)
    low, high = _limits(net, sigma, zero)
    energy = _energy_fluxes(seen, member, net, low, high, zero, rng)
    kinds = (("src_cnts", (net, low, high), _COUNTS, 1.0 / fraction, "aperture-corrected net counts"),
             ("photflux", (net, low, high), _PHOTONS, 1.0 / seen.mono, "photon flux"),
             ("flux", energy, _FLUX, KEV_TO_ERG, "energy flux"))
    columns = {
        "detector": (seen.detector, None, "chips"),
        "gti_mjd_obs": (51544.5 + (seen.epoch - 2000.0) * 365.25, u.d, "start of the observation, MJD"),
        "livetime": (seen.exposure, u.s, "live time"),
        "theta": (seen.off_axis, u.arcmin, "off-axis angle"),
        "area_aper": (np.ones(len(seen)), u.arcsec**2, "area of the source aperture"),
        "area_aperbkg": (1.0 / seen.scale, u.arcsec**2, "area of the background aperture"),
    }
    for k, (band, _, _) in enumerate(BANDS):
        columns |= {
            f"cnts_aper_{band}": (counts[:, k], _COUNTS, "counts in the source aperture"),
            f"cnts_aperbkg_{band}": (off[:, k], _COUNTS, "counts in the background aperture"),
            f"psf_frac_aper_{band}": (fraction[:, k], None, "share of the PSF in the aperture"),
        }
        for stem, parts, unit, factor, text in kinds:
            for part, values, limit in zip(("", "lolim_", "hilim_"), parts,
                                           ("", ", lower 68 % limit", ", upper 68 % limit"), strict=True):
                columns[f"{stem}_aper_{part}{band}"] = ((values * factor)[:, k], unit, text + limit)
    return columns


def _energy_fluxes(seen, member, net, low, high, zero, rng):
    """Energy fluxes with limits in keV/cm2/s."""
    weight = np.divide(seen.center, seen.area, out=np.zeros_like(seen.area), where=seen.area > 0)
    value = ((seen.counts - seen.scale[:, None] * seen.off) * weight) @ member
    value = np.where(net > 0, np.maximum(value, 0.0), 0.0)
    total, flat = seen.counts @ member, seen.area * np.diff(seen.edges)
    # without events the mean over the band stands in for the events' mean
    mean = np.where(total > 0, (seen.counts * weight) @ member / np.maximum(total, 1.0),
                    (flat * weight) @ member / np.maximum(flat @ member, 1e-300))
    mean = mean * np.exp(condition("csc", "energy_limit_scatter") * rng.standard_normal(mean.shape))
    lolim = np.maximum(value - (net - low) * mean, 0.0)
    hilim = value + np.where(net > 0, high - net, zero) * mean
    lolim, hilim = np.where(value > 0, lolim, 0.0), np.where(value > 0, hilim, zero * mean)
    share = np.array([*NO_ENERGY_FLUX, 0.0])
    missing = (total == 0) & (rng.random(total.shape) < share)
    return tuple(np.where(missing, np.nan, v) for v in (value, lolim, hilim))


def hardness(columns, hard, soft):
    """Hardness ratio of two bands' photon fluxes and limits, by errors to first order; NaN of two zeros."""
    (h, h_err), (s, s_err) = (
        (columns[f"photflux_aper_{b}"][0],
         0.5 * (columns[f"photflux_aper_hilim_{b}"][0] - columns[f"photflux_aper_lolim_{b}"][0]))
        for b in (hard, soft))
    total = np.where(h + s > 0, h + s, np.nan)
    ratio = (h - s) / total
    error = 2.0 * np.hypot(s * h_err, h * s_err) / total**2
    return ratio, np.clip(ratio - error, -1, 1), np.clip(ratio + error, -1, 1)


def csc_columns(observed):
    """Columns of the Chandra Source Catalog of observed rows, see `csc_band_columns`."""
    p, t = observed.pointings, observed.sources.truth
    name, ra, dec = position(observed)
    start = start_time(observed)
    bands = csc_band_columns(apertures_of(observed), observed.generator())
    columns = {
        "name": (name, None, "made-up source name"),
        "ra": (ra, u.deg, "right ascension, ICRS"), "dec": (dec, u.deg, "declination, ICRS"),
        "obsid": (FIRST_OBSID + p.observation, None, "made-up observation number"),
        "obi": (np.zeros(len(observed), np.int64), None, "observation interval"),
        "region_id": (1 + observed.row % ROWS_PER_OBSERVATION, None, "source region in the observation"),
        "instrument": (np.full(len(observed), "ACIS"), None, "instrument"),
        "chip_id": (np.where(p.curve == "acis-s", 7, 3), None, "chip"),
        "gti_obs": (np.array([s[:19] for s in start.isot], "U19"), None, "start of the observation"),
        "nh_gal": (t["nh_gal"] / 1e20, 1e20 / u.cm**2, "Galactic column (that of the source's truth)"),
        "likelihood": (observed.likelihood, None, "-ln(probability of a background fluctuation), 0.5-7 keV"),
        **bands,
        "gti_mjd_obs": (start.mjd, u.d, "start of the observation, MJD"),
        "area_aper": (p.aperture, u.arcsec**2, "area of the source aperture"),
        "area_aperbkg": (p.aperture / p.scale, u.arcsec**2, "area of the background aperture"),
    }
    half = 0.5 * (bands["src_cnts_aper_hilim_b"][0] - bands["src_cnts_aper_lolim_b"][0])
    columns["significance"] = (bands["src_cnts_aper_b"][0] / half, None,
                               "net counts over their 68 % half-width, 0.5-7 keV")
    for hard, soft in ("hm", "hs", "ms"):
        for part, values in zip(("", "_lolim", "_hilim"), hardness(bands, hard, soft), strict=True):
            columns[f"hard_{hard}{soft}{part}"] = (values, None, f"hardness ratio {hard} against {soft}")
    return columns
