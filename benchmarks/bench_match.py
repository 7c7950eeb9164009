# Licensed under a 3-clause BSD style license - see LICENSE
"""
Matching: speed and memory, and how well it does on simulated twin catalogs.

    python benchmarks/bench_match.py speed 1000000 400000 [cov]
    python benchmarks/bench_match.py truth 4000

``speed`` matches made-up catalogs over the whole sky, a third of the second
in the first, and runs astropy's `search_around_sky` on the same positions.
``truth`` observes the same simulated sources with Chandra and eROSITA (bands
only, catalog recipes), enriches both with the bundled model, puts them on a
crowded sky, and compares the matches with the truth.
"""

import resource
import sys
from time import perf_counter, process_time

import numpy as np
from astropy import units as u
from astropy.coordinates import SkyCoord, search_around_sky
from astropy.table import Table, vstack

from astro_xlatent import load_model
from astro_xlatent.compare.match import match_catalogs
from astro_xlatent.compare.neighbors import neighbors, outliers
from astro_xlatent.compare.observations import combine
from astro_xlatent.core.columns import N_LATENT, make_column
from astro_xlatent.simulate.instruments import default_instruments
from astro_xlatent.simulate.observe import draw_apertures, read_published
from astro_xlatent.simulate.populations import CLASSES, draw_sources

FLUXES = ("05_2", "2_7", "02_23")


def memory():
    """Largest memory of this process so far, GB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def timed(label, function):
    """Run, print wall and CPU time and peak memory, give the result."""
    wall, cpu = perf_counter(), process_time()
    result = function()
    print(f"{label:34s} {perf_counter() - wall:7.1f} s wall {process_time() - cpu:7.1f} s CPU"
          f"   peak {memory():.2f} GB", flush=True)
    return result


def made_up(rng, n, sigma, cov):
    """Enriched rows all over the sky."""
    table = Table({"ra": rng.uniform(0, 360, n), "dec": np.degrees(np.arcsin(rng.uniform(-1, 1, n)))})
    table["pos_err"] = (sigma * rng.lognormal(0, 0.4, n)).astype(np.float32) * u.arcsec
    table["xl_latent"] = rng.standard_normal((n, N_LATENT), np.float32)
    table["xl_latent_err"] = np.full((n, N_LATENT), 0.5, np.float32)
    if cov:
        table["xl_latent_cov"] = np.tile(np.eye(N_LATENT, dtype=np.float32) * 0.25, (n, 1, 1))
    flux = (1e-14 * rng.random(n) ** -1.0).astype(np.float32)
    for part, factor in (("", 1.0), ("_lolim", 0.8), ("_hilim", 1.2)):
        table[f"xl_flux_05_2{part}"] = factor * flux * u.erg / u.s / u.cm**2
    table.meta["XLSPACE"] = "made up"
    return table


def speed(n_a, n_b, cov):
    """Match, search, and explore made-up tables."""
    rng = np.random.default_rng(1)
    a, b = made_up(rng, n_a, 4.0, cov), made_up(rng, n_b, 1.0, cov)
    shared = min(n_a, n_b) // 3
    for name in ("ra", "dec", "xl_latent"):
        b[name][:shared] = a[name][:shared]
    b["dec"][:shared] = np.clip(b["dec"][:shared] + rng.normal(0, 4 / 3600, shared), -90, 90)
    print(f"{n_a} x {n_b} rows, {'full covariances' if cov else 'errors only'}; tables {memory():.2f} GB")
    pairs = timed("match_catalogs", lambda: match_catalogs(a, b))
    print(f"  {len(pairs)} pairs, share {pairs.meta['XMSHARE']:.3f}")
    timed("neighbors of one row, k=10", lambda: neighbors(a, 0))
    timed("outliers, n=20", lambda: outliers(a))
    sky = [SkyCoord(t["ra"], t["dec"], unit="deg") for t in (a, b)]
    found = timed("astropy search_around_sky, 20 arcsec", lambda: search_around_sky(*sky, 20 * u.arcsec))
    print(f"  {len(found[0])} pairs")


def true_latents(model, spectra):
    """Latents that the teacher gives to incident spectra."""
    import torch

    from astro_xlatent.train.stream import teacher_input

    with torch.no_grad():
        return model.teacher(torch.as_tensor(teacher_input(spectra), dtype=torch.float32)).numpy()


def enrich(model, bins):
    """Columns of a posterior that matching uses."""
    posterior = model.infer(bins)
    table = Table({"xl_latent": make_column("xl_latent", posterior.latent),
                   "xl_latent_cov": make_column("xl_latent_cov", posterior.latent_cov)})
    for name in FLUXES:
        for part, values in zip(("_lolim", "", "_hilim"), posterior.flux[name].T, strict=True):
            table[f"xl_flux_{name}{part}"] = make_column(f"xl_flux_{name}{part}", values)
    table.meta["XLSPACE"] = model.latent_space
    return table, posterior


def twins(rng, n, model):
    """Observe n sources twice; the last fifth have changed to another source's spectrum and flux."""
    instruments = {i.mission: i for i in default_instruments(years=[2010])}
    classes = rng.integers(len(CLASSES), size=n)
    first, second = (draw_sources(classes, np.random.default_rng(s)).spectrum for s in (11, 12))
    changed = np.arange(n) >= n - n // 5
    later = np.where(changed[:, None], second[rng.permutation(n)], first)
    scale = (1e-5 * rng.random(n) ** -0.8)[:, None]
    scatter = 10 ** rng.normal(0, 0.1, n)[:, None]
    tables = []
    latents = true_latents(model, first)
    for spectra, mission, recipe in ((first, "csc", "energy flux"), (later, "erosita", "aperture counts")):
        spectra = spectra / spectra.sum(axis=1, keepdims=True) * scale
        seen = draw_apertures(spectra * (scatter if len(tables) else 1.0), instruments[mission], rng)
        tables.append(enrich(model, read_published(seen, recipe, rng)))
    return tables, changed, latents, classes


