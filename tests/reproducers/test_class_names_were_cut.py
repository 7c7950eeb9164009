# Licensed under a 3-clause BSD style license - see LICENSE
"""Class names of a model were cut to the seven letters of the longest one of the shipped model."""

import numpy as np
from band_rows import csc_table

from astro_xlatent.model.posterior import Model
from astro_xlatent.table.add_latents import add_latents


def test_long_names(random_model):
    """Whole, in the class and in the set of classes."""
    names = [f"compact-object-{k}" for k in range(8)] + ["none of these"]
    info = {**random_model.info, "classes": names}
    model = Model(info, random_model.encoder, random_model.decoder, random_model.teacher,
                  random_model.calibration)
    found = add_latents(csc_table(), model=model, include="xl_class_set")
    assert set(found["xl_class"]) <= set(names)
    assert all(set(text.split(",")) <= set(names) for text in np.asarray(found["xl_class_set"]))
