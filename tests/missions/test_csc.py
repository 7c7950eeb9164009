# Licensed under a 3-clause BSD style license - see LICENSE
"""Bands, flags and file names of the Chandra Source Catalog."""

import numpy as np
import pytest
from astropy import units as u
from astropy.table import MaskedColumn, QTable, Table, vstack
from astropy.time import Time
from numpy.testing import assert_allclose, assert_array_equal

from astro_xlatent.core.errors import ParameterError, TableError
from astro_xlatent.core.flags import Flag
from astro_xlatent.missions.csc import CSC, RICHEST_FIRST, TRAINED_RECIPES
from astro_xlatent.missions.curves import load_curve
from astro_xlatent.missions.responses import band_area
from astro_xlatent.physics.grid import ENERGY_EDGES, ENERGY_MID, KEV_TO_ERG
from astro_xlatent.spectra.bins import EnergyBins

COUNTS = ("aperture counts",)
BANDS = {"s": (0.5, 1.2), "m": (1.2, 2.0), "h": (2.0, 7.0)}


def detections(shared_data):
    """The real detections, as read from the file."""
    return Table.read(shared_data / "labels/csc2_labelled_detections.csv.gz", format="ascii.csv")


def numbers(table, name):
    """A column as float with NaN for masked, independent of the package."""
    return np.ma.filled(np.ma.asarray(table[name], dtype=float), np.nan)


def mean_over_effective(curve="acis-s", year=2010.0):
    """Mean area of bands s, m, h over that at 0.92, 1.56 (below the Al K edge) and 3.8 keV."""
    energies = [0.92, 1.555 if curve == "acis-s" else 1.5585, 3.8]
    return band_area(curve, list(BANDS.values()), year) / load_curve(curve).area(energies, year)


def fluxes(rows=1, kind="photflux_aper", value=1e-5, width=0.117, bands="smh"):
    """A table of fluxes with symmetric limits in the CSC's columns."""
    table = Table()
    for b in bands:
        table[f"{kind}_{b}"] = np.full(rows, value)
        table[f"{kind}_lolim_{b}"] = np.full(rows, value * (1 - width))
        table[f"{kind}_hilim_{b}"] = np.full(rows, value * (1 + width))
    return table


@pytest.mark.parametrize("band", "smh")
def test_half_width_is_1p17_sqrt_n(shared_data, band):
    """The relation behind the recipe holds for real net counts with limits."""
    table = detections(shared_data)
    n, lo, hi = (numbers(table, f"src_cnts_aper_{k}{band}") for k in ("", "lolim_", "hilim_"))
    good = n > 30
    assert good.sum() > 500
    assert_allclose(np.nanmedian(0.5 * (hi - lo)[good] / np.sqrt(n[good])), 1.17, atol=0.04)


@pytest.mark.parametrize("band", "smh")
def test_zero_counts_have_hilim_near_1p2(shared_data, band):
    """Undetected bands of real rows have an upper limit of about 1.2 counts."""
    table = detections(shared_data)
    hilim = numbers(table, f"src_cnts_aper_hilim_{band}")[numbers(table, f"src_cnts_aper_{band}") == 0]
    assert 1.14 < np.nanmedian(hilim) < 1.35


def test_energy_flux_recipe_gives_net_counts_of_real_rows(shared_data):
    """Counts from energy fluxes with limits are the catalog's own net counts, typically."""
    table = detections(shared_data)
    result = CSC().read_bands(table)
    assert set(result.recipe.tolist()) == {"energy flux", "hardness ratios", ""}
    assert np.mean(result.recipe == "hardness ratios") < 0.01
    assert np.all(result.bins.energy_weighted == (result.recipe == "energy flux"))
    for k, band in enumerate("smh"):
        net = numbers(table, f"src_cnts_aper_{band}")
        good = result.bins.valid[:, k] & (net > 10) & np.isfinite(numbers(table, f"flux_aper_{band}"))
        ratio = result.bins.counts[good, k] / net[good]
        # Noise of the background, and of the photons' energies over areas, makes counts equivalent to
        # fewer, never to many more.
        assert 0.85 < np.median(ratio) < 1.03
        assert np.percentile(ratio, 95) < 1.2


