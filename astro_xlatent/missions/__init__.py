# Licensed under a 3-clause BSD style license - see LICENSE
"""A catalog row to energy bins; read `~astro_xlatent.missions.base` first."""
