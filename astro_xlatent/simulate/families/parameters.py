# Licensed under a 3-clause BSD style license - see LICENSE
"""
Parameters of the populations: literature values, ranges, and what was tuned.

`LITERATURE` gives for every class the initial value of each parameter, the
range that the literature allows, its unit and the source. `TUNED` replaces
at most six values per class, inside their ranges, by ones that match the
simulated hardness of catalogue rows to real ones in the MATCH fields
(``benchmarks/sky.py``). Columns are in 1/cm2, temperatures in keV.

References
----------
.. [A] Just et al. 2007, ApJ 665, 1004; Green et al. 2009, ApJ 690, 644 (photon index of quasars)
.. [B] Ueda et al. 2014, ApJ 786, 104; Buchner et al. 2015, ApJ 802, 89 (obscured fraction)
.. [C] Gupta et al. 2021, MNRAS 504, 428 (scattered fraction)
.. [D] Gierlinski & Done 2004, MNRAS 349, L7; Bianchi et al. 2009, A&A 495, 421 (soft excess)
.. [E] Bianchi et al. 2007, A&A 467, L19; Ricci et al. 2017, ApJS 233, 17 (Fe K, reflection)
.. [F] HI4PI collaboration 2016, A&A 594, A116 (Galactic column)
.. [G] Mukai 2017, PASP 129, 062001; Ezuka & Ishida 1999, ApJS 120, 277 (CVs)
.. [H] Heinke et al. 2005, ApJ 625, 796; Rivera Sandoval et al. 2018, MNRAS 475, 4841 (cluster CVs)
.. [I] Naze 2009, A&A 506, 1055; Naze et al. 2011, ApJS 194, 7 (OB stars)
.. [J] Skinner et al. 2010, AJ 139, 825; Rauw & Naze 2016, AdSpR 58, 761 (WR stars, colliding winds)
.. [K] Walter et al. 2015, A&ARv 23, 2; Gimenez-Garcia et al. 2015, A&A 576, A108 (HMXB, Fe K)
.. [L] Haberl & Sturm 2016, A&A 586, A81 (HMXB of the SMC)
.. [M] Schmitt & Liefke 2004, A&A 417, 651; Robrade & Schmitt 2005, A&A 435, 1073 (cool stars)
.. [N] Gudel & Naze 2009, A&ARv 17, 309; Johnstone & Gudel 2015, A&A 578, A129 (kT of active stars)
.. [O] Getman et al. 2005, ApJS 160, 319; Preibisch et al. 2005, ApJS 160, 401 (YSOs, COUP)
.. [P] Maggio et al. 2007, ApJ 660, 1462; Scelsi et al. 2007, A&A 468, 405 (YSO abundances)
.. [Q] Remillard & McClintock 2006, ARA&A 44, 49; Done et al. 2007, A&ARv 15, 1 (LMXB states)
.. [R] Heinke et al. 2003, ApJ 598, 501; Plotkin et al. 2013, ApJ 773, 59 (quiescent LMXB)
.. [S] Gentile et al. 2014, ApJ 783, 69; Bogdanov et al. 2006, ApJ 646, 1104 (spiders, MSPs)
.. [T] Kargaltsev & Pavlov 2008, AIPC 983, 171; Potekhin et al. 2020, MNRAS 496, 5052 (pulsars, PWNe)
.. [U] Olausen & Kaspi 2014, ApJS 212, 6; Haberl 2007, Ap&SS 308, 181 (magnetars, XDINS)
.. [V] Eckmiller et al. 2011, A&A 535, A105; Vikhlinin et al. 2006, ApJ 640, 691 (clusters, groups)
.. [W] Leonidaki et al. 2010, ApJ 725, 842; Gladstone et al. 2009, MNRAS 397, 1836 (SNR, ULX)
.. [X] Mineo et al. 2012, MNRAS 426, 1870; Kim & Fabbiano 2015, ApJ 812, 127 (hot gas of galaxies)
"""

from astro_xlatent.core.errors import ParameterError

__all__ = ["LITERATURE", "TUNED", "class_parameters", "tuning_table"]

