# Licensed under a 3-clause BSD style license - see LICENSE
"""A labeled and enriched table with made-up latents that know the class."""

import numpy as np
from astropy.table import Table

from astro_xlatent.core.columns import CLASSES, make_column


def make_labeled(rows=240, classes=("AGN", "CV", "LMXB"), seed=1):
    """Latents and probabilities follow the class, hardness ratios are noise."""
    rng = np.random.default_rng(seed)
    index = rng.integers(len(classes), size=rows)
    label = np.array(classes)[index]
    table = Table({"name": [f"s{k}" for k in range(rows)], "class_label": label,
                   "ra": rng.uniform(0, 360, rows), "dec": np.degrees(np.arcsin(rng.uniform(-1, 1, rows))),
                   "significance": rng.uniform(3, 30, rows), "nh_gal": rng.uniform(1, 50, rows)})
    for band in "smh":
        flux = 10 ** rng.uniform(-14, -13, rows)
        for part, factor in (("", 1.0), ("lolim_", 0.8), ("hilim_", 1.2)):
            table[f"flux_aper_{part}{band}"] = flux * factor
    latent = rng.normal(size=(rows, 8))
    latent[:, 0] += 3.0 * index
    prob = rng.dirichlet(np.full(len(CLASSES), 0.5), rows)
    prob[np.arange(rows), [CLASSES.index(name) for name in label]] += 1.0
    prob /= prob.sum(axis=1, keepdims=True)
    nh = 10 ** rng.uniform(20.5, 22.5, rows)
    values = {"xl_latent": latent, "xl_latent_err": np.ones((rows, 8)), "xl_class_prob": prob,
              "xl_class": np.array(CLASSES)[prob.argmax(axis=1)], "xl_nh": nh, "xl_nh_lolim": nh / 1.6,
              "xl_nh_hilim": nh * 1.6, "xl_nh_ul90": nh * 1.8, "xl_model": ["made-up"] * rows}
    for name, value in values.items():
        table[name] = make_column(name, value)
    return table
