# Licensed under a 3-clause BSD style license - see LICENSE
"""Bands, flags and file names of eROSITA catalogs."""

import numpy as np
import pytest
from astropy.table import MaskedColumn, QTable, Table
from numpy.testing import assert_allclose, assert_array_equal

from astro_xlatent.core.errors import TableError
from astro_xlatent.core.flags import Flag
from astro_xlatent.missions.curves import load_curve
from astro_xlatent.missions.erosita import EROSITA
from astro_xlatent.physics.absorption import transmission
from astro_xlatent.physics.emission import powerlaw
from astro_xlatent.physics.grid import ENERGY_MID, KEV_TO_ERG

BANDS = [(0.2, 0.5), (0.5, 1.0), (1.0, 2.0), (2.0, 5.0), (5.0, 8.0)]
#: Energy-conversion factors of the eRASS1 catalog, counts cm2/erg.
ECF = [9.22e11, 1.359e12, 1.014e12, 1.613e11, 2.776e10]


def template():
    """Photons/cm2/s per bin of the catalog's model: tbabs(3e20) x power law of index 2."""
    return np.atleast_2d(powerlaw(2.0) * transmission(3e20))[0]


def band_flux(spectrum, lo, hi):
    """Energy flux in erg/cm2/s."""
    inside = (ENERGY_MID > lo) & (ENERGY_MID < hi)
    return np.sum((spectrum * ENERGY_MID)[inside]) * KEV_TO_ERG


def simulated(rows=300, exposure=150.0, norm=3e-3, seed=3):
    """An eRASS1-like table drawn through the published energy-conversion factors."""
    rng = np.random.default_rng(seed)
    table = Table({"DETUID": [f"em01_149162_020_ML{i:05d}_001_c010" for i in range(1, rows + 1)],
                   "SKYTILE": np.full(rows, 149162, np.int32),
                   "ID_SRC": np.arange(1, rows + 1, dtype=np.int32),
                   "UID_Hard": np.zeros(rows, np.int64), "EXT": np.zeros(rows)})
    for k, ((lo, hi), ecf) in enumerate(zip(BANDS, ECF, strict=True), 1):
        rate = norm * band_flux(template(), lo, hi) * ecf
        background = 0.02 * exposure / 100
        table[f"APE_CTS_P{k}"] = rng.poisson(0.75 * rate * exposure + background, rows).astype(np.int16)
        table[f"APE_BKG_P{k}"] = np.full(rows, background, np.float32)
        table[f"APE_EXP_P{k}"] = np.full(rows, exposure, np.float32)
        counts = rng.poisson(rate * exposure, rows)
        table[f"ML_CTS_P{k}"] = counts.astype(np.float32)
        table[f"ML_CTS_ERR_P{k}"] = np.where(counts > 0, np.sqrt(np.maximum(counts, 1)), 0.5)
        table[f"ML_EXP_P{k}"] = np.full(rows, exposure, np.float32)
        table[f"ML_BKG_P{k}"] = np.full(rows, 9.9)
    return table


@pytest.mark.parametrize("band", range(5))
def test_energy_conversion_factors(band):
    """The shipped curve gives the catalog's factors within 4 %."""
    curve = load_curve("erosita-tm0")
    spectrum, (lo, hi) = template(), BANDS[band]
    seen = curve.redistribution(channel_edges=np.array([lo, hi]))[0]
    rate = np.sum(seen * curve.area() * spectrum)
    assert_allclose(rate / band_flux(spectrum, lo, hi), ECF[band], rtol=0.04)


@pytest.mark.parametrize("band", range(5))
def test_factors_with_own_power_law(band, shared_data):
    """The same with a power law and cross-section that are not the package's."""
    data = np.load(shared_data / "physics" / "tbabs_wilms_sigma.npz")
    sigma = np.interp(ENERGY_MID, data["energy_keV"], data["sigma_cm2_per_H"])
    spectrum = np.exp(-3e20 * sigma) * ENERGY_MID**-2.0 * 0.01
    response = EROSITA().default_response()
    (lo, hi), center = BANDS[band], 0.5 * (response.channel_e_lo + response.channel_e_hi)
    rate = response.fold(spectrum)[(center >= lo) & (center < hi)].sum()
    assert_allclose(rate / band_flux(spectrum, lo, hi), ECF[band], rtol=0.05)


def test_aperture_recipe():
    """Counts, background and 0.75 x on-axis area x exposure give back the flux put in."""
    table = simulated()
    result = EROSITA().read_bands(table)
    bins = result.bins
    assert set(result.recipe.tolist()) == {"aperture counts"}
    assert_array_equal(bins.counts[:, 2], table["APE_CTS_P3"])
    assert_allclose(bins.background_error, 0.05 * bins.background)
    curve = load_curve("erosita-tm0")
    seen = curve.redistribution(channel_edges=np.array([0.2, 0.5, 1.0, 2.0, 5.0, 8.0]))
    predicted = 0.75 * 150.0 * 3e-3 * seen @ (curve.area() * template())
    net = (bins.counts - bins.background).mean(axis=0)
    assert np.all(np.abs(net - predicted) < 0.04 * predicted + 4 * np.sqrt(predicted / len(table)))
    flat = 0.75 * 150.0 * (seen @ (curve.area() * 0.01)) / np.diff([0.2, 0.5, 1.0, 2.0, 5.0, 8.0])
    assert_allclose(bins.area, np.broadcast_to(flat, bins.area.shape), rtol=1e-6)