def test_energy_weighted_area_gives_counts_back(shared_data):
    """Area times the band's energy flux over the reference energy is the counts."""
    table = detections(shared_data)
    bins = CSC().read_bands(table).bins
    for k, (band, (lo, hi)) in enumerate(BANDS.items()):
        flux = numbers(table, f"flux_aper_{band}")
        good = bins.valid[:, k] & (bins.counts[:, k] > 0) & (flux > 0)
        flux = flux[good]
        expected = bins.area[good, k] * flux / (np.sqrt(lo * hi) * KEV_TO_ERG)
        assert_allclose(expected, bins.counts[good, k], rtol=1e-10)


def test_energy_weights_of_bins_agree(shared_data):
    """A spectrum with the published energy flux predicts the counts through `EnergyBins`."""
    bins = CSC().read_bands(detections(shared_data)[:200]).bins
    row = int(np.argmax(np.where(bins.valid.all(axis=1), bins.counts.sum(axis=1), 0)))
    spectrum = ENERGY_MID**-1.7 * np.diff(ENERGY_EDGES)
    predicted = bins[row].unfolded_weights()[0] @ spectrum
    for k, (lo, hi) in enumerate(BANDS.values()):
        inside = (ENERGY_MID > lo) & (ENERGY_MID < hi)
        energy_flux = np.sum((spectrum * ENERGY_MID)[inside]) * KEV_TO_ERG
        expected = bins.area[row, k] * energy_flux / (np.sqrt(lo * hi) * KEV_TO_ERG)
        assert_allclose(predicted[k], expected, rtol=1e-5)


def test_real_detections_flags(shared_data):
    """Mixed strings of pile-up flags, missing bands and empty rows of the real file."""
    table = detections(shared_data)
    result = CSC().read_bands(table)
    piled = np.isin([str(v).lower() for v in table["pileup_flag"]], ["true"])
    assert_array_equal(result.flags & Flag.PILEUP > 0, piled)
    usable = np.stack([np.isfinite(numbers(table, f"flux_aper_{b}"))
                       | np.isfinite(numbers(table, f"src_cnts_aper_{b}"))
                       | np.isfinite(numbers(table, "hard_hs")) for b in "smh"], axis=1)[::50]
    empty = (result.flags & Flag.NO_DATA > 0)[::50]
    assert_array_equal(empty, ~result.bins.valid.any(axis=1)[::50])
    assert not np.any(result.bins.valid[::50] & ~usable)
    assert all("no usable band" in result.reason[i] for i in np.flatnonzero(result.flags & Flag.NO_DATA))


def test_source_averages_with_symmetric_errors(shared_data):
    """Averages with errors instead of limits are read, flagged, and their zeros recognized."""
    table = Table.read(shared_data / "labels/csc2_labelled_sources.csv", format="ascii.csv")
    result = CSC().read_bands(table)
    assert np.all(result.flags & Flag.LIMITS_MISSING)
    assert np.all(result.flags[numbers(table, "flux_aper90_mean_s") > 0] & Flag.NO_DATA == 0)
    hard = table["flux_aper90_mean_h"] / table["e_flux_aper90_mean_h"]
    # Rows that lack a mean in some band are read from the averages, which have all three.
    complete = np.all([np.isfinite(numbers(table, f"flux_aper90_mean_{b}")) for b in "smh"], axis=0)
    zero = complete & np.ma.filled(np.abs(hard / 1.3236 - 1) < 0.002, False)
    assert zero.sum() > 200
    assert np.all(result.bins.counts[zero, 2] == 0)
    e_ref = np.sqrt(2.0 * 7.0) * KEV_TO_ERG
    expected = 1.14 * 0.7979 * e_ref / table["flux_aper90_mean_h"][zero]
    assert_allclose(result.bins.area[zero, 2], expected, rtol=1e-3)


def test_mean_before_average():
    """Where a table has both, the one that does not mix observations band by band is read."""
    columns = {f"{e}flux_aper90_{kind}_{b}": [value] for b in "smh"
               for kind, value in (("ave", 9e-14), ("mean", 1e-14)) for e in ("", "e_")}
    for b in "smh":
        columns[f"e_flux_aper90_ave_{b}"], columns[f"e_flux_aper90_mean_{b}"] = [1e-15], [1e-15]
    assert_allclose(CSC().read_bands(Table(columns)).bins.counts, 100 * 1.12**2)
    for b in "smh":
        del columns[f"flux_aper90_mean_{b}"]
    assert_allclose(CSC().read_bands(Table(columns)).bins.counts, 8100 * 1.12**2)


