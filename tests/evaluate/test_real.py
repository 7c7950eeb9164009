# Licensed under a 3-clause BSD style license - see LICENSE
"""Evaluation of labeled tables: what is found, and what is left out by name."""

import sys

import numpy as np
import pytest
from astropy.table import MaskedColumn
from evaluate.labeled import make_labeled

from astro_xlatent.cli.main import main
from astro_xlatent.core.errors import TableError
from astro_xlatent.evaluate.classification import probes
from astro_xlatent.evaluate.real import evaluate_table
from astro_xlatent.evaluate.rows import prepare_rows, read_labels

pytest.importorskip("sklearn", reason="evaluation needs scikit-learn")


@pytest.fixture(scope="module", autouse=True)
def small_forests():
    """Ten trees are enough here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("astro_xlatent.evaluate.real.probes", lambda seed, trees: probes(seed, 10))
        yield


@pytest.fixture(scope="module")
def results(small_forests):
    """Latents and probabilities know the class, hardness does not."""
    table = make_labeled()
    table["class_label"][:3] = "NS"
    return evaluate_table(table, quick=True)


def test_latents_beat_hardness_that_knows_nothing(results):
    """With the paired difference above zero, and random near one over the number of classes."""
    section = "3 classes, folds by sky field"
    hardness = results.find(section, "balanced accuracy", "energy-flux hardness, random forest", "all")[0]
    assert hardness.value == pytest.approx(1 / 3, abs=0.1)
    assert results.find(section, "balanced accuracy", "latents, random forest", "all")[0].value > 0.8
    assert results.find(section, "balanced accuracy", "model, zero-shot", "all")[0].value > 0.8
    assert results.find(section, "AUC", "majority", "all")[0].value == 0.5
    difference = results.find(section + ": differences", "difference in balanced accuracy",
                              "latents, random forest - energy-flux hardness, random forest", "all")[0]
    assert difference.low > 0.2


def test_compact_objects_are_scored_against_agn(results):
    """Two classes, one AUC."""
    found = [n for n in results.find(quantity="AUC", subset="all") if n.section.startswith("AGN against")]
    assert {n.method: n.value for n in found}["latents, random forest"] > 0.9


def test_small_class_is_named(results):
    """Three rows cannot be dealt to five folds."""
    assert any(note.startswith("class NS: 3 rows in 3 groups") for note in results.notes)
    assert results.arrays["classes"] == ["AGN", "CV", "LMXB"]


def test_bad_rows_are_left_out_by_name():
    """Missing and foreign labels, missing positions and latents, constant columns, infinities."""
    table = make_labeled(80)
    label = np.array(table["class_label"], dtype="<U12")
    label[0], label[1], label[2] = "QUASAR-ISH", "", "NS_BIN"
    table["class_label"] = MaskedColumn(label, mask=np.arange(80) == 3)
    table["ra"][4] = np.nan
    table["nh_gal"] = 0.0
    table["xl_latent"] = MaskedColumn(np.array(table["xl_latent"]), mask=np.zeros((80, 8), bool))
    table["xl_latent"].mask[5] = True
    rows, notes = prepare_rows(table, "class_label", minimum=[("significance", 3.5)])
    text = "\n".join(notes)
    assert "class QUASAR-ISH: 1 rows, not one of AGN" in text
    assert "1 rows of class NS_BIN count as LMXB" in text
    assert "3 rows without a usable label" in text
    assert "1 rows without a position" in text
    assert "1 rows without latents" in text
    assert "rows with significance <= 3.5" in text
    assert "nh_gal: 1 columns are constant or empty" in text
    assert set(rows.label) == {"AGN", "CV", "LMXB"}
    assert np.isfinite(rows.features["latents"]).all()


def test_what_cannot_be_evaluated_is_refused():
    """With what is allowed instead."""
    table = make_labeled(10)
    with pytest.raises(TableError, match="no such column"):
        read_labels(table, "kind")
    table["kind"] = "banana"
    with pytest.raises(TableError, match="no row has one of the classes AGN"):
        read_labels(table, "kind")
    with pytest.raises(TableError, match="no row is left: .*significance"):
        prepare_rows(table, "class_label", minimum=[("significance", 1e9)])
    table.remove_column("dec")
    with pytest.raises(TableError, match="lacks dec"):
        prepare_rows(table, "class_label")


def test_table_without_bands_has_no_hardness_baseline():
    """And says so."""
    table = make_labeled(60)
    table.remove_columns([name for name in table.colnames if name.startswith("flux_")])
    rows, notes = prepare_rows(table, "class_label")
    assert set(rows.features) == {"latents"}
    assert any("no hardness baselines" in note for note in notes)


def test_command_writes_results_and_figures(tmp_path, capsys):
    """A file of numbers and one figure each; exit code 0."""
    pytest.importorskip("matplotlib", reason="figures need matplotlib")
    make_labeled(100).write(tmp_path / "a.ecsv")
    out, figures = tmp_path / "out.json", tmp_path / "figures"
    command = ["evaluate", str(tmp_path / "a.ecsv"), "--quick", "-o", str(out), "--figures", str(figures)]
    assert main(command) == 0
    assert out.stat().st_size > 1000
    assert len(list(figures.glob("*.png"))) >= 5
    assert "folds by sky field" in capsys.readouterr().out


def test_wrong_use_is_said(capsys):
    """An unknown suffix."""
    assert main(["evaluate", "a.ecsv", "-o", "out.txt"]) != 0
    assert "astro-xlatent: error:" in capsys.readouterr().err


def test_missing_sklearn_is_named(monkeypatch, capsys):
    """With the extra to install."""
    monkeypatch.setitem(sys.modules, "sklearn", None)
    assert main(["evaluate", "a.ecsv"]) == 1
    assert 'pip install "astro_xlatent[evaluate]"' in capsys.readouterr().err
