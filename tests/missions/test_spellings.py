# Licensed under a 3-clause BSD style license - see LICENSE
"""Catalogue columns as their publishers spell them: CSCview, TAP, VizieR, HEASARC, eRASS, eFEDS."""

import numpy as np
import pytest
from astropy.table import Table
from numpy.testing import assert_allclose, assert_array_equal

from astro_xlatent.core.errors import MissionError, TableError
from astro_xlatent.core.flags import Flag
from astro_xlatent.missions._spellings import ErositaColumns
from astro_xlatent.missions.base import get_mission, identify_mission
from astro_xlatent.missions.csc import CSC
from astro_xlatent.missions.erosita import EROSITA
from astro_xlatent.table.files import read_table

RNG = np.random.default_rng(8)
#: Columns of eRASS1 Main and of eRASS:3 Main, one band each; "{n}" runs over 1 and P1 to P9.
MAIN = ["DET_LIKE_{n}", "ML_CTS_{n}", "ML_CTS_ERR_{n}", "ML_CTS_LOWERR_{n}", "ML_CTS_UPERR_{n}",
        "ML_RATE_{n}", "ML_RATE_ERR_{n}", "ML_RATE_LOWERR_{n}", "ML_RATE_UPERR_{n}", "ML_FLUX_{n}",
        "ML_FLUX_ERR_{n}", "ML_BKG_{n}", "ML_EXP_{n}", "ML_EEF_{n}", "APE_CTS_{n}", "APE_BKG_{n}",
        "APE_EXP_{n}", "APE_RADIUS_{n}", "APE_POIS_{n}"]
P_BANDS = [f"P{k}" for k in range(1, 10)]


def erosita(names, bands, rows=4, **extra):
    """A table of made-up photometry with the given columns, consistent between them."""
    table = Table({name: [value] * rows for name, value in extra.items()})
    for k, band in enumerate(bands):
        exposure = np.full(rows, 150.0 + k)
        counts = RNG.poisson(40, rows)
        values = {"APE_CTS": counts.astype(np.int16), "APE_BKG": np.full(rows, 2.5), "APE_EXP": exposure,
                  "ML_CTS": (counts - 2.5) / 0.75, "ML_CTS_ERR": np.sqrt(counts) / 0.75, "ML_EXP": exposure,
                  "ML_RATE": (counts - 2.5) / 0.75 / exposure,
                  "ML_RATE_ERR": np.sqrt(counts) / 0.75 / exposure}
        for name in names:
            stem = name.replace("_{n}", "")
            table[name.format(n=band)] = values.get(stem, np.full(rows, 0.5))
    return table


def csc(style, rows=3):
    """Energy fluxes with limits in one of the spellings."""
    table = Table()
    for k, band in enumerate("smh"):
        flux = (k + 1) * (1e-6 if "photflux" in style[0] else 1e-14) * np.ones(rows)
        for name, factor in zip(style, (1.0, 0.9, 1.1)):
            table[name.format(b=band)] = factor * flux
    return table


CSCVIEW = ("flux_aper_{b}", "flux_aper_lolim_{b}", "flux_aper_hilim_{b}")
VIZIER = ("Flux{b}", "b_Flux{b}", "B_Flux{b}")
HEASARC = ("{b}_flux_ap", "{b}_flux_ap_lo", "{b}_flux_ap_hi")


@pytest.mark.parametrize("style", [VIZIER, HEASARC, ("{b}_FLUX_AP", "{b}_FLUX_AP_LO", "{b}_FLUX_AP_HI")])
def test_csc_spellings_say_the_same(style):
    """VizieR's and HEASARC's tables give the bins of CSCview's."""
    table = csc(style)
    table["2CXO"] = "J000000.0+000000"
    assert identify_mission(table).name == "csc"
    found, expected = CSC().read_bands(table), CSC().read_bands(csc(CSCVIEW))
    assert_allclose(found.bins.counts, expected.bins.counts)
    assert_allclose(found.bins.area, expected.bins.area)
    assert not np.any(found.flags & Flag.LIMITS_MISSING)


