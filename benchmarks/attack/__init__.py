# Licensed under a 3-clause BSD style license - see LICENSE
"""Seeded damage of every kind of input, and what the package answers."""
