# Licensed under a 3-clause BSD style license - see LICENSE
"""Plots of enriched tables; needs matplotlib (``pip install "astro_xlatent[plot]"``)."""

from astro_xlatent.plotting.latents import plot_latents, plot_probabilities
from astro_xlatent.plotting.spectra import plot_spectrum

__all__ = ["plot_latents", "plot_probabilities", "plot_spectrum"]
