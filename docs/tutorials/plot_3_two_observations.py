# Licensed under a 3-clause BSD style license - see LICENSE
"""
Chandra and eROSITA: the same source, and one that changed
==========================================================

Rows of both missions share one latent space. Two observations of one source can be
joined, and tested for a change of the spectrum's shape.
"""

# %%
# The same sources are simulated as both catalogs have them: row ``i`` of one is row
# ``i`` of the other. Those that both see well are kept.

import matplotlib.pyplot as plt
import numpy as np
from astropy import units as u
from astropy.table import vstack

from astro_xlatent import add_latents, combine, match_catalogs, plotting
from astro_xlatent.simulate.catalog import simulate_catalog

chandra, truth = simulate_catalog(8, 1024, "csc")
erosita, other = simulate_catalog(8, 1024, "erosita")
bright = np.argsort(-np.minimum(truth["counts"] / 3, other["counts"]))[:96]
a = add_latents(chandra[bright], include=["xl_latent_cov"])
b = add_latents(erosita[bright], include=["xl_latent_cov"])

# %%
# Joined, the latents are narrower than those of either, and the test finds the sources as
# they are: the p-values are those of an unchanged spectrum.

joint = combine([a, b])
print("mean error of the first latent")
print(f"Chandra  {np.mean(a['xl_latent_err'][:, 0]):.2f}")
print(f"eROSITA  {np.mean(b['xl_latent_err'][:, 0]):.2f}")
print(f"together {np.mean(np.sqrt(joint.latent_cov[:, 0, 0])):.2f}")
print("p below 0.01:", int(np.sum(joint.p_change < 0.01)), "of", len(a))

# %%
# A source against another one, the softest against the hardest, stands for one that has changed.

order = np.argsort(np.asarray(a["xl_latent"])[:, 0])
changed = vstack([a[[order[0]]], b[[order[-1]]]], metadata_conflicts="silent")
same = vstack([a[[order[0]]], b[[order[0]]]], metadata_conflicts="silent")
fig, axes = plt.subplots(1, 2, figsize=(11, 3.6), sharey=True, layout="constrained")
for ax, pair in zip(axes, (same, changed), strict=True):
    plotting.plot_change(pair, names=["Chandra", "eROSITA"], ax=ax)
plt.show()

# %%
# Which row is which
# ------------------
# In truth nobody says which rows belong together. Put into one crowded field, with errors of
# 1 and 4 arcsec, the rows are matched by position, and by position and spectrum. (Each simulated
# catalog draws its own fluxes; leave out ``flux=None`` for real ones.)

rng = np.random.default_rng(8)
place = rng.uniform(0, 0.04, (2, len(a)))
for table, names, sigma in ((a, ("ra", "dec"), 1.0), (b, ("RA", "DEC"), 4.0)):
    shifted = place + rng.normal(0, sigma / 3600, place.shape)
    table[names[0]], table[names[1]] = shifted

pairs = match_catalogs(a, b, a_error=1.0 * u.arcsec, b_error=4.0 * u.arcsec,
                       flux=None)
true = pairs["xm_row_a"] == pairs["xm_row_b"]
print(len(a), "sources,", len(pairs), "candidate pairs")
for name in ("xm_pos_prob", "xm_prob"):
    kept = pairs[name] > 0.5
    print(f"{name}: {np.sum(kept & true)} right, {np.sum(kept & ~true)} wrong")

# %%
# :doc:`/matching` explains the columns and how to match whole catalogs.
