# Licensed under a 3-clause BSD style license - see LICENSE
"""
Photoelectric absorption by cold gas.

Cross sections are sums over 21 elements of a shipped table (made by ``tools/build_absorption_table.py`` from
xraydb) weighted with an abundance set. A *convention* names the recipe and the set, ``"tbabs/wilm"`` for
instance, after the XSPEC models whose columns it corresponds to:

``tbabs``
    a fifth of the hydrogen is molecular [1]_, H2 absorbing as 2.85 H [2]_; no grain shielding (1-2 %).
``phabs``
    atoms only; XSPEC's own cross sections [3]_ are a little different: `convert_nh` allows for that.

Averaged over bands this curve is within 1.3 % of XSPEC's ``tbabs`` (Wilms abundances), but for 0.52-0.56 keV
(0.917) and within 10 eV of edges, whose structure ``tbabs`` resolves. The flux above 0.3 keV behind 1e20 to
1e23 cm-2 is the same to 0.6 % for a power law, to 1.1 % for a 0.1 keV black body.

References
----------
.. [1] Wilms, Allen & McCray 2000, ApJ 542, 914
.. [2] Yan, Sadeghpour & Dalgarno 1998, ApJ 496, 1044
.. [3] Balucinska-Church & McCammon 1992, ApJ 400, 699
"""

from functools import lru_cache

import numpy as np

from astro_xlatent.core.errors import ParameterError
from astro_xlatent.physics._bins import REDSHIFT_RANGE, check_parameter, load_table, plain_numbers
from astro_xlatent.physics.abundances import ABUNDANCE_SETS, abundance_vector
from astro_xlatent.physics.grid import ENERGY_EDGES, ENERGY_MID

__all__ = [
    "CONVENTIONS",
    "NH_MAX",
    "absorption_cross_section",
    "bin_cross_section",
    "convert_nh",
    "element_cross_section",
    "transmission",
]

#: Cross-section recipes and abundance sets that `convert_nh` knows.
CONVENTIONS = tuple(f"{recipe}/{name}" for recipe in ("tbabs", "phabs") for name in ABUNDANCE_SETS)
#: Largest column in cm-2; beyond it the neglected Compton scattering dominates by far.
NH_MAX = 1e26

# 20 % of hydrogen nuclei sit in molecules, each molecule absorbing as 2.85 atoms
_MOLECULAR = {"tbabs": 1 + 0.2 * (2.85 / 2 - 1), "phabs": 1.0}
# What a fit finds, log10 of fitted over true tbabs/wilm column: a power law of index 1.7 through a
# CCD's area in 0.5-7 keV, index and norm free (printed by tools/build_nh_table.py).
_SHIFT_NODES = (20.0, 20.5, 21.0, 21.35, 21.7, 22.0, 22.3, 22.65, 23.0, 23.5, 24.0)
_SHIFTS = {
    "tbabs/wilm": (0.0,) * len(_SHIFT_NODES),
    "tbabs/angr": (-.1060, -.1064, -.1080, -.1121, -.1236, -.1415, -.1559, -.1639, -.1760, -.1863, -.1854),
    "tbabs/aspl": (.0224, .0222, .0215, .0202, .0169, .0126, .0093, -.0006, -.0234, -.0468, -.0470),
    "phabs/wilm": (.0058, .0057, .0056, .0053, .0047, .0037, .0028, .0023, .0019, .0014, .0011),
    "phabs/angr": (-.1023, -.1027, -.1043, -.1084, -.1202, -.1388, -.1539, -.1624, -.1747, -.1854, -.1847),
    "phabs/aspl": (.0283, .0281, .0273, .0257, .0218, .0164, .0122, .0017, -.0216, -.0456, -.0460),
}  # fmt: skip
# XSPEC's phabs itself gives -0.08, -0.12, -0.16, -0.19 for phabs/angr at 1e21, 5e21, 2e22, 1e23:
# its cross sections are not those of our table, and this is the rest.
_PHABS_NODES = (21.0, 21.7, 22.3, 23.0)
_PHABS_REST = (0.0243, 0.0002, -0.0061, -0.0153)
# log-energy step of the cumulative table behind bin averages at any redshift
_STEP = 5e-4


