# Licensed under a 3-clause BSD style license - see LICENSE
"""Simulated X-ray sources, observations and catalogs; see `batch`."""

from astro_xlatent.simulate.catalog import batch

__all__ = ["batch"]
