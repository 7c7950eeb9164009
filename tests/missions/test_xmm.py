# Licensed under a 3-clause BSD style license - see LICENSE
"""4XMM: fluxes, rates by camera and filter, hardness ratios, and what a row without errors still says."""

import numpy as np
import pytest
from astropy.table import Table
from numpy.testing import assert_allclose, assert_array_equal

from astro_xlatent.core.errors import TableError
from astro_xlatent.core.flags import Flag
from astro_xlatent.missions.base import identify_mission
from astro_xlatent.missions.responses import band_matrix
from astro_xlatent.missions.xmm import ECF, XMM, reference_spectrum
from astro_xlatent.physics.grid import ENERGY_MID, KEV_TO_ERG
from astro_xlatent.table.files import read_table

BANDS = [b[1:] for b in XMM.bands]


def rates(camera="PN", name="Thin1", exposure=2e4):
    """One row of rates of the reference spectrum with Poisson errors, and its fluxes."""
    photons = reference_spectrum() * 1e-4
    inside = np.array([(ENERGY_MID > lo) & (ENERGY_MID < hi) for lo, hi in BANDS])
    flux = inside @ (photons * ENERGY_MID) * KEV_TO_ERG
    rate = flux * 1e11 * np.array(ECF[name.lower().rstrip("12")][camera.lower()])
    table = Table({f"{camera}_FILTER": [name]})
    for k in range(5):
        table[f"{camera}_{k + 1}_RATE"] = [rate[k]]
        table[f"{camera}_{k + 1}_RATE_ERR"] = [np.sqrt(rate[k] / exposure)]
    return table, flux, rate * exposure


@pytest.mark.parametrize(("camera", "name"), [("PN", "Thin1"), ("PN", "Medium"), ("M1", "Thick"),
                                              ("M2", "Thin2")])
def test_rates_over_conversion_factors_are_fluxes(camera, name):
    """Folded through the reader's area, the reference spectrum gives the counts of the rates."""
    table, _, counts = rates(camera, name)
    result = XMM().read_bands(table)
    assert_allclose(result.bins.counts[0], counts)
    assert not result.flags[0] & Flag.DEFAULT_RESPONSE
    photons = reference_spectrum() * 1e-4
    mean = band_matrix("xmm", BANDS, "EPN") @ photons  # the shape of the area within a band is that of pn
    area = band_matrix("xmm", BANDS, "EPN") @ np.ones_like(photons) * np.mean(np.diff(ENERGY_MID))
    expected = result.bins.area[0] * mean / (area / np.array([hi - lo for lo, hi in BANDS]))
    assert_allclose(expected, counts, rtol=0.02)


def test_unknown_filter_is_taken_as_medium_and_flagged():
    """The conversion factor without a filter is an assumption."""
    table, _, _ = rates(name="Medium")
    known = XMM().read_bands(table)
    table.remove_column("PN_FILTER")
    result = XMM().read_bands(table)
    assert_allclose(result.bins.area, known.bins.area)
    assert result.flags[0] & Flag.DEFAULT_RESPONSE


def test_cameras_add_up():
    """Three cameras are independent observations of one source."""
    table = rates("PN")[0]
    for camera in ("M1", "M2"):
        other = rates(camera)[0]
        for name in other.colnames:
            table[name] = other[name]
    single = [XMM().read_bands(rates(c)[0]).bins for c in ("PN", "M1", "M2")]
    both = XMM().read_bands(table).bins
    assert_allclose(both.counts, sum(b.counts for b in single))
    assert_allclose(both.area, sum(b.area for b in single))


def test_rates_per_kilosecond():
    """A unit other than the catalog's is converted."""
    table, _, counts = rates()
    for name in table.colnames[1:]:
        table[name] = table[name] * 1e3
        table[name].unit = "ct / ks"
    assert_allclose(XMM().read_bands(table).bins.counts[0], counts)


def fluxes(n_band=(30, 60, 80, 40, 20), spelling="EP_{b}_FLUX{e}"):
    """One row of EP fluxes with Poisson errors; the exposure is the same in all bands."""
    counts = np.array(n_band, float)
    value = counts / (1e11 * np.sum(list(ECF["medium"].values()), axis=0)) / 2e4
    table = Table()
    for k in range(5):
        for end, factor in (("", 1.0), ("_ERR", counts[k] ** -0.5)):
            table[spelling.format(b=k + 1, e=end)] = [value[k] * factor]
    return table, counts


@pytest.mark.parametrize("spelling", ["EP_{b}_FLUX{e}", "_ep_{b}_flux{e}", "SC_EP_{b}_FLUX{e}"])
def test_flux_spellings(spelling):
    """Capitals, underscores and unique sources."""
    table, counts = fluxes(spelling=spelling)
    assert identify_mission(table).name == "xmm"
    assert_allclose(XMM().read_bands(table).bins.counts[0], counts)