def test_photon_flux_recipe():
    """Counts are (1.12 F / sigma)**2; counts over flux is an area at one energy per band; no background."""
    bins = CSC().read_bands(fluxes()).bins
    assert_allclose(bins.counts, 1 / 0.117**2 * 1.12**2)
    assert_allclose(bins.area * 1e-5, bins.counts * mean_over_effective())
    assert_allclose(bins.background, 0)
    assert not bins.energy_weighted[0]
    assert_array_equal(bins.e_lo[0], [0.5, 1.2, 2.0])
    assert np.all((bins.resolution > 0.05) & (bins.resolution < 0.3))


def test_what_the_model_was_trained_on_goes_first():
    """Energy flux goes first until a model is trained on the others, which get a flag."""
    table = fluxes(2)
    for name, column in fluxes(2, "flux_aper", 1e-14).items():
        table[name] = column
    for b in "smh":
        table[f"flux_aper_{b}"][1] = np.nan
    result = CSC().read_bands(table)
    first = RICHEST_FIRST[1] if "photon flux" in TRAINED_RECIPES else "energy flux"
    assert result.recipe.tolist() == [first, "photon flux"]
    flagged = [recipe not in TRAINED_RECIPES for recipe in result.recipe]
    assert ((result.flags & Flag.UNTRAINED_RECIPE) > 0).tolist() == flagged
    assert CSC(recipes=("photon flux",)).read_bands(table).recipe.tolist() == ["photon flux"] * 2
    with pytest.raises(ParameterError, match="recipes names 'guess'; allowed: aperture counts"):
        CSC(recipes=("guess",))


def test_chip_and_date_turn_the_area():
    """The curve of chip and year; where a row tells neither, the default with a flag."""
    table = fluxes(5)
    table["detector"] = ["ACIS-7", "ACIS-3", "ACIS-67", "", "ACIS-3"]
    table["gti_mjd_obs"] = [51544.5, 51544.5, 55197.0, 51544.5, np.nan]
    table["gti_obs"] = ["", "", "", "", "2012-07-01T00:00:00"]
    result = CSC().read_bands(table)
    keys = [("acis-s", 2000.0), ("acis-i", 2000.0), ("acis-s", 2010.0), ("acis-s", 2000.0),
            ("acis-i", 2012.5)]
    for row, key in enumerate(keys):
        expected = mean_over_effective(*key)
        assert_allclose(result.bins.area[row] * 1e-5 / result.bins.counts[row], expected, rtol=1e-3)
    assert ((result.flags & Flag.AREA_ASSUMED) > 0).tolist() == [False, False, False, True, False]


def test_row_takes_the_way_with_more_bands():
    """Two bands of photon flux lose against three of energy flux."""
    table = fluxes(1)
    for name, column in fluxes(1, "flux_aper", 1e-14).items():
        table[name] = column
    table["photflux_aper_h"] = np.nan
    result = CSC().read_bands(table)
    assert result.recipe[0] == "energy flux"
    assert result.bins.valid.all()


def test_zero_flux():
    """A flux of zero is zero counts with an area such that 1.14 counts are the upper limit."""
    table = fluxes()
    table["photflux_aper_s"], table["photflux_aper_lolim_s"], table["photflux_aper_hilim_s"] = 0.0, 0.0, 2e-6
    bins = CSC().read_bands(table).bins
    assert bins.counts[0, 0] == 0
    assert_allclose(bins.area[0, 0], 1.14 / 2e-6 * mean_over_effective()[0])


@pytest.mark.parametrize(("family", "kind"), [
    ("flux_aper90", "energy flux"), ("photflux_aper90", "photon flux"),
    ("flux_aper_avg", "energy flux"), ("photflux_aper90_avg", "photon flux"),
])
def test_other_families(family, kind):
    """The 90 % apertures and averages are read alike."""
    result = CSC().read_bands(fluxes(kind=family, value=1e-13 if kind == "energy flux" else 1e-5))
    assert result.recipe[0] == kind
    assert_allclose(result.bins.counts, 1 / 0.117**2 * 1.12**2)


