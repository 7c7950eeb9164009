# Licensed under a 3-clause BSD style license - see LICENSE
"""What pytest leaves out on a machine without Sherpa, an optional dependency that must be compiled."""

from importlib.util import find_spec

collect_ignore = []
if find_spec("sherpa") is None:
    collect_ignore += ["astro_xlatent/sherpa", "docs/sherpa.rst", "tests/sherpa"]
