# Licensed under a 3-clause BSD style license - see LICENSE
"""Habits of real tables that make numbers what they do not seem to be: an answer with a remedy."""

import time

import numpy as np
import pytest
from astropy.table import Table
from numpy.testing import assert_allclose

from astro_xlatent import add_latents
from astro_xlatent.core.errors import MissionError, TableError
from astro_xlatent.core.flags import Flag
from astro_xlatent.missions._columns import Columns
from astro_xlatent.missions.base import identify_mission
from astro_xlatent.missions.csc import CSC
from astro_xlatent.table.files import read_table


def fluxes(rows=3):
    """Energy fluxes with limits."""
    table = Table()
    for k, b in enumerate("smh"):
        for part, factor in (("", 1.0), ("_lolim", 0.9), ("_hilim", 1.1)):
            table[f"flux_aper{part}_{b}"] = np.full(rows, (k + 1) * 1e-14 * factor)
    return table


def test_fluxes_in_units_of_1e_minus_14():
    """A table that leaves the power to its caption: no source is that bright."""
    table = fluxes()
    for name in table.colnames:
        table[name] = table[name] / 1e-14
    result = CSC().read_bands(table)
    assert np.all(result.flags & Flag.NO_DATA)
    assert "implausible value" in result.reason[0] and "units" in result.reason[0]


def test_fluxes_in_other_units():
    """W m-2 is converted, mJy and counts/ks are refused by the column's name."""
    table, plain = fluxes(), CSC().read_bands(fluxes()).bins
    for name in table.colnames:
        table[name] = table[name] * 1e-3
        table[name].unit = "W / m2"
    assert_allclose(CSC().read_bands(table).bins.area, plain.area)
    for unit in ("mJy", "ct / ks"):
        table["flux_aper_m"].unit = unit
        with pytest.raises(TableError, match="'flux_aper_m' has unit .*correct the column's unit"):
            CSC().read_bands(table)


def test_upper_limits_as_negative_fluxes():
    """They spoil their band alone; a row of them says what to write instead."""
    table = fluxes()
    table["flux_aper_h"][0] = -5e-15
    for b in "smh":
        table[f"flux_aper_{b}"][1] = -5e-15
    result = CSC().read_bands(table)
    assert result.reason[0].startswith("band h (flux_aper_h): negative; a negative number")
    assert result.flags[0] & Flag.PARTIAL_BANDS
    assert "write 0 with the upper limit" in result.reason[1]
    assert result.reason[2] == ""


@pytest.mark.parametrize("sentinel", [-99.0, -1.0, 999.0, 1e30, -1e-30])
@pytest.mark.parametrize("limits", [True, False])
def test_sentinels_spoil_their_band_only(sentinel, limits):
    """Numbers that stand for "missing" never become measurements, nor disturb the other bands."""
    table = fluxes()
    if not limits:
        table = table[[n for n in table.colnames if "lim" not in n]]
        table["significance"] = 12.0
    table["flux_aper_m"][0] = sentinel
    result = CSC().read_bands(table)
    assert result.bins.valid.tolist() == [[True, False, True], [True] * 3, [True] * 3]
    photons = (result.bins.counts[0] / np.where(result.bins.valid[0], result.bins.area[0], 1.0))[::2]
    flux = photons * [np.sqrt(0.5 * 1.2), np.sqrt(2.0 * 7.0)]
    assert_allclose(flux[1] / flux[0], 3.0)


def test_tiny_sentinel_is_no_detection():
    """1e-30 with limits as tiny would be an area that no telescope has."""
    table = fluxes()
    for part in ("", "_lolim", "_hilim"):
        table[f"flux_aper{part}_m"][0] = 1e-30
    table["flux_aper_lolim_m"][0] = 0.9e-30
    result = CSC().read_bands(table)
    assert result.reason[0].startswith("band m (flux_aper_m): implausible value; check the columns")


def test_two_spellings_of_one_column():
    """The table's own names are in the message."""
    table = fluxes()
    table["FLUX_APER_S"] = table["flux_aper_s"]
    with pytest.raises(TableError, match="flux_aper_s, FLUX_APER_S differ only by case or spelling"):
        CSC().read_bands(table)


def test_prefixes_of_cscview():
    """Observation before stack before master; a name without prefix before all."""
    table = fluxes()
    for name in table.colnames:
        table[f"m.{name}"] = 2 * table[name]
    table.rename_columns([n for n in table.colnames if "." not in n],
                         [f"o.{n}" for n in table.colnames if "." not in n])
    assert identify_mission(table).name == "csc"
    assert_allclose(CSC().read_bands(table).bins.area, CSC().read_bands(fluxes()).bins.area)


def test_sexagesimal_coordinates(shared_data):
    """Right ascension in hours, declination in degrees, with blanks or colons; numbers stay."""
    table = Table({"ra": ["09 57 46.18", "10:01:17.1", "150.2", ""],
                   "dec": ["+01 57 12.74", "-02:52:55", "2.5", "--"]})
    cols = Columns(table)
    assert_allclose(cols.number("ra", "deg"), [149.442417, 150.32125, 150.2, np.nan], rtol=1e-6)
    assert_allclose(cols.number("dec", "deg"), [1.953539, -2.881944, 2.5, np.nan], rtol=1e-6)
    real = read_table(shared_data / "csc20" / "csc20_master_agn.csv.gz")[:50]
    flat, sky = (add_latents(real, prior=prior) for prior in (None, "survey"))
    assert np.abs(np.asarray(flat["xl_class_prob"]) - np.asarray(sky["xl_class_prob"])).max() > 0.01


def test_thousands_of_unknown_columns():
    """They are neither slow nor all in a message."""
    table = fluxes()
    for k in range(4000):
        table[f"unknown_{k}_value"] = k
    start = time.perf_counter()
    assert identify_mission(table).name == "csc"
    assert CSC().read_bands(table).bins.valid.all()
    assert time.perf_counter() - start < 5
    table.remove_columns([n for n in table.colnames if n.startswith("flux")])
    with pytest.raises(MissionError, match="and 3980 more") as error:
        identify_mission(table)
    assert len(str(error.value)) < 3000


def test_empty_text_in_a_column_of_numbers():
    """One blank makes CSV readers give text; the other rows count."""
    table = fluxes()
    table["flux_aper_s"] = [str(v) for v in table["flux_aper_s"]]
    table["flux_aper_s"][1] = ""
    result = CSC().read_bands(table)
    assert result.bins.valid.tolist() == [[True] * 3, [False, True, True], [True] * 3]
    assert result.reason[1] == "band s (flux_aper_s): missing"
