# Licensed under a 3-clause BSD style license - see LICENSE
"""
Aperture photometry as the Chandra Source Catalog publishes it.

From counts in sub-bands to net counts, photon and energy fluxes of the
catalogue's bands with their 68 % limits. The half-width is 1.17 sqrt(N), as
measured on the catalogue; limits below zero are zero; a band without net
counts has a flux of zero and the upper limit -ln 0.32 = 1.14 counts of a
Poisson mean without background (1.27 after aperture correction; the median of
the catalogue's undetected medium bands is 1.25).
"""

import numpy as np

__all__ = ["CSC_BANDS", "HALF_WIDTH", "ZERO_LIMIT", "csc_photometry", "hardness"]

#: Bands of the CSC in keV: name, lower, upper edge. The broad band comes last.
CSC_BANDS = (("s", 0.5, 1.2), ("m", 1.2, 2.0), ("h", 2.0, 7.0), ("b", 0.5, 7.0))
#: 68 % half-width over sqrt(N).
HALF_WIDTH = 1.17
#: Upper 68 % limit of zero counts.
ZERO_LIMIT = 1.14


def csc_photometry(counts, background, background_error, area, edges):
    """
    Measure the bands of the CSC.

    Parameters
    ----------
    counts, background, background_error, area : ndarray, shape (rows, n_sub)
        As in `~astro_xlatent.spectra.bins.EnergyBins`, in sub-bands.
    edges : ndarray, shape (n_sub + 1,)
        Edges of the sub-bands in keV, those of the bands among them.

    Returns
    -------
    bands : dict of ndarray, shape (rows, 4)
        In the order of `CSC_BANDS`: ``counts``, ``background``,
        ``background_error``; ``net``, ``photon`` (photons/cm2/s) and
        ``energy`` (keV/cm2/s) with ``_lo`` and ``_hi``, the 68 % limits. If
        ``area`` covers a fraction of the point-spread function, the fluxes
        are corrected for it, the net counts are not.

    Examples
    --------
    >>> import numpy as np
    >>> from astro_xlatent.simulate.photometry import csc_photometry
    >>> zero = np.zeros((1, 3))
    >>> found = csc_photometry(zero + 100, zero, zero, zero + 1e7, np.array([0.5, 1.2, 2.0, 7.0]))
    >>> float(((found["net_hi"] - found["net_lo"]) / 2)[0, 0].round(2))
    11.7
    """
    centre, width = 0.5 * (edges[:-1] + edges[1:]), np.diff(edges)
    member = np.stack([(centre > lo) & (centre < hi) for _, lo, hi in CSC_BANDS], axis=1).astype(float)
    n, b, berr = counts @ member, background @ member, np.sqrt(background_error**2 @ member)
    net, spread = n - b, np.sqrt(n + berr**2)
    seen = area > 0
    per_count = {"photon": np.divide(1.0, area, out=np.zeros_like(area, dtype=float), where=seen)}
    per_count["energy"] = centre * per_count["photon"]
    fluxes = {kind: ((counts - background) * weight) @ member for kind, weight in per_count.items()}
    detected = (net > 0) & (fluxes["photon"] > 0) & (fluxes["energy"] > 0)
    low = np.where(detected, np.maximum(net - HALF_WIDTH * spread, 0.0), 0.0)
    high = np.where(detected, net + HALF_WIDTH * spread, ZERO_LIMIT + HALF_WIDTH * spread)
    net = np.where(detected, net, 0.0)
    bands = {"counts": n, "background": b, "background_error": berr,
             "net": net, "net_lo": low, "net_hi": high}
    mean_area = (area * width) @ member / (width @ member)
    for kind, weight in per_count.items():
        # without net counts the band's mean area stands in for that of the events
        flat = 1.0 / mean_area
        if kind == "energy":
            flat = flat * ((centre * width) @ member / (width @ member))
        factor = np.where(detected, fluxes[kind] / np.where(detected, net, 1.0), flat)
        bands |= {kind: net * factor, f"{kind}_lo": low * factor, f"{kind}_hi": high * factor}
    return bands


def hardness(bands, hard, soft):
    """
    Hardness ratio of two bands from their photon fluxes, with limits.

    Parameters
    ----------
    bands : dict
        Result of `csc_photometry`.
    hard, soft : {'s', 'm', 'h'}

    Returns
    -------
    ratio, lolim, hilim : ndarray, shape (rows,)
        (H - S) / (H + S) between -1 and 1, errors propagated to first order;
        NaN where both fluxes are zero.
    """
    names = [name for name, _, _ in CSC_BANDS]
    h, s = ((bands["photon"][:, k], 0.5 * (bands["photon_hi"] - bands["photon_lo"])[:, k])
            for k in (names.index(hard), names.index(soft)))
    total = np.where(h[0] + s[0] > 0, h[0] + s[0], np.nan)
    ratio = (h[0] - s[0]) / total
    error = 2.0 * np.hypot(s[0] * h[1], h[0] * s[1]) / total**2
    return ratio, np.clip(ratio - error, -1, 1), np.clip(ratio + error, -1, 1)
