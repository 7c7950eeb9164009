# Licensed under a 3-clause BSD style license - see LICENSE
"""The documentation builds without a warning and holds what the registries say."""

import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from astro_xlatent.core.columns import COLUMNS
from astro_xlatent.core.flags import FLAGS

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Build a copy of the documentation, warnings being errors."""
    for package in ("sphinx", "sphinx_astropy", "sunpy_sphinx_theme"):
        pytest.importorskip(package, reason="the documentation needs the extra [docs]")
    top = tmp_path_factory.mktemp("docs")
    shutil.copytree(ROOT / "docs", top / "docs", ignore=shutil.ignore_patterns("_build", "api", "gallery"))
    for page in ROOT.glob("*.rst"):
        shutil.copy(page, top)
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html", "docs", "html"],
        cwd=top, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return top / "html"


def test_builds_without_warnings(built):
    """Every page is there."""
    pages = {page.stem for page in (ROOT / "docs").glob("*.rst")}
    assert pages <= {page.stem for page in built.glob("*.html")}


def test_every_column_is_documented(built):
    """The columns page holds every column of the registry."""
    page = (built / "columns.html").read_text(encoding="utf-8")
    assert [name for name in COLUMNS if f">{name}<" not in page] == []


def test_every_flag_is_documented(built):
    """The flags page holds every bit of the registry."""
    page = (built / "flags.html").read_text(encoding="utf-8")
    assert [flag.name for flag in FLAGS if f">{flag.name}<" not in page] == []


def test_no_output_is_hidden():
    """What a page shows is compared with what its lines print."""
    pages = [*(ROOT / "docs").glob("*.rst"), ROOT / "README.rst"]
    assert [page.name for page in pages if "IGNORE_OUTPUT" in page.read_text(encoding="utf-8")] == []


def test_options_are_shown_as_typed(built):
    """Two hyphens stay two hyphens."""
    assert "--overwrite" in (built / "command_line.html").read_text(encoding="utf-8")
    assert "–overwrite" not in (built / "command_line.html").read_text(encoding="utf-8")


def test_tutorials_are_executed(built):
    """Every tutorial has a page with a figure."""
    for script in (ROOT / "docs" / "tutorials").glob("plot_*.py"):
        if "_lsdb" in script.name and find_spec("lsdb") is None:
            continue
        page = (built / "gallery" / f"{script.stem}.html").read_text(encoding="utf-8")
        assert "sphx_glr_" in page and ".png" in page, script.name


def test_readme_is_valid_rst():
    """PyPI shows the README as a page only if docutils parses it without complaint."""
    core = pytest.importorskip("docutils.core")
    text = (ROOT / "README.rst").read_text(encoding="utf-8")
    core.publish_doctree(text, settings_overrides={"halt_level": 2, "report_level": 5})
