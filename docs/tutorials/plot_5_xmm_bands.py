# Licensed under a 3-clause BSD style license - see LICENSE
"""
XMM-Newton's bands to column densities
======================================

The five bands of a row of 4XMM are enough for a column density.
"""

# %%
import matplotlib.pyplot as plt
import numpy as np

from astro_xlatent import add_latents, plotting
from astro_xlatent.simulate.catalog import simulate_catalog

table, truth = simulate_catalog(seed=5, n=400, mission="xmm", classes=["AGN"])
enriched = add_latents(table)
enriched["IAUNAME", "EP_8_CTS", "xl_nh", "xl_nh_lolim", "xl_nh_hilim"][:5].pprint()

# %%
# How often the intervals hold the truth, above 1e20 1/cm2, which is the least that is told:

known = np.asarray(truth["nh"]) > 1e20
inside = (enriched["xl_nh_lolim"] < truth["nh"]) & (
    truth["nh"] < enriched["xl_nh_hilim"]
)
below = truth["nh"] < enriched["xl_nh_ul90"]
print(
    f"68 % intervals hold {np.mean(inside[known]):.0%}, 90 % upper limits {np.mean(below[known]):.0%}"
)

# %%
# The most and the least absorbed of the bright ones:

bright = np.flatnonzero(np.asarray(table["EP_8_CTS"]) > 200)
order = bright[np.argsort(np.asarray(enriched["xl_nh"])[bright])]
fig, axes = plt.subplots(1, 2, figsize=(9, 3), layout="constrained")
for ax, row in zip(axes, (order[0], order[-1]), strict=True):
    plotting.plot_nh(enriched, int(row), truth=float(truth["nh"][row]), ax=ax)
plt.show()
