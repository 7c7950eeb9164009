# Licensed under a 3-clause BSD style license - see LICENSE
"""Photons and regions to a spectrum; read `~astro_xlatent.events.extract` first."""
