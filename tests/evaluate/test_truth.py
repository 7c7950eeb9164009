# Licensed under a 3-clause BSD style license - see LICENSE
"""A simulated catalog with spectra goes through the whole evaluation."""

import numpy as np
import pytest
from astropy.table import Table

from astro_xlatent.cli.main import main
from astro_xlatent.core.errors import TableError
from astro_xlatent.evaluate.classification import probes
from astro_xlatent.evaluate.real import evaluate_table
from astro_xlatent.evaluate.rows import join_truth
from astro_xlatent.simulate.products import write_catalog

pytest.importorskip("sklearn", reason="evaluation needs scikit-learn")


@pytest.fixture(scope="module")
def sky(tmp_path_factory):
    """Rows of three classes in eight pointings, with their spectra."""
    folder = tmp_path_factory.mktemp("simulated") / "sky"
    write_catalog(folder, 256, "csc", seed=3, classes=["AGN", "LMXB", "YSO"])
    return folder


def test_truth_is_joined(sky):
    """Row by row, and only if the label is missing."""
    table, truth = Table.read(sky / "catalog.fits"), Table.read(sky / "truth.fits")
    joined, notes = join_truth(table, sky / "catalog.fits", "class")
    assert joined["class"].tolist() == [str(name) for name in truth["class"]]
    np.testing.assert_array_equal(joined["true_nh"], truth["nh"])
    assert "truth.fits" in notes[0]
    assert "class" not in table.colnames
    assert join_truth(joined, sky / "catalog.fits", "class") == (joined, [])
    assert join_truth(table, sky / "catalog.fits", "kind") == (table, [])


def test_truth_of_other_rows_is_refused(sky):
    """A cut table does not match."""
    table = Table.read(sky / "catalog.fits")[:5]
    with pytest.raises(TableError, match="has 256 rows, catalog.fits has 5"):
        join_truth(table, sky / "catalog.fits", "class")


def test_catalog_with_spectra_is_evaluated(sky, monkeypatch):
    """Components of the spectra in all analyses; heads against latents; folds by source are told."""
    monkeypatch.setattr("astro_xlatent.evaluate.real.probes", lambda seed, trees: probes(seed, 10))
    path = sky / "catalog.fits"
    next(sky.glob("spectra/*pha*")).unlink()
    results = evaluate_table(Table.read(path), "class", path=path, spectra=str(sky), quick=True)
    text = "\n".join(results.notes)
    assert f"1 rows without a usable spectrum (no spectrum of this row in {sky}): left out" in text
    assert "only 8 sky fields, fewer than 10: folds and intervals are over sources" in text
    assert results.title == "Simulated catalog"
    methods = {n.method for n in results.numbers}
    assert {"PCA-8 of the spectrum, random forest", "PCA-8 of the spectrum, ridge"} <= methods
    assert {"head (xl_nh)", "decoded latents (xl_flux_2_7)"} <= methods
    gaps = results.find("gap between heads and latents")
    assert any("log N_H" in n.quantity for n in gaps)
    assert results.find(section="3 classes, folds by source", quantity="AUC", subset="all")
    assert len(results.arrays["traversals"]["spectra"]) == 8


def test_command_takes_spectra_and_columns(sky, tmp_path, capsys, monkeypatch):
    """Information about any column; an unknown one is named."""
    monkeypatch.setattr("astro_xlatent.evaluate.real.probes", lambda seed, trees: probes(seed, 10))
    words = ["evaluate", str(sky / "catalog.fits"), "--label", "class", "--quick"]
    assert main([*words, "--information", "nothing"]) == 1
    assert "--information nothing: no such column" in capsys.readouterr().err
    assert main([*words, "--information", "true_nh", "-o", str(tmp_path / "a.json")]) == 0
    assert "latents: true_nh" in capsys.readouterr().out
