# Licensed under a 3-clause BSD style license - see LICENSE
"""The metrics of a model card: taken from results, of one model, and put where they belong."""

import pytest

from astro_xlatent.core.errors import ParameterError
from astro_xlatent.evaluate.results import Number, Results
from astro_xlatent.model.bundled import DEFAULT
from astro_xlatent.model.pretrained import model_folder
from benchmarks.studies.card_metrics import insert_metrics, main, metrics_table


def _results(model="m-1"):
    of = ("simulated bands: 8 classes", "balanced accuracy")
    numbers = [Number(*of, "model", "100-300 counts", 70, 0.5, 0.4, 0.6),
               Number(*of, "baseline", "100-300 counts", 70, 0.3)]
    facts = {"model": model, "command": "python -m benchmarks.studies.simulated"}
    return Results("Simulated", facts, numbers)


def test_only_what_the_card_tells_is_taken():
    """The number with its interval, rows and command; other numbers stay out."""
    text = metrics_table([_results()])
    assert '"70", "0.500 [0.400, 0.600]"' in text
    assert "``python -m benchmarks.studies.simulated``" in text
    assert "0.3" not in text


def test_models_are_not_mixed():
    """Results of two models, or without any metric, are refused."""
    with pytest.raises(ParameterError, match="m-1, m-2"):
        metrics_table([_results(), _results("m-2")])
    with pytest.raises(ParameterError, match="hold 0 of the numbers"):
        metrics_table([Results("empty", {"model": "m-1"})])


def test_the_bundled_card_is_rewritten_as_often_as_wanted(tmp_path):
    """Twice gives what once gives, and all else of the card stays."""
    card, results = tmp_path / "MODEL_CARD.rst", tmp_path / "r.json"
    before = (model_folder(DEFAULT) / "MODEL_CARD.rst").read_text()
    card.write_text(before)
    _results().write(results)
    main([str(results), "--card", str(card)])
    once = card.read_text()
    main([str(results), "--card", str(card)])
    assert card.read_text() == once
    assert once.split("**Evaluation.**")[0] == before.split("**Evaluation.**")[0]
    assert once.split("**Known failures")[1] == before.split("**Known failures")[1]


def test_a_card_without_the_paragraph_is_refused():
    """Nothing is appended somewhere."""
    with pytest.raises(ParameterError, match="Evaluation"):
        insert_metrics("A card.", "table")
