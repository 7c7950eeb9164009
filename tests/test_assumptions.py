# Licensed under a 3-clause BSD style license - see LICENSE
"""Every assumption of the readers has a flag, or a reason in the documentation why it has none."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "docs" / "_ext"))

assumptions = pytest.importorskip("assumptions", reason="the tables of the documentation need docutils")


@pytest.mark.parametrize(("name", "text"), [pytest.param(*s, id=s[0]) for s in assumptions._sources()])
def test_no_assumption_without_a_flag(name, text):
    """Whatever assumes something, or passes over an error, sets a flag or is listed with its reason."""
    unsaid = assumptions.places(name, text) - set(assumptions.NOT_FLAGGED)
    assert not unsaid, f"set a flag there, or add to NOT_FLAGGED in docs/_ext/assumptions.py: {unsaid}"


def test_every_flag_is_set_somewhere():
    """No flag stands in the documentation alone."""
    assert [flag for flag, where in assumptions.flag_sources().items() if not where] == []


def test_list_has_no_files_that_are_gone():
    """The list names places of files that there are."""
    files = {name for name, _ in assumptions._sources()}
    assert {place.partition(":")[0] for place in assumptions.NOT_FLAGGED} <= files


@pytest.mark.parametrize(("text", "expected"), [
    ('def f():\n    """The unit is taken to be keV."""', {"x.py:f"}),
    ("def f():\n    # We assume keV.\n    return 1", {"x.py:f"}),
    ("#: Guessed.\nX = 1", {"x.py"}),
    ("def f():\n    try:\n        g()\n    except KeyError:\n        return 1", {"x.py:f"}),
    ("class A:\n  def f(self):\n    try:\n      g()\n    except KeyError:\n      pass", {"x.py:f"}),
    ("def f():\n    try:\n        g()\n    except KeyError:\n        raise ValueError from None", set()),
    ('def f():\n    """Taken as keV and flagged."""\n    return Flag.NO_DATA', set()),
])
def test_walk_sees_what_it_should(text, expected):
    """The walk itself can fail."""
    assert assumptions.places("x.py", text) == expected