def test_fitted_recipe():
    """Without apertures the equivalent counts of the PSF fit are used with the same on-axis area."""
    table = simulated()
    table.remove_columns([n for n in table.colnames if n.startswith("APE_")])
    result = EROSITA().read_bands(table)
    assert set(result.recipe.tolist()) == {"PSF-fitted counts"}
    detected = table["ML_CTS_P3"] > 0
    assert_allclose(result.bins.counts[detected, 2], table["ML_CTS_P3"][detected], rtol=1e-5)
    with_ape = EROSITA().read_bands(simulated()).bins.area
    assert_allclose(result.bins.area[detected, 2], with_ape[detected, 2] / 0.75, rtol=1e-5)
    empty = np.asarray(table["ML_CTS_P5"] == 0)
    assert np.all(result.bins.counts[empty, 4] == 0)
    assert np.all(result.bins.valid)


def test_overflowed_counts():
    """Negative 16-bit counts are never used; the fit stands in, or the band is dropped with the reason."""
    table = simulated(3)
    table["APE_CTS_P3"][1] = -30000
    result = EROSITA().read_bands(table)
    assert result.recipe[1] == "aperture counts, PSF-fitted counts"
    assert "overflowed" in result.reason[1]
    assert result.reason[0] == ""
    assert result.bins.valid.all()
    del table["ML_CTS_P3"]
    result = EROSITA().read_bands(table)
    assert_array_equal(result.bins.valid[:, 2], [True, False, True])
    assert "P3 (APE_CTS_P3): counts that overflowed 16 bits" in result.reason[1]
    assert result.flags[1] & Flag.PARTIAL_BANDS


def test_counts_wrapped_to_positive():
    """Counts beyond 65,536 wrap to small positive ones; the fitted counts betray them."""
    table = simulated(2)
    table["APE_CTS_P2"][0], table["ML_CTS_P2"][0], table["ML_CTS_ERR_P2"][0] = 120, 90000.0, 300.0
    bins = EROSITA().read_bands(table).bins
    assert_allclose(bins.counts[0, 1], 90000, rtol=1e-6)


def test_negative_background_is_zero():
    """A background map below zero is no background."""
    table = simulated(2)
    table["APE_BKG_P1"][0] = -0.05
    bins = EROSITA().read_bands(table).bins
    assert bins.valid.all()
    assert bins.background[0, 0] == 0


def test_rate_errors_in_upper_errors_are_not_used():
    """The _UPERR columns, which may hold rate errors, change nothing."""
    table = simulated(5)
    table.remove_columns([n for n in table.colnames if n.startswith("APE_")])
    plain = EROSITA().read_bands(table).bins.counts
    for k in range(1, 6):
        table[f"ML_CTS_UPERR_P{k}"] = 0.01
    assert_array_equal(EROSITA().read_bands(table).bins.counts, plain)


def test_overlapping_bands_are_never_read():
    """P6 to P9 do not become bins."""
    table = simulated(2)
    for k in range(6, 10):
        for kind in ("CTS", "BKG", "EXP"):
            table[f"APE_{kind}_P{k}"] = 10.0
    assert EROSITA().read_bands(table).bins.n_bins == 5


def numbered(names, **extra):
    """A table with numbered bands and other columns."""
    columns = {f"{kind}_{n}": [v] for n in names
               for kind, v in (("APE_CTS", 20), ("APE_BKG", 1.0), ("APE_EXP", 100.0))}
    return Table({**columns, **extra})


def test_numbered_bands_need_a_known_catalog():
    """_1 is another band in Main and in Hard: without a hint it is refused."""
    with pytest.raises(TableError, match=r"UID_Hard \(main\) or UID_1B \(hard\)"):
        EROSITA().read_bands(numbered("1"))
    with pytest.raises(TableError, match="tell which"):
        EROSITA().read_bands(numbered("1", UID_Hard=[1], UID_1B=[1]))


def test_numbered_bands_of_main_and_hard():
    """With the hint the energies are those of the catalog."""
    main = EROSITA().read_bands(numbered("1", UID_Hard=[0])).bins
    assert_array_equal(main.e_hi, [[2.3]])
    hard = EROSITA().read_bands(numbered("123", UID_1B=[0])).bins
    assert_array_equal(hard.e_lo, [[0.2, 0.6, 2.3]])
    assert_array_equal(hard.e_hi, [[0.6, 2.3, 5.0]])


def test_forced_bands_win_over_numbered():
    """Where P bands are present the numbers are not looked at."""
    table = simulated(2)
    for kind in ("CTS", "BKG", "EXP"):
        table[f"APE_{kind}_1"] = 1e4
    assert EROSITA().read_bands(table).bins.n_bins == 5


