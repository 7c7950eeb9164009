# Licensed under a 3-clause BSD style license - see LICENSE
"""What the subcommands share."""

import os
import subprocess
import sys
import warnings
from argparse import Namespace

import pytest

from astro_xlatent.cli.main import main
from astro_xlatent.cli.shell import check_extra, minimum, shell_words, table_output, warnings_said
from astro_xlatent.core.errors import ParameterError, TableError, XlatentError, XlatentWarning
from astro_xlatent.core.text import printable


def test_no_escape_reaches_the_terminal():
    """Control characters are shown, the rest stays as it is."""
    assert printable("\x1b]0;title\x07 µ\tö\n\x9b1m") == "\\x1b]0;title\\x07 µ\tö\n\\x9b1m"
    assert str(XlatentError("a\x1b[2J")) == "a\\x1b[2J"


@pytest.mark.parametrize(("text", "words"), [
    ("pass overwrite=True or choose another name", "pass --overwrite or choose another name"),
    ("prior='galactic' needs ra", "--prior 'galactic' needs ra"),
    ("give group_by=, a column", "give --group-by, a column"),
    ("2=overwritten", "2=overwritten"),
])
def test_messages_name_options(text, words):
    """What Python calls an argument is an option in a shell."""
    assert shell_words(text, Namespace(overwrite=False, prior="none", group_by=None)) == words


def test_warnings_are_lines(capsys):
    """The package's warnings are one clean line each, and counted."""
    with warnings_said() as said:
        warnings.warn("some\x1b thing", XlatentWarning, stacklevel=1)
    assert said == ["some\x1b thing"]
    assert capsys.readouterr().err == "astro-xlatent: warning: some\\x1b thing\n"


def test_output_is_checked_once(tmp_path):
    """Suffix, folder, kind and existence, in this order."""
    with pytest.raises(ParameterError, match="suffix"):
        table_output(tmp_path / "a.txt")
    with pytest.raises(TableError, match="no such folder"):
        table_output(tmp_path / "b" / "a.fits")
    (tmp_path / "d.fits").mkdir()
    with pytest.raises(TableError, match="is no file"):
        table_output(tmp_path / "d.fits", overwrite=True)


@pytest.mark.parametrize("text", ["5", "=5", "significance", "significance=high"])
def test_minimum_names_a_column(text):
    """A number alone is no condition."""
    with pytest.raises(Exception, match="COLUMN=NUMBER"):
        minimum(text)


def test_missing_extra_is_named(monkeypatch):
    """What to install stands in the message."""
    monkeypatch.setitem(sys.modules, "sklearn", None)
    with pytest.raises(ImportError, match=r'this needs sklearn: pip install "astro_xlatent\[evaluate\]"'):
        check_extra("evaluate", "sklearn")


@pytest.mark.parametrize("words", [
    ["enrich", "IN", "-o", "x.doc"], ["predict", "a.pha", "-o", "x.doc"],
    ["match", "IN", "IN", "-o", "x.doc"],
    ["evaluate", "IN", "-o", "x.doc"], ["fetch", "labels", "-o", "x.doc"],
])
def test_same_mistake_same_code(words, tmp_path, monkeypatch, capsys):
    """A suffix that no command can write is wrong usage everywhere, an unknown folder is not."""
    monkeypatch.chdir(tmp_path)
    assert main(words) == 2
    end = ".json" if words[0] == "evaluate" else ".fits"
    assert main([*words[:-1], f"no/x{end}"]) == 1
    assert "no such folder" in capsys.readouterr().err


def test_the_tab_key_completes(tmp_path):
    """A shell that asks is told commands, and options of a command."""
    pytest.importorskip("argcomplete", reason="the extra [completion] is not installed")
    for line, word in (("astro-xlatent enr", "enrich"), ("astro-xlatent report --tit", "--title")):
        found = tmp_path / "found"
        asked = {"_ARGCOMPLETE": "1", "COMP_LINE": line, "COMP_POINT": str(len(line)),
                 "_ARGCOMPLETE_IFS": "\n", "_ARGCOMPLETE_STDOUT_FILENAME": str(found)}
        subprocess.run([sys.executable, "-m", "astro_xlatent"], env=os.environ | asked, check=False)
        assert word in found.read_text()


def test_the_shell_starts_without_heavy_imports():
    """The first words need neither astropy's tables nor torch."""
    code = ("import sys, astro_xlatent.cli.main as m; m.make_parser()\n"
            "print([n for n in ('astropy.table', 'torch', 'scipy', 'sherpa') if n in sys.modules])")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