#: class -> parameter -> (initial value, low, high, unit, reference).
LITERATURE = {
    "AGN": {
        "gamma_mean": (1.90, 1.7, 2.1, "", "A"),
        "gamma_sd": (0.25, 0.1, 0.45, "", "A"),
        "obscured": (0.35, 0.15, 0.6, "", "B"),
        "nh_gal": (2.5e20, 1e20, 5e20, "1/cm2", "F"),
        "nh_gal_dex": (0.25, 0.1, 0.4, "dex", "F"),
        "nh_thin": (2e20, 3e19, 1e21, "1/cm2", "B"),
        "nh_thin_dex": (0.6, 0.2, 0.9, "dex", "B"),
        "nh_thick_low": (21.5, 21.0, 22.0, "log 1/cm2", "B"),
        "nh_thick_high": (24.0, 23.5, 24.5, "log 1/cm2", "B"),
        "scattered": (0.01, 0.003, 0.05, "", "C"),
        "scattered_dex": (0.4, 0.2, 0.8, "dex", "C"),
        "soft_excess": (0.3, 0.05, 1.0, "", "D"),
        "soft_fraction": (0.5, 0.2, 0.9, "", "D"),
        "iron_ew": (0.08, 0.03, 0.2, "keV", "E"),
        "redshift": (0.9, 0.4, 1.5, "", "A"),
        "redshift_dex": (0.35, 0.2, 0.5, "dex", "A"),
    },
    "CV": {
        "kt": (15.0, 5.0, 30.0, "keV", "G"),
        "kt_dex": (0.3, 0.1, 0.4, "dex", "G"),
        "magnetic": (0.45, 0.2, 0.8, "", "G"),
        "partial_nh": (5e22, 1e22, 2e23, "1/cm2", "G"),
        "partial_nh_dex": (0.5, 0.2, 0.7, "dex", "G"),
        "partial_mean": (0.5, 0.3, 0.8, "", "G"),
        "nh_gal": (8e20, 2e20, 3e21, "1/cm2", "GH"),
        "nh_gal_dex": (0.6, 0.3, 0.9, "dex", "GH"),
        "cool_slope": (0.5, 0.0, 1.0, "", "G"),
        "iron_ew": (0.12, 0.05, 0.2, "keV", "G"),
        "soft": (0.06, 0.0, 0.15, "", "G"),
        "single": (0.25, 0.1, 0.5, "", "H"),
    },
    "HM-STAR": {
        "kt_cool": (0.25, 0.15, 0.35, "keV", "I"),
        "kt_warm": (0.7, 0.5, 1.0, "keV", "I"),
        "kt_dex": (0.12, 0.05, 0.2, "dex", "I"),
        "warm_ratio": (0.6, 0.2, 1.5, "", "I"),
        "hard": (0.35, 0.1, 0.6, "", "IJ"),
        "hard_kt": (2.5, 1.5, 5.0, "keV", "J"),
        "hard_ratio": (0.5, 0.1, 2.0, "", "J"),
        "nh_gal": (5e21, 1e21, 2e22, "1/cm2", "I"),
        "nh_gal_dex": (0.35, 0.2, 0.6, "dex", "I"),
        "nh_wind": (2e21, 3e20, 1e22, "1/cm2", "IJ"),
        "nh_wind_dex": (0.5, 0.2, 0.7, "dex", "IJ"),
    },
    "HMXB": {
        "gamma_mean": (1.1, 0.6, 1.5, "", "KL"),
        "gamma_sd": (0.4, 0.2, 0.6, "", "KL"),
        "supergiant": (0.4, 0.2, 0.7, "", "K"),
        "nh_wind": (5e22, 1e22, 2e23, "1/cm2", "K"),
        "nh_wind_dex": (0.6, 0.3, 0.8, "dex", "K"),
        "nh_be": (3e21, 5e20, 2e22, "1/cm2", "L"),
        "nh_be_dex": (0.6, 0.3, 0.9, "dex", "L"),
        "nh_gal": (4e21, 6e20, 1.5e22, "1/cm2", "FK"),
        "nh_gal_dex": (0.5, 0.2, 0.7, "dex", "FK"),
        "iron_ew": (0.1, 0.05, 0.3, "keV", "K"),
        "soft": (0.25, 0.1, 0.5, "", "K"),
    },
    "LM-STAR": {
        "kt_cool": (0.30, 0.2, 0.4, "keV", "MN"),
        "kt_hot": (0.85, 0.6, 1.3, "keV", "MN"),
        "kt_dex": (0.12, 0.05, 0.25, "dex", "MN"),
        "hot_ratio": (1.0, 0.3, 3.0, "", "MN"),
        "hot_ratio_dex": (0.4, 0.2, 0.7, "dex", "MN"),
        "active": (0.3, 0.05, 0.6, "", "N"),
        "active_kt": (2.2, 1.3, 4.0, "keV", "N"),
        "metals": (0.35, 0.15, 1.0, "solar", "M"),
        "nh_gal": (2e20, 1e19, 1e21, "1/cm2", "FM"),
        "nh_gal_dex": (0.6, 0.3, 1.0, "dex", "FM"),
    },
    "LMXB": {
        "bright": (0.35, 0.1, 0.7, "", "Q"),
        "quiescent": (0.25, 0.1, 0.5, "", "R"),
        "spider": (0.25, 0.1, 0.5, "", "S"),
        "gamma_mean": (1.7, 1.4, 2.1, "", "QR"),
        "gamma_sd": (0.35, 0.2, 0.5, "", "QR"),
        "disk_kt": (0.8, 0.3, 1.5, "keV", "Q"),
        "disk_kt_dex": (0.25, 0.1, 0.35, "dex", "Q"),
        "surface_kt": (0.18, 0.1, 0.3, "keV", "RS"),
        "surface_kt_dex": (0.12, 0.05, 0.2, "dex", "RS"),
        "nh_gal": (3e21, 5e20, 1e22, "1/cm2", "FQ"),
        "nh_gal_dex": (0.6, 0.3, 0.8, "dex", "FQ"),
        "nh_spider": (5e20, 1e20, 3e21, "1/cm2", "FS"),
        "corona": (0.05, 0.02, 0.2, "", "Q"),
    },
    "NS": {
        "thermal": (0.35, 0.15, 0.6, "", "TU"),
        "magnetar": (0.15, 0.05, 0.3, "", "U"),
        "kt": (0.15, 0.08, 0.25, "keV", "TU"),
        "kt_dex": (0.2, 0.1, 0.3, "dex", "TU"),
        "gamma_mean": (1.6, 1.2, 2.0, "", "T"),
        "gamma_sd": (0.35, 0.2, 0.5, "", "T"),
        "nh_gal": (6e21, 1e21, 2e22, "1/cm2", "FT"),
        "nh_gal_dex": (0.6, 0.3, 0.8, "dex", "FT"),
        "nh_thermal": (1e21, 1e20, 6e21, "1/cm2", "FTU"),
        "tail_ratio": (0.15, 0.02, 0.6, "", "T"),
    },
    "YSO": {
        "kt_cool": (0.85, 0.6, 1.0, "keV", "O"),
        "kt_hot": (2.8, 1.8, 4.5, "keV", "O"),
        "kt_hot_dex": (0.2, 0.1, 0.3, "dex", "O"),
        "hot_ratio": (1.5, 0.5, 3.0, "", "O"),
        "hot_ratio_dex": (0.4, 0.2, 0.6, "dex", "O"),
        "nh_gal": (4e21, 1e21, 1e22, "1/cm2", "O"),
        "nh_gal_dex": (0.5, 0.3, 0.8, "dex", "O"),
        "embedded": (0.15, 0.05, 0.4, "", "O"),
        "nh_embedded": (2.5e22, 1e22, 6e22, "1/cm2", "O"),
        "metals": (0.4, 0.2, 0.8, "solar", "P"),
    },
    "other": {
        "cluster": (0.3, 0.1, 0.5, "", "V"),
        "galaxy": (0.25, 0.1, 0.5, "", "X"),
        "remnant": (0.2, 0.1, 0.4, "", "W"),
        "ulx": (0.2, 0.1, 0.4, "", "W"),
        "kt_cluster": (3.0, 1.0, 8.0, "keV", "V"),
        "kt_gas": (0.5, 0.2, 0.9, "keV", "X"),
        "kt_remnant": (0.6, 0.3, 1.0, "keV", "W"),
        "nh_gal": (4e20, 1e20, 2e21, "1/cm2", "F"),
        "nh_gal_dex": (0.4, 0.2, 0.6, "dex", "F"),
        "nh_int": (2e21, 3e20, 1e22, "1/cm2", "W"),
    },
}

