# Licensed under a 3-clause BSD style license - see LICENSE
"""Recognising the mission of a table."""

import numpy as np
import pytest
from astropy.table import Table

from astro_xlatent import add_latents
from astro_xlatent.core.errors import MissionError
from astro_xlatent.core.flags import Flag
from astro_xlatent.missions._bandset import BandSet, assemble
from astro_xlatent.missions.base import Mission, available_missions, get_mission, identify_mission

CSC_NAMES = ["name", "ra", "dec", "flux_aper_s", "flux_aper_lolim_s", "flux_aper_hilim_s"]
ERASS_NAMES = ["IAUNAME", "DETUID", "RA", "DEC", "ML_CTS_P1", "APE_CTS_P1", "ML_EXP_P1"]
XMM_NAMES = ["SRCID", "EP_1_RATE", "EP_1_FLUX", "PN_1_RATE"]


@pytest.mark.parametrize(("names", "mission"), [
    (CSC_NAMES, "csc"), (ERASS_NAMES, "erosita"), (XMM_NAMES, "xmm"),
    (["obsid", "obi", "region_id"], "csc"), (["DETUID"], "erosita"), (["s_flux_ap"], "csc"),
])
@pytest.mark.parametrize("case", [str.lower, str.upper])
def test_identify(names, mission, case):
    """Tables are recognized by their columns, without rows and in any case."""
    assert identify_mission(Table(names=[case(n) for n in names])).name == mission


def test_real_tables_are_recognised(shared_data):
    """Both real tables are the CSC's."""
    for name in ("csc2_labelled_sources.csv", "csc2_labelled_detections.csv.gz"):
        table = Table.read(shared_data / "labels" / name, format="ascii.csv")
        assert identify_mission(table).name == "csc"


def test_table_of_matches_is_ambiguous():
    """Columns of two missions: ask for mission=."""
    with pytest.raises(MissionError, match=r"csc and erosita.*Pass mission="):
        identify_mission(Table(names=CSC_NAMES + ERASS_NAMES))


@pytest.mark.parametrize("table", [Table(), Table({"ra": [1.0], "dec": [2.0]})])
def test_unknown_table(table):
    """The error lists what was found and what was expected of whom."""
    with pytest.raises(MissionError, match=r"no mission.*csc: flux_aper_s.*erosita: APE_CTS_P1.*mission="):
        identify_mission(table)


def test_get_mission():
    """By name in any case, or a mission itself."""
    mission = get_mission("CSC")
    assert get_mission(mission) is mission
    assert set(available_missions()) >= {"csc", "erosita", "xmm"}


@pytest.mark.parametrize("name", ["rosat", "", None, 3])
def test_unknown_mission(name):
    """A wrong name lists the right ones."""
    with pytest.raises(MissionError, match="available: .*csc.*erosita"):
        get_mission(name)


class Alien:
    """A mission that derives from nothing of this package."""

    name, title, telescopes, instruments = "alien", "An alien telescope", ("ALIEN",), ("EYE",)
    bands, relative_error = (("soft", 0.5, 2.0), ("hard", 2.0, 7.0)), None

    def matches(self, table):
        return sum(name in table.colnames for name in ("eye_soft", "eye_hard"))

    def expected_columns(self):
        return "eye_soft, eye_hard"

    def catalog_flags(self, table):
        return np.zeros(len(table), np.int64)

    def read_bands(self, table):
        counts = np.stack([table["eye_soft"], table["eye_hard"]], axis=1).astype(float)
        sets = [BandSet("eye", counts, np.full(counts.shape, 1e7), np.zeros(counts.shape, int))]
        return assemble(self.bands, np.full(2, 0.1), sets, self.catalog_flags(table))

    def product_names(self, table, kind="spectrum"):
        return [None] * len(table)

    def find_spectra(self, table, folder):
        return [None] * len(table)

    def instrument_of(self, spectrum):
        return spectrum.instrument

    def default_response(self, instrument=None, year=None):
        raise MissionError("none")


def test_any_class_that_has_all_of_it_is_a_mission():
    """What counts is what an object has, as class and as object; what lacks is refused by name."""
    assert isinstance(Alien(), Mission)
    assert get_mission(Alien).name == "alien"
    result = add_latents(Table({"eye_soft": [100, 3], "eye_hard": [20, 5]}), mission=Alien())
    assert np.isfinite(result["xl_latent"]).all()
    assert all(result["xl_flag"] & Flag.OUTSIDE_MISSION)
    with pytest.raises(MissionError, match="unknown mission"):
        get_mission(int)


@pytest.mark.parametrize("name", ["csc", "erosita", "swift", "xmm"])
def test_mission_interface(name):
    """Every mission says who it is."""
    mission = get_mission(name)
    assert isinstance(mission, Mission)
    assert mission.name == name
    assert mission.title
    assert all(t == t.upper() for t in mission.telescopes)
    edges = sorted((lo, hi) for _, lo, hi in mission.bands)
    assert all(a[1] <= b[0] for a, b in zip(edges[:-1], edges[1:], strict=True))
    assert name in repr(mission)
