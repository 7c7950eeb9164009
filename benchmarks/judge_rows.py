# Licensed under a 3-clause BSD style license - see LICENSE
"""
Can simulated rows of the Chandra Source Catalog be told from real ones?

Run ``python -m benchmarks.judge_rows DATA [rows]``, DATA being the folder with
``csc20/``. Real ACIS rows with a unique match, at most two a source, are read by
the package from energy fluxes, from photon fluxes and from aperture counts.
Simulated rows have their chips, epochs, off-axis angles and significances (summed over the bands
s, m, h) and a mixture of classes that is fitted to the hardness of each side's energy
fluxes, for what a field holds is not the simulator's. Prints,
for every recipe and side of the sky, medians of what is published beside each other,
and the area under the ROC curve of a discriminator above a significance of 8: of
hardness, widths of limits, zeros and background, then also of counts ratios, which with the
hardness tell the area; 0.5 is "cannot be told". The discriminator is judged in sky fields that it
has not seen: rows of one field share its crowding, which no simulation has to share; simulated rows
that are drawn twice do not help either. In brackets
stands the 90 % upper bound by a bootstrap over rows, last the area with areas where rows of the same
fields were learned from.
"""

import sys
from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np
from astropy.table import Table

from astro_xlatent.evaluate.features import hardness_ratios
from astro_xlatent.missions._columns import Columns
from astro_xlatent.missions._csc_areas import chip_of, year_of
from astro_xlatent.missions.csc import CSC, RICHEST_FIRST
from astro_xlatent.missions.curves import acis_curve
from astro_xlatent.missions.responses import default_response
from astro_xlatent.simulate.instruments import CHIPS, prepare
from astro_xlatent.simulate.observe import draw_apertures
from astro_xlatent.simulate.populations import CLASSES, draw_sources
from astro_xlatent.simulate.rows import Apertures
from astro_xlatent.simulate.rows_csc import csc_band_columns
from benchmarks.sky import SkySplit
from benchmarks.studies.discriminator import discriminate

SIDES, BANDS = ("MATCH", "JUDGE"), "smh"
LEAST_SIGNIFICANCE = 8.0
# Columns of one table: those that the recipes read, and the net counts' limits.
STEMS = ("cnts_aper_", "cnts_aperbkg_", *(f"{q}_aper_{e}" for q in ("src_cnts", "photflux", "flux")
                                          for e in ("", "lolim_", "hilim_")))
NAMES = [stem + b for stem in STEMS for b in BANDS] + ["detector", "gti_mjd_obs", "theta"]
#: What the discriminator sees, the last four of aperture counts only.
FEATURES = (*(f"share {b}" for b in BANDS), "hardness ms", "hardness hm", "hardness hs",
            *(f"zero {b}" for b in BANDS), *(f"missing {b}" for b in BANDS), "counts",
            *(f"width {b}" for b in BANDS), "background")
COUNTS = (8.0, 30000.0)
_NAMES = {"acis-i": "ACIS-I", "acis-s": "ACIS-S", "acis-s-front": "ACIS-S-front"}


def load_rows(data, rng):
    """Real rows, sides and sky fields."""
    table = Table.read(Path(data) / "csc20" / "csc20_detections.csv.gz", format="ascii.csv")
    sky = SkySplit(table["ra"], table["dec"])
    good = (np.ma.filled(table["instrument"], "") == "ACIS") & (np.ma.filled(table["match_type"], "") == "u")
    order = rng.permutation(np.flatnonzero(good))
    _, group = np.unique(np.asarray(table["name"])[order], return_inverse=True)
    nth = np.zeros(order.size, int)
    seen = {}
    for k, g in enumerate(group.tolist()):
        nth[k] = seen[g] = seen.get(g, -1) + 1
    keep = np.sort(order[nth < 2])
    return table[NAMES][keep], sky.split[keep], sky.field[keep]


def values(table, stem):
    """Three bands of a column, shape (rows, 3)."""
    return Columns(table).numbers([stem + b for b in BANDS])


def significance(table):
    """Net counts over their 68 % half-widths, added in quadrature."""
    half = 0.5 * (values(table, "src_cnts_aper_hilim_") - values(table, "src_cnts_aper_lolim_"))
    with np.errstate(all="ignore"):
        return np.sqrt(np.nansum((values(table, "src_cnts_aper_") / half) ** 2, axis=1))


def exposures(years, chips):
    """Names of the chips' instruments and even years of the shipped responses, shape (rows,)."""
    names = np.array([_NAMES[acis_curve(chip)] for chip in chips.tolist()])
    return names, np.maximum(2 * np.round(years / 2), 2000).astype(int)


@cache
def instrument(name, year):
    """A shipped response of ACIS."""
    return prepare(name, "csc", default_response("csc", name, float(year)), float(year), CHIPS[name])


def simulate(years, chips, angles, per_class, rng):
    """Rows of every class with chips, epochs and off-axis angles of real ones; the table and the class."""
    parts, classes = [], []
    names, epochs = exposures(years, chips)
    for name, year in sorted(set(zip(names.tolist(), epochs.tolist(), strict=True))):
        mine = (names == name) & (epochs == year)
        index = np.repeat(np.arange(len(CLASSES)), max(1, round(per_class * mine.mean())))
        spectra = draw_sources(index, rng).spectrum
        off_axis = rng.choice(angles[mine], len(index))
        for start in range(0, len(index), 16):
            some = slice(start, start + 16)
            parts.append(draw_apertures(spectra[some], instrument(name, year), rng, COUNTS, off_axis[some]))
        classes.append(index)
    made = csc_band_columns(Apertures.concatenate(parts), rng)
    return Table({name: made[name][0] for name in NAMES}), np.concatenate(classes)


