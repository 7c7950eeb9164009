# Licensed under a 3-clause BSD style license - see LICENSE
"""
Rows beside rows: positions, pairs, matches, observations of one source, neighbors.

Read `~astro_xlatent.compare.observations` first.
"""
