# Licensed under a 3-clause BSD style license - see LICENSE
"""Simulated X-ray sources, observations and catalogs; see `batch`."""

__all__ = ["batch"]


def __getattr__(name):
    # scipy and the populations are not needed to import the package
    if name == "batch":
        from astro_xlatent.simulate.catalog import batch

        return batch
    msg = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(msg)