def features(table, recipe):
    """What a discriminator sees of rows, and the rows that the recipe can read."""
    result = CSC(recipes=(recipe,)).read_bands(table)
    bins, rows = result.bins, (result.recipe == recipe) & result.bins.valid.any(axis=1)
    with np.errstate(all="ignore"):
        net = np.where(bins.valid, np.maximum(bins.counts - bins.background, 0.0), np.nan)
        flux = net / bins.area
        shares = net / np.nansum(net, axis=1, keepdims=True)
        half = 0.5 * (values(table, "src_cnts_aper_hilim_") - values(table, "src_cnts_aper_lolim_"))
        width = half / np.sqrt(np.maximum(values(table, "cnts_aper_"), 1.0))
        columns = [*shares.T, *hardness_ratios(flux).T, *(net == 0).astype(float).T,
                   *(~bins.valid).astype(float).T, np.log10(1.0 + np.nansum(net, axis=1))]
        if recipe == "aperture counts":
            columns += [*width.T, np.nansum(bins.background, axis=1) / np.nansum(bins.counts, axis=1)]
    return np.stack(columns, axis=1), rows


def mixture(real, made, classes, steps=200):
    """Weights of the classes that reproduce the hardness of real rows, by expectation maximization."""
    edges = np.linspace(-1.001, 1.001, 11)

    def cell(h):
        return np.digitize(np.nan_to_num(h[:, 0]), edges) * 12 + np.digitize(np.nan_to_num(h[:, 1]), edges)

    real, made = cell(real), cell(made)
    density = np.stack([np.bincount(made[classes == k], minlength=150) + 0.05 for k in range(len(CLASSES))])
    density = density / density.sum(axis=1, keepdims=True)
    weights = np.full(len(CLASSES), 1 / len(CLASSES))
    for _ in range(steps):
        share = weights[:, None] * density[:, real]
        weights = (share / share.sum(axis=0)).mean(axis=1)
    return weights


def alike(target, offered, weight, n, rng):
    """Rows with the significances ``target`` by weighted draws in narrow bins; n indices."""
    edges = np.quantile(np.log(target), np.linspace(0, 1, 13))
    edges[0], edges[-1] = edges[0] - 1e-9, edges[-1] + 1e-9
    chosen = []
    for low, high in pairwise(edges):
        inside = np.flatnonzero((np.log(offered) > low) & (np.log(offered) <= high))
        if weight[inside].sum() > 0:
            chosen.append(rng.choice(inside, n // 12, p=weight[inside] / weight[inside].sum()))
    return np.concatenate(chosen)


def telling(real, made, field, drawn):
    """The features that tell most, each with the area under the curve that is lost without it."""
    def area(left):
        return discriminate(real[:, left], made[:, left], n_boot=1, group=field, drawn=drawn)[0]

    every = np.arange(real.shape[1])
    whole = area(every)
    lost = {name: whole - area(every != k) for k, name in enumerate(FEATURES[:every.size])}
    return ", ".join(f"{name} {lost[name]:+.3f}" for name in sorted(lost, key=lost.get)[:-5:-1])


def _medians(name, x, recipe):
    with np.errstate(all="ignore"):
        shares, zero, missing = np.nanmean(x[:, :3], axis=0), x[:, 6:9].mean(axis=0), x[:, 9:12].mean(axis=0)
        text = (f"   {name:9s} shares {shares.round(3)} hardness {np.nanmedian(x[:, 3:6], axis=0).round(3)} "
                f"zeros {zero.round(3)} missing {missing.round(3)}")
        if recipe == "aperture counts":
            text += f" widths {np.nanmedian(x[:, 13:16], axis=0).round(3)}"
            text += f" background {np.median(x[:, 16]):.3f}"
    print(text)


def main(data, per_class="1500"):
    """Print medians and areas under the curve."""
    rng = np.random.default_rng(1)
    table, side, field = load_rows(data, rng)
    cols = Columns(table)
    made, classes = simulate(year_of(cols), chip_of(cols)[0], cols.number("theta"), int(per_class), rng)
    s_real, s_made = significance(table), significance(made)
    weights = {}
    for recipe in sorted(RICHEST_FIRST, key=lambda name: name != "energy flux"):
        (real, ok), (fake, ok_fake) = features(table, recipe), features(made, recipe)
        for name in SIDES:
            mine = ok & (side == name) & (s_real > LEAST_SIGNIFICANCE)
            theirs = np.flatnonzero(ok_fake & (s_made > LEAST_SIGNIFICANCE))
            if name not in weights:
                weights[name] = mixture(real[mine][:, 3:5], fake[theirs][:, 3:5], classes[theirs])
                print(f"classes, {name}", dict(zip(CLASSES, weights[name].round(2).tolist(), strict=True)))
            n = 12 * max(2 * mine.sum() // 12, 1)
            chosen = theirs[alike(s_real[mine], s_made[theirs], weights[name][classes[theirs]], n, rng)]
            apart = {"group": field[mine], "drawn": chosen}
            shown, upper = discriminate(real[mine][:, 3:], fake[chosen][:, 3:], **apart)
            whole, most = discriminate(real[mine], fake[chosen], **apart)
            seen = discriminate(real[mine], fake[chosen], n_boot=1, drawn=chosen)[0]
            print(f"{recipe}, {name}: {mine.sum()} real rows, AUC {shown:.3f} (< {upper:.3f}), "
                  f"with areas {whole:.3f} (< {most:.3f}), in seen fields {seen:.3f}")
            print("   telling:", telling(real[mine], fake[chosen], field[mine], chosen))
            _medians("real", real[mine], recipe)
            _medians("simulated", fake[chosen], recipe)


if __name__ == "__main__":
    main(*sys.argv[1:])
