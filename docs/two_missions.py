# Licensed under a 3-clause BSD style license - see LICENSE
"""
Two catalogs of one sky: enrich, match, and find the source that changed.

    python docs/two_missions.py [-o DIR] [--detections FILE]

First with simulated catalogs in the columns of the CSC and of eRASS1, whose
truth is known: DIR gets ``matches.vot``, with units and UCDs, and
``two_missions.png``. Then, if a file is given, with real ones: a table of CSC
detections (``name``, ``obsid``, ``obi``, ``region_id``, ``ra``, ``dec`` and band
fluxes) is enriched from its own columns and matched against itself.

Every step is a function that can be called from a notebook; cells begin with
``# %%``.
"""

# %% What is needed
import argparse
from pathlib import Path

import numpy as np
from astropy import units as u

from astro_xlatent import add_latents, match_catalogs
from astro_xlatent.compare.match import join_pairs
from astro_xlatent.simulate.catalog import simulate_catalog
from astro_xlatent.table.files import read_table, write_table

#: Standard deviation of positions in one coordinate, arcsec.
CHANDRA, EROSITA = 1.0, 4.0
BANDS = ("_s", "_m", "_h")


# %% One sky, seen twice


def observe_sky(n=4096, seed=3, minimum=10, side=0.2):
    """
    The same simulated sources in the columns of both missions; one has changed.

    Of n sources those with more than ``minimum`` expected counts in both
    missions are kept. Of the brightest fifth, Chandra sees the softest source
    with the bands of the hardest.

    Returns
    -------
    chandra, erosita : `~astropy.table.Table`
        Row i of both is source i; one more column, ``source``, says so.
    changed : int
        The source that has changed.
    """
    tables = []
    simulated = [simulate_catalog(seed, n, mission) for mission in ("csc", "erosita")]
    bright = np.logical_and(*[truth["counts"] > minimum for _, truth in simulated])
    rng = np.random.default_rng(seed)
    ra, dec = rng.uniform(-side / 2, side / 2, (2, bright.sum()))
    for (catalog, _), sigma, names in zip(simulated, (CHANDRA, EROSITA), (("ra", "dec"), ("RA", "DEC")),
                                          strict=True):
        table = catalog[bright]
        shift = rng.normal(0, sigma / 3600, (2, len(table)))
        table[names[0]], table[names[1]] = (ra + shift[0]) % 360 * u.deg, (dec + shift[1]) * u.deg
        table["source"] = np.arange(len(table))
        tables.append(table)
    chandra, erosita = tables
    # The CSC publishes 95 % radii, eRASS the standard deviation in one coordinate.
    chandra["err_ellipse_r0"] = 2.4477 * CHANDRA * u.arcsec
    erosita["POS_ERR"] = EROSITA * u.arcsec
    strength = np.minimum(*[truth["counts"][bright] for _, truth in simulated])
    brightest = np.argsort(strength)[-max(len(strength) // 5, 2):]
    order = brightest[np.argsort(chandra["hard_hs"][brightest])]
    for name in chandra.colnames:
        if name.endswith(BANDS):
            chandra[name][order[0]] = chandra[name][order[-1]]
    return chandra, erosita, int(order[0])


# %% Enrich and match


def enrich_and_match(chandra, erosita):
    """
    One call for each table, one for both.

    Simulated catalogs draw exposure and flux of every mission anew, so that
    fluxes are not compared here; leave out ``flux=None`` for real ones.

    Returns
    -------
    a, b, pairs : `~astropy.table.Table`
    """
    a = add_latents(chandra, include=["xl_latent_cov"])
    b = add_latents(erosita, include=["xl_latent_cov"])
    return a, b, match_catalogs(a, b, flux=None)


def unchanged(pairs):
    """Probability that spectrum and flux are unchanged, given that the pair is one source."""
    return np.asarray(pairs["xm_prob_same"]) / np.maximum(pairs["xm_prob"], 1e-30)


def describe(a, b, pairs):
    """What became of true pairs and of chance pairs, as text."""
    true = np.asarray(a["source"][pairs["xm_row_a"]] == b["source"][pairs["xm_row_b"]])
    common = len(set(a["source"]) & set(b["source"]))
    lines = [f"{len(a)} and {len(b)} rows, {common} sources in both; {len(pairs)} candidate pairs, "
             f"{(~true).sum()} of them by chance"]
    for label, name in (("position alone", "xm_pos_prob"), ("position and spectrum", "xm_prob")):
        value = np.asarray(pairs[name])
        kept = value > 0.5
        lines.append(f"  {label + ' > 0.5:':28s} {kept[true].sum() / max(common, 1):.1%} of the sources "
                     f"found, {kept[~true].sum()} chance pairs left")
        if true.any() and (~true).any():
            limit = np.quantile(value[true], 0.05)
            lines.append(f"  {'at 95 % completeness:':28s} {np.mean(value[~true] < limit):.1%} "
                         "of the chance pairs rejected")
    return "\n".join(lines)


# %% Write and draw


def draw(a, b, pairs, changed):
    """Three panels: the sky, the evidence of all pairs, and the latents of the changed source."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 3.6), layout="constrained")
    sky, evidence, latents = figure.subplots(1, 3)
    for table, names, style, label in ((a, ("ra", "dec"), dict(marker="+", s=22, color="#0072B2"), "Chandra"),
                                       (b, ("RA", "DEC"), dict(marker="o", s=22, facecolor="none",
                                                               edgecolor="#E69F00"), "eROSITA")):
        ra = (np.asarray(table[names[0]]) + 180) % 360 - 180
        sky.scatter(ra * 60, np.asarray(table[names[1]]) * 60, label=label, lw=0.9, **style)
    where = [((float(a["ra"][changed]) + 180) % 360 - 180) * 60, float(a["dec"][changed]) * 60]
    sky.plot(*where, "o", ms=14, mfc="none", mec="#D55E00", mew=1.5, label="the changed source")
    sky.set(xlabel="right ascension [arcmin]", ylabel="declination [arcmin]")
    sky.invert_xaxis()
    sky.legend(loc="lower center", bbox_to_anchor=(0.45, 1.0), ncols=3, fontsize="small", frameon=False,
               columnspacing=0.8, handletextpad=0.2)

    true = np.asarray(a["source"][pairs["xm_row_a"]] == b["source"][pairs["xm_row_b"]])
    star = true & (np.asarray(a["source"][pairs["xm_row_a"]]) == changed)
    for part, size, color, label in ((~true, 3, "0.6", "by chance"),
                                     (true & ~star, 4, "#0072B2", "one source"),
                                     (star, 9, "#D55E00", "one source, changed")):
        evidence.plot(pairs["xm_pos_sigma"][part], np.clip(pairs["xm_spec_logb"][part], -15, None), "o",
                      ms=size, color=color, label=label, mec="none")
    evidence.axhline(0, color="0.8", lw=0.8, zorder=0)
    evidence.set(xlabel="separation [standard deviations]",
                 ylabel="ln of the spectra's Bayes factor (cut at -15)")
    evidence.legend(loc="lower center", bbox_to_anchor=(0.45, 1.0), ncols=3, fontsize="small", frameon=False,
                    columnspacing=0.8, handletextpad=0.0)

    axis = np.arange(8)
    for table, shift, color, label in ((a, -0.12, "#0072B2", "Chandra"), (b, 0.12, "#E69F00", "eROSITA")):
        row = int(np.flatnonzero(table["source"] == changed)[0])
        latents.errorbar(axis + shift, table["xl_latent"][row], table["xl_latent_err"][row], fmt="o", ms=4,
                         color=color, label=label)
    latents.axhline(0, color="0.8", lw=0.8, zorder=0)
    latents.set(xlabel="latent", ylabel="the changed source's latents, 1 sigma")
    latents.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2, fontsize="small", frameon=False)
    return figure


def simulated_sky(folder, n=4096):
    """The first part: simulate, enrich, match, find, write, draw."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    chandra, erosita, changed = observe_sky(n)
    a, b, pairs = enrich_and_match(chandra, erosita)
    print(describe(a, b, pairs))
    best = pairs[pairs["xm_best"]]
    least = np.argmin(unchanged(best))
    found = int(a["source"][best["xm_row_a"][least]])
    print(f"  least likely unchanged, with {unchanged(best)[least]:.1e}: source {found}; the one that has "
          f"changed: source {changed}")
    rows = join_pairs(a, b, best, suffixes=("_csc", "_erass"))
    write_table(rows, folder / "matches.vot", overwrite=True)
    draw(a, b, pairs, changed).savefig(folder / "two_missions.png", dpi=80)
    return rows, found, changed


# %% Real detections against themselves


def real_detections(path, limit=None):
    """
    Detections enriched from their own columns, and matched against themselves.

    Detections with equal ``obsid``, ``obi`` and ``region_id`` count once. Of
    every source with several, the first in the order of observation goes into
    one catalog and the next into the other; those with one go into either
    in turn. Published positions are the source's, the same for all its
    detections: they are scattered by Chandra's and by eROSITA's errors. Bands,
    crowding and changes are real.
    """
    table = read_table(path)
    columns = [np.asarray(table[name]) for name in ("obsid", "obi", "region_id")]
    keys = np.array([".".join(map(str, key)) for key in zip(*columns, strict=True)])
    _, first = np.unique(keys, return_index=True)
    table = table[np.sort(first)][:limit]
    joint = add_latents(table, group_by="name", include=["xl_latent_cov"])
    several = np.unique(joint["name"], return_index=True)[1]
    p = np.ma.asarray(joint["xl_p_change"])[several].compressed()
    print(f"{Path(path).name}: {len(joint)} detections of {len(several)} sources; of {len(p)} with more than "
          f"one usable detection {np.mean(p < 1e-3):.0%} have changed their spectrum (p < 0.001)")
    single = add_latents(table, include=["xl_latent_cov"])
    a, b = _two_catalogs(single)
    pairs = match_catalogs(a, b)
    print(describe(a, b, pairs))
    return a, b, pairs


def _two_catalogs(table):
    """Two detections of each source, one for either catalog, with scattered positions."""
    rng = np.random.default_rng(5)
    when = "gti_obs" if "gti_obs" in table.colnames else "obsid"
    table = table[np.argsort(table[when], kind="stable")]
    _, source = np.unique(np.asarray(table["name"]), return_inverse=True)
    usable = ~np.ma.getmaskarray(np.ma.asarray(table["xl_latent"])).any(axis=1)
    sides = [[], []]
    for k, number in enumerate(np.unique(source)):
        rows = np.flatnonzero((source == number) & usable)
        if len(rows) == 1:
            sides[k % 2].append(rows[0])
        elif len(rows):
            sides[0].append(rows[0]), sides[1].append(rows[1])
    catalogs = []
    for rows, sigma in zip(sides, (EROSITA, CHANDRA), strict=True):
        part = table[np.array(rows, int)]
        part["source"] = source[np.array(rows, int)]
        shift = rng.normal(0, sigma / 3600, (2, len(part)))
        part["dec"] = np.clip(np.asarray(part["dec"]) + shift[0], -90, 90)
        part["ra"] = (np.asarray(part["ra"]) + shift[1] / np.cos(np.radians(part["dec"]))) % 360
        part["pos_err"] = sigma * u.arcsec
        catalogs.append(part)
    return catalogs


# %% Both


def main(argv=None):
    """Run both parts."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("-o", "--output", default="two_missions_output", metavar="DIR")
    parser.add_argument("--n", type=int, default=4096, help="simulated sources, most of which are too faint")
    parser.add_argument("--detections", metavar="FILE", help="table of CSC detections (.csv.gz, .fits, ...)")
    args = parser.parse_args(argv)
    simulated_sky(args.output, args.n)
    if args.detections:
        real_detections(args.detections)


if __name__ == "__main__":
    main()
