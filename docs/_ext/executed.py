# Licensed under a 3-clause BSD style license - see LICENSE
"""
Show what the lines of a page print today.

The tests compare the outputs that are written in the pages, where dots stand for
a model's numbers; a reader sees the numbers of the model that the documentation was built with.
"""

import contextlib
import doctest
import io
from importlib.util import find_spec

from docutils import nodes

#: Pages whose doctests are run when they are built; that on Sherpa where there is one.
PAGES = ("index", "quickstart", *(["sherpa"] if find_spec("sherpa") else []))


def _run(example, namespace):
    """Run one example as an interpreter does; gives what it prints."""
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        exec(compile(example.source, "<documentation>", "single"), namespace)  # noqa: S102
    return output.getvalue()


def _typed(example):
    """Lines as they are typed at the prompt."""
    first, *others = example.source.splitlines()
    return "\n".join([f">>> {first}", *(f"... {line}" for line in others)]) + "\n"


def execute_blocks(app, doctree):
    """Replace the outputs of a page's doctests by what is printed now."""
    if app.env.docname not in PAGES:
        return
    namespace, parser = {}, doctest.DocTestParser()
    for node in list(doctree.findall(nodes.doctest_block)):
        text = "".join(_typed(e) + _run(e, namespace) for e in parser.get_examples(node.astext())).rstrip()
        node.replace_self(nodes.literal_block(text, text, language="pycon"))


def setup(app):
    """Hook into the build."""
    app.connect("doctree-read", execute_blocks)
    return {"version": "1", "parallel_read_safe": True}
