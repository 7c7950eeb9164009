# Licensed under a 3-clause BSD style license - see LICENSE
"""
The recipes of the Chandra Source Catalog beside each other, on real rows.

``python -m benchmarks.judge_recipes DATA [--model NAME] [--rows N] [--fits N]``, DATA
being the folder with ``csc20/``, enriches the same ACIS detections from energy fluxes,
from photon fluxes and from raw counts. Printed for every recipe and side of the
sky, with bootstrap errors over fields: the share of sources with a column above
1e21 where the catalog's power-law fit has less, and of those whose whole 68 % interval
lies there, error, bias and coverage of the column against fits above 1e21, also of rows
called LM-STAR, and the bias of the 2-7 keV flux; then how often two recipes give one
class, and how far their latents lie apart in units of the error. Beside each side stand
simulated rows of its chips, epochs, angles, significances and hardness (see
`benchmarks.judge_rows`), published once and read by every recipe: what the recipes'
agreement would be were the model right about the sky; and, of N simulated spectra with
fits of their own at the same significances, what the comparison with fits would give.
Last, how many late-type stars of the catalog's master table are called "other".
"""

import argparse
import warnings
from pathlib import Path

import numpy as np
from astropy.table import Table

from astro_xlatent.core.numbers import plain_floats
from astro_xlatent.missions._columns import Columns
from astro_xlatent.missions._csc_areas import chip_of, year_of
from astro_xlatent.missions.csc import CSC, RICHEST_FIRST
from astro_xlatent.model.pretrained import load_model
from astro_xlatent.physics.absorption import convert_nh
from astro_xlatent.table.add_latents import add_latents
from benchmarks import judge_rows
from benchmarks.sky import SkySplit
from benchmarks.studies.expected_fits import simulate_fits

SIDES = ("MATCH", "JUDGE")
#: cm-2; fits below are mostly limits.
LEAST_COLUMN = 1e21
BRIGHT = 8.0
REPEATS = 300
#: Relative frequencies of simulated spectra with fits.
FIT_SHARES = dict.fromkeys(("AGN", "CV", "HMXB", "LM-STAR", "LMXB", "NS"), 1.0)
#: Simulated rows of every class, of which those like the real ones are drawn.
PER_CLASS = 700


def read_rows(data, most):
    """Unambiguous ACIS detections above the significance, at most two of a source, and their sky fields."""
    table = Table.read(data / "csc20" / "csc20_detections.csv.gz", format="ascii.csv")
    text = {
        name: np.ma.filled(np.ma.asarray(table[name]).astype(str), "")
        for name in ("instrument", "match_type")
    }
    bright = np.nan_to_num(plain_floats(table["significance"])) > BRIGHT
    table = table[(text["instrument"] == "ACIS") & (text["match_type"] == "u") & bright]
    sources = np.asarray(table["name"]).astype(str)
    order = np.argsort(sources, kind="stable")
    rank = np.empty(len(table), int)
    starts = np.flatnonzero(np.r_[True, sources[order][1:] != sources[order][:-1]])
    rank[order] = np.arange(len(table)) - np.repeat(starts, np.diff(np.r_[starts, len(table)]))
    table = table[rank < 2]
    table = table[np.sort(np.random.default_rng(1).permutation(len(table))[:most])]
    sky = SkySplit(plain_floats(table["ra"]), plain_floats(table["dec"]))
    return table, sky.field, sky.split


def bootstrap(value, field, rows, rng):
    """A statistic of some rows, and its spread over resampled fields, as text."""
    if rows.sum() < 10:
        return "-"
    names = np.unique(field[rows])
    members = [np.flatnonzero(rows & (field == name)) for name in names]
    drawn = [value(np.concatenate([members[k] for k in rng.integers(len(names), size=len(names))]))
             for _ in range(REPEATS)]
    return f"{value(np.flatnonzero(rows)):.3f} +- {np.nanstd(drawn):.3f}"


