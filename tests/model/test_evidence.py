# Licensed under a 3-clause BSD style license - see LICENSE
"""Models of evidence: storage, product, floor and cap."""

import json

import numpy as np
import pytest

from astro_xlatent.core.columns import CLASSES
from astro_xlatent.core.errors import ModelError
from astro_xlatent.model.evidence import (
    BUNDLED_EVIDENCE,
    NONE_CAP,
    PIECES,
    EvidenceModel,
    Group,
    Inputs,
    Piece,
    guarded,
    load_evidence,
)


def inputs(values, known, found=None):
    """Inputs of one group with one feature."""
    values = np.asarray(values, float)[:, None]
    found = np.ones(len(values), bool) if found is None else np.asarray(found)
    return Inputs({"g": Group(("x",), values, np.asarray(known))}, found, np.full(len(values), 0.1))


def piece(slope=5.0):
    """Two classes, told by the sign of the feature."""
    return Piece({"g": ["x"]}, [0.0, 0.0], [1.0, 1.0], [[slope, 0.0], [-slope, 0.0]], [0.0, 0.0])


def test_bundled_model():
    """Our classes, all pieces, credit for every column, no rows of the labeled table."""
    model = load_evidence()
    assert model.classes == CLASSES
    assert {name: tuple(p.groups) for name, p in model.pieces.items()} == PIECES
    assert {"credit", "rows by class", "spectrum model"} <= set(model.card)
    assert BUNDLED_EVIDENCE.stat().st_size < 300_000
    assert "2CXO" not in BUNDLED_EVIDENCE.read_text(encoding="utf-8")


def test_round_trip(tmp_path):
    """What is written is read."""
    model = load_evidence()
    model.write(tmp_path / "a.json")
    again = load_evidence(tmp_path / "a.json")
    np.testing.assert_array_equal(again.pieces["xray"].coefficient, model.pieces["xray"].coefficient)
    assert again.exponents == model.exponents


@pytest.mark.parametrize("damage", [
    lambda s: "{", lambda s: json.dumps({}), lambda s: json.dumps(json.loads(s) | {"format": 99}),
    lambda s: s.replace('"latitude"', '"longitude"')[:-30]])
def test_damaged_files(tmp_path, damage):
    """They are refused with the file's name and the remedy."""
    path = tmp_path / "bad.json"
    path.write_text(damage(BUNDLED_EVIDENCE.read_text(encoding="utf-8")), encoding="utf-8")
    with pytest.raises(ModelError, match="bad.json"):
        load_evidence(path)
    with pytest.raises(ModelError, match="train-evidence"):
        load_evidence(tmp_path / "none.json")


def test_bundled_file_is_verified(tmp_path, monkeypatch):
    """One changed digit of the package's own model is noticed."""
    path = tmp_path / "evidence.json"
    path.write_bytes(BUNDLED_EVIDENCE.read_bytes().replace(b"0.1", b"0.2", 1))
    monkeypatch.setattr("astro_xlatent.model.evidence.BUNDLED_EVIDENCE", path)
    with pytest.raises(ModelError, match="sha256.*install astro_xlatent again"):
        load_evidence()
    load_evidence(path)


def test_unknown_is_silent():
    """An unknown group gives every class the same factor, and the product keeps the spectrum's."""
    some = inputs([3.0, 3.0], [True, False])
    factor = piece().log_factor(some)
    assert np.ptp(factor[1]) == 0
    model = EvidenceModel("m", ("a", "b"), {"xray": piece()}, {"xray": {"spectrum": 0.5, "xray": 1.0}})
    spectrum = np.array([[0.2, 0.8]] * 2)
    found = model.combine(spectrum, {"xray": factor})
    np.testing.assert_allclose(found[1], spectrum[1])
    expected = 0.2**0.5 * np.exp(factor[0, 0]), 0.8**0.5 * np.exp(factor[0, 1])
    np.testing.assert_allclose(found[0], np.array(expected) / sum(expected))


def test_wrong_match_is_a_floor():
    """However sure a counterpart is, one in ten matches is wrong."""
    some = inputs([3.0], [True])
    p = np.exp(guarded(piece().log_factor(some), some, "counterparts"))
    np.testing.assert_allclose(p[0, 1], 0.05, atol=1e-6)
    assert np.exp(guarded(piece().log_factor(some), some, "xray"))[0, 1] < 1e-6


def test_none_found_is_capped():
    """No counterpart may move the log-odds by more than the cap either way."""
    none = inputs([3.0], [True], [False])
    factor = guarded(piece().log_factor(none), none, "counterparts")
    np.testing.assert_allclose(factor[0, 0] - factor[0, 1], 2 * NONE_CAP)
