# Licensed under a 3-clause BSD style license - see LICENSE
"""Damaged spectra and responses, simulated and written with or without checksums."""

import tempfile
from functools import partial
from pathlib import Path

import numpy as np
from astropy.io import fits

from astro_xlatent.core.errors import SpectrumError
from astro_xlatent.core.flags import Flag
from astro_xlatent.simulate.products import write_catalog
from astro_xlatent.spectra.spectrum import XraySpectrum
from astro_xlatent.table.add_latents import predict_spectra
from benchmarks.attack.outcomes import Answer, Kind

__all__ = ["PLAIN", "SUMMED"]

_FLUXES = ("xl_flux_05_2", "xl_flux_2_7")


def _prepare(folder, *, sums):
    """The brightest of some simulated Chandra spectra, as s.pha, with its responses."""
    with tempfile.TemporaryDirectory() as home:
        write_catalog(Path(home) / "all", 24, "csc", seed=18)
        paths = sorted((Path(home) / "all" / "spectra").glob("*pha3*"))
        best = max(paths, key=lambda path: XraySpectrum.read(path).counts.sum())
        with fits.open(best) as hdus:
            names = {key: hdus[1].header[key] for key in ("ANCRFILE", "RESPFILE")}
            for hdu in hdus[1:]:
                hdu.header["ANCRFILE"], hdu.header["RESPFILE"] = "s.arf", "s.rmf"
            hdus.writeto(folder / "s.pha", checksum=sums)
        for key, name in (("ANCRFILE", "s.arf"), ("RESPFILE", "s.rmf")):
            with fits.open(best.with_name(names[key])) as hdus:
                hdus.writeto(folder / name, checksum=sums)


def _answer(folder) -> Answer:
    spectrum = XraySpectrum.read(folder / "s.pha", missing_response="ignore")
    row = predict_spectra([spectrum])[0]
    if row["xl_flag"] & Flag.NO_DATA:
        # Said in words instead of numbers.
        msg = f"{folder / 's.pha'}: {row['xl_reason']}"
        raise SpectrumError(msg)
    # An undetected source has neither latents nor fluxes.
    latent, error, flux = (np.ma.filled(np.ma.asarray(values, float), np.nan) for values in (
        row["xl_latent"], row["xl_latent_err"], np.ma.stack([np.ma.asarray(row[name]) for name in _FLUXES])))
    return Answer(np.concatenate([latent, np.log10(flux)]),
                  np.concatenate([error, np.full(2, np.log10(2) / 3)]), int(row["xl_flag"]))


#: With DATASUM and CHECKSUM in every extension, and without.
SUMMED, PLAIN = (Kind(partial(_prepare, sums=sums), _answer) for sums in (True, False))
