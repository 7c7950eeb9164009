# Licensed under a 3-clause BSD style license - see LICENSE
"""Names of products are built and recognized again."""

from fnmatch import fnmatchcase

import numpy as np
import pytest
from astropy.table import MaskedColumn, Table

from astro_xlatent.core.errors import TableError
from astro_xlatent.missions.base import get_mission

CSC = Table({"obsid": [4487, 20938], "obi": [1, 0], "region_id": [9, 12], "instrument": ["ACIS", "HRC"]})
EROSITA = Table({"DETUID": ["em01_149162_020_ML00171_002_c010", "sm03_004090_020_ML00003_001_c030"]})


@pytest.mark.parametrize(("mission", "table", "kind", "files"), [
    ("csc", CSC, "spectrum", ["acisf04487_001N023_r0009_pha3.fits.gz",
                              "hrcf20938_000N021_e2_r0012_pha3.fits"]),
    ("csc", CSC, "arf", ["acisf04487_001N022_r0009_arf3.fits.gz", "hrcf20938_000N021_r0012_arf3.fits"]),
    ("csc", CSC, "rmf", ["acisf04487_001N020_r0009_rmf3.fits.gz", "hrcf20938_000N003_r0012_rmf3.fits"]),
    ("erosita", EROSITA, "spectrum", ["em01_149162_020_SourceSpec_00171_c010.fits.gz",
                                      "sm03_004090_020_SourceSpec_00003_c030.fits"]),
    ("erosita", EROSITA, "rmf", ["em01_149162_020_RMF_00171_c010.fits.gz",
                                 "sm03_004090_020_RMF_00003_c030.fits.gz"]),
])
def test_published_names_fit(mission, table, kind, files):
    """The patterns fit the published names of their own rows only, whatever the versions."""
    names = get_mission(mission).product_names(table, kind)
    for i, name in enumerate(names):
        assert [fnmatchcase(file, name) for file in files] == [k == i for k in range(len(files))]


@pytest.mark.parametrize(("mission", "table"), [("csc", CSC[:1]), ("erosita", EROSITA)])
def test_built_names_are_found(mission, table, tmp_path):
    """Files under the built names are what `find_spectra` finds."""
    mission = get_mission(mission)
    names = [name.replace("N*", "N007").replace("*", "") for name in mission.product_names(table)]
    for name in names:
        (tmp_path / name).touch()
    assert [path.name for path in mission.find_spectra(table, tmp_path)] == names


def test_tile_and_source_number():
    """Without DETUID survey and processing are open; zeros in front of the tile are kept."""
    table = Table({"SKYTILE": [4090], "ID_SRC": [3]})
    assert get_mission("erosita").product_names(table) == ["*_004090_020_SourceSpec_00003*.fits*"]


def test_rows_without_keys():
    """Masked or absent keys give None, a mission without products Nones."""
    table = Table({"obsid": MaskedColumn([1, 2], mask=[True, False]), "region_id": [1.0, np.nan]})
    assert get_mission("csc").product_names(table) == [None, None]
    assert get_mission("csc").product_names(Table({"obsid": [1], "region_id": [2]})) == [
        "acisf00001_*N*_r0002_pha3.fits*"]
    assert get_mission("erosita").product_names(Table({"ra": [1.0]})) == [None]
    assert get_mission("xmm").product_names(table) == [None, None]


def test_unknown_kind():
    """The allowed kinds are named."""
    with pytest.raises(TableError, match="spectrum, arf, rmf"):
        get_mission("csc").product_names(CSC, "image")