#: class -> parameter -> value found on the MATCH fields, at most six per class. HMXB have a dozen
#: rows there and "other" none: they keep the literature.
TUNED = {
    "AGN": {
        "gamma_mean": 1.92,
        "gamma_sd": 0.279,
        "obscured": 0.308,
        "soft_excess": 0.513,
        "soft_fraction": 0.6,
        "scattered": 0.00846,
    },
    "CV": {
        "kt": 10.5,
        "magnetic": 0.367,
        "partial_nh": 2.4e22,
        "partial_mean": 0.627,
        "nh_gal": 2.27e21,
        "nh_gal_dex": 0.712,
    },
    "HM-STAR": {
        "nh_gal": 5.98e21,
        "nh_gal_dex": 0.392,
        "kt_cool": 0.221,
        "warm_ratio": 0.482,
        "hard": 0.593,
        "hard_ratio": 0.842,
    },
    "LM-STAR": {
        "kt_hot": 0.675,
        "hot_ratio": 1.25,
        "hot_ratio_dex": 0.324,
        "active": 0.239,
        "nh_gal": 1e21,
        "nh_gal_dex": 0.589,
    },
    "LMXB": {
        "bright": 0.236,
        "quiescent": 0.246,
        "spider": 0.184,
        "nh_gal": 4.93e21,
        "nh_gal_dex": 0.726,
        "disk_kt": 1.05,
    },
    "NS": {
        "thermal": 0.256,
        "nh_gal": 1.03e22,
        "nh_gal_dex": 0.56,
        "nh_thermal": 8.55e20,
        "kt": 0.18,
        "tail_ratio": 0.0778,
    },
    "YSO": {
        "kt_hot": 2.44,
        "kt_hot_dex": 0.186,
        "hot_ratio": 1.03,
        "nh_gal": 4.53e21,
        "nh_gal_dex": 0.617,
        "embedded": 0.145,
    },
}


