# Licensed under a 3-clause BSD style license - see LICENSE
"""
Formats of `XraySpectrum` in astropy's unified I/O, registered on this class alone.

On `~astropy.table.Table` the format would compete with ``fits``. Importing the
room is enough: ``XraySpectrum.read`` works however the class was come by.
"""

from astropy.io import registry

from astro_xlatent.spectra._write import write_spectrum
from astro_xlatent.spectra.ogip import is_ogip_spectrum, read_pha
from astro_xlatent.spectra.spectrum import XraySpectrum

__all__ = []


def _identify(origin, path, fileobj, *args, **kwargs):
    return origin == "write" or is_ogip_spectrum(path)


registry.register_reader("ogip", XraySpectrum, read_pha)
registry.register_writer("ogip", XraySpectrum, write_spectrum)
registry.register_identifier("ogip", XraySpectrum, _identify)