def test_vizier_limits_are_told_by_case():
    """Of a lower limit alone nothing is taken for an upper one."""
    table = csc(VIZIER)
    table["_2CXO"] = "J000000.0+000000"
    table.remove_columns(["B_Fluxs", "B_Fluxm", "B_Fluxh"])
    result = CSC().read_bands(table)
    assert np.all(result.flags & Flag.LIMITS_MISSING)
    # One-sided: the half-width is that of the lower limit.
    assert_allclose(result.bins.counts, 1 / 0.1**2 * 1.12**2, rtol=1e-6)


def test_vizier_flags():
    """fe, fc, fp, fs, fst: extent, confusion, pile-up, saturation, streak; in VizieR's table only."""
    table = csc(VIZIER, rows=5)
    for k, name in enumerate(("fe", "fc", "fp", "fs", "fst")):
        table[name] = np.arange(5) == k
    assert not CSC().catalog_flags(table).any()
    table["2CXO"] = "J000000.0+000000"
    assert CSC().catalog_flags(table).tolist() == [Flag.EXTENDED, Flag.CONFUSED, Flag.PILEUP, Flag.SATURATED,
                                                   Flag.SATURATED]


@pytest.mark.parametrize("more", [
    ["name", "ra", "dec", "err_ellipse_r0", "nh_gal", "likelihood_class"],
    ["detect_stack_id", "region_id", "ra_stack", "dec_stack", "theta_mean"],
    ["obsid", "obi", "region_id", "theta", "livetime", "gti_mjd_obs"],
])
@pytest.mark.parametrize("style", [CSCVIEW, tuple(n.replace("flux", "photflux") for n in CSCVIEW)])
def test_csc_master_stack_and_observation_tables(more, style):
    """All three tables are recognized and read by the same columns."""
    table = csc(style)
    for name in more:
        table[name] = 1.0
    assert identify_mission(table).name == "csc"
    result = identify_mission(table).read_bands(table)
    assert result.bins.valid.all()
    assert set(result.recipe) == {"photon flux" if "photflux_aper_s" in table.colnames else "energy flux"}


def test_cscview_tsv_and_votable(tmp_path):
    """CSCview's text with its comment lines; its VOTable, in which only the names tell, not the IDs."""
    table = csc(CSCVIEW)
    path = tmp_path / "csc.tsv"
    rows = ["\t".join(str(v) for v in row) for row in table]
    path.write_text("\n".join(["# Chandra Source Catalog", "#", "\t".join(table.colnames), *rows]) + "\n")
    read = Table.read(path, format="ascii.basic", delimiter="\t", comment="#")
    assert_allclose(CSC().read_bands(read).bins.counts, CSC().read_bands(table).bins.counts)
    fields = "".join(f'<FIELD ID="col{k}" name="{name}" datatype="double" unit="erg/s/cm2"/>'
                     for k, name in enumerate(table.colnames))
    data = "".join("<TR>" + "".join(f"<TD>{v}</TD>" for v in row) + "</TR>" for row in table)
    vot = tmp_path / "csc.vot"
    vot.write_text('<?xml version="1.0"?><VOTABLE version="1.3" xmlns="http://www.ivoa.net/xml/VOTable/v1.3">'
                   f"<RESOURCE><TABLE>{fields}<DATA><TABLEDATA>{data}</TABLEDATA></DATA></TABLE></RESOURCE>"
                   "</VOTABLE>")
    assert_allclose(CSC().read_bands(read_table(vot)).bins.counts, CSC().read_bands(table).bins.counts)
    with pytest.raises(MissionError, match="use_names_over_ids"):
        identify_mission(Table.read(vot, format="votable"))


