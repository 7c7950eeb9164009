# Licensed under a 3-clause BSD style license - see LICENSE
"""
Fetching catalogs, spectra and labels from the archives.

Needs the extra ``[archive]``. What is fetched is checked before it gets its name, nothing is overwritten, and
a second call takes up where the first stopped. Addresses, timeouts and the number of connections are settings
of `astro_xlatent.core.config.Conf`.
"""

from importlib import import_module

_HOME = {
    "CATALOGS": "catalogs",
    "counterparts": "crossmatch",
    "fetch_catalog": "fetch",
    "fetch_labels": "labels",
    "fetch_spectra": "spectra",
}

__all__ = sorted(_HOME)


def __getattr__(name):
    # requests and pyvo are optional and slow to import.
    if name in _HOME:
        return getattr(import_module(f"astro_xlatent.archive.{_HOME[name]}"), name)
    msg = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(msg)


def __dir__():
    return __all__
