# Licensed under a 3-clause BSD style license - see LICENSE
"""Rows of a catalog with band fluxes, for tests of what reads them."""

import numpy as np
from astropy.table import Table


def csc_table(rows=5):
    """Energy fluxes with limits, as in the Chandra Source Catalog."""
    rng = np.random.default_rng(5)
    table = Table({"name": [f"2CXO {i}" for i in range(rows)]})
    for band in "smh":
        flux = rng.uniform(1e-14, 1e-13, rows)
        for suffix, factor in (("", 1.0), ("_lolim", 0.85), ("_hilim", 1.15)):
            table[f"flux_aper{suffix}_{band}"] = flux * factor
    return table
