# Licensed under a 3-clause BSD style license - see LICENSE
"""2SXPS and LSXPS: counts, rates, and the catalog's own numbers."""

import numpy as np
import pytest
from astropy.table import Table
from numpy.testing import assert_allclose

from astro_xlatent import add_latents
from astro_xlatent.core.errors import TableError
from astro_xlatent.core.flags import Flag
from astro_xlatent.missions.base import identify_mission
from astro_xlatent.missions.responses import band_matrix
from astro_xlatent.missions.swift import SWIFT
from astro_xlatent.physics.absorption import transmission
from astro_xlatent.physics.emission import powerlaw
from astro_xlatent.physics.grid import ENERGY_MID, KEV_TO_ERG

BANDS = [b[1:] for b in SWIFT.bands]
#: Numbers of LSXPS J062126.9-622317 as the documentation of swifttools prints them.
PUBLISHED = Table({
    "Exposure": [1186293.8928], "GalacticNH": [5.046859e20], "FixedPowECFO": [4.4562e-11],
    "Rate_band2": [7.63246803365583e-06], "Rate_band2_pos": [1.396270816092e-05],
    "Rate_band2_neg": [-7.63246803365583e-06], "Rate_band3": [2.82258505525886e-05],
    "Rate_band3_pos": [1.77824345617797e-05], "Rate_band3_neg": [-1.70735661689065e-05],
    "Rate_band1": [0.0], "Rate_band1_pos": [8.31967982111264e-06], "Rate_band1_neg": [0.0],
    "Counts_band1": [184], "Counts_band2": [182], "Counts_band3": [231],
    "BgCounts_band1": [213.383573718369], "BgCounts_band2": [175.839670512825],
    "BgCounts_band3": [208.22353803739], "RateCF_band1": [1.47021977682665],
    "RateCF_band2": [1.46986204794109], "RateCF_band3": [1.47015077843438]})


def test_published_row():
    """Net counts over area x exposure are the published rates over the area on axis."""
    measured = SWIFT().read_bands(PUBLISHED)
    assert identify_mission(PUBLISHED).name == "swift"
    assert measured.recipe.tolist() == ["aperture counts"]
    bins = measured.bins
    rates = SWIFT().read_bands(PUBLISHED[[name for name in PUBLISHED.colnames if "Rate_" in name]])
    assert rates.recipe.tolist() == ["count rates"]
    net = (bins.counts - bins.background) / bins.area
    value = np.array([0.0, PUBLISHED["Rate_band2"][0], PUBLISHED["Rate_band3"][0]])
    per_rate = rates.bins.counts[0, 1:] / rates.bins.area[0, 1:] / value[1:]
    assert_allclose(net[0, 1:], value[1:] * per_rate, rtol=1e-3)


def test_published_conversion_factor():
    """The shipped area gives the catalog's factor from rate to flux (0.3-10 keV, index 1.7) within 5 %."""
    photons = powerlaw(1.7) * transmission(PUBLISHED["GalacticNH"][0])
    inside = (ENERGY_MID > 0.3) & (ENERGY_MID < 10.0)
    flux = np.sum((photons * ENERGY_MID)[inside]) * KEV_TO_ERG
    assert flux / (band_matrix("swift", BANDS) @ photons).sum() == pytest.approx(
        PUBLISHED["FixedPowECFO"][0], rel=0.05)


def simulated(n=40, exposure=2e5, factor=1.3, seed=1):
    """Rows of power laws as the catalog publishes them, and the fluxes in 2-7 keV."""
    rng = np.random.default_rng(seed)
    photons = np.array([powerlaw(g) * transmission(nh) for g, nh in zip(
        rng.uniform(1.4, 2.2, n), 10 ** rng.uniform(20.5, 21.5, n))])
    expected = photons @ band_matrix("swift", BANDS).T * exposure / factor
    scale = 10 ** rng.uniform(2.3, 3.3, n) / expected.sum(axis=1)
    counts = rng.poisson(expected * scale[:, None] + 8.0)
    table = Table({"Exposure": np.full(n, exposure)})
    for k, band in enumerate("123"):
        rate, error = (v * factor / exposure for v in (counts[:, k] - 8.0, np.sqrt(counts[:, k] + 1.0)))
        for name, value in ((f"Counts_band{band}", counts[:, k]), (f"BgCounts_band{band}", np.full(n, 8.0)),
                            (f"RateCF_band{band}", np.full(n, factor)), (f"Rate_band{band}", rate),
                            (f"Rate_band{band}_pos", error), (f"Rate_band{band}_neg", -error)):
            table[name] = value
    inside = (ENERGY_MID > 2.0) & (ENERGY_MID < 7.0)
    return table, (photons * ENERGY_MID)[:, inside].sum(axis=1) * scale * KEV_TO_ERG


def test_simulated_rows():
    """Fluxes of known sources lie in their intervals, from counts and from rates, which agree."""
    table, flux = simulated()
    rates = table[[name for name in table.colnames if name.startswith("Rate_")]]
    results = [add_latents(t) for t in (table, rates)]
    for result in results:
        assert all(result["xl_flag"] & Flag.OUTSIDE_MISSION)
        low, high = result["xl_flux_2_7_lolim"], result["xl_flux_2_7_hilim"]
        assert np.mean((flux > low) & (flux < high)) > 0.5
        assert abs(np.median(np.log10(result["xl_flux_2_7"] / flux))) < 0.1
    one, two = (result["xl_latent"] for result in results)
    apart = (two - one) / results[0]["xl_latent_err"]
    assert np.mean(np.abs(apart) < 1) > 0.68
    assert np.abs(apart.mean(axis=0)).max() < 0.2


def test_missing_numbers():
    """Rows without exposure are read from rates, rows without either are masked."""
    table = simulated(3)[0]
    table["Exposure"][:2] = np.nan
    table["Rate_band1"][1] = table["Rate_band2"][1] = table["Rate_band3"][1] = np.nan
    measured = SWIFT().read_bands(table)
    assert measured.recipe.tolist() == ["count rates", "", "aperture counts"]
    assert "no exposure or area" in measured.reason[1]
    with pytest.raises(TableError, match="expected Counts_band1"):
        SWIFT().read_bands(Table({"HR1": [0.1]}))


def test_flags():
    """Warnings of the catalog are carried over."""
    table = simulated(2)[0]
    table["StrayLightWarning"], table["NearBrightSourceWarning"] = [0.0, 1.0], [0, 0]
    assert (SWIFT().read_bands(table).flags & Flag.CONFUSED > 0).tolist() == [False, True]