@pytest.mark.parametrize("kind", [Table, QTable])
def test_masked_and_bad_rows(kind):
    """Masked, NaN and zero-exposure rows are flagged alone."""
    table = simulated(4)
    for name in [n for n in table.colnames if n[-2:-1] == "P"]:
        table[name] = MaskedColumn(table[name], mask=[False, True, False, False])
    table["APE_EXP_P1"][2] = table["ML_EXP_P1"][2] = 0.0
    result = EROSITA().read_bands(kind(table))
    assert_array_equal(result.flags & Flag.NO_DATA > 0, [False, True, False, False])
    assert result.reason[2] == ("band P1 (APE_CTS_P1): no exposure or area; "
                                "fill the column of the exposure or area")
    assert result.bins.valid[3].all()


def test_exposure_unit():
    """Exposures in ks are converted; a wrong unit is named."""
    table = simulated(2)
    plain = EROSITA().read_bands(table).bins.area
    for k in range(1, 6):
        table[f"APE_EXP_P{k}"] = table[f"APE_EXP_P{k}"] / 1000
        table[f"APE_EXP_P{k}"].unit = "ks"
    assert_allclose(EROSITA().read_bands(table).bins.area, plain, rtol=1e-6)
    table["APE_EXP_P4"].unit = "deg"
    with pytest.raises(TableError, match="APE_EXP_P4.*'deg'"):
        EROSITA().read_bands(table)


def test_catalog_flags():
    """Extent and crowded regions; optical loading is only mentioned."""
    table = simulated(4)
    table["EXT"] = [0.0, 25.0, 0.0, np.nan]
    table["FLAG_SP_SCL"] = [0, 0, 1, 0]
    table["FLAG_OPT"] = [False, False, True, True]
    result = EROSITA().read_bands(table)
    assert_array_equal(result.flags & Flag.EXTENDED > 0, [False, True, False, False])
    assert_array_equal(result.flags & Flag.CONFUSED > 0, [False, False, True, False])
    assert result.reason == ["", "", "FLAG_SP_SCL; FLAG_OPT", "FLAG_OPT"]


def test_empty_table_and_table_without_bands():
    """No rows is fine, no columns is not."""
    assert len(EROSITA().read_bands(simulated(3)[:0])) == 0
    with pytest.raises(TableError, match="APE_CTS_P1"):
        EROSITA().read_bands(Table({"DETUID": ["x"]}))


def test_find_spectra_by_survey_names(tmp_path):
    """Tile and source number lead to the merged spectrum."""
    names = ["em01_149162_020_SourceSpec_00001_c010.fits.gz", "em01_149162_120_SourceSpec_00001_c010.fits.gz",
             "em01_149162_520_SourceSpec_00002_c010.fits", "em01_200000_020_SourceSpec_00003.fits",
             "em01_149162_020_BackgrSpec_00003.fits"]
    for name in names:
        (tmp_path / name).touch()
    found = EROSITA().find_spectra(simulated(3), tmp_path)
    assert [p.name if p else None for p in found] == [names[0], names[2], None]
    only_detuid = simulated(3)
    only_detuid.remove_columns(["SKYTILE", "ID_SRC"])
    assert EROSITA().find_spectra(only_detuid, tmp_path) == found


def test_find_spectra_by_bare_names(tmp_path):
    """Names without tile are taken from the folder, or if only one tile is asked for."""
    inside = tmp_path / "149162"
    inside.mkdir()
    (inside / "020_SourceSpec_00002.fits").touch()
    (tmp_path / "020_SourceSpec_00001.fits").touch()
    table = simulated(2)
    assert [p.name for p in EROSITA().find_spectra(table, tmp_path)] == [
        "020_SourceSpec_00001.fits", "020_SourceSpec_00002.fits"]
    table["SKYTILE"][0] = 150000
    found = EROSITA().find_spectra(table, tmp_path)
    assert found[0] is None
    assert found[1].name == "020_SourceSpec_00002.fits"


def test_rows_without_keys_find_nothing(tmp_path):
    """Neither DETUID nor SKYTILE: no spectrum."""
    table = simulated(2)
    table.remove_columns(["DETUID", "SKYTILE"])
    assert EROSITA().find_spectra(table, tmp_path) == [None, None]


@pytest.mark.parametrize("seed", range(3))
def test_garbage_never_stops_a_table(seed):
    """Random garbage in some rows ends as flags; the others read as before."""
    rng = np.random.default_rng(seed)
    table = simulated(100)
    plain = EROSITA().read_bands(table)
    hit = rng.choice(100, 40, replace=False)
    for name in [n for n in table.colnames if n[-2:-1] == "P"]:
        values = np.array(table[name], float)
        values[hit] = rng.choice([np.nan, np.inf, -np.inf, -1.0, 0.0, 1e300, 1e-300], 40)
        table[name] = values
    result = EROSITA().read_bands(table)
    kept = np.setdiff1d(np.arange(100), hit)
    assert_array_equal(result.bins.counts[kept], plain.bins.counts[kept])
    assert [result.reason[i] for i in kept] == [""] * 60