def columns_of(found, table):
    """Columns, fits and fluxes of enriched rows, logarithms where positive."""
    fit = plain_floats(table["powlaw_nh"]) * 1e20
    fit = convert_nh(np.where(fit > 0, fit, np.nan), "phabs/angr", "tbabs/wilm")
    low, high = (convert_nh(np.maximum(plain_floats(table[f"powlaw_nh_{end}"]) * 1e20, 1e17), "phabs/angr",
                            "tbabs/wilm") for end in ("lolim", "hilim"))
    nh, nh_low, nh_high = (
        np.log10(plain_floats(found[name])) for name in ("xl_nh", "xl_nh_lolim", "xl_nh_hilim")
    )
    with np.errstate(all="ignore"):
        log_fit = np.log10(fit)
        error = np.hypot(0.5 * (nh_high - nh_low), 0.5 * (np.log10(high) - np.log10(low)))
        flux = np.log10(plain_floats(found["xl_flux_2_7"]) / plain_floats(table["flux_aper_h"]))
    return {
        "significance": plain_floats(table["significance"]),
        "small fit": (fit < LEAST_COLUMN) & np.isfinite(nh),
        "large fit": (fit >= LEAST_COLUMN) & np.isfinite(nh + error),
        "nh": nh,
        "low": nh_low,
        "difference": nh - log_fit,
        "inside": np.abs(nh - log_fit) < error,
        "late star": np.asarray(found["xl_class"]).astype(str) == "LM-STAR",
        "flux": flux,
    }


def recipe_lines(name, got, field, side, rng):
    """Lines of one recipe on one side."""
    small, large = got["small fit"] & side, got["large fit"] & side
    flux = np.isfinite(got["flux"]) & side
    return [
        f"{name:16s} {'fit < 1e21: share with xl_nh > 1e21':40s} "
        f"{bootstrap(lambda k: np.mean(got['nh'][k] > 21), field, small, rng)}  n {small.sum()}",
        f"{name:16s} {'fit < 1e21: whole 68 % interval above':40s} "
        f"{bootstrap(lambda k: np.mean(got['low'][k] > 21), field, small, rng)}",
        f"{name:16s} {'fit > 1e21: mean |log N_H - fit|':40s} "
        f"{bootstrap(lambda k: np.mean(np.abs(got['difference'][k])), field, large, rng)}  n {large.sum()}",
        f"{name:16s} {'fit > 1e21: median log N_H - fit':40s} "
        f"{bootstrap(lambda k: np.median(got['difference'][k]), field, large, rng)}",
        *(f"{name:16s} {f'fit > 1e21, significance > {least}: {words}':40s} "
          f"{bootstrap(lambda k, of=of: of(got['difference'][k]), field, bright, rng)}  n {bright.sum()}"
          for least, words, of in ((20, "median difference", np.median),
                                   (40, "mean |difference|", lambda d: np.mean(np.abs(d))))
          for bright in [large & (got["significance"] > least)]),
        f"{name:16s} {'fit > 1e21, LM-STAR: median difference':40s} "
        f"{bootstrap(lambda k: np.median(got['difference'][k]), field, large & got['late star'], rng)}"
        f"  n {np.sum(large & got['late star'])}",
        f"{name:16s} {'fit > 1e21: inside both 68 % errors':40s} "
        f"{bootstrap(lambda k: np.mean(got['inside'][k]), field, large, rng)}",
        f"{name:16s} {'median log xl_flux_2_7 - flux_aper_h':40s} "
        f"{bootstrap(lambda k: np.median(got['flux'][k]), field, flux, rng)}",
    ]


def enrich(table, model):
    """The rows enriched from every recipe."""
    return {name: add_latents(table, mission=CSC(recipes=(name,)), model=model) for name in RICHEST_FIRST}


def simulated_like(table, sides, rng):
    """Simulated rows with the significances and the hardness of each side's real ones."""
    cols = Columns(table)
    made, classes = judge_rows.simulate(year_of(cols), chip_of(cols)[0], cols.number("theta"), PER_CLASS, rng)
    wanted, offered = judge_rows.significance(table), judge_rows.significance(made)
    (real, ok), (fake, usable) = (judge_rows.features(rows, "energy flux") for rows in (table, made))
    theirs, chosen = np.flatnonzero(usable), {}
    for name, side in sides.items():
        mine = side & ok & (wanted > 0)
        weights = judge_rows.mixture(real[mine][:, 3:5], fake[theirs][:, 3:5], classes[theirs])
        chosen[name] = made[theirs[judge_rows.alike(wanted[mine], offered[theirs], weights[classes[theirs]],
                                                    mine.sum(), rng)]]
    return chosen


