# Licensed under a 3-clause BSD style license - see LICENSE
"""A plug-in that calls sys.exit when it is imported does not end the program."""

import sys
from importlib.metadata import EntryPoint

import pytest

from astro_xlatent.core import plugins
from astro_xlatent.core.errors import XlatentError, XlatentWarning


def test_exit_at_import(tmp_path, monkeypatch):
    """It is named and left out; asked for by name it is an error."""
    (tmp_path / "xl_exits.py").write_text("raise SystemExit('bye')\n")
    monkeypatch.syspath_prepend(tmp_path)
    entries = [EntryPoint("leaves", "xl_exits:thing", "g"), EntryPoint("stays", "json:loads", "g")]
    monkeypatch.setattr(plugins, "entry_points", lambda group: entries)
    with pytest.warns(XlatentWarning, match="'leaves' in g .* SystemExit: bye; it is left out"):
        assert list(plugins.load_plugins("g")) == ["stays"]
    with pytest.raises(XlatentError, match="could not be loaded: SystemExit"):
        plugins.load_plugin("g", "leaves")
    assert plugins.plugin_names("g") == ["leaves", "stays"]
    assert "xl_exits" not in sys.modules
