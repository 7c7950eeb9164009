# Licensed under a 3-clause BSD style license - see LICENSE
"""
Default area of ACIS over the area of real catalog rows.

    python tools/check_default_areas.py DATA

``DATA`` is a folder with ``csc20/csc20_detections.csv.gz``. Net counts over
photon flux and live time are the effective area that the catalog used, at
the energy of each band at which the reader takes it, too. Prints the median
ratio of the shipped curves to it by curve and year, chip and off-axis angle,
on fields that may tune (MATCH) and on fields that may only judge (JUDGE).
"""

import argparse
import sys
from pathlib import Path

import numpy as np

from astro_xlatent.missions._csc_areas import effective_energies
from astro_xlatent.missions.curves import acis_curve, load_curve
from benchmarks.sky import JUDGE, MATCH, SkySplit, load_sky

#: Bands of ACIS whose areas are compared.
BANDS = "usmh"
#: Net counts from which rounded counts and fluxes give their ratio to a few percent.
LEAST_COUNTS = 8
ANGLES = [0, 1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 18, 25]


def read_rows(folder):
    """
    Areas of the real rows of single ACIS chips.

    Returns
    -------
    rows : dict of ndarray
        ``chip``, ``curve``, ``year``, ``theta`` (arcmin), ``side`` and
        ``log_area``, shape (rows, 4): in `BANDS`, NaN where
        there are too few counts.
    """
    import pandas

    table = pandas.read_csv(folder / "csc20" / "csc20_detections.csv.gz", low_memory=False)
    one_chip = table.detector.str.fullmatch(r"ACIS-\d")
    table = table[one_chip & (table.match_type == "u") & (table.livetime > 0)]
    side = load_sky(folder).side(table.ra, table.dec)
    alone = side == ""
    side[alone] = SkySplit(table.ra[alone], table.dec[alone]).split
    log_area = np.full((len(table), len(BANDS)), np.nan)
    for k, band in enumerate(BANDS):
        net, flux = table[f"src_cnts_aper_{band}"].values, table[f"photflux_aper_{band}"].values
        good = (net > LEAST_COUNTS) & (flux > 0)
        log_area[good, k] = np.log(net[good] / flux[good] / table.livetime.values[good])
    chip = table.detector.str[-1].astype(int).values
    year = 2000.0 + (table.gti_mjd_obs.values - 51544.5) / 365.25
    return {"chip": chip, "curve": np.array([acis_curve(c) for c in chip]), "theta": table.theta.values,
            "year": year, "side": side, "log_area": log_area}


def ratios(rows, curve):
    """Area of a curve over that of its rows, shape (rows, 4), and the rows chosen."""
    chosen = rows["curve"] == curve.name
    year, theta = rows["year"][chosen, None], rows["theta"][chosen, None]
    area = curve.area(effective_energies(curve.name, BANDS), year, theta)
    return area / np.exp(rows["log_area"][chosen]), chosen


def report(rows, curves):
    """Print median ratios and the number of rows (with the medium band)."""
    print("shipped area over the rows' own, median; each cell MATCH, JUDGE")
    for curve in curves:
        energies = effective_energies(curve.name, BANDS)
        head = "   ".join(f"{band} {energy:5.3f} keV" for band, energy in zip(BANDS, energies, strict=True))
        print(f"{curve.name:27s}{'rows':>7s}       {head}")
        ratio, chosen = ratios(rows, curve)
        groups = {"all": np.zeros(chosen.sum(), int), "year": np.floor(rows["year"][chosen]).astype(int),
                  "chip": rows["chip"][chosen], "theta <": np.searchsorted(ANGLES, rows["theta"][chosen])}
        for kind, group in groups.items():
            for value in np.unique(group):
                sides = [ratio[(group == value) & (rows["side"][chosen] == side)] for side in (MATCH, JUDGE)]
                counts = [int(np.isfinite(part[:, 2]).sum()) for part in sides]
                cells = [" ".join(_median(part[:, k]) for part in sides) for k in range(len(BANDS))]
                label = {"all": "", "theta <": ANGLES[min(value, len(ANGLES) - 1)]}.get(kind, value)
                print(f"{curve.name:14s}{kind:>8s} {label!s:>4s} {counts[0]:5d} {counts[1]:5d}   "
                      + "   ".join(cells))


def _median(values):
    values = values[np.isfinite(values)]
    return f"{np.median(values):5.3f}" if values.size >= 5 else "  -  "


def main():
    """Run the check."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("data", type=Path, help="folder with csc20/ and labels/")
    rows = read_rows(parser.parse_args().data)
    report(rows, [load_curve(name) for name in ("acis-i", "acis-s", "acis-s-front")])
    return 0


if __name__ == "__main__":
    sys.exit(main())
