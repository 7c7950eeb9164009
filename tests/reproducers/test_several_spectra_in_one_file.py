# Licensed under a 3-clause BSD style license - see LICENSE
"""Several SPECTRUM extensions in one file: by number, by name, or the only one that is in counts."""

import numpy as np
import pytest

from astro_xlatent.core.errors import SpectrumError
from astro_xlatent.spectra.spectrum import XraySpectrum


def test_chosen_by_number_or_name(ogip):
    """What the message proposes works."""
    ogip.source()
    path = ogip.save("s.pha", ogip.spectrum_hdu(np.full(32, 1)), ogip.spectrum_hdu(np.full(32, 2)),
                     ogip.spectrum_hdu(np.full(32, 3), name="SPECTRUM_B"))
    with pytest.raises(SpectrumError, match=r"3 source spectra .*\[1\] SPECTRUM TOTAL.*Choose one by"):
        XraySpectrum.read(path)
    assert XraySpectrum.read(f"{path}[2]").counts.sum() == 64
    assert XraySpectrum.read(f"{path}[spectrum_b]").counts.sum() == 96
    with pytest.raises(SpectrumError, match=r"no spectrum \[7\]; it has \[1\]"):
        XraySpectrum.read(f"{path}[7]")


def test_total_beside_net(ogip):
    """Of TOTAL and NET the one in counts is meant."""
    ogip.source()
    path = ogip.save("s.pha", ogip.spectrum_hdu(np.full(32, 9), header={"HDUCLAS2": "NET"}),
                     ogip.spectrum_hdu(np.full(32, 2)))
    assert XraySpectrum.read(path).counts.sum() == 64
