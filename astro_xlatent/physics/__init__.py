# Licensed under a 3-clause BSD style license - see LICENSE
"""Incident spectra, on numpy and small shipped tables; read `~astro_xlatent.physics.grid` first."""