@lru_cache(maxsize=1)
def _table():
    table = load_table("absorption.npz")
    return table["energy_kev"], table["log_sigma"].astype(float), tuple(table["elements"].tolist())


@lru_cache(maxsize=len(CONVENTIONS))
def _log_total(convention):
    energy, log_sigma, elements = _table()
    recipe, name = _split(convention)
    weights = abundance_vector(name, elements)
    weights[elements.index("H")] *= _MOLECULAR[recipe]
    return np.log(energy), np.log(weights @ np.exp(log_sigma))


def _split(convention):
    if convention not in CONVENTIONS:
        msg = f"unknown absorption convention {convention!r}; known are {', '.join(CONVENTIONS)}"
        raise ParameterError(msg)
    return convention.split("/")


def absorption_cross_section(energy_kev=ENERGY_MID, convention="tbabs/wilm"):
    """
    Photoelectric cross section per hydrogen atom.

    Parameters
    ----------
    energy_kev : array_like or `~astropy.units.Quantity`, optional
        Photon energies, 0.1 to 300 keV, of any shape; others are an error.
    convention : str, optional
        One of `CONVENTIONS`.

    Returns
    -------
    sigma : ndarray of float64, shape of ``energy_kev``
        cm2 per hydrogen atom, interpolated linearly in log-log.

    Examples
    --------
    >>> from astro_xlatent.physics.absorption import absorption_cross_section
    >>> print(f"{absorption_cross_section(1.0):.2e}")
    1.77e-22
    """
    energy = check_parameter("energy_kev", energy_kev, 0.1, 300.0, "keV")
    log_energy, log_sigma = _log_total(convention)
    return np.exp(np.interp(np.log(energy), log_energy, log_sigma))


def element_cross_section(element, energy_kev=ENERGY_MID):
    """Photoelectric cross section in cm2 of one atom of an element of the Wilms set, at energies in keV."""
    log_energy, (table, elements) = np.log(_table()[0]), _table()[1:]
    if element not in elements:
        raise ParameterError(f"no cross section of element {element!r}; the table has {', '.join(elements)}")
    energy = check_parameter("energy_kev", energy_kev, 0.1, 300.0, "keV")
    return np.exp(np.interp(np.log(energy), log_energy, table[elements.index(element)]))


@lru_cache(maxsize=len(CONVENTIONS))
def _cumulative(convention):
    # integral of sigma dE from each node to the upper end of the table
    log_energy, log_sigma = _log_total(convention)
    fine = np.arange(log_energy[0], log_energy[-1], _STEP)
    density = np.exp(np.interp(fine, log_energy, log_sigma) + fine)
    pieces = 0.5 * _STEP * (density[1:] + density[:-1])
    return fine[0], np.append(np.cumsum(pieces[::-1])[::-1], 0.0)


def bin_cross_section(edges=ENERGY_EDGES, redshift=0.0, convention="tbabs/wilm"):
    """
    Cross section in cm2 per hydrogen atom averaged over observed, rising energy bins, (..., n_energy).

    The absorber's ``redshift`` (...) goes from 0 to 15; ``convention`` is one of `CONVENTIONS`.
    """
    redshift = check_parameter("redshift", redshift, *REDSHIFT_RANGE)
    edges = check_parameter("edges", edges, 0.1, 300.0 / (1 + redshift.max(initial=0.0)), "keV")
    if np.any(redshift != 0):
        return _bin_average(edges, redshift, convention)
    flat = _at_rest(edges.tobytes(), convention)
    return np.broadcast_to(flat, (*redshift.shape, flat.size))