def test_heasarc_names():
    """HEASARC spells s_flux_ap, s_flux_ap_lo, s_flux_ap_hi."""
    plain = fluxes(kind="flux_aper", value=1e-13)
    table = Table()
    for b in "smh":
        for ours, theirs in (("", ""), ("_lolim", "_lo"), ("_hilim", "_hi")):
            table[f"{b}_flux_ap{theirs}"] = plain[f"flux_aper{ours}_{b}"]
    assert_allclose(CSC().read_bands(table).bins.area, CSC().read_bands(plain).bins.area)


def test_names_in_upper_case():
    """Column names are read in any case."""
    table = fluxes()
    table.rename_columns(table.colnames, [n.upper() for n in table.colnames])
    assert CSC().read_bands(table).bins.valid.all()
    assert CSC().matches(table) == CSC().matches(fluxes())


def test_same_column_in_two_cases_is_refused():
    """Two columns that differ by case alone contradict each other."""
    table = fluxes()
    table["PhotFlux_aper_s"], table["PHOTFLUX_APER_S"] = 1.0, 2.0
    table.remove_column("photflux_aper_s")
    with pytest.raises(TableError, match="differ only by case"):
        CSC().read_bands(table)


def test_units_are_respected():
    """Photon fluxes per m2 and counts of kiloseconds come out as the defaults."""
    plain, other = fluxes(), QTable(fluxes())
    for name in other.colnames:
        other[name] = (other[name] * u.ph / u.cm**2 / u.s).to("ph / (ks m2)")
    assert_allclose(CSC().read_bands(other).bins.area, CSC().read_bands(plain).bins.area)


@pytest.mark.parametrize("unit", ["photon / (s cm2)", "1 / (s cm2)", "count / (s cm2)", "photons/cm2/s"])
def test_photon_unit_spellings(unit):
    """Photons are written, counted or left out."""
    table = fluxes()
    for name in table.colnames:
        table[name].unit = u.Unit(unit, parse_strict="silent")
    assert_allclose(CSC().read_bands(table).bins.area, CSC().read_bands(fluxes()).bins.area)


def test_vizier_energy_unit():
    """mW/m2 is erg/s/cm2."""
    table = fluxes(kind="flux_aper", value=1e-13)
    for name in table.colnames:
        table[name].unit = "mW/m2"
    plain = CSC().read_bands(fluxes(kind="flux_aper", value=1e-13))
    assert_allclose(CSC().read_bands(table).bins.area, plain.bins.area)


def test_wrong_unit_names_the_column():
    """A unit that cannot be a photon flux is an error, not a number."""
    table = fluxes()
    table["photflux_aper_m"].unit = "mJy"
    with pytest.raises(TableError, match=r"'photflux_aper_m' has unit 'mJy'.*ph"):
        CSC().read_bands(table)


@pytest.mark.parametrize(("value", "cause"), [
    (np.nan, "missing"), (np.inf, "missing"), (-1e-6, "negative"), (5e-5, "limits that do not enclose"),
])
def test_bad_value_spoils_its_band_only(value, cause):
    """A bad band of a row is left out with the reason; other rows are unaffected."""
    table = fluxes(3)
    table["photflux_aper_m"][1] = value
    result = CSC().read_bands(table)
    assert_array_equal(result.bins.valid, [[1, 1, 1], [1, 0, 1], [1, 1, 1]])
    assert_array_equal(result.flags & Flag.PARTIAL_BANDS > 0, [False, True, False])
    assert f"band m (photflux_aper_m): {cause}" in result.reason[1]
    assert result.reason[0] == result.reason[2] == ""


def test_masked_columns():
    """Masked elements are missing, in Table and QTable."""
    table = fluxes(2)
    for name in table.colnames:
        table[name] = MaskedColumn(table[name], mask=[name.endswith("_s"), False], unit="ph / (s cm2)")
    for kind in (Table, QTable):
        valid = CSC().read_bands(kind(table)).bins.valid
        assert_array_equal(valid, [[False, True, True], [True, True, True]])


