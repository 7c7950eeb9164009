# Licensed under a 3-clause BSD style license - see LICENSE
"""What pytest leaves out on a machine without Sherpa, which must be compiled, or the extra [archive]."""

from importlib.util import find_spec

collect_ignore = []
if find_spec("sherpa") is None:
    collect_ignore += ["astro_xlatent/sherpa", "docs/sherpa.rst", "tests/sherpa"]
if find_spec("pyvo") is None or find_spec("regions") is None:
    collect_ignore += ["astro_xlatent/archive", "tests/archive"]
