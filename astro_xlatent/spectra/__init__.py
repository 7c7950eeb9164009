# Licensed under a 3-clause BSD style license - see LICENSE
"""OGIP spectra and responses, and `~astro_xlatent.spectra.bins.EnergyBins`, in which everything meets."""

from astro_xlatent.spectra import ogip  # noqa: F401
