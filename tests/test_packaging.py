# Licensed under a 3-clause BSD style license - see LICENSE
"""The built distributions hold what they must, and the wheel works outside the checkout."""

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from importlib.metadata import distributions
from pathlib import Path

import pytest

pytest.importorskip("build", reason="building distributions needs the extra [test]")

ROOT = Path(__file__).resolve().parents[1]
LEFT_OUT = shutil.ignore_patterns(
    ".*", "__pycache__", "*.egg-info", "build", "dist", "_build", "api", "runs", "demo_output")


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Build sdist, and the wheel from it, from a copy of the tree without git."""
    top = tmp_path_factory.mktemp("build")
    shutil.copytree(ROOT, top / "tree", ignore=LEFT_OUT, symlinks=True)
    done = subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(top / "dist"), str(top / "tree")],
        capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return top / "dist"


@pytest.fixture(scope="module")
def wheel(built):
    """The wheel."""
    (path,) = built.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """Install the wheel, and only it, into a folder of its own."""
    target = tmp_path_factory.mktemp("site")
    subprocess.run(
        [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index",
         "--target", str(target), str(wheel)], check=True, capture_output=True, text=True)
    return target


def run_outside(installed, folder, *command):
    """Run Python outside the checkout with the installed wheel first on its path."""
    env = {**os.environ, "PYTHONPATH": str(installed)}
    return subprocess.run([sys.executable, *command], cwd=folder, env=env, capture_output=True,
                          text=True, check=False)


def data_files(folder):
    """Files of the package that are no Python source, relative to the package's parent."""
    return {p.relative_to(folder).as_posix() for p in (folder / "astro_xlatent").rglob("*")
            if p.is_file() and p.suffix not in (".py", ".pyc")}


def test_sdist_is_complete(built):
    """Sources, tests, documentation and community files travel with the sdist."""
    (path,) = built.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        names = {name.split("/", 1)[1] for name in archive.getnames() if "/" in name}
    for name in ("README.rst", "LICENSE", "CHANGES.rst", "CITATION.cff", "Makefile", "setup.cfg",
                 "pyproject.toml", "tests/conftest.py", "tests/plotting/pictures.py",
                 "docs/conf.py", "docs/_ext/registries.py", "benchmarks/bench_import.py"):
        assert name in names, name


def test_wheel_holds_every_data_file(wheel):
    """Weights and tables of the source tree are in the wheel, tests are not."""
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    assert data_files(ROOT) - names == set()
    assert not [name for name in names if name.startswith(("tests/", "docs/", "benchmarks/"))]
    # The model is at most 10 MB; the rest is small.
    assert wheel.stat().st_size < 15e6


def test_wheel_holds_weights_and_tables(wheel):
    """There is at least one model, and tables of physics and missions."""
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    for folder, suffix in (("model/weights/", ".safetensors"), ("physics/data/", ".npz"),
                           ("missions/data/", ".npz"), ("plotting/data/", ".html")):
        assert [n for n in names if n.startswith(f"astro_xlatent/{folder}") and n.endswith(suffix)], folder


def test_no_pickle_travels(wheel):
    """Nothing in the wheel is a format that can run code when loaded."""
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    assert not [n for n in names if n.endswith((".pkl", ".pickle", ".pt", ".pth", ".npy", ".joblib"))]


def test_metadata(installed):
    """Name, license, Python; Sherpa is an extra and no version is capped."""
    (dist,) = distributions(path=[str(installed)])
    meta = dist.metadata
    assert (meta["Name"], meta["License-Expression"]) == ("astro_xlatent", "BSD-3-Clause")
    assert meta["Requires-Python"] == ">=3.11"
    required = [r for r in dist.requires if "extra ==" not in r]
    assert {r.split(">")[0] for r in required} == {
        "numpy", "astropy", "scipy", "torch", "safetensors", "tqdm"}
    assert not [r for r in dist.requires if "<" in r or "==" in r.split(";")[0]]


def test_entry_points(installed):
    """Missions, transforms and the command are registered, and each can be loaded."""
    (dist,) = distributions(path=[str(installed)])
    groups = {}
    for entry in dist.entry_points:
        groups.setdefault(entry.group, set()).add(entry.name)
    assert groups["astro_xlatent.missions"] >= {"csc", "erosita", "xmm"}
    assert groups["astro_xlatent.transforms"] == {"latents"}
    assert groups["console_scripts"] == {"astro-xlatent"}


def test_runs_outside_the_checkout(installed, tmp_path):
    """The wheel, not the checkout, passes its self-test and lists its models."""
    where = run_outside(installed, tmp_path, "-c", "import astro_xlatent; print(astro_xlatent.__file__)")
    assert Path(where.stdout.strip()).is_relative_to(installed), where.stdout + where.stderr
    done = run_outside(installed, tmp_path, "-m", "astro_xlatent", "selftest")
    assert done.returncode == 0, done.stderr
    assert done.stdout.rstrip().endswith(": ok")
    info = run_outside(installed, tmp_path, "-m", "astro_xlatent", "info")
    assert info.returncode == 0, info.stderr
    lines = dict(line.split(None, 1) for line in info.stdout.splitlines())
    assert lines["models"] != "none"
    assert {"csc,", "erosita,"} <= set(lines["missions"].split())


def test_console_script(installed, tmp_path):
    """The command is installed and starts."""
    script = installed / "bin" / "astro-xlatent"
    done = run_outside(installed, tmp_path, str(script), "--version")
    assert done.stdout.startswith("astro-xlatent "), done.stderr
