# Licensed under a 3-clause BSD style license - see LICENSE
"""
Directives that turn the package's registries into tables.

``.. xl-columns::`` shows `astro_xlatent.core.columns.COLUMNS`, ``.. xl-flags::``
`astro_xlatent.core.flags.FLAGS`, and ``.. xl-meta::`` the provenance keys.
``.. xl-model-card::`` shows the card of the default model, ``.. xl-rooms::`` the
rooms of the package.
"""

import ast
import re
from pathlib import Path

from docutils.parsers.rst import Directive
from docutils.statemachine import StringList

import astro_xlatent
from astro_xlatent.core.columns import COLUMNS, GROUP_COLUMNS
from astro_xlatent.core.flags import FLAGS
from astro_xlatent.core.provenance import PROVENANCE_KEYS

__all__ = ["setup"]


def literal_names(text):
    """Set names of columns in a text as literals; ``xl_`` alone would be a link."""
    return re.sub(r"\bxl_\w*", r"``\g<0>``", text)


def list_table(header, rows):
    """Lines of a ``list-table`` directive."""
    lines = [".. list-table::", "   :header-rows: 1", ""]
    for row in [header, *rows]:
        for i, cell in enumerate(row):
            lines.append(f"   {'* -' if i == 0 else '  -'} {cell}")
    return lines


def column_rows():
    """One row for each output column."""
    for spec in (*COLUMNS.values(), *GROUP_COLUMNS.values()):
        shape = " x ".join(str(n) for n in spec.shape)
        kind = "str" if spec.dtype is str else f"{spec.dtype.__name__}{f' ({shape})' if shape else ''}"
        unit = "" if spec.unit is None else f"``{spec.unit.to_string()}``"
        grouped = " (with ``group_by``)" if spec.name in GROUP_COLUMNS else ""
        note = " (optional)" if spec.optional else grouped
        text = literal_names(spec.description) + note
        yield f"``{spec.name}``", kind, unit, f"``{spec.ucd}``", text


def room_sentence(room):
    """First sentence of a room's docstring; the room is not imported."""
    source = Path(astro_xlatent.__file__).with_name(room) / "__init__.py"
    text = ast.get_docstring(ast.parse(source.read_text(encoding="utf-8")))
    return text.split("\n\n")[0].replace("\n", " ").partition("; read")[0].rstrip(".") + "."


class RegistryTable(Directive):
    """Base of the three directives: a table of a header and rows."""

    header = ()

    def rows(self):
        """Rows of the table, as tuples of reStructuredText."""
        raise NotImplementedError

    def run(self):
        """Parse the table where the directive stands."""
        from docutils import nodes

        node = nodes.section()
        node.document = self.state.document
        lines = StringList(list_table(self.header, self.rows()), source=__name__)
        self.state.nested_parse(lines, self.content_offset, node)
        return node.children


class ColumnTable(RegistryTable):
    """The columns of `add_latents`."""

    header = ("column", "type", "unit", "UCD", "meaning")
    rows = staticmethod(column_rows)


class FlagTable(RegistryTable):
    """The bits of ``xl_flag``."""

    header = ("bit", "value", "name", "meaning")

    def rows(self):
        """One row for each bit."""
        return [(str(f.bit), str(f.value), f"``{f.name}``", literal_names(f.text)) for f in FLAGS]


class MetaTable(RegistryTable):
    """The keys that a run leaves in ``table.meta``."""

    header = ("key", "holds")

    def rows(self):
        """One row for each key."""
        return [(f"``{key}``", text) for key, text in PROVENANCE_KEYS.items()]


class Rooms(RegistryTable):
    """The rooms of the package, from top to bottom, with the sentences of their docstrings."""

    header = ("floor", "room", "what it does")
    has_content = True

    def rows(self):
        """One row for each room."""
        floors = [line.split() for line in self.content if line.strip()]
        for number, floor in zip(range(len(floors), 0, -1), floors, strict=True):
            for room in floor:
                yield str(number), f"``{room}/``", room_sentence(room)


class ModelCard(Directive):
    """The card of the default model, without its title."""

    def run(self):
        """Parse the card where the directive stands."""
        from docutils import nodes

        from astro_xlatent.model.bundled import DEFAULT
        from astro_xlatent.model.pretrained import model_folder

        text = (model_folder(DEFAULT) / "MODEL_CARD.rst").read_text(encoding="utf-8")
        node = nodes.section()
        node.document = self.state.document
        self.state.nested_parse(StringList(text.splitlines()[3:], source=DEFAULT), self.content_offset, node)
        return node.children


def setup(app):
    """Register the directives."""
    for name, directive in (("columns", ColumnTable), ("flags", FlagTable), ("meta", MetaTable)):
        app.add_directive(f"xl-{name}", directive)
    app.add_directive("xl-model-card", ModelCard)
    app.add_directive("xl-rooms", Rooms)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
