# Licensed under a 3-clause BSD style license - see LICENSE
"""
Which assumption is made where, and what flag says so, read from the source code.

``.. xl-assumptions::`` shows the flags with the functions that set them, and
``.. xl-not-flagged::`` what is taken for granted without one. A test walks the readers and
finds no other place that assumes something or passes over an error.
"""

import ast
import io
import re
import tokenize
from pathlib import Path

import registries

import astro_xlatent
from astro_xlatent.core.flags import FLAGS

__all__ = ["NOT_FLAGGED", "READERS", "flag_sources", "places", "setup"]

#: Rooms that turn a user's files and columns into what the model sees.
READERS = ("missions", "spectra", "events", "table")
#: Words by which code says that it assumes something.
_WORDS = re.compile(r"\bassum|\btaken (as|to be|for)\b|\bguess|\bpresum|face value", re.IGNORECASE)
# What sets a flag, or notes what later becomes one; and what else lets the user know.
_FLAGGED = {"Flag", "flags", "assume", "guessed"}
_SAID = _FLAGGED | {"fail", "warn"}

#: Places that assume something, or pass over an error, without a flag; and why that is right.
NOT_FLAGGED = {
    "missions/_columns.py:number": "a column without a unit is in the one that its catalog documents",
    "missions/erosita.py": "the catalog gives no error of its background maps; 5 % widens the error only",
    "missions/erosita.py:read_bands": "exposures without a unit are in the catalog's seconds",
    "missions/swift.py": "the catalog gives no error of its background; 5 % widens the error only",
    "missions/curves.py:load_curve": "an eROSITA module is a share of TM8 or TM9, and flagged as a default",
    "missions/xmm.py:_conversion": "the caller sets the flag where the filter is not known",
    "spectra/_cards.py:_value": "a header card that is no number is text",
    "spectra/_companions.py:find_companion": "it says what is a guess, and the reader sets the flag; a "
                                             "folder that cannot be listed holds no companions",
    "spectra/_ogip_tables.py:_channels": "its notes become a flag of the response",
    "spectra/ogip.py:_counts": "its notes, that RATE x EXPOSURE are whole numbers, become a flag",
    "spectra/ogip.py:_is_usable": "what is refused is no candidate; if none is left, reading says why",
    "spectra/binning.py": "an empty background region gets one count in 10 keV, which widens the error only",
    "spectra/response.py:_load": "a file whose state is not told is read, which says what is wrong with it",
    "events/aperture.py:Aperture": "a pixel region means the event list's own X and Y, by definition",
    "events/aperture.py:_projected": "a list without sky coordinates; a sky region is then refused by name",
    "events/channels.py:quality": "a channel without energies is marked bad",
    "events/regions.py:_read_text": "image coordinates come with a warning",
    "events/regions.py:read_region": "text that names no file is read as a region itself, or refused",
    "table/add_latents.py:_choose_mission": "the reader sets the flag where it uses the user's error",
    "table/sources.py:_binned": "the caller sets the flag with the reason that is returned",
    "table/stream.py:_parts_folder": "a system without locks of files lets two runs of one output race",
    "table/arrow.py:__init__": "a file that cannot be read is named in the error at the end",
    "table/arrow.py:blocks": "a file that cannot be read is named in the error at the end",
    "table/pieces.py:open_rows": "whoever reads the file as a whole says what is wrong with it",
    "table/stream.py:_check_settings": "settings that cannot be read are other settings: refused",
    "table/stream.py:part": "a piece that cannot be read is made again",
    "table/sources.py:_year": "without a date the mission's default response is that of its default epoch, "
                              "and flagged as a default",
    "table/predict.py:predict_counts": "latents without a covariance are exact by the user's own choice",
    "table/storage.py:mend_columns": "text of a file that is no UTF-8 is Latin-1: every byte is a letter",
}


def _sources():
    """Name within the package and text of every file of the readers."""
    root = Path(astro_xlatent.__file__).parent
    for room in READERS:
        for path in sorted((root / room).glob("*.py")):
            yield path.relative_to(root).as_posix(), path.read_text(encoding="utf-8")


def _scopes(tree):
    """Outermost functions, methods and classes with their names."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            yield node.name, node
        elif isinstance(node, ast.ClassDef):
            bare = ast.Module([n for n in node.body if not isinstance(n, ast.FunctionDef)], [])
            yield node.name, bare
            yield from ((n.name, n) for n in node.body if isinstance(n, ast.FunctionDef))


def _names(node):
    return {getattr(n, "id", getattr(n, "attr", "")) for n in ast.walk(node)}


def flag_sources():
    """
    Where each flag is set or passed on.

    Returns
    -------
    sources : dict of str to list of str
        ``room/file.py:function`` by the name of the flag, those in `READERS` only.
    """
    found = {flag.name: [] for flag in FLAGS}
    for name, text in _sources():
        tree = ast.parse(text)
        inside = {id(n): scope for scope, node in _scopes(tree) for n in ast.walk(node)}
        for node in ast.walk(tree):
            owner = getattr(getattr(node, "value", None), "id", "")
            if isinstance(node, ast.Attribute) and owner == "Flag" and node.attr in found:
                scope = inside.get(id(node))
                found[node.attr].append(f"{name}:{scope}" if scope else name)
    return {flag: sorted(set(where)) for flag, where in found.items()}


def places(name, text):
    """
    Places of one file that assume something, or pass over an error, and do not set a flag.

    Parameters
    ----------
    name : str
        Of the file within the package.
    text : str
        Its source code.

    Returns
    -------
    places : set of str
        ``room/file.py:function``, or the file alone for its comments outside functions.
    """
    tree, found = ast.parse(text), set()
    comments = [(t.start[0], t.string) for t in tokenize.generate_tokens(io.StringIO(text).readline)
                if t.type == tokenize.COMMENT and _WORDS.search(t.string)]
    for scope, node in _scopes(tree):
        lines = range(getattr(node, "lineno", 0), (getattr(node, "end_lineno", 0) or 0) + 1)
        texts = [n.value for n in ast.walk(node) if isinstance(n, ast.Constant) and isinstance(n.value, str)]
        spoken = any(map(_WORDS.search, texts)) or any(line in lines for line, _ in comments)
        comments = [c for c in comments if c[0] not in lines]
        silent = any(isinstance(n, ast.ExceptHandler) and not _names(n) & _SAID
                     and not any(isinstance(m, ast.Raise) for m in ast.walk(n)) for n in ast.walk(node))
        flagged = _names(node) & _FLAGGED or any("Flag." in text for text in texts)
        if silent or (spoken and not flagged):
            found.add(f"{name}:{scope}")
    if comments:
        found.add(name)
    return found


class AssumptionTable(registries.RegistryTable):
    """Flags, what they say, and the functions that set them."""

    header = ("assumed, missing or doubtful", "flag", "where")

    def rows(self):
        """One row for each flag."""
        where = flag_sources()
        return [(registries.literal_names(f.text), f"``{f.name}``",
                 ", ".join(f"``{place}``" for place in where[f.name])) for f in FLAGS]


class NotFlaggedTable(registries.RegistryTable):
    """Assumptions without a flag."""

    header = ("where", "what, and why there is no flag")

    def rows(self):
        """One row for each place."""
        return [(f"``{place}``", why) for place, why in NOT_FLAGGED.items()]


def setup(app):
    """Register the directives."""
    app.add_directive("xl-assumptions", AssumptionTable)
    app.add_directive("xl-not-flagged", NotFlaggedTable)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
