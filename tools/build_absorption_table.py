# Licensed under a 3-clause BSD style license - see LICENSE
"""
Make ``astro_xlatent/physics/data/absorption.npz`` from xraydb and two formulas.

The table holds photoelectric cross sections per atom [cm2] of 21 elements on
one logarithmic energy grid, 0.1 to 300 keV (80 nodes a decade), with two nodes at every
absorption edge. Metals are the Elam tables of xraydb; the Elam values of
hydrogen and helium are wrong by up to 2 and 15 per cent below 0.3 keV, so
hydrogen is the exact hydrogenic formula and helium the fit of Yan et al.

Usage: ``python tools/build_absorption_table.py [OUTPUT]`` (needs xraydb, which
the package itself does not).

References
----------
Elam, Ravel & Sieber 2002, Radiat. Phys. Chem. 63, 121 (through xraydb)
Bethe & Salpeter 1957, Quantum Mechanics of One- and Two-Electron Atoms, section 71
Yan, Sadeghpour & Dalgarno 1998, ApJ 496, 1044; erratum 2001, ApJ 559, 1194
"""

import sys
from pathlib import Path

import numpy as np
import xraydb

AVOGADRO = 6.02214076e23
ELEMENTS = "H He C N O Ne Na Mg Al Si P S Cl Ar Ca Ti Cr Mn Fe Co Ni".split()
OUTPUT = Path(__file__).parents[1] / "astro_xlatent" / "physics" / "data" / "absorption.npz"


def energy_nodes():
    """Logarithmic grid in keV with a node on either side of every edge."""
    smooth = np.geomspace(0.1, 300.0, 279)
    edges = [edge.energy / 1000 for element in ELEMENTS for edge in xraydb.xray_edges(element).values()]
    edges = np.unique([edge for edge in edges if edge > 0.101])
    # the jumps of the tables lie up to 1.1e-4 off the listed edges
    nodes = np.concatenate([smooth, edges * (1 - 1.5e-4), edges * (1 + 1.5e-4)])
    return np.unique(nodes)


def hydrogen(energy):
    """Photo-ionisation cross section of hydrogen [cm2]; energy in keV."""
    ratio = 0.0135984 / energy
    q = np.sqrt(1 / ratio - 1)
    return 6.304e-18 * ratio**4 * np.exp(4 - 4 * np.arctan(q) / q) / (1 - np.exp(-2 * np.pi / q))


def helium(energy):
    """Photo-ionisation cross section of helium [cm2]; energy in keV."""
    x = energy / 0.02458
    series = (-4.7416, 14.82, -30.8678, 37.3584, -23.4585, 5.9133)
    bracket = 1 + sum(c * x ** (-(i + 1) / 2) for i, c in enumerate(series))
    return 733e-24 / energy**3.5 * bracket


def cross_section(element, energy):
    """Cross section per atom [cm2] of one element; energy in keV."""
    if element == "H":
        return hydrogen(energy)
    if element == "He":
        return helium(energy)
    per_gram = xraydb.mu_elam(element, energy * 1000, kind="photo")
    return per_gram * xraydb.atomic_mass(element) / AVOGADRO


def main(output=OUTPUT):
    """Write the table."""
    energy = energy_nodes()
    log_sigma = np.array([np.log(cross_section(element, energy)) for element in ELEMENTS])
    source = (
        f"xraydb {xraydb.__version__} (Elam, Ravel & Sieber 2002, Radiat. Phys. Chem. 63, 121) for metals; "
        "hydrogenic formula for H; Yan, Sadeghpour & Dalgarno 1998, ApJ 496, 1044 for He; "
        "made by tools/build_absorption_table.py"
    )
    np.savez_compressed(
        output,
        energy_kev=energy,
        elements=np.array(ELEMENTS),
        log_sigma=log_sigma.astype(np.float32),
        source=np.array(source),
    )
    print(f"{output}: {len(ELEMENTS)} elements x {energy.size} energies, {Path(output).stat().st_size} bytes")


if __name__ == "__main__":
    main(*sys.argv[1:2])