def test_strings_as_written_by_csv():
    """Columns of strings with blanks and words are numbers where they can be."""
    table = fluxes(2)
    for name in table.colnames:
        table[name] = [f" {table[name][0]!s} ", "NULL" if name.endswith("_h") else str(table[name][1])]
    valid = CSC().read_bands(table).bins.valid
    assert_array_equal(valid, [[True, True, True], [True, True, False]])


def test_row_without_any_band():
    """A row of NaN is flagged and says why; it does not fail."""
    table = fluxes(1, value=np.nan)
    result = CSC().read_bands(table)
    assert result.flags[0] == Flag.NO_DATA
    assert result.reason[0] == ("no usable band (s (photflux_aper_s): missing, m (photflux_aper_m): missing, "
                                "h (photflux_aper_h): missing)")
    assert result.recipe[0] == ""


def test_row_with_only_the_hrc_band():
    """Rows of HRC say that band w cannot be used, alone or among others."""
    table = fluxes(2)
    table["photflux_aper_w"] = [np.nan, 1e-5]
    for b in "smh":
        table[f"photflux_aper_{b}"][1] = np.nan
    result = CSC().read_bands(table)
    assert "only the HRC band w" in result.reason[1]
    only_w = CSC().read_bands(Table({"flux_aper_w": [1e-14]}))
    assert only_w.flags[0] == Flag.NO_DATA
    assert "HRC" in only_w.reason[0]


def test_missing_limits_use_net_counts():
    """Without limits the relative error of the net counts stands in, then the counts themselves."""
    table = Table({f"photflux_aper_{b}": [1e-5, 1e-5, 1e-5] for b in "smh"})
    for b in "smh":
        table[f"src_cnts_aper_{b}"] = [100.0, 100.0, np.nan]
        table[f"src_cnts_aper_lolim_{b}"] = [88.8, np.nan, np.nan]
        table[f"src_cnts_aper_hilim_{b}"] = [111.2, np.nan, np.nan]
    result = CSC().read_bands(table)
    assert_allclose(result.bins.counts[:2], 100, rtol=0.01)
    assert_allclose(result.bins.area[:2] / mean_over_effective(), 1e7, rtol=0.01)
    assert np.all(result.flags[:2] & Flag.LIMITS_MISSING)
    assert result.flags[2] & Flag.NO_DATA
    assert "no uncertainty" in result.reason[2]


def raw_table(rng, rows=400, rate_area=3e6, flux=2e-5):
    """Rows of a per-observation table simulated from known rates."""
    table = Table({"area_aper": np.full(rows, 30.0), "area_aperbkg": np.full(rows, 300.0)})
    for b in "smh":
        table[f"cnts_aper_{b}"] = rng.poisson(0.9 * rate_area * flux + 4.0, rows)
        table[f"cnts_aperbkg_{b}"] = rng.poisson(40.0, rows)
        table[f"psf_frac_aper_{b}"] = 0.9
        net = (table[f"cnts_aper_{b}"] - 0.1 * table[f"cnts_aperbkg_{b}"]) / 0.9
        for part, factor in (("", 1.0), ("lolim_", 0.8), ("hilim_", 1.2)):
            table[f"src_cnts_aper_{part}{b}"] = factor * net
            table[f"photflux_aper_{part}{b}"] = factor * net / rate_area
    return table


def test_aperture_counts_recipe():
    """Raw counts come through as they are, with background, its error and the true area."""
    table = raw_table(np.random.default_rng(1))
    result = CSC(recipes=COUNTS).read_bands(table)
    assert set(result.recipe.tolist()) == {"aperture counts"}
    bins = result.bins
    assert_array_equal(bins.counts[:, 0], table["cnts_aper_s"])
    assert_allclose(bins.background[:, 1], 0.1 * table["cnts_aperbkg_m"])
    area = bins.area / mean_over_effective()
    assert_allclose(area, 0.9 * 3e6)
    assert_allclose(np.std(bins.background[:, 2]), np.mean(bins.background_error[:, 2]), rtol=0.15)
    assert_allclose(np.mean((bins.counts - bins.background) / area), 2e-5, rtol=0.02)


