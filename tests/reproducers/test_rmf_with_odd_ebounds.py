# Licensed under a 3-clause BSD style license - see LICENSE
"""EBOUNDS without counting channels, or no EBOUNDS at all."""

import numpy as np
import pytest
from astropy.io import fits

from astro_xlatent.core.errors import ResponseError
from astro_xlatent.core.flags import Flag
from astro_xlatent.spectra.spectrum import XraySpectrum


def change_rmf(ogip, change):
    """Write spectrum and responses, and change the extensions of the RMF."""
    path = ogip.source()
    with fits.open(ogip.folder / "s.rmf") as hdus:
        parts = [hdu.copy() for hdu in hdus]
    change(parts)
    fits.HDUList(parts).writeto(ogip.folder / "s.rmf", overwrite=True)
    return path


def garbage(parts):
    """Channel numbers that mean nothing."""
    parts[2].data["CHANNEL"] = np.random.default_rng(3).integers(0, 9999, 32)


def test_garbage_in_channel(ogip):
    """Sound energies are used in their order, flagged."""
    sound = XraySpectrum.read(ogip.source())
    spectrum = XraySpectrum.read(change_rmf(ogip, garbage))
    np.testing.assert_array_equal(spectrum.e_lo, sound.e_lo)
    np.testing.assert_allclose(spectrum.response.fold(np.ones(40)), sound.response.fold(np.ones(40)))
    assert spectrum.flags & Flag.FILE_MENDED
    assert "in the order of their energies" in spectrum.response.meta["assumptions"][0]


def test_garbage_in_channel_and_energies(ogip):
    """Energies without order do not help."""
    def both(parts):
        garbage(parts)
        parts[2].data["E_MIN"] = parts[2].data["E_MIN"][::-1] ** 2
        parts[2].data["E_MIN"][7] = 0.0

    with pytest.raises(ResponseError, match="not in order either; the file is damaged"):
        XraySpectrum.read(change_rmf(ogip, both))


def test_no_ebounds(ogip):
    """The peaks of the lines tell the channels' energies, within a channel where there are lines."""
    sound = XraySpectrum.read(ogip.source())
    spectrum = XraySpectrum.read(change_rmf(ogip, lambda parts: parts.pop(2)))
    width = sound.e_hi - sound.e_lo
    inner = slice(3, -3)
    assert np.all(np.abs(spectrum.e_lo - sound.e_lo)[inner] < width[inner])
    assert np.all(np.diff(spectrum.e_lo) > 0)
    assert spectrum.flags & Flag.FILE_MENDED
    assert "has no EBOUNDS" in spectrum.response.meta["assumptions"][0]


def test_no_ebounds_and_no_lines(ogip):
    """A matrix whose lines stay where they are tells no energies."""
    def flat(parts):
        parts.pop(2)
        parts[1].data["MATRIX"] = parts[1].data["MATRIX"][::-1]
        parts[1].data["F_CHAN"] = parts[1].data["F_CHAN"][::-1]
        parts[1].data["N_CHAN"] = parts[1].data["N_CHAN"][::-1]

    with pytest.raises(ResponseError, match="do not go up with energy.*give an RMF with EBOUNDS"):
        XraySpectrum.read(change_rmf(ogip, flat))


def test_real_matrices_without_ebounds(shared_data):
    """Real responses of four missions: within the energy resolution of what EBOUNDS says."""
    from astro_xlatent.spectra._fits import load_bytes
    from astro_xlatent.spectra._ogip_tables import _channels_of_lines, parse_rmf

    names = ("chandra/qso/qso.wrmf", "xmm_newton/PN/PN.rmf", "asca/sis0/sis0.rmf",
             "erosita/020_SourceSpec_00001/onaxis_tm0_rmf_2023-01-17.fits.gz")
    for name in names:
        path = shared_data / "spectra" / name
        rmf = parse_rmf(load_bytes(path, ResponseError), path)
        low, high = _channels_of_lines(None, rmf.matrix, 0.5 * (rmf.e_lo + rmf.e_hi))
        true = 0.5 * (rmf.channel_e_lo + rmf.channel_e_hi)
        inside = (true > 0.4) & (true < 8)
        assert np.abs(0.5 * (low + high) - true)[inside].max() < 0.05
