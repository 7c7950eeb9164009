# Licensed under a 3-clause BSD style license - see LICENSE
"""
Searching enriched tables of two missions: time and memory beside scikit-learn and scipy.

    python benchmarks/bench_explore.py [1000000]

Half of the made-up rows have Chandra's errors, half eROSITA's. `neighbors` is
asked for 10 neighbors of one row and of 1,000 rows and compared with
`sklearn.neighbors.NearestNeighbors` (brute force and k-d tree) on the same
nine-dimensional points; `outliers` with the k-th neighbor of every row from
`scipy.spatial.cKDTree`, timed on a sample of rows and scaled. CPU seconds
count, of one thread; results are checked to be the same.
"""

import resource
import sys
from time import perf_counter, process_time

import numpy as np
from astropy.table import Table, vstack
from scipy.spatial import cKDTree
from sklearn.neighbors import NearestNeighbors

from astro_xlatent.compare.neighbors import neighbors, outliers
from astro_xlatent.core.columns import N_LATENT

SAMPLE = 2000


def timed(label, function, scale=1.0):
    """Run, print CPU and wall time and peak memory; give the result and the CPU time."""
    wall, cpu = perf_counter(), process_time()
    result = function()
    cpu = (process_time() - cpu) * scale
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    wall = (perf_counter() - wall) * scale
    note = f"  (from {SAMPLE} rows)" if scale > 1 else ""
    print(f"  {label:44s} {cpu:9.2f} s CPU {wall:9.2f} s wall   peak {memory:.2f} GB{note}", flush=True)
    return result, cpu


def made_up(rng, n, error, mission):
    """Enriched rows of a population of clumps, as real latents are, seen by one mission."""
    centers = rng.standard_normal((12, N_LATENT))
    truth = centers[rng.integers(12, size=n)] * 0.8 + 0.6 * rng.standard_normal((n, N_LATENT))
    errors = error * rng.lognormal(0, 0.3, (n, N_LATENT))
    measured = truth + errors * rng.standard_normal((n, N_LATENT))
    return Table({"mission": np.full(n, mission), "xl_latent": measured.astype(np.float32),
                  "xl_latent_err": errors.astype(np.float32), "xl_flag": np.zeros(n, np.int32)},
                 meta={"XLSPACE": "made up"})


def nine_dimensions(table):
    """The points whose Euclidean distances `neighbors` uses."""
    mean = np.asarray(table["xl_latent"], float)
    noise = np.sqrt(np.sum(np.asarray(table["xl_latent_err"], float) ** 2, axis=1))
    return np.concatenate([mean, noise[:, None]], axis=1)


def search(table, points):
    """`neighbors` of one row and of many, beside scikit-learn."""
    many = np.arange(0, len(table), max(len(table) // 1000, 1))[:1000]
    for rows in (many[-1:], many):
        print(f"10 neighbors of {len(rows)} row{'s' if len(rows) > 1 else ''}")
        source = int(rows[0]) if len(rows) == 1 else table[rows]
        found, own = timed("astro_xlatent neighbors", lambda s=source: neighbors(table, s, k=10))
        query = points[rows].copy()
        query[:, N_LATENT] = 0.0
        for algorithm in ("brute", "kd_tree"):
            peer = NearestNeighbors(n_neighbors=11, algorithm=algorithm, n_jobs=1)
            (_, index), cpu = timed(f"sklearn NearestNeighbors, {algorithm}, with fit",
                                    lambda p=peer, q=query: p.fit(points).kneighbors(q))
            print(f"    {cpu / own:.1f} times as long")
        same = set(found["xn_row"][found["xn_query"] == 0]) <= set(index[0]) | {int(rows[0])}
        other = np.mean(found["mission"] != table["mission"][rows[found["xn_query"]]])
        print(f"    same rows: {same}; neighbors of the other mission: {other:.0%}")


def oddities(table, points):
    """`outliers` beside the k-th neighbor of every row."""
    print("20 outliers by the distance to the 5th neighbor")
    found, own = timed("astro_xlatent outliers", lambda: outliers(table, n=20))
    mean = points[:, :N_LATENT]
    sample = np.unique(np.r_[found["xn_row"], np.linspace(0, len(mean) - 1, SAMPLE).astype(int)])
    tree, build = timed("scipy cKDTree, building", lambda: cKDTree(mean))
    (distance, _), cpu = timed("scipy cKDTree, every row's 5th neighbor",
                               lambda: tree.query(mean[sample], k=[6]), len(mean) / len(sample))
    print(f"    {(cpu + build) / own:.1f} times as long")
    error = np.sqrt(points[:, N_LATENT] ** 2 / N_LATENT + 0.1**2)
    score = distance[:, 0] / error[sample]
    best = set(sample[np.argsort(-score)[:20]])
    print(f"    same rows, as far as the sample goes: {best == set(found['xn_row'])}")


def main(n):
    """Make the table and run both."""
    rng = np.random.default_rng(1)
    table = vstack([made_up(rng, n // 2, 0.4, "csc"), made_up(rng, n - n // 2, 0.7, "erosita")])
    print(f"{n} rows of two missions")
    points = nine_dimensions(table)
    search(table, points)
    oddities(table, points)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
