# Licensed under a 3-clause BSD style license - see LICENSE
"""Configuration of the documentation; build it with ``make docs``."""

import os
import sys
from pathlib import Path

from sphinx_astropy.conf.v3 import *  # noqa: F403

from astro_xlatent.core.provenance import package_version

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project = "astro_xlatent"
author = "the astro_xlatent developers"
copyright = f"2026, {author}"
release = package_version()
version = release.split("+")[0]

extensions += ["registries", "assumptions"]  # noqa: F405
exclude_patterns += ["_ext"]  # noqa: F405
html_title = f"astro_xlatent {version}"

# The inventories of other packages come through the network; a build on a
# machine without one must not fail for that.
if os.environ.get("READTHEDOCS") != "True":
    intersphinx_mapping = {}
