# Licensed under a 3-clause BSD style license - see LICENSE
"""
Print the refit shifts that ``astro_xlatent/physics/absorption.py`` holds as constants.

A power law (index 1.7) behind a tbabs/wilm column is seen through a CCD-like
area between 0.5 and 7 keV and fitted by expected Cash statistic, with index
and normalization free, under every other convention. The printed number is
log10 of fitted over true column.

Usage: ``python tools/build_nh_table.py`` (needs scipy)
"""

import numpy as np
from scipy.optimize import least_squares

from astro_xlatent.physics.absorption import CONVENTIONS, bin_cross_section
from astro_xlatent.physics.grid import ENERGY_MID

LOG_NH_NODES = (20.0, 20.5, 21.0, 21.35, 21.7, 22.0, 22.3, 22.65, 23.0, 23.5, 24.0)
AREA_ENERGY = [0.5, 0.52, 0.54, 0.7, 1.0, 1.5, 2.0, 2.2, 4.0, 6.0, 7.0]
AREA_CM2 = [150, 160, 110, 300, 450, 600, 450, 350, 300, 180, 80]


def refit(log_nh, convention, index=1.7, e_lo=0.5, e_hi=7.0):
    """Shift in dex of the column fitted under ``convention`` to a tbabs/wilm spectrum."""
    band = (ENERGY_MID > e_lo) & (ENERGY_MID < e_hi)
    energy = ENERGY_MID[band]
    area = np.interp(energy, AREA_ENERGY, AREA_CM2)
    true, fitted = bin_cross_section()[band], bin_cross_section(convention=convention)[band]
    data = area * energy**-index * np.exp(-(10**log_nh) * true)
    data *= 1000 / data.sum()

    def deviance(p):
        model = np.exp(p[0] - p[1] * np.log(energy) - 10 ** p[2] * fitted) * area
        ratio = np.log(np.maximum(data, 1e-300) / model)
        # signed root of Cash: its squares add up to the statistic
        cash = np.maximum(2 * (model - data + data * ratio), 0.0)
        return np.sqrt(cash) * np.sign(ratio)

    norm = np.log(data.sum() / (area * energy**-index * np.exp(-(10**log_nh) * fitted)).sum())
    start = [norm, index, log_nh - 0.1]
    return least_squares(deviance, start, x_scale=[1.0, 0.1, 0.1], xtol=1e-12, ftol=1e-14).x[2] - log_nh


def main():
    """Print one line per convention."""
    for convention in CONVENTIONS[1:]:
        shifts = [refit(log_nh, convention) for log_nh in LOG_NH_NODES]
        print(f'    "{convention}": ({", ".join(f"{s:+.4f}" for s in shifts)}),')


if __name__ == "__main__":
    main()
