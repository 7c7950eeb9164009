# Licensed under a 3-clause BSD style license - see LICENSE
"""
Fetching catalogs, spectra and labels from the archives; needs the extra ``[archive]``.

What is fetched is checked before it gets its name, nothing is overwritten, and a second call takes up where
the first stopped. Settings are those of `astro_xlatent.core.config.Conf`.
"""

from astro_xlatent.archive.catalogs import CATALOGS
from astro_xlatent.archive.crossmatch import counterparts
from astro_xlatent.archive.fetch import fetch_catalog
from astro_xlatent.archive.labels import fetch_labels
from astro_xlatent.archive.spectra import fetch_spectra

__all__ = ["CATALOGS", "counterparts", "fetch_catalog", "fetch_labels", "fetch_spectra"]
