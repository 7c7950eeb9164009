# Licensed under a 3-clause BSD style license - see LICENSE
"""A PHA file in counts/s whose rates times exposure are counts (grppha, ftools of other missions)."""

import numpy as np
import pytest
from astropy.io import fits

from astro_xlatent.core.errors import SpectrumError
from astro_xlatent.core.flags import Flag
from astro_xlatent.spectra.spectrum import XraySpectrum

COUNTS = np.random.default_rng(5).poisson(30, 32)


def rates(ogip, values, form="E"):
    """A spectrum with RATE instead of COUNTS."""
    rate = fits.Column("RATE", form, unit="count/s", array=values)
    return ogip.source(columns=[rate], drop=("COUNTS",), header={"EXPOSURE": 1234.5})


@pytest.mark.parametrize("form", ["E", "D"])
def test_whole_counts(ogip, form):
    """They are the counts, flagged."""
    spectrum = XraySpectrum.read(rates(ogip, COUNTS / 1234.5, form))
    np.testing.assert_array_equal(spectrum.counts, COUNTS)
    assert spectrum.flags & Flag.FILE_MENDED
    assert spectrum.meta["assumptions"] == ("s.pha: counts are RATE x EXPOSURE, which are whole numbers",)


@pytest.mark.parametrize("values", [(COUNTS + 0.01) / 1234.5, np.full(32, 1e-9), -COUNTS / 1234.5])
def test_other_rates(ogip, values):
    """Weighted, background-subtracted or tiny rates are no counts."""
    with pytest.raises(SpectrumError, match="RATE"):
        XraySpectrum.read(rates(ogip, values, "D"))
