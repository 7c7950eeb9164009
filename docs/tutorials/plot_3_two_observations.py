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
from astropy.table import vstack

from astro_xlatent import add_latents, combine, plotting
from astro_xlatent.simulate.catalog import simulate_catalog

chandra, truth = simulate_catalog(8, 1024, "csc")
erosita, other = simulate_catalog(8, 1024, "erosita")
bright = np.argsort(-np.minimum(truth["counts"] / 3, other["counts"]))[:24]
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
# Whole catalogs are matched by position, spectrum and flux together: see :doc:`/matching`.
