# Licensed under a 3-clause BSD style license - see LICENSE
"""
From a table of Chandra sources to classes
==========================================

A table with the columns of the Chandra Source Catalog goes in; classes, column
densities and fluxes come out, and we look at how far to believe them.
"""

# %%
# A table
# -------
# Yours would be ``Table.read("csc.fits")``. Here 600 sources are simulated as the catalog
# publishes them; ``truth`` holds what they are.

import matplotlib.pyplot as plt
import numpy as np

from astro_xlatent import add_latents, decode_flags, plotting
from astro_xlatent.simulate.catalog import simulate_catalog

table, truth = simulate_catalog(seed=4, n=600, mission="csc")
table["name", "flux_aper_s", "flux_aper_m", "flux_aper_h"][:4].pprint()

# %%
# One call
# --------

enriched = add_latents(table)
enriched["name", "xl_class", "xl_class_other", "xl_nh", "xl_nh_ul90"][:6].pprint()

# %%
# The class is a guess with a probability, and the probability is what counts. Of the
# first six rows:

ax = plotting.plot_probabilities(
    enriched[:6],
    names=enriched["name"][:6],
    ax=plt.figure(figsize=(8, 3.4), layout="constrained").add_subplot(),
)

# %%
# Where the spectrum decides
# --------------------------
# Here the truth is known. Among rows whose class has at least 60 % the class is right
# more often than among the others:

share = enriched["xl_class_prob"].max(axis=1) * (1 - enriched["xl_class_other"])
label = np.where(enriched["xl_class"] == truth["class"], "right", "wrong")
for name, rows in (
    ("probability of 0.6 or more", share >= 0.6),
    ("less", share < 0.6),
):
    print(f"{name}: {rows.sum()} rows, {np.mean(label[rows] == 'right'):.0%} right")

# %%
# Three bands cannot tell all classes apart. Position, brightness and counterparts know more:
# see the options ``prior`` and ``evidence`` of `~astro_xlatent.table.add_latents.add_latents`.
#
# The column density
# ------------------
# Where the flag ``NH_UPPER_LIMIT`` is set, quote ``xl_nh_ul90``, elsewhere the interval.

limit = np.array(
    ["NH_UPPER_LIMIT" in names for names in decode_flags(enriched["xl_flag"])]
)
print(f"{limit.sum()} upper limits, {(~limit).sum()} intervals")
fig, ax = plt.subplots(layout="constrained")
ax.errorbar(
    truth["nh"][~limit],
    enriched["xl_nh"][~limit],
    [
        (enriched["xl_nh"] - enriched["xl_nh_lolim"])[~limit],
        (enriched["xl_nh_hilim"] - enriched["xl_nh"])[~limit],
    ],
    fmt=".",
    alpha=0.4,
    label="68 % intervals",
)
ax.plot(
    truth["nh"][limit],
    enriched["xl_nh_ul90"][limit],
    "v",
    ms=4,
    alpha=0.5,
    label="90 % upper limits",
)
ax.plot([1e20, 1e24], [1e20, 1e24], color="0.5")
ax.set(
    xscale="log",
    yscale="log",
    xlabel="true N$_H$ [cm$^{-2}$]",
    ylabel="found [cm$^{-2}$]",
    xlim=(1e19, 1e24),
)
ax.legend()

# %%
# Look at the rest
# ----------------
# ``plotting.write_report(enriched, "report.html")`` makes a page to click through, and
# ``plotting.send(enriched)`` hands the table to TOPCAT or Aladin.

plotting.plot_latents(
    enriched, directions=True, ax=plt.figure(layout="constrained").add_subplot()
)
plt.show()
