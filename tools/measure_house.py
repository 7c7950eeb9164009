# Licensed under a 3-clause BSD style license - see LICENSE
"""
Measure the package's order and size: a table of numbers with their limits.

Run it in a checkout: ``python tools/measure_house.py``. The exit code is 1 if
a number lies beyond its limit.
"""

import argparse
import ast
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "astro_xlatent"
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]
#: Files of the documentation that are outputs of commands.
DUMPS = (".txt", ".ecsv", ".json")
#: Rooms whose tests were thinnest.
TESTED = ("model", "train")


def lines(paths):
    """Number of lines of some files."""
    return sum(len(path.read_text(encoding="utf-8").splitlines()) for path in paths)


def sources(folder):
    """Python files of the package, those that are generated left out."""
    return sorted(path for path in folder.rglob("*.py") if path.name != "_version.py")


def entries():
    """What lies directly under the package."""
    names = (path.name for path in PACKAGE.iterdir())
    return sum(not name.startswith((".", "__pycache__", "_version", "py.typed")) for name in names)


def body_length(node):
    """Lines of a function without its signature and docstring."""
    body = node.body[1:] if ast.get_docstring(node) is not None else node.body
    return body[-1].end_lineno - body[0].lineno + 1 if body else 0


def longest_body():
    """Length and name of the longest function body."""
    found = [(0, "")]
    for path in sources(PACKAGE):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                found.append((body_length(node), f"{path.relative_to(PACKAGE).as_posix()}: {node.name}"))
    return max(found)


def longest_file():
    """Length and name of the longest file."""
    return max((lines([path]), path.relative_to(PACKAGE).as_posix()) for path in sources(PACKAGE))


def arrows():
    """Imports between rooms as (importing, imported), and how many of them run up or sideways."""
    from test_layers import _room, imported_modules, violations

    pairs, wrong = set(), 0
    for path in sources(PACKAGE):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        if len(parts) == 1:
            continue
        text, package = path.read_text(encoding="utf-8"), ".".join(["astro_xlatent", *parts[:-1]])
        wrong += len(list(violations(text, parts[0], package)))
        rooms = {_room(module) for module, _ in imported_modules(text, package)} - {None, parts[0]}
        pairs |= {(parts[0], room) for room in rooms if (PACKAGE / room).is_dir()}
    return pairs, wrong


def circles(pairs):
    """Pairs of rooms of which each reaches the other."""
    reach = set(pairs)
    while more := {(a, d) for a, b in reach for c, d in reach if b == c} - reach:
        reach |= more
    return len({frozenset(pair) for pair in reach if pair[::-1] in reach and pair[0] != pair[1]})


def moves():
    """
    Moves of the data of one row between rooms in `add_latents`, and those of them that go up.

    The journey is the rooms that functions of ``table`` call, one after another;
    ``core`` and ``physics``, which only name and count, are no stations of it.
    """
    from astropy.table import Table
    from test_layers import LEVEL

    from astro_xlatent import add_latents

    row = Table({f"flux_aper_{part}{band}": [value * 1e-14] for band in "smh"
                 for part, value in (("", 1.0), ("lolim_", 0.8), ("hilim_", 1.2))})
    add_latents(row)  # what is loaded once is loaded now
    path = ["table"]

    def room(frame):
        name = Path(frame.f_code.co_filename) if frame else PACKAGE.parent
        return name.relative_to(PACKAGE).parts[0] if PACKAGE in name.parents else ""

    def note(frame, event, _):
        if event == "call" and room(frame.f_back) == "table":
            if room(frame) not in ("", "core", "physics", "table", path[-1]):
                path.append(room(frame))

    sys.setprofile(note)
    try:
        add_latents(row)
    finally:
        sys.setprofile(None)
    return len(path) - 1, sum(LEVEL[b] < LEVEL[a] for a, b in zip(path, path[1:])), " > ".join(path)


def test_share(room):
    """Lines of tests a line of a room."""
    return lines((ROOT / "tests" / room).rglob("*.py")) / lines(sources(PACKAGE / room))


def measure():
    """
    Take all numbers.

    Returns
    -------
    rows : list of (str, float, float, bool, str)
        What, number, limit, whether more is better, and a remark.
    """
    pairs, wrong = arrows()
    dumps = [page for page in (ROOT / "docs").iterdir() if page.suffix in DUMPS]
    (file_lines, file), (body_lines, body) = longest_file(), longest_body()
    made, up, path = moves()
    return [
        ("entries under astro_xlatent/", entries(), 17, False, ""),
        ("Python lines in the wheel", lines(sources(PACKAGE)), 27000, False, ""),
        ("circles of rooms", circles(pairs), 0, False, ""),
        ("imports that run up or sideways", wrong, 0, False, f"of {len(pairs)} between rooms"),
        ("lines of docs that are dumps", lines(dumps), 0, False, ", ".join(sorted(p.name for p in dumps))),
        ("lines of the longest file", file_lines, 400, False, file),
        ("lines of the longest function body", body_lines, 50, False, body),
        ("moves between rooms in add_latents", made, 11, False, path),
        ("moves up of these", up, 3, False, ""),
        *((f"test lines a line in {room}/", test_share(room), 0.5, True, "") for room in TESTED),
    ]


def main():
    """Print the table."""
    argparse.ArgumentParser(description=__doc__.splitlines()[1]).parse_args()
    kept = True
    for what, value, limit, more, remark in measure():
        good = value >= limit if more else value <= limit
        kept = kept and good
        sign = ">=" if more else "<="
        number = f"{value:.2f}" if isinstance(value, float) else str(value)
        print(f"{what:36} {number:>7}  {sign} {limit:<6g} {'' if good else 'BEYOND':6}  {remark}".rstrip())
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
