# Licensed under a 3-clause BSD style license - see LICENSE
"""A table as `add_latents` returns it, with made-up values, for tests of what reads it."""

import numpy as np
from astropy.table import Table

from astro_xlatent.core.columns import CLASSES, COLUMNS, make_column
from astro_xlatent.core.flags import Flag


def make_enriched(rows=6):
    """Make a table whose last row has no data and is masked."""
    rng = np.random.default_rng(3)
    table = Table({"name": [f"source {i}" for i in range(rows)], "ra": rng.uniform(0, 360, rows)})
    prob = rng.dirichlet(np.ones(len(CLASSES)), rows)
    empty = np.arange(rows) == rows - 1
    values = {"xl_class": np.array(CLASSES)[prob.argmax(axis=1)], "xl_class_prob": prob,
              "xl_flag": np.where(empty, Flag.NO_DATA, Flag.BANDS_ONLY), "xl_model": ["test-1"] * rows,
              "xl_reason": np.where(empty, "no usable band", ""), "xl_nh": rng.uniform(1e20, 1e22, rows)}
    for name, spec in COLUMNS.items():
        if spec.optional:
            continue
        value = values.get(name, rng.uniform(0, 1, (rows, *spec.shape)))
        always = name in ("xl_flag", "xl_reason", "xl_model")
        table[name] = make_column(name, value, mask=None if always else empty)
    table.meta.update({"XLMODEL": "test-1", "XLSPACE": "test"})
    return table