def test_aperture_counts_with_energy_flux_only():
    """Without photon fluxes the area is energy weighted."""
    table = raw_table(np.random.default_rng(2), rows=5)
    for b in "smh":
        for part in ("", "lolim_", "hilim_"):
            table[f"flux_aper_{part}{b}"] = table.columns.pop(f"photflux_aper_{part}{b}") * 2e-9
    result = CSC(recipes=COUNTS).read_bands(table)
    assert result.recipe[0] == "aperture counts"
    assert result.bins.energy_weighted.all()
    e_ref = np.array([np.sqrt(lo * hi) for lo, hi in BANDS.values()]) * KEV_TO_ERG
    assert_allclose(result.bins.area, 0.9 * 3e6 * np.broadcast_to(e_ref, (5, 3)) / 2e-9)


def test_aperture_counts_with_default_response():
    """Without any flux the shipped area, live time and off-axis angle give the exposure."""
    table = raw_table(np.random.default_rng(3), rows=3)
    table.keep_columns([n for n in table.colnames if n.startswith(("cnts", "area", "psf"))])
    table["livetime"], table["theta"] = [1e4, 1e4, 2e4], [0.0, 8.0, 0.0]
    table["livetime"].unit = "s"
    table["gti_mjd_obs"] = 53000.0
    result = CSC().read_bands(table)
    assert np.all(result.flags & Flag.DEFAULT_RESPONSE)
    assert_allclose(result.bins.area[2], 2 * result.bins.area[0])
    assert_allclose(result.bins.area[1] / result.bins.area[0], 0.87, atol=0.03)
    assert not np.any(result.flags & Flag.RESPONSE_EXTRAPOLATED)
    assert np.all((result.bins.area[0] > 2e6) & (result.bins.area[0] < 8e6))


def test_rows_ten_years_ahead():
    """A date past the curve's end is extrapolated: less soft area, a flag, and errors that hold the doubt."""
    table = raw_table(np.random.default_rng(3), rows=2)
    table.keep_columns([n for n in table.colnames if n.startswith(("cnts", "area", "psf"))])
    table["livetime"], table["chip_id"] = [1e4, 1e4], [7, 3]
    ahead = Time.now().mjd + 3652.5
    results = []
    for mjd in (53000.0, ahead):
        table["gti_mjd_obs"] = mjd
        results.append(CSC().read_bands(table))
    before, after = results
    assert np.all(after.flags & Flag.RESPONSE_EXTRAPOLATED)
    assert not np.any(before.flags & Flag.RESPONSE_EXTRAPOLATED)
    soft = (after.bins.area / after.bins.counts) / (before.bins.area / before.bins.counts)
    assert np.all(soft[:, 0] < 0.3)
    assert_allclose(soft[:, 2], 1.0, atol=0.15)
    assert np.all(after.bins.counts[:, 0] < 0.5 * before.bins.counts[:, 0])
    assert_allclose(after.bins.background / after.bins.counts, before.bins.background / before.bins.counts)


def test_chips_of_both_kinds_have_their_areas():
    """Front-illuminated chips have less soft area, each array its own contamination."""
    table = raw_table(np.random.default_rng(3), rows=4)
    table.keep_columns([n for n in table.colnames if n.startswith(("cnts", "area", "psf"))])
    table["livetime"], table["chip_id"], table["gti_mjd_obs"] = 1e4, [7, 5, 3, 6], 54000.0
    area = CSC().read_bands(table).bins.area[:, 0]
    assert area[0] == area[1] > 1.4 * area[2]
    assert 1.02 < area[3] / area[2] < 1.3


def test_aperture_counts_without_areas_follow_from_net_counts():
    """Published net counts tell how the background is scaled; without them the reason says what lacks."""
    table = raw_table(np.random.default_rng(4), rows=200)
    table.remove_columns(["area_aper", "area_aperbkg", *(f"psf_frac_aper_{b}" for b in "smh")])
    for b in "smh":  # backgrounds that differ between bands tell ratio and fraction apart
        table[f"cnts_aperbkg_{b}"] = table[f"cnts_aperbkg_{b}"] * {"s": 1.0, "m": 0.5, "h": 4.0}[b]
        net = (table[f"cnts_aper_{b}"] - 0.06 * table[f"cnts_aperbkg_{b}"]) / 0.93
        table[f"src_cnts_aper_{b}"] = net
        table[f"photflux_aper_{b}"] = net / 3e6
    bins = CSC(recipes=COUNTS).read_bands(table).bins
    assert bins.valid.all()
    ratio = bins.background.sum(axis=1) / sum(table[f"cnts_aperbkg_{b}"] for b in "smh")
    assert_allclose(np.median(ratio), 0.06, atol=0.015)
    for b in "smh":
        table[f"src_cnts_aper_{b}"] = np.nan
    table["livetime"] = 1e4
    empty = CSC(recipes=COUNTS).read_bands(table)
    assert all("no aperture areas, nor net counts that tell them" in reason for reason in empty.reason)


