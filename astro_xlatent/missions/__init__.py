# Licensed under a 3-clause BSD style license - see LICENSE
"""Missions: from catalogue tables to energy bins; see `~astro_xlatent.missions.base`."""
