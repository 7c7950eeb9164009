# Licensed under a 3-clause BSD style license - see LICENSE
"""A spectrum no model describes, without a background file: it is not ordinary, whatever its counts."""

import numpy as np
import pytest
from astropy.table import Table

from astro_xlatent import add_latents, decode_flags
from astro_xlatent.core.flags import Flag
from astro_xlatent.missions.responses import default_response
from astro_xlatent.physics.grid import ENERGY_EDGES, ENERGY_MID
from astro_xlatent.spectra.spectrum import XraySpectrum


def observed(shape, counts):
    """A Chandra spectrum of an incident shape, as it comes without any background."""
    response = default_response("csc")
    expected = np.ravel(response.on_grid().fold((shape * np.diff(ENERGY_EDGES))[None]))
    drawn = np.random.default_rng(3).poisson(expected * counts / expected.sum())
    return XraySpectrum(counts=drawn, channel=np.arange(1, drawn.size + 1), exposure=1e4,
                        telescope="CHANDRA", instrument="ACIS", response=response)


@pytest.mark.parametrize("counts", [5e3, 1e6])
def test_bands_of_light_and_dark(counts):
    """Flagged in words, odd, and its class no longer sharp; a power law of as many counts is none of it."""
    smooth = ENERGY_MID**-1.7
    comb = smooth * (1 + 0.98 * np.sign(np.sin(ENERGY_MID * 4)))
    table = add_latents(Table({"name": ["odd", "plain"]}), [observed(comb, counts), observed(smooth, 5e3)])
    odd, plain = table
    assert odd["xl_gof"] > 20
    assert odd["xl_outlier"] < 1e-3
    assert "NOT_THIS_MODEL" in decode_flags(odd["xl_flag"])
    assert "tempered" in " ".join(decode_flags(odd["xl_flag"], text=True))
    assert odd["xl_class_prob"].max() < 0.5
    assert odd["xl_nh_hilim"] / odd["xl_nh_lolim"] > 10
    assert plain["xl_flag"] & (Flag.NOT_THIS_MODEL | Flag.OUTLIER | Flag.POOR_FIT) == 0