def test_ultrasoft_band_on_request():
    """Band u is off unless asked for; b and w never become bins."""
    table = fluxes(bands="usmhb")
    assert CSC().read_bands(table).bins.n_bins == 3
    with_u = CSC(ultrasoft=True).read_bands(table).bins
    assert_array_equal(with_u.e_lo[0], [0.2, 0.5, 1.2, 2.0])


def test_broad_band_would_overlap():
    """Adding band b to s, m and h is refused by `EnergyBins`."""
    ones = np.ones((1, 4))
    with pytest.raises(ParameterError, match="overlap"):
        EnergyBins(e_lo=[[0.5, 1.2, 2.0, 0.5]], e_hi=[[1.2, 2.0, 7.0, 7.0]], counts=ones, background=ones,
                   background_error=ones, area=ones, resolution=ones, valid=ones > 0)


@pytest.mark.parametrize("values", [
    ["TRUE", "False", "NAN", ""], [True, False, False, False], np.array([1, 0, 0, 0], np.int16),
    MaskedColumn([True, True, True, True], mask=[False, True, True, True]), [b"T", b"F", b"F", b" "],
    [1.0, 0.0, np.nan, 0.0],
])
@pytest.mark.parametrize(("name", "flag"), [
    ("sat_src_flag", "SATURATED"), ("streak_src_flag", "SATURATED"), ("pileup_flag", "PILEUP"),
    ("conf_flag", "CONFUSED"), ("conf_code", "CONFUSED"), ("extent_flag", "EXTENDED"),
])
def test_catalog_flags(values, name, flag):
    """Flags in every storage the catalog has been seen in."""
    table = fluxes(4)
    table[name] = values
    found = CSC().read_bands(table).flags
    assert_array_equal(found & getattr(Flag, flag) > 0, [True, False, False, False])


def test_empty_table():
    """No rows is a result with no rows."""
    result = CSC().read_bands(fluxes(0))
    assert len(result) == len(result.flags) == len(result.reason) == 0
    assert result.bins.n_bins == 3


def test_table_without_bands():
    """A table of positions is refused with what was expected."""
    with pytest.raises(TableError, match=r"it has ra, dec.*flux_aper_s"):
        CSC().read_bands(Table({"ra": [1.0], "dec": [2.0]}))


def test_vector_column_is_refused():
    """All bands in one vector column are not understood, and the error says so."""
    table = fluxes(2)
    table["photflux_aper_s"] = np.ones((2, 6))
    with pytest.raises(TableError, match="shape"):
        CSC().read_bands(table)


def test_input_is_untouched_and_rows_are_independent():
    """Reading changes nothing, and a row reads the same alone, reordered or among others."""
    table = vstack([fluxes(3), fluxes(3, value=3e-6, width=0.4)])
    table["photflux_aper_s"][4] = np.nan
    before = table.copy()
    result = CSC().read_bands(table)
    assert all(np.array_equal(table[n], before[n], equal_nan=True) for n in table.colnames)
    order = [4, 0, 5, 2]
    part = CSC().read_bands(table[order])
    assert_array_equal(part.bins.counts, result.bins.counts[order])
    assert part.reason == [result.reason[i] for i in order]


def test_chunks_read_like_the_whole():
    """Any slice of rows gives what the whole table gives, reasons included."""
    table = raw_table(np.random.default_rng(5), rows=6)
    for b in "smh":
        table["photflux_aper_w"] = np.nan
        table[f"cnts_aper_{b}"] = np.where(np.arange(6) < 3, table[f"cnts_aper_{b}"], -1)
        table["area_aper"][1] = np.nan
        for part in ("", "lolim_", "hilim_"):
            table[f"photflux_aper_{part}{b}"][4:] = np.nan
    whole = CSC().read_bands(table)
    for k in range(6):
        one = CSC().read_bands(table[k:k + 1])
        assert one.reason == whole.reason[k:k + 1]
        assert one.recipe[0] == whole.recipe[k]
        assert one.flags[0] == whole.flags[k]
        assert_array_equal(one.bins.counts[0], whole.bins.counts[k])
    only_w = Table({"flux_aper_w": [1e-14, np.nan]})
    assert CSC().read_bands(only_w[1:]).flags[0] == Flag.NO_DATA


