# Licensed under a 3-clause BSD style license - see LICENSE
"""Reading the labeled samples."""

import numpy as np
import pytest
from astropy.table import MaskedColumn, Table
from evaluate.labeled import make_labeled

from astro_xlatent.core.errors import TableError
from benchmarks.labels import clean_detections, load_detections, load_sources
from benchmarks.studies.discriminator import Rows


def _sources(tmp_path, **changes):
    n = 5
    columns = {
        "name": [f"J{k}" for k in range(n)],
        "ra": np.arange(n) * 1.0,
        "dec": np.zeros(n),
        "class_label": ["AGN", "NS_BIN", "YSO", "NOVA", "AGN"],
        "significance": np.full(n, 7.0),
        "nh_gal": np.ones(n),
    }
    for band in "smh":
        columns[f"flux_aper90_ave_{band}"] = np.full(n, 1e-14)
        columns[f"e_flux_aper90_ave_{band}"] = np.full(n, 2e-15)
    path = tmp_path / "sources.csv"
    Table(columns | changes).write(path, format="ascii.csv")
    return path


def _detections(tmp_path, rows):
    names = ("class_label", "ra", "dec", "obsid", "obi", "region_id", "src_cnts_aper_s")
    path = tmp_path / "detections.csv"
    Table(rows=rows, names=names).write(path, format="ascii.csv")
    return path


def test_sources_are_mapped_and_counted(tmp_path):
    """NS_BIN counts as LMXB, unused classes are dropped and counted."""
    labeled = load_sources(_sources(tmp_path))
    assert labeled.label.tolist() == ["AGN", "LMXB", "YSO", "AGN"]
    assert labeled.dropped == {"class not used": 1}


def test_repeated_names_and_missing_fluxes_are_dropped(tmp_path):
    """Of repeated names the first stays; rows without a band flux go."""
    flux = np.ma.array(np.full(5, 1e-14), mask=[0, 1, 0, 0, 0])
    path = _sources(tmp_path, name=["a", "b", "c", "d", "a"], flux_aper90_ave_h=flux)
    labeled = load_sources(path)
    assert labeled.dropped == {"class not used": 1, "name repeated": 1, "band flux missing": 1}
    assert labeled.table["name"].tolist() == ["a", "c"]


def test_missing_column_is_named(tmp_path):
    """A sample without a needed column is refused with its name."""
    path = _sources(tmp_path)
    table = Table.read(path, format="ascii.csv")
    table.remove_column("e_flux_aper90_ave_m")
    table.write(path, format="ascii.csv", overwrite=True)
    with pytest.raises(TableError, match="e_flux_aper90_ave_m"):
        load_sources(path)


def test_missing_file_is_named(tmp_path):
    """A path that is no file is refused with the path."""
    with pytest.raises(TableError, match="nothing.csv"):
        load_sources(tmp_path / "nothing.csv")


def test_detections_are_unique_and_consistent(tmp_path):
    """One row a detection; contradicting labels and novae of M31 go."""
    rows = [
        ("LMXB", 1.0, 2.0, 10, 0, 1, 3.0),
        ("LMXB_NS", 1.0, 2.0, 10, 0, 1, 3.0),
        ("CV", 5.0, 2.0, 11, 0, 1, 3.0),
        ("PULSAR", 5.0, 2.0, 11, 0, 1, 3.0),
        ("CV_or_nova", 10.7, 41.3, 12, 0, 1, 3.0),
        ("CV_or_nova", 100.0, 41.3, 13, 0, 1, 3.0),
        ("PULSAR", 7.0, 7.0, 14, 0, 1, 3.0),
    ]
    labeled = load_detections(_detections(tmp_path, rows))
    assert labeled.label.tolist() == ["LMXB", "CV", "NS"]
    assert labeled.dropped == {"detection repeated": 2, "labels contradict": 1, "nova near M31": 1}


def test_real_samples(shared_data):
    """The real files give the eight classes in the numbers their description states."""
    labels = shared_data / "labels"
    sources = load_sources(labels / "csc2_labelled_sources.csv")
    assert set(sources.label) == {"AGN", "CV", "HM-STAR", "HMXB", "LM-STAR", "LMXB", "NS", "YSO"}
    assert len(sources.table) == 2658 and np.count_nonzero(sources.column("significance") > 5) == 2078
    assert np.all(Rows.of_sources(sources).error > 0)
    detections = load_detections(labels / "csc2_labelled_detections.csv.gz")
    assert len(detections.table) + sum(detections.dropped.values()) == 7131
    assert detections.dropped["detection repeated"] == 7131 - 5726


def test_repeated_and_contradicting_detections_are_left_out_by_name():
    """Incomplete keys stand alone."""
    table = make_labeled(60)
    number = np.arange(60)
    table["obsid"] = MaskedColumn(number, mask=number >= 58)
    table["obi"], table["region_id"] = np.zeros(60, int), np.ones(60, int)
    table["class_label"] = np.array(table["class_label"], dtype="<U12")
    table["obsid"][1], table["class_label"][:2] = 0, ["AGN", "AGN"]
    table["obsid"][3], table["class_label"][2:4] = 2, ["AGN", "CV"]
    table["class_label"][4:6] = ["CV_or_nova", "CV_or_nova"]
    table["ra"][4], table["dec"][4] = 10.7, 41.3
    kept, dropped = clean_detections(table, "class_label")
    assert dropped == {"detection repeated": 2, "labels contradict": 1, "nova near M31": 1}
    assert len(kept) == 60 - sum(dropped.values())
    assert kept.colnames == table.colnames
    assert len(table) == 60