def test_vizier_and_heasarc_spellings():
    """Flux1 and e_Flux1 beside a column of the catalog; ep_1_flux_error."""
    table, counts = fluxes()
    vizier = Table({"4XMM": ["J0"]})
    heasarc = Table()
    for k in range(1, 6):
        vizier[f"Flux{k}"], vizier[f"e_Flux{k}"] = table[f"EP_{k}_FLUX"], table[f"EP_{k}_FLUX_ERR"]
        heasarc[f"ep_{k}_flux"], heasarc[f"ep_{k}_flux_error"] = vizier[f"Flux{k}"], vizier[f"e_Flux{k}"]
    for other in (vizier, heasarc):
        assert_allclose(identify_mission(other).read_bands(other).bins.counts[0], counts)


def test_ids_of_a_votable():
    """Read by the fields' IDs every name ends in a number."""
    table, counts = fluxes()
    table.rename_columns(table.colnames, [f"_{n.lower()}_{k + 100}" for k, n in enumerate(table.colnames)])
    assert_allclose(identify_mission(table).read_bands(table).bins.counts[0], counts)


@pytest.mark.parametrize("how", ["EP_8_CTS", "SC_DET_ML"])
def test_fluxes_without_errors(how):
    """The broad band's counts, or the likelihood, give the common exposure; flagged."""
    table, counts = fluxes()
    full = XMM().read_bands(table)
    table.remove_columns([n for n in table.colnames if n.endswith("_ERR")])
    bare = XMM().read_bands(table)
    assert bare.flags[0] & Flag.NO_DATA and "relative_error" in bare.reason[0]
    table[how] = [counts.sum()]
    if how == "EP_8_CTS":
        table["EP_8_CTS_ERR"] = np.sqrt(counts.sum())
    result = XMM().read_bands(table)
    assert_allclose(result.bins.counts, full.bins.counts)
    assert_allclose(result.bins.area, full.bins.area)
    assert result.flags[0] & Flag.ERRORS_ASSUMED and not full.flags[0] & Flag.ERRORS_ASSUMED


def test_hardness_ratios_with_a_broad_flux():
    """Ratios of rates in neighboring bands give the bands of the fluxes back."""
    table, counts = fluxes()
    full = XMM().read_bands(table)
    values = np.diff(counts) / (counts[1:] + counts[:-1])
    ratios = Table({f"EP_HR{k + 1}": [values[k]] for k in range(4)})
    assert XMM().read_bands(ratios).flags[0] & Flag.NO_DATA
    ratios["EP_8_FLUX"] = sum(table[f"EP_{k}_FLUX"] for k in range(1, 6))
    ratios["EP_8_CTS"], ratios["EP_8_CTS_ERR"] = counts.sum(), np.sqrt(counts.sum())
    result = XMM().read_bands(ratios)
    assert_allclose(result.bins.counts, full.bins.counts, rtol=1e-6)
    assert_allclose(result.bins.area, full.bins.area, rtol=1e-6)
    assert result.flags[0] & Flag.FROM_HARDNESS and result.recipe[0] == "hardness ratios"


def test_broken_chain_of_ratios_is_not_guessed():
    """With nothing in band 2 its neighbors cannot be compared: the larger group of bands is kept, or none."""
    table = Table({"EP_HR1": [-1.0], "EP_HR2": [1.0], "EP_8_FLUX": [1e-13], "EP_8_DET_ML": [50.0]})
    assert XMM().read_bands(table).flags[0] & Flag.NO_DATA


def test_real_detections(shared_data):
    """Fluxes of the catalog agree with those of its cameras' rates; hardness with both."""
    table = read_table(shared_data / "tables" / "4xmm_detections.xml")
    whole = XMM().read_bands(table)
    assert whole.bins.valid.all() and set(whole.recipe) == {"ep flux"}
    rate = table[[n for n in table.colnames if n[:3] in ("_pn", "_m1", "_m2") and "flux" not in n]]
    other = XMM().read_bands(rate)
    assert set(other.recipe) == {"camera rates"}
    bright = (whole.bins.counts > 10) & (other.bins.counts > 5)
    ratio = (other.bins.counts / other.bins.area)[bright] / (whole.bins.counts / whole.bins.area)[bright]
    assert bright.sum() >= 5
    assert_allclose(ratio, 1.0, atol=0.3)


def test_catalog_flags():
    """Extent and confusion of 4XMM."""
    flags = XMM().catalog_flags(Table({"EP_EXTENT": [0.0, 6.5], "CONFUSED": [True, False]}))
    assert flags.tolist() == [Flag.CONFUSED, Flag.EXTENDED]
    assert XMM().find_spectra(Table({"a": [1]}), ".") == [None]


def test_only_broad_bands_are_refused():
    """The error says what is expected."""
    with pytest.raises(TableError, match="EP_1_FLUX"):
        XMM().read_bands(Table({"EP_8_FLUX": [1e-14]}))
    assert_array_equal(XMM().matches(Table({"flux": [1.0]})), 0)