def touch(folder, *names):
    """Make empty files."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def test_find_spectra(tmp_path):
    """Files are found by observation, interval and region; the newest version wins."""
    touch(tmp_path, "acisf04487_001N021_r0009_pha3.fits.gz", "x/acisf04487_001N023_r0009_pha3.fits.gz",
          "acisf04487_001N023_r0009_arf3.fits.gz", "acisf04487_000N020_r0009_pha3.fits",
          "acisf12345_000N020_e2_r0001_pha3.fits", "acisf12345_000N020_e1_r0001_pha3.fits", "notes.txt")
    table = Table({"obsid": [4487, 4487, 12345, 4487, 0], "obi": [1, 0, 0, 1, 0],
                   "region_id": [9, 9, 1, 10, 0]})
    table["obi"] = MaskedColumn(table["obi"], mask=[False, False, True, False, True])
    found = CSC().find_spectra(table, tmp_path)
    assert [p.name if p else None for p in found] == [
        "acisf04487_001N023_r0009_pha3.fits.gz", "acisf04487_000N020_r0009_pha3.fits",
        "acisf12345_000N020_e1_r0001_pha3.fits", None, None]


def test_find_spectra_of_real_folder(shared_data):
    """The real CSC products are found by their detection's key."""
    table = Table({"obsid": [1575, 7867, 24564, 99], "obi": [1, 0, 0, 0], "region_id": [85, 2, 1, 1]})
    found = CSC().find_spectra(table, shared_data / "spectra" / "chandra")
    assert [p.name if p else None for p in found] == [
        "acisf01575_001N001_r0085_pha3.fits.gz", "acisf07867_000N001_r0002_pha3.fits",
        "hrcf24564_000N030_r0001_pha3.fits.gz", None]


def test_find_spectra_of_master_rows(tmp_path):
    """Master sources have no file names; a missing folder is an error."""
    assert CSC().find_spectra(fluxes(2), tmp_path) == [None, None]
    with pytest.raises(TableError, match="does not exist"):
        CSC().find_spectra(Table({"obsid": [1], "region_id": [1]}), tmp_path / "nowhere")


@pytest.mark.parametrize("seed", range(5))
def test_garbage_in_raw_counts(seed):
    """The same for raw counts, areas and PSF fractions."""
    rng = np.random.default_rng(seed)
    table = raw_table(rng, rows=200)
    table["livetime"], table["theta"], table["chip_id"] = 1e4, 3.0, 7.0
    for name in table.colnames:
        garbage = rng.choice([np.nan, np.inf, -1.0, 0.0, 1e300, 1e-300], 200)
        table[name] = np.where(rng.random(200) < 0.1, garbage, np.array(table[name], float))
    result = CSC().read_bands(table)
    assert np.all(np.isfinite(result.bins.unfolded_weights()))
    assert np.mean(result.bins.valid) > 0.5


@pytest.mark.parametrize("seed", range(5))
def test_garbage_never_stops_a_table(seed, shared_data):
    """Real rows with random garbage end as flags; untouched rows read as before."""
    rng = np.random.default_rng(seed)
    table = detections(shared_data)[:300]
    plain = CSC().read_bands(table)
    names = [n for n in table.colnames if "aper" in n]
    hit = rng.choice(300, 100, replace=False)
    for name in names:
        values = numbers(table, name)
        values[hit] = rng.choice([np.nan, np.inf, -np.inf, -1.0, 0.0, 1e300, 1e-300, 5e-324], 100)
        table[name] = values
    result = CSC().read_bands(table)
    kept = np.setdiff1d(np.arange(300), hit)
    assert_array_equal(result.bins.counts[kept], plain.bins.counts[kept])
    assert_array_equal(result.flags[kept], plain.flags[kept])
    assert np.all(np.isfinite(result.bins.area))
