# Licensed under a 3-clause BSD style license - see LICENSE
"""
Training a model of your own
============================

The same steps that made the released model, on networks so small that they take a minute:
to see what comes out, not to use it.
"""

# %%
# Settings
# --------
# Observations are simulated while the network learns from them: nothing is to be prepared. For a
# real model leave out what is set here but name and device, give ``train`` a folder of ARF and
# RMF files of your instruments, and a GPU.

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt

from astro_xlatent import add_latents, describe, load_model, plotting
from astro_xlatent.simulate.catalog import simulate_catalog
from astro_xlatent.train.run import train
from astro_xlatent.train.settings import Settings

settings = Settings(name="mine", device="cpu", workers=0,
                    width=32, n_layers=1, pool=1000, teacher_steps=40,
                    encoder_steps=40, calibration_batches=2)
folder = tempfile.TemporaryDirectory()
mine = train(None, Path(folder.name) / "run", settings)

# %%
# In a shell it is ``astro-xlatent train --config settings.json -o run``; ``--resume`` goes on with
# a run that was stopped.
#
# A model is a folder
# -------------------
# Its name goes wherever a model's name can stand. Its teacher has made a latent space of its own:
# tables of different spaces are not compared.

model = load_model(mine)
print(model.latent_space, "beside", load_model().latent_space)

# %%
# What it has learned of a simulated source in so short a time is next to nothing, and it
# says so: calibration widens what is not known.

table, truth = simulate_catalog(seed=4, n=4, mission="csc")
describe(add_latents(table, model=mine))

# %%
# Beside the released model. ``astro-xlatent evaluate --simulated --model run/model`` scores a model.

describe(add_latents(table))

# %%
# What its latents do to a spectrum so far:

fig, axes = plt.subplots(1, 3, figsize=(11, 3.6), layout="constrained")
plotting.plot_traversals(model, latents=(0, 1, 2), axes=axes)
plt.show()
folder.cleanup()
