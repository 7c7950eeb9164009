# Licensed under a 3-clause BSD style license - see LICENSE
"""
Finding the odd ones out, and their like
========================================

Which sources of a catalog lie far from all others, and which resemble a given one?
"""

# %%
import matplotlib.pyplot as plt

from astro_xlatent import add_latents, neighbors, outliers, plotting
from astro_xlatent.simulate.catalog import simulate_catalog

# Mostly AGN and stars, as in the sky; a few neutron stars among them.
table, truth = simulate_catalog(
    seed=9,
    n=800,
    mission="csc",
    classes={"AGN": 60, "LM-STAR": 36, "HMXB": 3, "NS": 1},
)
enriched = add_latents(table, include=["xl_latent_cov"])

# %%
# The rows with the fewest like them. What they truly are stands beside:

odd = outliers(enriched, n=8)
odd["truth"] = truth["class"][odd["xn_row"]]
odd["name", "xn_isolation", "xl_class", "xl_outlier", "truth"].pprint()

# %%
# The sources most like the first of them:

like = neighbors(enriched, int(odd["xn_row"][0]), k=5)
like["truth"] = truth["class"][like["xn_row"]]
like["name", "xn_distance", "xl_class", "truth"].pprint()

# %%
# Where the hardness ratios put them, with absorbed power laws as a guide:

fig, axes = plt.subplots(1, 2, figsize=(11, 4.6), layout="constrained")
plotting.plot_hardness(enriched, ax=axes[0])
plotting.plot_latents(enriched, ax=axes[1])
plt.show()