def fitted_like(fits, table, side, rng):
    """Rows of simulated fits with the significances of real ones that have a fit."""
    wanted, offered = (plain_floats(t["significance"]) for t in (table, fits))
    mine = side & np.isfinite(plain_floats(table["powlaw_nh"])) & (wanted > 0)
    chosen = judge_rows.alike(wanted[mine], offered, np.ones(len(fits)), mine.sum(), rng)
    return fits[chosen], chosen


def late_stars(data, model):
    """Share of the master table's late-type stars that are called other, and their number."""
    table = Table.read(data / "csc20" / "csc20_master_vizier_labelled.csv.gz", format="ascii.csv")
    sure = (plain_floats(table["angDist"]) < 1) & (np.asarray(table["all_classes"]).astype(str) == "LM-STAR")
    found = np.asarray(add_latents(table[sure], mission="csc", model=model)["xl_class"]).astype(str)
    found = found[(found != "") & (found != "N/A")]
    return np.mean(found == "other"), np.mean(found == "LM-STAR"), found.size


def pair_lines(first, second, found, field, side, rng):
    """Lines that compare two recipes."""
    a, b = found[first], found[second]
    both = side & ~np.ma.getmaskarray(a["xl_nh"]) & ~np.ma.getmaskarray(b["xl_nh"])
    same = np.asarray(a["xl_class"]).astype(str) == np.asarray(b["xl_class"]).astype(str)
    latent, error = (
        np.ma.filled(np.ma.asarray(a[n]).astype(float), np.nan) for n in ("xl_latent", "xl_latent_err")
    )
    distance = (np.ma.filled(np.ma.asarray(b["xl_latent"]).astype(float), np.nan) - latent) / error
    words = f"{first} - {second}"
    return [
        f"{words:32s} {'same class':30s} "
        f"{bootstrap(lambda k: np.mean(same[k]), field, both, rng)}  n {both.sum()}",
        f"{words:32s} {'latents within 1 sigma':30s} "
        f"{bootstrap(lambda k: np.mean(np.abs(distance[k]) < 1), field, both, rng)}",
        f"{words:32s} {'largest mean shift of a latent':30s} "
        f"{bootstrap(lambda k: np.abs(np.mean(distance[k], axis=0)).max(), field, both, rng)}",
    ]


def main():
    """Print the comparison."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("data", type=Path, metavar="DATA")
    parser.add_argument("--model", metavar="NAME", help="model name or folder (default: the newest shipped)")
    parser.add_argument("--rows", type=int, default=100_000, metavar="N", help="at most N rows")
    parser.add_argument("--fits", type=int, default=400, metavar="N", help="simulated spectra to fit, or 0")
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    model = load_model(args.model)
    table, field, split = read_rows(args.data, args.rows)
    found = enrich(table, model)
    sides = {side: split == side for side in SIDES}
    mocks = simulated_like(table, sides, np.random.default_rng(3))
    fits = simulate_fits(1, args.fits, FIT_SHARES) if args.fits else None
    fitted = {} if fits is None else enrich(fits, model)
    print(f"{model.name}-{model.version}: {len(table)} rows, significance above {BRIGHT:g}")
    for name, side in sides.items():
        rng = np.random.default_rng(2)
        print(f"\n{name}: {side.sum()} rows, {np.unique(field[side]).size} fields")
        for recipe, one in found.items():
            print("\n".join(recipe_lines(recipe, columns_of(one, table), field, side, rng)))
        print_pairs(found, field, side, rng)
        mock = enrich(mocks[name], model)
        every = np.ones(len(mocks[name]), bool)
        print(f"simulated rows like these: {every.size}")
        print_pairs(mock, np.arange(every.size), every, rng)
        if fits is None:
            continue
        drawn, chosen = fitted_like(fits, table, side, rng)
        print(f"simulated spectra with fits like these: {len(drawn)}")
        for recipe, one in fitted.items():
            print("\n".join(recipe_lines(recipe, columns_of(one[chosen], drawn), chosen,
                                         np.ones(len(drawn), bool), rng)))
    print("\nlate-type stars of the master table: called other {:.3f}, LM-STAR {:.3f}  n {}".format(
        *late_stars(args.data, model)))


def print_pairs(found, field, side, rng):
    """Print the agreement of every pair of recipes."""
    for k, first in enumerate(RICHEST_FIRST):
        for second in RICHEST_FIRST[k + 1:]:
            print("\n".join(pair_lines(first, second, found, field, side, rng)))


if __name__ == "__main__":
    main()
