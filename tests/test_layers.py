# Licensed under a 3-clause BSD style license - see LICENSE
"""A module imports only from floors below its own, inside functions too."""

import ast
from pathlib import Path

import pytest

import astro_xlatent

ROOT = Path(astro_xlatent.__file__).parent

# From top to bottom. Rooms of one floor do not import each other.
FLOORS = [
    ["__main__"],
    ["cli"],
    ["evaluate"],
    ["sherpa"],
    ["train"],
    ["table"],
    ["plotting"],
    ["simulate"],
    ["compare"],
    ["archive"],
    ["missions", "model", "events"],
    ["spectra"],
    ["physics"],
    ["core"],
]
#: What makes and judges models; only these and the shell may name them.
WORKSHOP = {"evaluate", "train", "simulate"}
LEVEL = {room: level for level, floor in enumerate(FLOORS) for room in floor}


def _room(module):
    """Name of the room a dotted module lies in, or None outside the package and for its top."""
    parts = module.split(".")
    return parts[1] if parts[0] == "astro_xlatent" and len(parts) > 1 else None


def imported_modules(source, package):
    """Give every module of this package that a source text imports, with the line."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node.lineno
        elif isinstance(node, ast.ImportFrom):
            base = package.split(".")[: len(package.split(".")) + 1 - node.level]
            module = ".".join(base + [node.module or ""]).strip(".") if node.level else node.module
            for alias in node.names:
                yield f"{module}.{alias.name}", node.lineno
        elif isinstance(node, ast.Call) and _is_import_module(node) and node.args:
            if isinstance(node.args[0], ast.Constant):
                yield str(node.args[0].value), node.lineno


def _is_import_module(call):
    """Whether a call is ``import_module(...)`` or ``importlib.import_module(...)``."""
    return getattr(call.func, "id", getattr(call.func, "attr", "")) == "import_module"


def violations(source, room, package):
    """Say which imports of a module in a room go up, or across to a room kept apart."""
    for module, line in imported_modules(source, package):
        # ``from astro_xlatent import add_latents`` names no room; only the top may do it.
        target = "top" if module.startswith("astro_xlatent.") and not _exists(module) else _room(module)
        if target in (None, room):
            continue
        if target == "top":
            if LEVEL[room] > 0:
                yield f"line {line}: imports {module} from the package's top"
        elif target not in LEVEL:
            yield f"line {line}: {target} is on no floor"
        elif LEVEL[target] < LEVEL[room]:
            yield f"line {line}: {room} imports {target}, which lies above it"
        elif LEVEL[target] == LEVEL[room]:
            yield f"line {line}: {room} imports {target}, its sibling"
        elif target in WORKSHOP and room not in WORKSHOP | {"cli"}:
            yield f"line {line}: {room} imports {target}, which makes and judges models"


def _exists(module):
    """Whether a dotted name begins with a room of this package that is on a floor or on disk."""
    room = _room(module)
    return room in LEVEL or (ROOT / room).is_dir() or (ROOT / f"{room}.py").is_file()


SOURCES = sorted(p for p in ROOT.rglob("*.py") if p != ROOT / "__init__.py" and p.name != "_version.py")


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_imports_go_down(path):
    """No import goes up."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    assert parts[0] in LEVEL, f"{parts[0]} is on no floor: give it one in FLOORS"
    package = ".".join(["astro_xlatent", *parts[:-1]])
    assert list(violations(path.read_text(encoding="utf-8"), parts[0], package)) == []


@pytest.mark.parametrize(("source", "room", "package"), [
    ("from astro_xlatent.model.network import x", "missions", "astro_xlatent.missions"),
    ("def f():\n    import astro_xlatent.table.add_latents", "spectra", "astro_xlatent.spectra"),
    ("from astro_xlatent import simulate", "physics", "astro_xlatent.physics"),
    ("from astro_xlatent import add_latents", "model", "astro_xlatent.model"),
    ("from ..table import add_latents", "physics", "astro_xlatent.physics"),
    ("from .. import table", "physics", "astro_xlatent.physics"),
    ("importlib.import_module('astro_xlatent.cli.main')", "core", "astro_xlatent.core"),
    ("from astro_xlatent.simulate import batch", "table", "astro_xlatent.table"),
])
def test_walker_sees_violations(source, room, package):
    """Every way to import upwards is noticed."""
    assert len(list(violations(source, room, package))) == 1


@pytest.mark.parametrize(("source", "room", "package"), [
    ("from astro_xlatent.physics.grid import N_ENERGY", "spectra", "astro_xlatent.spectra"),
    ("from .grid import N_ENERGY", "physics", "astro_xlatent.physics"),
    ("import numpy as np\nfrom astropy.table import Table", "physics", "astro_xlatent.physics"),
])
def test_walker_lets_pass(source, room, package):
    """Downward, sideways within a room, and foreign imports are fine."""
    assert list(violations(source, room, package)) == []


def test_the_page_on_architecture_lists_the_floors():
    """The documentation shows the same floors, and every room has a sentence."""
    page = ROOT.parent / "docs" / "architecture.rst"
    if not page.is_file():
        pytest.skip("the documentation is not beside the installed package")
    listed = page.read_text(encoding="utf-8").partition(".. xl-rooms::\n\n")[2].partition("\n\n")[0]
    assert [line.split() for line in listed.splitlines()] == FLOORS[1:]
    rooms = [room for floor in FLOORS[1:] for room in floor]
    assert sorted(p.parent.name for p in ROOT.glob("*/__init__.py")) == sorted(rooms)
    for room in rooms:
        text = ast.get_docstring(ast.parse((ROOT / room / "__init__.py").read_text(encoding="utf-8")))
        assert len(text.split("\n\n")[0]) < 120, f"{room}: the first sentence of its docstring is none"