def on_the_sky(rng, tables, side):
    """Give rows of both tables the same positions, with errors, and add as many unrelated rows to each."""
    n = len(tables[0])
    ra, dec = rng.uniform(0, side, n), rng.uniform(-side / 2, side / 2, n)
    placed = []
    for table, sigma in zip(tables, (1.0, 4.0), strict=True):
        own, extra = table.copy(), table[rng.permutation(n)]
        own["ra"] = (ra + rng.normal(0, sigma / 3600, n)) % 360
        own["dec"] = dec + rng.normal(0, sigma / 3600, n)
        extra["ra"], extra["dec"] = rng.uniform(0, side, n), rng.uniform(-side / 2, side / 2, n)
        own["source"], extra["source"] = np.arange(n), np.full(n, -1)
        both = vstack([own, extra], metadata_conflicts="silent")
        both["pos_err"] = sigma * u.arcsec
        placed.append(both)
    return placed


def truth(n):
    """Match twin catalogs on a crowded sky and print what came out."""
    rng = np.random.default_rng(2)
    model = load_model()
    ((csc, seen_csc), (ero, seen_ero)), changed, latents, classes = twins(rng, n, model)
    for density in (1000, 20000):
        a, b = on_the_sky(rng, (ero, csc), np.sqrt(2 * n / density))
        report(match_catalogs(a, b), a, b, changed, density)
    joint([seen_csc, seen_ero], changed, latents, classes)


def report(pairs, a, b, changed, density):
    """Completeness, purity, and what became of changed sources."""
    source = np.asarray(a["source"][pairs["xm_row_a"]])
    true = (source >= 0) & (source == b["source"][pairs["xm_row_b"]])
    moved = true & changed[np.maximum(source, 0)]
    same = true & ~moved
    print(f"\n{density} sources per square degree and catalog, errors 4 and 1 arcsec, half of them twins, "
          f"a fifth of these changed\n  {len(pairs)} candidate pairs: {same.sum()} twins unchanged, "
          f"{moved.sum()} changed, {(~true).sum()} chance; share {pairs.meta['XMSHARE']:.3f}, "
          f"spectral evidence tempered by {pairs.meta['XMTEMPER']:.2f}")
    for label, column in (("position", "xm_pos_prob"), ("position, spectrum, flux", "xm_prob")):
        value = np.asarray(pairs[column])
        _, row = np.unique(pairs["xm_row_a"], return_inverse=True)
        highest = np.zeros(row.max() + 1)
        np.maximum.at(highest, row, value)
        best = value >= highest[row]
        for limit in (0.5, 0.9):
            kept = best & (value > limit)
            print(f"  {label:26s} > {limit}: {kept[same].sum() / np.sum(~changed):6.1%} of unchanged and "
                  f"{kept[moved].sum() / changed.sum():6.1%} of changed twins kept, "
                  f"{1 - kept[~true].mean():6.1%} of chance pairs rejected, {true[kept].mean():6.1%} pure")
        print(f"  {label:26s} chance pairs rejected with 95 % of unchanged twins kept: "
              f"{np.mean(value[~true] < np.quantile(value[same], 0.05)):.1%}")
    found = np.asarray(pairs["xm_prob_same"]) / np.maximum(pairs["xm_prob"], 1e-30)
    for name, value, limit in (("P(unchanged | one source) < 0.5", 1 - found, 0.5),
                               ("latents differ by > 3 sigma", np.asarray(pairs["xm_latent_sigma"]), 3.0)):
        print(f"  {name}: {np.mean(value[moved] > limit):.1%} of changed twins, "
              f"{np.mean(value[same] > limit):.2%} of unchanged ones")


def joint(observations, changed, latents, classes):
    """Joint posteriors of unchanged twins against the true latents and classes."""
    from scipy.stats import chi2

    found = combine(observations)
    print("\njoint posteriors of unchanged twins (68 % region, error, log score of the class)")
    for label, part in (("Chandra", combine(observations[:1])), ("eROSITA", combine(observations[1:])),
                        ("both", found)):
        offset = (part.latent - latents)[~changed]
        solved = np.linalg.solve(part.latent_cov[~changed], offset[..., None])[..., 0]
        square = np.einsum("ni,ni->n", offset, solved)
        score = np.log(part.class_prob[np.arange(len(changed)), classes])[~changed].mean()
        print(f"  {label:8s} coverage {np.mean(square < chi2(8).ppf(0.68)):.3f}   rms error "
              f"{np.sqrt(np.mean(offset**2)):.3f}   log score {score:.3f} (none: {-np.log(9):.3f})")
    p = found.p_change[~changed & np.isfinite(found.p_change)]
    print("  p_change of unchanged twins: " + ", ".join(
        f"{np.mean(p < level):.4f} below {level}" for level in (0.001, 0.01, 0.1, 0.5)))


if __name__ == "__main__":
    kind = sys.argv[1] if len(sys.argv) > 1 else "truth"
    if kind == "speed":
        numbers = [int(v) for v in sys.argv[2:4]] or [100_000, 40_000]
        speed(*numbers, "cov" in sys.argv)
    else:
        truth(int(sys.argv[2]) if len(sys.argv) > 2 else 4000)
