# Licensed under a 3-clause BSD style license - see LICENSE
"""`add_latents` with refine=True and checks=True."""

import numpy as np
import pytest
from astropy.table import Table

from astro_xlatent import add_latents
from astro_xlatent.core.flags import Flag
from astro_xlatent.missions.responses import default_response
from astro_xlatent.model import refined
from astro_xlatent.physics.grid import ENERGY_MID, ENERGY_WIDTH
from astro_xlatent.spectra.spectrum import XraySpectrum


def spectrum(line=0.0, counts=4000):
    """A power law through ACIS-S, with a narrow line at 3.3 keV of so many times its continuum's 10 eV."""
    response = default_response("csc", "ACIS-S", year=2010.0)
    photons = ENERGY_MID**-1.8 * ENERGY_WIDTH
    photons[np.searchsorted(ENERGY_MID, 3.3)] *= 1 + line
    expected = response.on_grid().fold(photons[None])[0]
    drawn = np.random.default_rng(2).poisson(expected * counts / expected.sum()).astype(float)
    off = XraySpectrum(counts=np.zeros_like(drawn), channel=np.arange(1, drawn.size + 1), exposure=1e4,
                       backscale=10.0)
    return XraySpectrum(counts=drawn, channel=np.arange(1, drawn.size + 1), exposure=1e4, backscale=1.0,
                        response=response, background=off, telescope="CHANDRA", instrument="ACIS")


@pytest.fixture(scope="module")
def enriched():
    """An ordinary power law and one with a strong line."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(refined, "N_PROPOSED", 1500)
        patch.setattr(refined, "ENOUGH", 150)
        return add_latents(Table({"name": ["a", "b"]}), [spectrum(), spectrum(line=60)], refine=True,
                           checks=True, include=("xl_photon_index",))


def test_line_is_named(enriched):
    """With its energy and the flag; the ordinary row has neither."""
    odd = np.asarray(enriched["xl_flag"]) & Flag.UNMODELED != 0
    assert odd.tolist() == [False, True]
    assert "a line near 3." in enriched["xl_reason"][1] and not enriched["xl_reason"][0]


def test_refined_columns(enriched):
    """Effective draws, and the index that was put in; none of it without being asked for."""
    assert enriched["xl_ess"][0] > 100
    assert enriched["xl_photon_index"][0] == pytest.approx(1.8, abs=0.2)
    assert "xl_ess" not in add_latents(Table({"name": ["a"]}), [spectrum()]).colnames
