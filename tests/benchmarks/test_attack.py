# Licensed under a 3-clause BSD style license - see LICENSE
"""The attack in short: damaged inputs of every kind end in an error of ours, the same answer, or a flag."""

import signal

import pytest

pytest.importorskip("pyvo", reason="manifests need the extra [archive]")
pytest.importorskip("pyarrow", reason="tables need the extra [parquet]")

from astro_xlatent.core.errors import SpectrumError
from benchmarks.attack import outcomes
from benchmarks.attack.outcomes import BAD, Answer, Kind, attack
from benchmarks.attack.run_all import KINDS, run

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGALRM"), reason="no alarm on this system")


def test_five_hundred(capsys):
    """A fortieth of the long run."""
    found = run(share=0.025)
    said = capsys.readouterr().out
    assert sum(sum(counts.values()) for counts in found.values()) == 500
    assert not any(counts[outcome] for counts in found.values() for outcome in BAD), said
    for kind in KINDS:
        assert found[kind]["clean"] > 0


def test_what_must_not_be_is_seen(monkeypatch):
    """Each class of outcome is told from the others."""
    import numpy as np

    monkeypatch.setattr(outcomes, "SECONDS", 1)
    monkeypatch.setattr(outcomes, "BYTES", 1e8)
    answers = {"same": (1.0, 0), "changed": (9.0, 0), "flagged": (9.0, 4)}

    def prepare(folder):
        (folder / "a.txt").write_text("some words of a file 1 2 3\n" * 9)

    def answer(folder, wanted):
        hurt = folder.name != "whole"
        if hurt and wanted == "hang":
            while True:
                pass
        if hurt and wanted in ("foreign", "clean"):
            raise KeyError(folder) if wanted == "foreign" else SpectrumError(f"{folder / 'a.txt'}: damaged")
        if hurt and wanted == "memory":
            np.ones(150_000_000, np.uint8)
        value, flags = answers.get(wanted, (1.0, 0)) if hurt else (1.0, 0)
        return Answer(np.array([value]), np.ones(1), flags)

    for wanted in ("same", "changed", "flagged", "hang", "foreign", "clean", "memory"):
        kind = Kind(prepare, lambda folder, wanted=wanted: answer(folder, wanted))
        if wanted == "memory" and not outcomes._peak():
            continue
        assert attack(kind, 1) == {wanted: 1}
