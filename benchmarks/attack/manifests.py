# Licensed under a 3-clause BSD style license - see LICENSE
"""Damaged lists of fetched files: read, trusted as far as the files bear them out, written again."""

import numpy as np
from astropy.io import fits

from astro_xlatent.archive.manifest import FETCHED, MANIFEST_NAME, PRESENT, Manifest
from benchmarks.attack.outcomes import Answer, Kind

__all__ = ["MANIFESTS"]

_NAMES = [f"acisf0000{k}_000N001_r0001_{kind}.fits" for k in range(3) for kind in ("pha3", "arf3")]


def _prepare(folder):
    manifest = Manifest(folder)
    for k, name in enumerate(_NAMES):
        hdu = fits.BinTableHDU.from_columns([fits.Column("x", "J", array=np.arange(k + 9))])
        fits.HDUList([fits.PrimaryHDU(), hdu]).writeto(folder / name)
        manifest.add(f"{k // 2}.0.1", name[24:28], FETCHED, path=folder / name, url=f"https://a.example/{name}")
    manifest.add("9.0.1", "pha3", "missing", reason='no such "source", says the archive')
    manifest.write()


def _answer(folder):
    """Which files are taken for whole; the same again after writing."""
    for _ in range(2):
        manifest = Manifest(folder)
        whole = [manifest.is_whole(folder / name) for name in _NAMES]
        for name, good in zip(_NAMES, whole):
            if good:
                manifest.add(name[5:10], name[24:28], PRESENT, path=folder / name)
        manifest.write()
    # Not to be whole costs one more look at the archive, and takes nothing away.
    return Answer(np.array([sum((folder / name).exists() for name in _NAMES)], float), np.ones(1) / 4)


MANIFESTS = Kind(_prepare, _answer, MANIFEST_NAME)
