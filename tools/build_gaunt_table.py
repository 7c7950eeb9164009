# Licensed under a 3-clause BSD style license - see LICENSE
"""
Make ``astro_xlatent/physics/data/gaunt.npz``: thermally averaged free-free Gaunt factors.

The exact non-relativistic factor is evaluated with mpmath (which the package
itself does not need) and averaged over a Maxwell distribution, on a grid of
log10(Z^2 Ry / kT) and log10(E / kT).

Usage: ``python tools/build_gaunt_table.py [OUTPUT]`` (about two minutes)

References
----------
Karzas & Latter 1961, ApJS 6, 167 (formula of the factor)
Sutherland 1998, MNRAS 300, 321; van Hoof et al. 2014, MNRAS 444, 420 (averages)
"""

import sys
from pathlib import Path

import mpmath as mp
import numpy as np

LOG_GAMMA2 = np.round(np.arange(-4.5, 1.01, 0.25), 4)
LOG_U = np.round(np.arange(-4.0, 3.01, 0.125), 4)
OUTPUT = Path(__file__).parents[1] / "astro_xlatent" / "physics" / "data" / "gaunt.npz"


def gaunt(initial, final):
    """Gaunt factor for electron energies before and after, in units of Z^2 Ry."""
    a, b = 1 / mp.sqrt(initial), 1 / mp.sqrt(final)
    k = 4 * a * b / (a - b) ** 2
    phase = ((b - a) / (b + a)) ** (1j * (a + b))

    def integral(order):
        hyper = mp.hyp2f1(order + 1 - 1j * b, order + 1 - 1j * a, 2 * order + 2, -k)
        gammas = abs(mp.gamma(order + 1 + 1j * a) * mp.gamma(order + 1 + 1j * b)) / mp.gamma(2 * order + 2)
        return mp.re(k ** (order + 1) / 4 * mp.exp(mp.pi * (b - a) / 2) * gammas * phase * hyper)

    first, second = integral(0), integral(1)
    bracket = (a**2 + b**2 + 2 * a**2 * b**2) * first
    bracket -= 2 * a * b * mp.sqrt((1 + a**2) * (1 + b**2)) * second
    return float(2 * mp.sqrt(3) / (mp.pi * a * b) * bracket * first)


def thermal_nodes(step=0.3):
    """Double-exponential nodes and weights of the integral of exp(-x) f(x) over x > 0."""
    v = np.arange(-2.4, 3.2, step)
    x = np.exp(v - np.exp(-v))
    weight = step * x * (1 + np.exp(-v)) * np.exp(-x)
    return x, weight / weight.sum()


def average(gamma2, u):
    """Thermal average at one temperature and photon energy."""
    x, weight = thermal_nodes()
    use = weight > 1e-7
    values = [gaunt(mp.mpf((x_ + u) / gamma2), mp.mpf(x_ / gamma2)) for x_ in x[use]]
    return float(weight[use] @ values)


def main(output=OUTPUT):
    """Write the table."""
    table = np.array([[average(10.0**g, 10.0**u) for u in LOG_U] for g in LOG_GAMMA2])
    np.savez_compressed(
        output,
        log_gamma2=LOG_GAMMA2,
        log_u=LOG_U,
        gaunt=table.astype(np.float32),
        source=np.array(
            "exact non-relativistic free-free Gaunt factor (Karzas & Latter 1961, ApJS 6, 167), "
            "thermally averaged; made by tools/build_gaunt_table.py"
        ),
    )
    print(f"{output}: {table.shape}, {Path(output).stat().st_size} bytes")


if __name__ == "__main__":
    main(*sys.argv[1:2])
