# Licensed under a 3-clause BSD style license - see LICENSE
"""Configuration of the documentation; build it with ``make docs``."""

import os
import sys
from importlib.util import find_spec
from pathlib import Path

from sphinx_astropy.conf.v3 import *  # noqa: F403

from astro_xlatent.core.provenance import package_version

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project = "astro_xlatent"
author = "the astro_xlatent developers"
copyright = f"2026, {author}"
release = package_version()
version = release.split("+")[0]

extensions += ["assumptions", "executed", "registries", "sphinx_gallery.gen_gallery"]  # noqa: F405
exclude_patterns += ["_ext", "tutorials", "gallery/*.ipynb", "gallery/*.py"]  # noqa: F405
# Options are shown as they are typed: two hyphens are no dash.
smartquotes_action = "qe"
html_static_path = ["_static"]
html_css_files = ["cards.css"]
sphinx_gallery_conf = {
    "examples_dirs": "tutorials",
    "gallery_dirs": "gallery",
    # A tutorial that fails, fails the build.
    "abort_on_example_error": True,
    # What cannot be run here is left out: a page shows what was printed when it was built.
    "ignore_pattern": "_lsdb" if find_spec("lsdb") is None else "^$",
    # Tables are shown, axes and lists of points are not.
    "capture_repr": ("_repr_html_",),
    "within_subsection_order": "FileNameSortKey",
    "download_all_examples": False,
    "show_memory": False,
    "min_reported_time": 1e9,
    "remove_config_comments": True,
}
html_title = f"astro_xlatent {version}"

# The inventories of other packages come through the network; a build on a
# machine without one must not fail for that.
if os.environ.get("READTHEDOCS") != "True":
    intersphinx_mapping = {}
