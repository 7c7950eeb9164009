# Licensed under a 3-clause BSD style license - see LICENSE
"""
One spectrum, looked at closely
===============================

What the latents of a PHA spectrum say: the decoded spectrum against the counts,
the density of the column, and what each latent does.
"""

# %%
# A spectrum of one's own is read by ``XraySpectrum.read("source.pha")``, with its ARF, RMF
# and background. Here one is simulated, with the response of ACIS that travels with the package.

import matplotlib.pyplot as plt
import numpy as np

from astro_xlatent import XraySpectrum, load_model, plotting
from astro_xlatent.missions.base import get_mission
from astro_xlatent.physics.absorption import transmission
from astro_xlatent.physics.emission import powerlaw
from astro_xlatent.spectra.binning import bins_from_spectra

rng = np.random.default_rng(3)
response = get_mission("csc").default_response().on_grid()
rate = response.fold(np.ravel(powerlaw(1.8)) * np.ravel(transmission(8e21)))
spectrum = XraySpectrum(
    counts=rng.poisson(1500 * rate / rate.sum()), exposure=2e4, response=response
)
print(spectrum)

# %%
# Counts, and the incident spectrum in flux; the band holds 68 % of the posterior.

fig, axes = plt.subplots(2, 2, figsize=(10, 4.6), sharex="col",
                         height_ratios=(3, 1), layout="constrained")
plotting.plot_spectrum(spectrum, axes=axes[:, 0])
plotting.plot_spectrum(spectrum, quantity="flux", axes=axes[:, 1])

# %%
# The column density that went in was 8e21 1/cm2.

model = load_model()
posterior = model.infer(*bins_from_spectra([spectrum]))
plotting.plot_nh(
    posterior,
    truth=8e21,
    ax=plt.figure(figsize=(5, 3), layout="constrained").add_subplot(),
)

# %%
# What the first latents do to a spectrum, the others at zero:

fig, axes = plt.subplots(1, 3, figsize=(11, 3.6), sharey=True, layout="constrained")
plotting.plot_traversals(model, latents=(0, 1, 2), axes=axes)
plt.show()
