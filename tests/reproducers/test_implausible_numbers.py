# Licensed under a 3-clause BSD style license - see LICENSE
"""Numbers that no instrument measures, and files that have changed since they were written."""

import os

import numpy as np
import pytest
from astropy.io import fits

from astro_xlatent.core.errors import SpectrumError
from astro_xlatent.core.flags import Flag
from astro_xlatent.spectra.plausible import implausible
from astro_xlatent.spectra.spectrum import XraySpectrum
from astro_xlatent.table.sources import open_spectrum


@pytest.mark.parametrize(("area", "header", "text"), [
    (1e30, {}, "effective area"), (1e-30, {}, "effective area"), (3.0, {}, "effective area"),
    (1.0, {"EXPOSURE": 1e-30}, "exposure"), (1.0, {"EXPOSURE": 5e10}, "exposure"),
])
def test_area_and_exposure(ogip, area, header, text):
    """Beyond any instrument: read, flagged, and the sentence names the limits."""
    path = ogip.source(header=header)
    with np.errstate(over="ignore"):
        factor = np.minimum(ogip.area().astype(float) * area, 9e7)
    ogip.arf(area=factor.astype(np.float32))
    spectrum, flags, reason = open_spectrum(path)
    assert flags & Flag.IMPLAUSIBLE
    assert text in reason
    assert "lies outside" in reason
    assert spectrum.flags & Flag.IMPLAUSIBLE


def test_plain_spectrum_is_plausible(ogip):
    """None of these flags on a plain file."""
    _, flags, reason = open_spectrum(ogip.source())
    assert not flags & (Flag.IMPLAUSIBLE | Flag.FILE_MENDED | Flag.RESPONSE_GUESSED)
    assert reason == ""


def test_energies_in_ev(ogip):
    """EBOUNDS in eV that claim to be keV."""
    path = ogip.source()
    with fits.open(ogip.folder / "s.rmf") as hdus:
        for name in ("E_MIN", "E_MAX"):
            hdus["EBOUNDS"].data[name] *= 1000
        hdus.writeto(ogip.folder / "s.rmf", overwrite=True)
    _, flags, reason = open_spectrum(path)
    assert flags & Flag.IMPLAUSIBLE
    assert "highest energy of the channels" in reason


@pytest.mark.parametrize("value", [1e-9, 1e30])
def test_backscal_out_of_range(ogip, value):
    """A background that is all or nothing."""
    spectrum = XraySpectrum.read(ogip.source())
    spectrum.background = XraySpectrum(counts=np.ones(32), exposure=4000.0, backscale=value)
    _, flags, reason = open_spectrum(spectrum)
    assert flags & Flag.IMPLAUSIBLE
    assert "background scale" in reason


def test_one_channel_holds_most():
    """A flipped bit of a count makes it a billion."""
    counts = np.ones(1024)
    assert implausible(XraySpectrum(counts=counts, exposure=1e4)) == []
    counts[500] += 2**20
    assert "channel 501 holds" in implausible(XraySpectrum(counts=counts, exposure=1e4))[0]


def test_few_channels():
    """Five channels are no spectrum."""
    spectrum = XraySpectrum(counts=[1, 2, 3, 4, 5], exposure=1e4, response=None)
    assert "number of channels 5" in implausible(spectrum)[0]


@pytest.mark.parametrize("value", [0.0, np.nan, -1.0, np.inf])
@pytest.mark.parametrize("late", [False, True])
def test_backscal_in_memory(ogip, value, late):
    """A BACKSCAL that means nothing is left out and flagged, given at once or set later."""
    spectrum = XraySpectrum.read(ogip.source())
    off = XraySpectrum(counts=np.ones(32), exposure=4000.0, backscale=2.0 if late else value)
    if late:
        off.backscale = value
    spectrum.background = off
    assert spectrum.background_scale == 0.25
    _, flags, _ = open_spectrum(spectrum)
    assert flags & Flag.NO_BACKSCALE


@pytest.mark.parametrize("value", [0.0, np.nan, -1.0, [1.0, 2.0]])
def test_areascal_in_memory(value):
    """AREASCAL must be there."""
    with pytest.raises(SpectrumError, match="areascale"):
        XraySpectrum(counts=np.ones(32), exposure=10.0, areascale=value)


@pytest.mark.parametrize("what", ["s.pha", "s.arf", "s.rmf"])
@pytest.mark.parametrize("in_header", [False, True])
def test_checksums(ogip, what, in_header):
    """A file that is not what was written is flagged; one that is, is not."""
    path = ogip.source()
    for name in ("s.pha", "s.arf", "s.rmf"):
        with fits.open(ogip.folder / name) as hdus:
            hdus.writeto(ogip.folder / name, overwrite=True, checksum=True)
    assert not open_spectrum(path)[1] & Flag.FILE_MENDED
    data = bytearray((ogip.folder / what).read_bytes())
    if in_header:
        at = data.index(b"TELESCOP") if b"TELESCOP" in data else data.index(b"HDUCLAS1")
        data[at + 70:at + 72] = b"/x"
    else:
        begin = data.index(b"END     ", data.index(b"XTENSION"))
        begin += 2880 - begin % 2880
        data[begin + 7] ^= 2
    (ogip.folder / what).write_bytes(data)
    _, flags, reason = open_spectrum(path)
    assert flags & Flag.FILE_MENDED
    assert what in reason
    assert ("CHECKSUM" if in_header else "DATASUM") in reason


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes on this system")
def test_pipes_and_proc(ogip):
    """Only regular files with content are opened, wherever a header points."""
    os.mkfifo(ogip.folder / "pipe")
    for path, match in ((ogip.folder / "pipe", "a pipe or a device"), ("/dev/zero", "a pipe or a device"),
                        ("/proc/self/status", "is empty")):
        if os.path.exists(path):
            with pytest.raises(SpectrumError, match=match):
                XraySpectrum.read(path)
    path = ogip.source(header={"ANCRFILE": "pipe", "RESPFILE": "/dev/zero"})
    assert XraySpectrum.read(path, missing_response="ignore").response is None
