# Licensed under a 3-clause BSD style license - see LICENSE
"""The labeled sample from VizieR, in the columns that the evaluation reads."""

import pytest
from archive_labels import CLASSES, NAMES, vizier
from archive_servers import status
from astropy.table import Table

from astro_xlatent.archive import fetch_labels
from astro_xlatent.core.errors import ArchiveError, XlatentWarning
from astro_xlatent.evaluate.rows import read_labels
from astro_xlatent.missions.base import get_mission, identify_mission
from astro_xlatent.table.files import read_table, write_table
from benchmarks.labels import load_sources


@pytest.fixture
def served(archive):
    """The server with both tables."""
    archive.tables["J/ApJ/941/104/td"] = vizier()
    archive.tables["csc2.master_source"] = Table({"name": NAMES[:3], "nh_gal": [4.1, 3.14, 3.15]})
    return archive


def test_columns(served):
    """The true class, not the predicted one; fluxes in erg/s/cm2; flags apart; the Galactic column."""
    with pytest.warns(XlatentWarning, match="1 of 4 sources have no nh_gal"):
        table = fetch_labels()
    assert table["name"].tolist() == NAMES
    assert table["class_label"].tolist() == CLASSES
    assert table["flux_aper90_ave_s"].unit == "erg / (s cm2)"
    assert table["flux_aper90_ave_m"][0] == pytest.approx(2e-14)
    assert table["e_flux_aper90_ave_h"].tolist() == pytest.approx([1e-15] * 4)
    assert table["extent_flag"].tolist() == ["False", "True", "True", "False"]
    assert table["pileup_flag"].tolist() == ["False", "False", "False", "True"]
    assert table["nh_gal"].tolist() == [4.1, 3.14, 3.15, None]
    assert table["var_inter_prob_b"].tolist() == [None, None, 0.6, None]
    assert "-source=J/ApJ/941/104/td" in served.queries[0]


@pytest.mark.parametrize("suffix", ["csv", "ecsv", "fits"])
def test_evaluation_reads_it(served, tmp_path, suffix):
    """What was written is what the evaluation and the mission read."""
    served.tables["csc2.master_source"] = Table({"name": NAMES, "nh_gal": [4.1, 3.14, 3.15, 2.0]})
    path = tmp_path / f"labels.{suffix}"
    write_table(fetch_labels(), path)
    table = read_table(path)
    label, _ = read_labels(table, "class_label")
    assert label.tolist() == ["AGN", "LMXB", "LM-STAR", "CV"]
    assert identify_mission(table).name == "csc"
    measured = get_mission("csc").read_bands(table)
    assert measured.bins.valid.all()
    if suffix == "csv":
        sources = load_sources(path)
        assert sources.label.tolist() == ["AGN", "LMXB", "LM-STAR", "CV"]
        assert sources.column("nh_gal").tolist() == [4.1, 3.14, 3.15, 2.0]


def test_like_the_development_sample(served, shared_data):
    """All columns that the labeled sample here has and VizieR can give are there."""
    own = read_table(shared_data / "labels" / "csc2_labelled_sources.csv")
    with pytest.warns(XlatentWarning):
        table = fetch_labels()
    averages = {name for name in own.colnames if "_mean" in name or name.startswith(("powlaw", "ks_"))}
    assert set(own.colnames) - averages - set(table.colnames) == {"sat_src_flag", "streak_src_flag"}


@pytest.mark.parametrize(
    "spelling",
    [
        {"CSCv2_name": "2CXO", "CSCv2_RA": "RA_ICRS", "CSCv2_DEC": "DE_ICRS", "CSCv2_S/N": "Signif"},
        {
            "CSCv2_name": "CSCv2Name",
            "CSCv2_RA": "RAdeg",
            "CSCv2_DEC": "DEdeg",
            "CSCv2_S/N": "S/N",
            "True_Class": "TClass",
            "Class_ref": "r_Class",
        },
    ],
)
def test_spellings(served, spelling):
    """The table's columns may be named as VizieR likes."""
    served.tables["J/ApJ/941/104/td"] = vizier(**spelling)
    table = fetch_labels(nh_gal=False)
    assert table["class_label"].tolist() == CLASSES
    assert table["significance"].tolist() == [1.95, 11.07, 25.42, 8.63]
    assert table["nh_gal"].mask.all()
    assert len(served.queries) == 1


def test_no_true_class(served):
    """The predicted class is never taken for the true one."""
    served.tables["J/ApJ/941/104/td"] = vizier(True_Class="something")
    with pytest.raises(ArchiveError, match="no column for 'class_label'; it has recno, CSCv2_name"):
        fetch_labels()


def test_no_csc(served):
    """Without the CSC the sample still comes, and the warning says what lacks."""
    served.plan("/csc2tap", status(404))
    with pytest.warns(XlatentWarning, match="nh_gal stays empty.*csc2tap/sync: status 404"):
        table = fetch_labels()
    assert len(table) == 4
    assert table["nh_gal"].mask.all()


def test_no_vizier(served):
    """Without VizieR there is nothing."""
    served.plan("/vizier", status(404))
    with pytest.raises(ArchiveError, match="viz-bin/votable: status 404"):
        fetch_labels()
