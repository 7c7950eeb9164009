# Licensed under a 3-clause BSD style license - see LICENSE
"""What a user's table may have wrong: named and left out, never a stack trace, never silent."""

import numpy as np
import pytest
from astropy.table import MaskedColumn, Table
from evaluate.labeled import make_labeled

from astro_xlatent.cli.main import main
from astro_xlatent.evaluate.classification import probes
from astro_xlatent.evaluate.real import evaluate_table
from astro_xlatent.evaluate.rows import prepare_rows

pytest.importorskip("sklearn", reason="evaluation needs scikit-learn")


@pytest.fixture(autouse=True)
def small_forests(monkeypatch):
    """Ten trees are enough here."""
    monkeypatch.setattr("astro_xlatent.evaluate.real.probes", lambda seed, trees: probes(seed, 10))


def _notes(table, **options):
    return "\n".join(prepare_rows(table, "class_label", **options)[1])


def test_classes_with_fewer_members_than_folds():
    """One class too small is left out; if all but one are, classification is, and says so."""
    table = make_labeled(60, classes=("AGN",))
    table["class_label"] = np.where(np.arange(60) < 4, "CV", table["class_label"])
    results = evaluate_table(table, quick=True)
    text = "\n".join(results.notes)
    assert "class CV: 4 rows in 4 groups, fewer than 5 folds: left out" in text
    assert "classification left out: 1 classes with enough members" in text
    assert not [n for n in results.numbers if "folds by sky field" in n.section and "class" in n.section]


def test_one_sky_field_only():
    """Folds and intervals are over sources, and this is said."""
    table = make_labeled(60)
    table["ra"], table["dec"] = 10 + np.arange(60) / 600, np.full(60, -5.0)
    results = evaluate_table(table, quick=True)
    text = "\n".join(results.notes)
    assert "only 1 sky fields, fewer than 10: folds and intervals are over sources" in text
    assert results.find("3 classes, folds by source", "balanced accuracy", "model, zero-shot", "all")


@pytest.mark.parametrize("missing", ["", "  ", "NaN-ish", None])
def test_missing_labels(missing):
    """Empty, blank, foreign and masked labels are counted."""
    table = make_labeled(40)
    label = np.array(table["class_label"], dtype="<U12")
    label[:3] = missing or ""
    table["class_label"] = MaskedColumn(label, mask=(np.arange(40) < 3) & (missing is None))
    assert "3 rows without a usable label: left out" in _notes(table)


@pytest.mark.parametrize("value", [7.0, np.nan, np.inf])
def test_constant_and_empty_columns(value):
    """They are left out of features, regression and information by name."""
    table = make_labeled(120)
    table["nh_gal"] = np.full(120, value)
    table["powlaw_gamma"] = np.full(120, value)
    table["var_prob_b"] = np.full(120, value)
    table["powlaw_nh"] = np.full(120, value)
    text = "\n".join(evaluate_table(table, quick=True).notes)
    assert "nh_gal: 1 columns are constant or empty: left out" in text
    assert "catalog fits: 2 columns are constant or empty: left out" in text
    assert "photon index of the catalog's fit: " in text
    assert "var_prob_b: " in text


def test_nan_everywhere():
    """Fluxes, positions, latents and significance that are not numbers cost their own rows only."""
    table = make_labeled(80)
    for name in ("flux_aper_s", "flux_aper_h", "nh_gal"):
        table[name][:4] = np.nan
    table["ra"][5], table["dec"][6], table["significance"][7] = np.nan, 100.0, np.nan
    table["xl_latent"][8] = np.nan
    rows, notes = prepare_rows(table, "class_label", minimum=[("significance", 0.0)])
    text = "\n".join(notes)
    assert "2 rows without a position" in text
    assert "1 rows with significance <= 0 or unknown" in text
    assert "1 rows without latents" in text
    assert len(rows) == 76
    assert not any(np.isinf(x).any() for x in rows.features.values())


def test_nan_does_not_stop_the_command(tmp_path, capsys):
    """Exit code 0 and no trace of a traceback."""
    table = make_labeled(80)
    for name in ("flux_aper_s", "flux_aper_lolim_m", "nh_gal"):
        table[name][::3] = np.nan
    table.write(tmp_path / "a.ecsv")
    assert main(["evaluate", str(tmp_path / "a.ecsv"), "--quick"]) == 0
    assert "Traceback" not in capsys.readouterr().err


def test_unreadable_spectra_are_said(tmp_path, capsys):
    """A folder without any of the rows' spectra is refused with a reason."""
    table = make_labeled(30)
    table["obsid"], table["obi"], table["region_id"] = np.arange(30), 0, 1
    table.write(tmp_path / "a.ecsv")
    (tmp_path / "empty").mkdir()
    words = ["evaluate", str(tmp_path / "a.ecsv"), "--quick", "--spectra"]
    assert main([*words, str(tmp_path / "empty")]) == 1
    assert "acisf00000_000N*_r0001_pha3.fits*" in capsys.readouterr().err
    assert main([*words, str(tmp_path / "nothing")]) == 1
    assert "neither a column of the table nor a folder" in capsys.readouterr().err


def test_table_of_nothing(tmp_path, capsys):
    """No rows at all."""
    Table(names=["ra", "dec", "class_label"], dtype=[float, float, "U8"]).write(tmp_path / "a.ecsv")
    assert main(["evaluate", str(tmp_path / "a.ecsv"), "--quick"]) == 1
    assert "no row has one of the classes" in capsys.readouterr().err
