# Licensed under a 3-clause BSD style license - see LICENSE
"""Importing the package is light, and its names are there."""

import subprocess
import sys

import pytest

import astro_xlatent

HEAVY = ["torch", "sherpa", "scipy", "matplotlib", "pandas", "sklearn", "tqdm", "safetensors"]


def _heavy_after(code):
    """Names of the heavy packages that a fresh interpreter holds after running some code."""
    script = f"{code}\nimport sys\nprint(*[m for m in {HEAVY!r} if m in sys.modules])"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return run.stdout.split()


@pytest.mark.parametrize("code", [
    "import astro_xlatent",
    "import astro_xlatent; dir(astro_xlatent); astro_xlatent.conf; astro_xlatent.decode_flags",
    "import astro_xlatent.plotting",
    "import astro_xlatent.cli.main",
])
def test_import_is_light(code):
    """Nothing heavy is loaded before it is needed."""
    assert _heavy_after(code) == []


def test_heavy_modules_are_seen():
    """The probe does notice a heavy module."""
    assert "scipy" in _heavy_after("import scipy")


@pytest.mark.parametrize("name", astro_xlatent.__all__)
def test_public_names_exist(name):
    """Every name of ``__all__`` can be had."""
    assert getattr(astro_xlatent, name) is not None


def test_unknown_name():
    """A typo is an AttributeError with both names."""
    with pytest.raises(AttributeError, match="astro_xlatent.*no_such"):
        astro_xlatent.no_such  # noqa: B018


def test_star_import_and_dir():
    """``dir`` shows the lazily loaded names."""
    assert {"add_latents", "load_model", "__version__"} <= set(dir(astro_xlatent))
