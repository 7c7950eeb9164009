# Licensed under a 3-clause BSD style license - see LICENSE
"""
Make ``astro_xlatent/physics/data/plasma.npz`` from the APEC component tables.

The input holds AtomDB/APEC 3.0.9 emissivities per element on the incident
grid at 25 temperatures (photons cm3/s/bin per n_e n_H at Anders-Grevesse
abundances). The output keeps hydrogen, helium and the twelve metals that
XSPEC's ``vapec`` frees, sums the other elements per abundance set, and stores
log(emissivity) + E/kT, which varies slowly with temperature, in 16 bits.
Anything below 1e-6 of a bin's largest value is raised to that.

Usage: ``python tools/build_plasma_table.py APEC_COMPONENTS.npz [OUTPUT]``

References
----------
Smith, Brickhouse, Liedahl & Raymond 2001, ApJ 556, L91 (APEC)
Foster, Ji, Smith & Brickhouse 2012, ApJ 756, 128 (AtomDB)
"""

import hashlib
import sys
from pathlib import Path

import numpy as np

from astro_xlatent.physics.abundances import ABUNDANCE_SETS, ELEMENTS, abundance_vector
from astro_xlatent.physics.grid import ENERGY_EDGES, ENERGY_MID

FREE = "H He C N O Ne Mg Al Si S Ar Ca Fe Ni".split()
DEPTH = np.log(1e6)
OUTPUT = Path(__file__).parents[1] / "astro_xlatent" / "physics" / "data" / "plasma.npz"


def read_groups(table):
    """Emissivity of the free elements and of the trace sums, (n_group, n_kt, n_energy)."""
    if tuple(table["elements"].tolist()) != ELEMENTS or not np.allclose(table["edges_keV"], ENERGY_EDGES):
        raise SystemExit("the component table has other elements or another energy grid than expected")
    emissivity = (table["line"].astype(float) + table["continuum"]).transpose(1, 0, 2)
    groups = [emissivity[ELEMENTS.index(element)] for element in FREE]
    trace = [i for i, element in enumerate(ELEMENTS) if element not in FREE]
    for name in ABUNDANCE_SETS:
        ratio = abundance_vector(name) / abundance_vector("angr")
        groups.append(np.tensordot(ratio[trace], emissivity[trace], axes=1))
    return FREE + [f"trace_{name}" for name in ABUNDANCE_SETS], np.array(groups)


def encode(groups, kt):
    """16-bit depth below the largest log(emissivity) + E/kT of every group and bin."""
    tiny = np.finfo(np.float32).tiny
    # a zero of single precision says nothing about depth: it becomes the floor
    log_value = np.where(groups > tiny, np.log(np.maximum(groups, tiny)) + ENERGY_MID / kt[:, None], -np.inf)
    top = log_value.max(axis=1)
    depth = np.clip((top[:, None] - log_value) / DEPTH, 0, 1)
    return np.round(depth * 65535).astype(np.uint16), top.astype(np.float32)


def main(source, output=OUTPUT):
    """Write the table."""
    with np.load(source, allow_pickle=False) as table:
        kt = table["kT_keV"]
        names, groups = read_groups(table)
    code, top = encode(groups, kt)
    digest = hashlib.sha256(Path(source).read_bytes()).hexdigest()
    np.savez_compressed(
        output,
        kt_kev=kt,
        groups=np.array(names),
        code=code,
        top=top,
        depth=np.array(DEPTH),
        source=np.array(
            "AtomDB/APEC 3.0.9 (Foster et al. 2012, ApJ 756, 128; http://www.atomdb.org), Anders-Grevesse "
            f"scale, from a component table with sha256 {digest}; made by tools/build_plasma_table.py"
        ),
    )
    print(f"{output}: {len(names)} groups x {kt.size} temperatures, {Path(output).stat().st_size} bytes")


if __name__ == "__main__":
    main(*sys.argv[1:3])
