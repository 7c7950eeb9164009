# Licensed under a 3-clause BSD style license - see LICENSE
"""
Compare the emission and absorption models with published fluxes.

``python -m benchmarks.physics_anchors TABLE.csv`` prints, for every line of
the table that has a counterpart here, how far photon flux (0.3-10 keV) and
energy fluxes (0.3-2, 0.5-2, 2-10 keV) are from it in per cent. The first
column of the table is a model in XSPEC's words (``powerlaw G=1.7 norm=1``),
the second a tbabs/wilm column in 1e22 cm-2, the others are the fluxes.
"""

import csv
import re
import sys

import numpy as np

from astro_xlatent.physics.absorption import transmission
from astro_xlatent.physics.emission import blackbody, disk_blackbody, plasma, powerlaw
from astro_xlatent.physics.grid import ENERGY_MID, KEV_TO_ERG, band_weights

__all__ = ["anchor_differences", "anchor_spectrum", "band_fluxes"]


def _apec(text):
    found = re.search(r"kT=(\S+) Z=([\d.]+)\((\w+)\)", text)
    return plasma(float(found[1]), float(found[2]), abundances=found[3])


def _number(text):
    return float(re.search(r"=(\S+)", text)[1])


_MODELS = {
    "powerlaw": lambda text: powerlaw(_number(text)),
    "bbodyrad": lambda text: blackbody(_number(text)),
    "bbody": lambda text: blackbody(_number(text)) * 7784.7 / _number(text) ** 4,
    "diskbb": lambda text: disk_blackbody(_number(text)),
    "apec3.0.9": _apec,
}


def anchor_spectrum(text):
    """
    Unabsorbed spectrum of a model written as in the anchor table.

    Parameters
    ----------
    text : str
        For instance ``"diskbb Tin=1 norm=1"``.

    Returns
    -------
    spectrum : ndarray, shape (N_ENERGY,) or None
        photons/cm2/s per bin; None if this package has no such model.
    """
    model = _MODELS.get(text.split()[0])
    return None if model is None else model(text)


def band_fluxes(spectrum):
    """
    The four fluxes of the anchor table.

    Parameters
    ----------
    spectrum : ndarray, shape (..., N_ENERGY)
        photons/cm2/s per bin.

    Returns
    -------
    fluxes : ndarray, shape (..., 4)
        photons/cm2/s in 0.3-10 keV; erg/cm2/s in 0.3-2, 0.5-2 and 2-10 keV.
    """
    photons = spectrum @ band_weights(0.3, 10.0).T
    energies = (spectrum * ENERGY_MID * KEV_TO_ERG) @ band_weights([0.3, 0.5, 2.0], [2.0, 2.0, 10.0]).T
    return np.concatenate([photons, energies], axis=-1)


def anchor_differences(path):
    """
    Relative differences from an anchor table.

    Parameters
    ----------
    path : path-like
        The CSV table.

    Returns
    -------
    rows : list of (str, float, ndarray)
        Model, column in cm-2, and model/table - 1 of the four fluxes.
    """
    rows = []
    with open(path, newline="") as stream:
        for text, nh, *expected in list(csv.reader(stream))[1:]:
            spectrum = anchor_spectrum(text)
            if spectrum is not None:
                column = float(nh) * 1e22
                found = band_fluxes(spectrum * transmission(column))
                rows.append((text, column, found / np.array(expected, dtype=float) - 1))
    return rows


def main(arguments=None):
    """Print the table of differences."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if len(arguments) != 1:
        raise SystemExit("usage: python -m benchmarks.physics_anchors TABLE.csv")
    print(f"{'model':40s} {'N_H':>7s}   photons  E 0.3-2  E 0.5-2   E 2-10   (per cent)")
    for text, column, difference in anchor_differences(arguments[0]):
        print(f"{text:40s} {column:7.1g}  " + " ".join(f"{100 * d:+8.2f}" for d in difference))


if __name__ == "__main__":
    main()
