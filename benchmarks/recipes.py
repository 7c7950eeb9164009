# Licensed under a 3-clause BSD style license - see LICENSE
"""
Do all ways to read a row of the Chandra Source Catalog say the same?

``python -m benchmarks.recipes DATA [rows [model]]`` reads real ACIS rows of DATA/csc20 (unique
matches; all, or a random subsample) and as many simulated ones, takes columns away until only one recipe
is left, and compares the latents with those of the better recipe: the share within one
sigma of the two recipes' mean sigma, and the mean difference in sigma of every latent
(the largest is printed). The same counts are behind both, so that noise hardly counts.
"""

import sys
from pathlib import Path

import numpy as np
from astropy.table import Table

from astro_xlatent.missions.csc import CSC
from astro_xlatent.model.pretrained import load_model
from astro_xlatent.simulate.catalog import simulate_catalog

__all__ = ["RECIPES", "compare", "only", "real_rows", "simulated_rows"]

ALWAYS = ("detector", "chip_id", "gti_mjd_obs", "livetime", "theta", "obsid")
#: Beginnings of the columns that each recipe leaves.
_FLUX = tuple(f"flux_aper_{part}{b}" for b in "smh" for part in ("", "lolim_", "hilim_"))
_VALUES = tuple(f"flux_aper_{b}" for b in "smh")
_BROAD = ("flux_aper_b", "flux_aper_lolim_b", "flux_aper_hilim_b")
_RATIOS = tuple(f"hard_{r}" for r in ("hm", "hs", "ms"))
RECIPES = {
    "aperture counts": tuple(f"{q}_{b}" for b in "smh" for q in (
        "cnts_aper", "cnts_aperbkg", "src_cnts_aper", "photflux_aper", "src_cnts_aper_hilim",
        "photflux_aper_hilim")) + ("area_aper", "area_aperbkg"),
    "photon flux": tuple("phot" + name for name in _FLUX),
    "energy flux": _FLUX,
    "hardness, limits, broad flux": (*_RATIOS, *(f"{r}_{e}" for r in _RATIOS for e in ("lolim", "hilim")),
                                     "flux_aper_b"),
    "hardness, broad flux with limits": (*_RATIOS, *_BROAD),
    "hardness, counts, exposure": (*_RATIOS, "src_cnts_aper_b", "src_cnts_aper_lolim_b",
                                   "src_cnts_aper_hilim_b"),
    "photon flux, broad flux with limits": (*("phot" + name for name in _VALUES), *_BROAD),
    "energy flux, net counts": (*_VALUES, *(f"src_cnts_aper_{b}" for b in "smh")),
    "energy flux, broad flux with limits": (*_VALUES, *_BROAD),
    "energy flux, broad significance": (*_VALUES, "flux_significance_b"),
}
#: What is compared: the better recipe, and the other.
PAIRS = (("aperture counts", "photon flux"), ("aperture counts", "energy flux"),
         ("photon flux", "energy flux"),
         *(("photon flux", name) for name in RECIPES if name.startswith("hardness")),
         ("photon flux", "photon flux, broad flux with limits"),
         *(("energy flux", name) for name in RECIPES if name.startswith("energy flux,")))


def only(table, recipe):
    """The table with the columns of one recipe, and those that tell chip, date and exposure."""
    names = [name for name in (*ALWAYS, *RECIPES[recipe]) if name in table.colnames]
    return table[[name for name in names if recipe != "aperture counts" or name != "livetime"]]


def compare(table, model):
    """
    Latents of every pair of recipes on the rows that both can read in all bands.

    Returns
    -------
    results : dict
        Pair to (rows, share within one sigma, largest mean difference in sigma, median ratio of sigmas).
    """
    read = {}
    for recipe in RECIPES:
        measured = CSC().read_bands(only(table, recipe))
        posterior = model.infer(measured.bins)
        sigma = np.sqrt(np.diagonal(posterior.latent_cov, axis1=1, axis2=2))
        read[recipe] = measured.bins.valid.all(axis=1), posterior.latent, sigma
    results = {}
    for one, two in PAIRS:
        (a, x, dx), (b, y, dy) = read[one], read[two]
        rows = a & b & np.isfinite(x).all(axis=1) & np.isfinite(y).all(axis=1)
        apart = (y - x)[rows] / np.sqrt(0.5 * (dx**2 + dy**2))[rows]
        bias = apart.mean(axis=0)
        results[one, two] = (int(rows.sum()), float(np.mean(np.abs(apart) < 1)),
                             float(bias[np.argmax(np.abs(bias))]), float(np.median((dy / dx)[rows])))
    return results


def real_rows(data, n=None):
    """Real ACIS rows with a unique match, all or some."""
    table = Table.read(Path(data) / "csc20" / "csc20_detections.csv.gz", format="ascii.csv")
    good = (np.ma.filled(table["instrument"], "") == "ACIS") & (np.ma.filled(table["match_type"], "") == "u")
    rows = np.random.default_rng(1).permutation(np.flatnonzero(good))[:n]
    return table[np.sort(rows)]


def simulated_rows(n):
    """Simulated rows with all columns."""
    table = simulate_catalog(1, n, "csc")[0]
    low, value, high = (table[f"src_cnts_aper{part}_b"] for part in ("_lolim", "", "_hilim"))
    table["flux_significance_b"] = 2 * value / (high - low)
    return table


def main(data, n=None, model=None):
    """Print both tables of comparisons."""
    model, real = load_model(model), real_rows(data, n)
    for name, table in (("real", real), ("simulated", simulated_rows(len(real)))):
        print(f"{name} rows, {model.name}-{model.version}")
        print(f"  {'better recipe':18} {'other':36} {'rows':>5} {'within':>6} {'bias':>6} {'errors':>6}")
        for (one, two), (rows, within, bias, errors) in compare(table, model).items():
            print(f"  {one:18} {two:36} {rows:5d} {within:6.3f} {bias:+6.2f} {errors:6.2f}")


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:3]), *sys.argv[3:4])
