# Licensed under a 3-clause BSD style license - see LICENSE
"""
Does it keep its word?
======================

A probability of 0.7 should come true seven times in ten, a 68 % interval hold the truth 68
times in a hundred. Anybody can check it with simulated sources that the model has not seen.
"""

# %%
import matplotlib.pyplot as plt
import numpy as np

from astro_xlatent import add_latents, plotting
from astro_xlatent.simulate.catalog import simulate_catalog

table, truth = simulate_catalog(seed=2026, n=1500, mission="csc")
found = add_latents(table)

# %%
# Classes: in ten groups of stated probability, the share that was right.

share = np.asarray(
    found["xl_class_prob"].max(axis=1) * (1 - found["xl_class_other"])
)
share = np.maximum(share, np.asarray(found["xl_class_other"]))
right = np.asarray(found["xl_class"] == truth["class"])
groups = np.array_split(np.argsort(share), 10)
curve = [(share[g].mean(), right[g].mean(), len(g)) for g in groups]

# %%
# Column densities: the share inside, in three ranges of counts, with its binomial error.

counts, rows = np.asarray(truth["counts"]), []
inside = np.asarray(
    (found["xl_nh_lolim"] < truth["nh"]) & (truth["nh"] < found["xl_nh_hilim"])
)
below = np.asarray(truth["nh"] < found["xl_nh_ul90"])
for low, high in ((0, 20), (20, 100), (100, 1e9)):
    here = (counts >= low) & (counts < high) & (np.asarray(truth["nh"]) > 1e20)
    name = f"{low} to {high:g} counts" if high < 1e9 else f"{low} counts and more"
    for level, good in ((0.68, inside), (0.9, below)):
        p = good[here].mean()
        error = np.sqrt(p * (1 - p) / here.sum())
        rows.append((f"{name} ({here.sum()} rows)", level, p, p - error, p + error))

fig, axes = plt.subplots(1, 2, figsize=(11, 3.8), layout="constrained")
plotting.plot_reliability(curve, ax=axes[0])
plotting.plot_coverage(*zip(*rows, strict=True), ax=axes[1])
plt.show()

# %%
# :doc:`/calibration` tells what such a picture means and what it does not: real sources
# are not simulated ones.