@pytest.mark.parametrize(("name", "canonical"), [
    ("APE_CTS_P1", "ape_cts_p1"), ("APEctsP1", "ape_cts_p1"), ("e_MLctsP2", "ml_cts_err_p2"),
    ("s_MLRate1", "ml_rate_err_1"), ("ML_CTS_UPERR_P3", "ml_cts_uperr_p3"), ("ML_FLUX_b4", "ml_flux_b4"),
    ("ML_CTS", "ml_cts"), ("b1_flux_error", "ml_flux_err_1"), ("b0_detect_likelihood", "det_like_0"),
    ("p5_exposure", "ml_exp_p5"), ("p3_aper_counts", "ape_cts_p3"), ("source_number", "id_src"),
    ("UIdHard", "uid_hard"), ("DetUID", "detuid"),
    ("FlagSpGcCons", "flag_sp_gc_cons"),
    ("source_extent", "ext"), ("optical_flag", "flag_opt"), ("RA_ICRS", "ra_icrs"), ("ext", "ext"),
])
def test_canonical_names(name, canonical):
    """Every publisher's spelling becomes the catalog's."""
    assert ErositaColumns(Table()).canonical(name) == canonical


def respelled(table, how):
    """The same columns under other names."""
    renamed = table.copy()
    renamed.rename_columns(table.colnames, [how(name) for name in table.colnames])
    return renamed


def vizier_name(name):
    """As VizieR would write it: no underscores, e_ in front of errors."""
    bare = name.replace("_ERR", "").replace("APE_", "APE").replace("ML_", "ML").replace("_", "")
    return f"e_{bare}" if name.endswith(("_ERR",)) or "_ERR_" in name else bare


def heasarc_name(name):
    """As HEASARC writes it."""
    kind, _, band = name.rpartition("_")
    band = band.lower() if band.startswith("P") else f"b{band}"
    words = {"ML_CTS": "counts", "ML_CTS_ERR": "counts_error", "ML_RATE": "count_rate",
             "ML_RATE_ERR": "count_rate_error", "ML_EXP": "exposure"}
    return f"{band}_{words[kind]}"


def test_erass_spellings_say_the_same():
    """VizieR's and HEASARC's names give the bins of the catalog's own."""
    table = erosita(["ML_CTS_{n}", "ML_CTS_ERR_{n}", "ML_EXP_{n}"], P_BANDS)
    expected = EROSITA().read_bands(table).bins
    for how in (vizier_name, heasarc_name, str.lower):
        other = respelled(table, how)
        assert identify_mission(other).name == "erosita"
        assert_array_equal(EROSITA().read_bands(other).bins.counts, expected.counts)
        assert_array_equal(EROSITA().read_bands(other).bins.area, expected.area)


def test_rates_stand_in_for_counts():
    """Rate and its error times the exposure are counts and their error."""
    names = ["ML_CTS_{n}", "ML_CTS_ERR_{n}", "ML_RATE_{n}", "ML_RATE_ERR_{n}", "ML_EXP_{n}"]
    table = erosita(names, P_BANDS[:5])
    expected = EROSITA().read_bands(table).bins
    table.remove_columns([n for n in table.colnames if n.startswith("ML_CTS")])
    found = EROSITA().read_bands(table)
    assert_allclose(found.bins.counts, expected.counts, rtol=1e-6)
    assert_allclose(found.bins.area, expected.area, rtol=1e-6)


@pytest.mark.parametrize(("extra", "uid"), [
    ({"DETUID": "em01_149162_020_ML00171_002_c010", "UID_Hard": 0}, "em01"),
    ({"DETUID": "sm03_149162_020_ML00003_001_c030", "UID_DR1": 1, "UID_CSC": "", "UID_Hard": 4}, "sm03"),
])
def test_erass1_and_erass3_main(extra, uid):
    """P1 to P5 from apertures; upper errors, which are rate errors in eRASS:3, are not read."""
    table = erosita(MAIN, ["1", *P_BANDS], SKYTILE=149162, ID_SRC=3, **extra)
    for k in range(1, 10):
        table[f"ML_CTS_UPERR_P{k}"] = 0.01
    result = EROSITA().read_bands(table)
    assert identify_mission(table).name == "erosita"
    assert set(result.recipe.tolist()) == {"aperture counts"}
    assert_array_equal(result.bins.e_hi[0], [0.5, 1, 2, 5, 8])
    assert_array_equal(result.bins.counts[:, 0], table["APE_CTS_P1"])


