# Licensed under a 3-clause BSD style license - see LICENSE
"""
Incident spectra per second on one core, per model and for a typical mixture.

Usage: ``OMP_NUM_THREADS=1 python benchmarks/bench_physics.py [N]``
"""

import sys
import time

import numpy as np

from astro_xlatent.physics import absorption, emission


def _draws(n):
    rng = np.random.default_rng(0)
    return {
        "index": rng.uniform(1.2, 3.0, n),
        "kt": np.exp(rng.uniform(np.log(0.1), np.log(10), n)),
        "z": rng.uniform(0.01, 3.0, n),
        "nh": 10 ** rng.uniform(20, 24, n),
        "metals": rng.uniform(0.1, 1.0, n),
    }


def _mixture(d):
    # what a population draws: absorbed power laws at redshift, plasmas, black bodies and disks
    parts = np.array_split(np.arange(d["kt"].size), 5)
    agn, star, thermal, disk, torus = ({key: value[part] for key, value in d.items()} for part in parts)
    reflected = emission.reflection(torus["index"], 300.0, torus["z"])
    return [
        emission.powerlaw(agn["index"], agn["z"]) * absorption.transmission(agn["nh"], agn["z"]),
        emission.plasma(star["kt"], star["metals"]) + emission.plasma(0.7 * star["kt"], star["metals"]),
        emission.powerlaw(thermal["index"]) + emission.blackbody(thermal["kt"]),
        emission.disk_blackbody(disk["kt"]) * absorption.transmission(disk["nh"]),
        reflected
        + emission.powerlaw(torus["index"], torus["z"]) * absorption.transmission(torus["nh"], torus["z"]),
        absorption.transmission(d["nh"] * 1e-2),
    ]


CASES = {
    "powerlaw": lambda d: emission.powerlaw(d["index"]),
    "powerlaw, redshift": lambda d: emission.powerlaw(d["index"], d["z"]),
    "cutoff_powerlaw, redshift": lambda d: emission.cutoff_powerlaw(d["index"], 50.0, d["z"]),
    "blackbody": lambda d: emission.blackbody(d["kt"]),
    "disk_blackbody": lambda d: emission.disk_blackbody(d["kt"]),
    "bremsstrahlung": lambda d: emission.bremsstrahlung(d["kt"]),
    "bremsstrahlung, redshift": lambda d: emission.bremsstrahlung(d["kt"], d["z"]),
    "gaussian_line, redshift": lambda d: emission.gaussian_line(6.4, 0.1, d["z"]),
    "plasma": lambda d: emission.plasma(d["kt"], d["metals"]),
    "plasma, redshift": lambda d: emission.plasma(d["kt"], d["metals"], d["z"]),
    "plasma, O and Fe free": lambda d: emission.plasma(d["kt"], {"O": d["metals"], "Fe": 0.3}),
    "reflection, redshift": lambda d: emission.reflection(d["index"], 300.0, d["z"]),
    "transmission": lambda d: absorption.transmission(d["nh"]),
    "transmission, redshift": lambda d: absorption.transmission(d["nh"], d["z"]),
    "mixture of sources": _mixture,
}


def main(n=1000):
    """Print one line per case: best of three, processor time."""
    draws = _draws(n)
    for name, case in CASES.items():
        case(draws)
        times = []
        for _ in range(3):
            start = time.process_time()
            case(draws)
            times.append(time.process_time() - start)
        print(f"{name:28s} {n / min(times):10.0f} spectra/s")


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:2]))
