# Licensed under a 3-clause BSD style license - see LICENSE
"""
What counterparts add to a class
================================

Three bands do not tell a quasar from a coronal star. What Gaia, 2MASS and WISE see at the
place often does. Here one and the same X-ray source is given three different surroundings.
"""

# %%
# One faint source, four rows
# ---------------------------
# With a table of your own the counterparts come from
# ``archive.counterparts(table)``, or ``astro-xlatent counterparts`` in a shell. Here they are
# typed in: magnitudes such as a quasar has, a nearby red dwarf, and no counterpart at all,
# although it was searched for. In the last row nobody looked: masked, not empty.

import matplotlib.pyplot as plt
import numpy as np
from astropy.table import MaskedColumn, vstack

from astro_xlatent import add_latents, describe, plotting
from astro_xlatent.simulate.catalog import simulate_catalog

catalog, truth = simulate_catalog(12, 256, "csc", classes=["AGN"])
faint = catalog[[np.argmin(np.abs(np.asarray(truth["counts"]) - 60))]]
table = vstack([faint] * 4)
table["name"] = ["a quasar's", "a red dwarf's", "none found", "nobody looked"]

counterparts = {
    "Gmag": (19.5, 11.5), "BPmag": (19.8, 13.0), "RPmag": (19.0, 10.3),
    "Plx": (0.1, 50.0), "e_Plx": (0.3, 0.03),
    "PM": (0.3, 200.0), "e_PM": (0.4, 0.03),
    "Jmag": (17.5, 9.0), "Hmag": (16.8, 8.4), "Kmag": (16.1, 8.1),
    "W1mag": (15.4, 7.9), "W2mag": (14.2, 7.8), "W3mag": (11.2, 7.7),
}
for name, values in counterparts.items():
    table[name] = MaskedColumn([*values, 0, 0], mask=[0, 0, 1, 1])
for survey in ("gaia_n", "tmass_n", "allwise_n"):
    table[survey] = MaskedColumn([1, 1, 0, 0], mask=[0, 0, 0, 1])

# %%
# The spectrum alone, and with its surroundings
# ---------------------------------------------

describe(add_latents(faint))

# %%

found = add_latents(table, evidence="counterparts",
                    include="xl_class_evidence")
describe(found)

# %%
# Who says what
# -------------
# The bars of spectrum and counterparts add up to the mark. The spectrum's stay the same.

fig, axes = plt.subplots(1, 3, figsize=(12, 3.6), sharex=True, layout="constrained")
for row, ax in enumerate(axes):
    plotting.plot_evidence(found, row, ax=ax)
    ax.set_title(found["name"][row], fontsize="medium")
plt.show()

# %%
# An empty column says "searched, and nothing there", which speaks for a neutron star; a masked
# number of candidates says "unknown", and the class stays the spectrum's. :doc:`/evidence` tells how
# much counterparts are worth on real sources, and where the labels behind them come from.
