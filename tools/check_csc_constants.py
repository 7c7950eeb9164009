# Licensed under a 3-clause BSD style license - see LICENSE
"""
Constants that stand in where rows of the Chandra Source Catalog lack columns.

    python tools/check_csc_constants.py DATA

``DATA`` is a folder with ``csc20/csc20_detections.csv.gz``. Prints median, 16 and 84 %
of the mean energy of what each band detects (energy over photon flux) and of the
detection likelihood per equivalent count, on fields that may tune (MATCH) and on
fields that may only judge (JUDGE). `astro_xlatent.missions._csc_fluxes` holds the
medians of MATCH.
"""

import sys
from pathlib import Path

import numpy as np
import pandas

from astro_xlatent.missions._bandset import counts_from_flux
from astro_xlatent.missions._csc_fluxes import LIKELIHOOD_PER_COUNT, MEAN_ENERGY
from astro_xlatent.physics.grid import KEV_TO_ERG
from benchmarks.sky import JUDGE, MATCH, SkySplit, load_sky


def main(folder):
    """Print the table."""
    table = pandas.read_csv(Path(folder) / "csc20" / "csc20_detections.csv.gz", low_memory=False)
    table = table[(table.instrument == "ACIS") & (table.match_type == "u")]
    side = load_sky(folder).side(table.ra, table.dec)
    alone = side == ""
    side[alone] = SkySplit(table.ra[alone], table.dec[alone]).split
    values, counts = {}, np.zeros(len(table))
    for band in "smh":
        photons, low, high = (table[f"photflux_aper_{part}{band}"].to_numpy(float)
                              for part in ("", "lolim_", "hilim_"))
        with np.errstate(all="ignore"):
            ratio = table[f"flux_aper_{band}"].to_numpy(float) / photons / KEV_TO_ERG
        # rows whose lower limit is above zero: both fluxes are measured
        values[f"energy {band} [keV]", MEAN_ENERGY[band]] = np.where((photons > 0) & (low > 0), ratio, np.nan)
        counts += np.nan_to_num(counts_from_flux(photons, low, high)[0])
    with np.errstate(all="ignore"):
        values["likelihood", LIKELIHOOD_PER_COUNT] = table.likelihood_b.to_numpy(float) / counts
    print(f"{'':15}{'shipped':>8}" + "".join(f"{name:>25}" for name in (MATCH, JUDGE)))
    for (name, shipped), value in values.items():
        cells = []
        for one in (MATCH, JUDGE):
            some = value[(side == one) & np.isfinite(value) & (value > 0)]
            low, middle, high = np.percentile(some, [16, 50, 84])
            cells.append(f"{middle:8.2f} ({low:.2f}-{high:.2f}){len(some):6d}")
        print(f"{name:15}{shipped:8.2f}" + "".join(f"{cell:>25}" for cell in cells))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:2]))
