# Licensed under a 3-clause BSD style license - see LICENSE
"""Training of evidence models."""

import numpy as np
import pytest
from astropy.table import Table

from astro_xlatent.cli.main import main
from astro_xlatent.core.errors import ParameterError
from astro_xlatent.evaluate.classification import evidence_scores
from astro_xlatent.model.evidence import Group, Inputs, load_evidence
from astro_xlatent.table.evidence import classify_rows
from astro_xlatent.train.evidence import fit_exponents, train_evidence

pytest.importorskip("sklearn", reason="folds need scikit-learn")


def made(n=900, seed=0):
    """Three classes that one feature tells; a weak spectrum tells a little, too."""
    rng = np.random.default_rng(seed)
    label = rng.choice(3, n, p=[0.6, 0.3, 0.1])
    x = label + rng.normal(0, 0.6, n)
    spectrum = np.exp(0.5 * (np.eye(3)[label] + rng.normal(0, 1, (n, 3))))
    inputs = Inputs({"own": Group(("x",), x[:, None], np.ones(n, bool))}, np.ones(n, bool), np.zeros(n))
    return inputs, label, spectrum / spectrum.sum(axis=1, keepdims=True), rng.integers(0, 60, n)


def test_product_is_better_and_calibrated():
    """Rows that were not seen are classified better than by the spectrum, and probabilities hold."""
    inputs, label, spectrum, field = made()
    model, cross = train_evidence(inputs, label, ("a", "b", "c"), field % 5, spectrum, {"own": ("own",)})
    factors = cross.log_factors(inputs)
    scores = evidence_scores(model, factors, spectrum, label, field, field % 5)
    assert scores["own"]["balanced accuracy"] > scores["spectrum"]["balanced accuracy"] + 0.15
    assert scores["own"]["ECE"] < 0.08
    assert scores["own"]["log loss"] < scores["spectrum"]["log loss"]


def test_empty_evidence_gains_nothing():
    """A feature without information does not move the accuracy."""
    inputs, label, spectrum, field = made()
    inputs.groups["own"].values[:] = np.random.default_rng(3).normal(size=(900, 1))
    model, cross = train_evidence(inputs, label, ("a", "b", "c"), field % 5, spectrum, {"own": ("own",)})
    scores = evidence_scores(model, cross.log_factors(inputs), spectrum, label, field, field % 5)
    assert abs(scores["own"]["balanced accuracy"] - scores["spectrum"]["balanced accuracy"]) < 0.05


def test_doubled_evidence_gets_half_the_exponent():
    """What is counted twice is weighed down."""
    _, label, spectrum, _ = made(4000)
    logs = 3 * np.log(spectrum)
    one = fit_exponents(np.full_like(spectrum, 1 / 3), {"a": logs}, label)["a"]
    both = fit_exponents(np.full_like(spectrum, 1 / 3), {"a": logs, "b": logs}, label)
    assert both["a"] == pytest.approx(both["b"], abs=0.01)
    assert both["a"] < 0.75 * one


def test_class_in_one_field_is_refused():
    """It could not be judged."""
    inputs, label, spectrum, field = made()
    fold = np.where(label == 2, 0, field % 5)
    with pytest.raises(ParameterError, match="class c"):
        train_evidence(inputs, label, ("a", "b", "c"), fold, spectrum, {"own": ("own",)})


@pytest.fixture
def survey(tmp_path):
    """A table of a survey team: its own classes, and a column that tells them."""
    rng = np.random.default_rng(5)
    n = 240
    kind = np.array(["flare", "quiet"])[rng.integers(0, 2, n)]
    table = Table({"kind": kind, "ra": rng.uniform(0, 360, n), "dec": rng.uniform(-60, 60, n),
                   "radio": np.where(kind == "flare", 2.0, -2.0) + rng.normal(size=n)})
    table["radio"][:20] = np.nan
    for band, flux in zip("smh", (1e-14, 2e-14, 6e-14), strict=True):
        flux = flux * 10 ** rng.normal(0, 0.3, n)
        table[f"flux_aper_{band}"] = flux
        table[f"flux_aper_lolim_{band}"], table[f"flux_aper_hilim_{band}"] = 0.8 * flux, 1.2 * flux
    table.write(tmp_path / "survey.fits")
    return tmp_path / "survey.fits"


def test_own_classes_and_columns(survey, tmp_path, capsys):
    """The command learns them, says scores, and the model classifies other rows."""
    model = tmp_path / "own.json"
    assert (
        main(["train-evidence", str(survey), "--label", "kind", "--columns", "radio", "-o", str(model)]) == 0
    )
    assert "balanced accuracy" in capsys.readouterr().out
    from astro_xlatent import add_latents

    table = add_latents(Table.read(survey))
    found = classify_rows(table, model)
    assert set(found.colnames) == {"class", "prob_flare", "prob_quiet"}
    assert np.mean(np.asarray(found["class"]) == np.asarray(table["kind"]).astype(str)) > 0.85
    assert load_evidence(model).card["rows by class"].keys() == {"flare", "quiet"}


@pytest.mark.parametrize(("words", "said"), [
    (["--label", "nothing", "-o", "x.json"], "no column nothing"), (["--label", "kind"], "--bundle"),
    (["--label", "kind", "--columns", "wrong", "-o", "x.json"], "no column wrong")])
def test_refusals(survey, words, said, capsys):
    """Wrong columns and no output are told."""
    assert main(["train-evidence", str(survey), *words]) != 0
    assert said in capsys.readouterr().err
