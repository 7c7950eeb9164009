# Licensed under a 3-clause BSD style license - see LICENSE
"""Tables as people's own queries leave them, in columns that no catalog publishes in this choice."""

import numpy as np
import pytest
from astropy.table import Table

from astro_xlatent import add_latents
from astro_xlatent.core.flags import Flag
from astro_xlatent.missions.base import identify_mission
from astro_xlatent.missions.xmm import ECF
from astro_xlatent.simulate.catalog import simulate_catalog
from astro_xlatent.table.files import read_table


@pytest.fixture(scope="module")
def detections():
    """Simulated detections of 4XMM."""
    return simulate_catalog(5, 40, "xmm")[0]


def slim(detections):
    """What a query of the 4XMM table at ESA asks for: fluxes and ratios of unique sources, no errors."""
    fluxes = [np.ma.filled(detections[f"EP_{b}_FLUX"], np.nan) for b in range(1, 6)]
    table = Table({"iauname": [f"4XMM J{k:06d}.0+000000" for k in range(len(detections))],
                   "sc_ra": np.linspace(0, 1, len(detections)), "sc_dec": np.zeros(len(detections)),
                   **{f"sc_ep_{b}_flux": flux for b, flux in enumerate(fluxes, start=1)}})
    for k in range(1, 5):
        low, high = fluxes[k - 1], fluxes[k]
        table[f"sc_hr{k}"] = (high - low) / np.where(high + low > 0, high + low, 1.0)
    table["sc_extent"], table["sc_var_flag"] = 0.0, ""
    return table


def test_fluxes_without_any_error(detections, tmp_path):
    """Of a CSV without errors, counts or likelihood no row is used, and each says why and the ways out."""
    slim(detections).write(tmp_path / "dr14.csv")
    table = read_table(tmp_path / "dr14.csv")
    assert identify_mission(table).name == "xmm"
    result = add_latents(table)
    assert all(result["xl_flag"] & Flag.NO_DATA)
    reason = result["xl_reason"][0]
    for words in ("3 (sc_ep_3_flux): no uncertainty", "give limits or errors", "relative_error"):
        assert words in reason


def test_fluxes_with_a_granted_error(detections):
    """With the error that a user grants every row is used, is flagged, and keeps the order of hardness."""
    granted = add_latents(slim(detections), relative_error=0.2)
    assert all(granted["xl_flag"] & Flag.ERRORS_ASSUMED)
    assert not any(granted["xl_flag"] & Flag.NO_DATA)
    better = add_latents(detections)
    apart = (granted["xl_latent"] - better["xl_latent"]) / granted["xl_latent_err"]
    assert np.mean(np.abs(apart) < 1) > 0.68


def test_rates_of_one_camera(detections):
    """Rates of pn with errors, a background and an exposure, but no filter: the medium one is assumed."""
    table = detections["OBS_ID", "RA", "DEC"]
    for b, factor in enumerate(ECF["medium"]["pn"], start=1):
        for end in ("", "_ERR"):
            table[f"PN_{b}_RATE{end}"] = 1e11 * factor * np.asarray(detections[f"EP_{b}_FLUX{end}"])
        table[f"PN_{b}_BG"] = 1e-3
    table["TOBS"] = 2.0e4
    result = add_latents(table)
    used = (result["xl_flag"] & Flag.NO_DATA) == 0
    assert used.mean() > 0.9
    assert all(result["xl_flag"][used] & Flag.DEFAULT_RESPONSE)
    apart = (result["xl_latent"] - add_latents(detections)["xl_latent"])[used] / result["xl_latent_err"][used]
    assert np.mean(np.abs(apart) < 1) > 0.68