def test_supplementary_without_uid_hard():
    """The supplementary catalog has the same P bands and needs no other column."""
    assert EROSITA().read_bands(erosita(MAIN, P_BANDS)).bins.n_bins == 5


@pytest.mark.parametrize("link", ["UID_1B", "UID_Main"])
def test_hard_catalogs(link):
    """eRASS1 and eRASS:3 hard: three bands."""
    table = erosita(MAIN, "123", **{link: 7})
    assert_array_equal(EROSITA().read_bands(table).bins.e_lo[0], [0.2, 0.6, 2.3])


def test_efeds_main():
    """eFEDS: four bands b1 to b4; the bare columns, 0.2-2.3 keV, overlap them and are not read."""
    names = ["DET_LIKE_{n}", "ML_RATE_{n}", "ML_RATE_ERR_{n}", "ML_CTS_{n}", "ML_CTS_ERR_{n}", "ML_FLUX_{n}",
             "ML_EXP_{n}", "ML_BKG_{n}"]
    table = erosita(names, ["b1", "b2", "b3", "b4"], ID_SRC=3, ML_CTS=500.0, ML_CTS_ERR=23.0, ML_EXP=1000.0,
                    RA_CORR=135.0, DEC_CORR=1.0, RADEC_ERR_CORR=3.0, inArea90=True)
    assert identify_mission(table).name == "erosita"
    bins = EROSITA().read_bands(table).bins
    assert_array_equal(bins.e_lo[0], [0.2, 0.5, 1, 2])
    assert_array_equal(bins.e_hi[0], [0.5, 1, 2, 4.5])
    assert_allclose(bins.counts[:, 0], (table["ML_CTS_b1"] / table["ML_CTS_ERR_b1"]) ** 2)


def test_efeds_hard():
    """eFEDS hard: numbered bands, three of them."""
    table = erosita(["ML_CTS_{n}", "ML_CTS_ERR_{n}", "ML_EXP_{n}"], "123")
    assert EROSITA().read_bands(table).bins.n_bins == 3


def test_two_spellings_of_one_column():
    """Two columns that mean the same, neither in the catalog's own spelling, are refused by name."""
    table = erosita(["ML_CTS_{n}", "ML_CTS_ERR_{n}", "ML_EXP_{n}"], P_BANDS[:5])
    table["MLctsP1"] = 1e6
    assert EROSITA().read_bands(table).bins.counts[0, 0] < 1000
    table.rename_column("ML_CTS_P1", "p1_counts")
    with pytest.raises(TableError, match="MLctsP1, p1_counts|p1_counts, MLctsP1"):
        EROSITA().read_bands(table)


@pytest.mark.parametrize(("mission", "names"), [
    ("erosita", ["DETUID", *(f"X{k}" for k in range(40)), "ML_CTS_P6", "ML_FLUX_P8"]),
    ("csc", ["obsid", "region_id", *(f"x{k}" for k in range(40)), "flux_bb_aper_s"]),
])
def test_catalog_version_never_seen(mission, names):
    """The error names columns that look like bands first, how many more, and what was expected."""
    table = Table(names=names)
    assert identify_mission(table).name == mission
    with pytest.raises(TableError) as error:
        get_mission(mission).read_bands(table)
    text = str(error.value)
    assert names[-1] in text and "more" in text and "expected" in text
    assert get_mission(mission).expected_columns() in text