@lru_cache(maxsize=32)
def _at_rest(edges, convention):
    return _bin_average(np.frombuffer(edges), np.zeros(()), convention)


def _bin_average(edges, redshift, convention):
    start, integral = _cumulative(convention)
    position = (np.log(edges) - start + np.log1p(redshift)[..., None]) / _STEP
    index = np.clip(position.astype(np.intp), 0, integral.size - 2)
    at_edges = integral[index]
    at_edges += (integral[index + 1] - at_edges) * (position - index)
    width = np.diff(edges) * (1 + redshift)[..., None]
    return (at_edges[..., :-1] - at_edges[..., 1:]) / width


def transmission(nh, redshift=0.0, convention="tbabs/wilm"):
    """
    Fraction of photons that pass a column of cold gas, on the incident grid.

    Parameters
    ----------
    nh : array_like or `~astropy.units.Quantity`, shape (...)
        Hydrogen column in cm-2, 0 to 1e26; NaN is an error, as whatever is out of range.
    redshift : array_like, shape (...), optional
        Redshift of the absorber, 0 to 15; broadcast against ``nh``.
    convention : str, optional
        One of `CONVENTIONS`.

    Returns
    -------
    transmission : ndarray of float64, shape (..., N_ENERGY)
        exp(-nh sigma), sigma averaged over the bin; no scattering, as in XSPEC's ``tbabs``.

    Examples
    --------
    >>> from astro_xlatent.physics.absorption import transmission
    >>> transmission([1e21, 1e22]).shape
    (2, 1190)
    """
    nh = check_parameter("nh", nh, 0.0, NH_MAX, "cm-2")
    sigma = bin_cross_section(ENERGY_EDGES, redshift, convention)
    return np.exp(-nh[..., None] * sigma)


def convert_nh(nh, from_, to):
    """
    Column that a fit under another convention finds for the same spectrum.

    Parameters
    ----------
    nh : array_like, `~astropy.table.Column` or `~astropy.units.Quantity`
        In cm-2 unless they carry a unit; zero, NaN and masked values stay what they are.
    from_, to : str
        See `CONVENTIONS`: ``"phabs/angr"`` is the Chandra Source Catalog's, ``"tbabs/wilm"`` this package's.

    Returns
    -------
    nh : same type, unit and shape as ``nh``
        A rising, exactly invertible function of the input.

    Raises
    ------
    ParameterError
        If a column is negative or above 1e26 cm-2, or a convention unknown.

    Notes
    -----
    The shifts are refits of an absorbed power law (index 1.7, free) in 0.5-7 keV through a CCD's area,
    between 1e20 and 1e24 cm-2 and constant beyond. An index of 1.2 or 2.5 moves them by 0.01 dex, one held
    fixed by 0.02, late ACIS's contaminated area by 0.04; fits down to 0.3 keV find up to 0.09 dex less shift
    below 5e21. Those of ``phabs`` are tied to its own cross sections, see the source.

    Examples
    --------
    >>> from astro_xlatent.physics.absorption import convert_nh
    >>> print(f"{convert_nh(1e23, 'tbabs/wilm', 'phabs/angr'):.3g}")
    6.46e+22
    """
    values = plain_numbers(nh, "cm-2")
    known = np.isfinite(values)
    check_parameter("nh", np.where(np.isnan(values), 0.0, values), 0.0, NH_MAX, "cm-2")
    log_nh = np.log10(values, out=np.zeros_like(values), where=known & (values > 0))
    shift = _shift(from_)
    back = -np.interp(log_nh, _SHIFT_NODES + shift, shift)
    return nh * 10 ** (back + np.interp(log_nh + back, _SHIFT_NODES, _shift(to)))


def _shift(convention):
    recipe, _ = _split(convention)
    rest = np.interp(_SHIFT_NODES, _PHABS_NODES, _PHABS_REST) if recipe == "phabs" else 0.0
    return np.array(_SHIFTS[convention]) + rest