def class_parameters(label, *, tuned=True):
    """
    Parameter values of one class.

    Parameters
    ----------
    label : str
        A class of `astro_xlatent.simulate.populations.CLASSES`.
    tuned : bool, optional
        Use the values matched to the catalogue, else the literature's.

    Returns
    -------
    values : dict of float

    Raises
    ------
    ParameterError
        If the class is unknown.

    Examples
    --------
    >>> from astro_xlatent.simulate.families.parameters import class_parameters
    >>> class_parameters("AGN", tuned=False)["gamma_mean"]
    1.9
    """
    if label not in LITERATURE:
        msg = f"class {label!r} is unknown; allowed: {', '.join(LITERATURE)}"
        raise ParameterError(msg)
    values = {name: row[0] for name, row in LITERATURE[label].items()}
    return values | (TUNED.get(label, {}) if tuned else {})


def check_parameters(label, values):
    """
    Refuse parameters outside the literature's range.

    Parameters
    ----------
    label : str
        Class.
    values : dict of float
        Parameters to replace.

    Raises
    ------
    ParameterError
        If a name is unknown or a value outside its range.
    """
    known = LITERATURE[label]
    for name, value in values.items():
        if name not in known:
            msg = f"class {label} has no parameter {name!r}; allowed: {', '.join(known)}"
            raise ParameterError(msg)
        low, high = known[name][1:3]
        if not low <= value <= high:
            msg = f"{label} {name} is {value:g}; the literature allows {low:g} to {high:g}"
            raise ParameterError(msg)


def tuning_table():
    """
    Tuned parameters beside their literature values and ranges.

    Returns
    -------
    text : str
        One line per tuned parameter; a header line first.
    """
    header = f"{'class':8s} {'parameter':14s} {'initial':>10s} {'tuned':>10s} {'range':>20s}"
    lines = [f"{header}  unit; references"]
    for label, values in TUNED.items():
        for name, value in values.items():
            initial, low, high, unit, reference = LITERATURE[label][name]
            bounds = f"{low:.3g} - {high:.3g}"
            numbers = f"{initial:10.3g} {value:10.3g} {bounds:>20s}"
            lines.append(f"{label:8s} {name:14s} {numbers}  {unit}; {reference}")
    return "\n".join(lines)
