# Licensed under a 3-clause BSD style license - see LICENSE
"""The header names 3c273.arf and 3c273.rmf, the folder holds those of another source only."""

import numpy as np
import pytest

from astro_xlatent.core.errors import ResponseError
from astro_xlatent.core.flags import Flag
from astro_xlatent.spectra.spectrum import XraySpectrum
from astro_xlatent.table.sources import open_spectrum

NAMES = {"RESPFILE": "3c273.rmf", "ANCRFILE": "3c273.arf"}


def write(ogip, header, arf="obs1.arf", rmf="obs1.rmf", name="3c273.pi", **kwargs):
    """A spectrum with some header, and a response of some name."""
    ogip.arf(arf)
    ogip.rmf(rmf)
    return ogip.save(name, ogip.spectrum_hdu(header=header, **kwargs))


@pytest.mark.parametrize(("arf", "rmf"), [("obs1.arf", "obs1.rmf"), ("3c273.arf", "obs1.rmf"),
                                          ("obs1.arf", "3c273.rmf"), ("obs1_3c273.arf", "obs1_3c273.rmf")])
def test_named_and_absent_is_never_replaced(ogip, arf, rmf):
    """Neither both nor one of them, nor one that only ends in the name."""
    path = write(ogip, NAMES, arf, rmf)
    with pytest.raises(ResponseError, match="no file of that name lies beside it"):
        XraySpectrum.read(path)
    assert XraySpectrum.read(path, missing_response="ignore").response is None


def test_matrix_with_area_does_not_replace_the_named_arf(ogip):
    """An RSP file is no ARF."""
    ogip.rmf("3c273.rmf", factor=np.full(40, 300.0))
    path = ogip.save("3c273.pi", ogip.spectrum_hdu(header=NAMES))
    with pytest.raises(ResponseError, match="no ARF found"):
        XraySpectrum.read(path)


def test_default_response_has_a_flag_of_its_own(ogip):
    """The mission's default is used instead, and said."""
    path = write(ogip, NAMES, counts=np.arange(1024))
    spectrum, flags, reason = open_spectrum(path)
    assert flags & Flag.DEFAULT_RESPONSE
    assert not flags & Flag.RESPONSE_GUESSED
    assert "default response" in reason
    assert spectrum.response.meta["default_response"] .startswith("acis")


@pytest.mark.parametrize("header", [{"RESPFILE": "none", "ANCRFILE": "none"},
                                    {"RESPFILE": None, "ANCRFILE": None}])
def test_only_one_in_the_folder_is_a_guess(ogip, header):
    """Where the header names none, the only one is taken, flagged, and the reason tells it."""
    _, flags, reason = open_spectrum(write(ogip, header))
    assert flags & Flag.RESPONSE_GUESSED
    assert "ARF obs1.arf: only one in the folder" in reason
    assert "RMF obs1.rmf: only one in the folder" in reason


def test_background_is_not_replaced(ogip):
    """The named background is absent: none, although one of the usual name lies there."""
    path = write(ogip, {**NAMES, "BACKFILE": "b.pi"}, "3c273.arf", "3c273.rmf")
    ogip.save("3c273_bkg.pi", ogip.spectrum_hdu())
    assert XraySpectrum.read(path).background is None
    path = write(ogip, {**NAMES, "BACKFILE": None}, "3c273.arf", "3c273.rmf")
    spectrum = XraySpectrum.read(path)
    assert spectrum.background is not None
    assert spectrum.flags & Flag.RESPONSE_GUESSED


def test_response_of_another_telescope(ogip):
    """What the spectrum names may still belong elsewhere."""
    path = write(ogip, {**NAMES, "TELESCOP": "SWIFT"}, "3c273.arf", "3c273.rmf")
    spectrum = XraySpectrum.read(path)
    spectrum.response.telescope = "CHANDRA"
    _, flags, reason = open_spectrum(spectrum)
    assert flags & Flag.IMPLAUSIBLE
    assert "the response is of CHANDRA, the spectrum of SWIFT" in reason


def test_a_grating_has_no_default_response(ogip):
    """The zeroth order of a grating is not seen through the area of plain imaging."""
    path = write(ogip, NAMES | {"GRATING": "HETG"}, counts=np.arange(1024))
    spectrum, flags, reason = open_spectrum(path)
    assert spectrum is None and flags & Flag.SPECTRUM_UNREADABLE
    assert "through the grating HETG" in reason
    assert open_spectrum(write(ogip, NAMES | {"GRATING": "NONE"}, counts=np.arange(1024)))[0] is not None
