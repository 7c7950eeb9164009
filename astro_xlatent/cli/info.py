# Licensed under a 3-clause BSD style license - see LICENSE
"""``astro-xlatent info``: what is installed, and the columns that a table gains."""

import sys
from pathlib import Path

from astro_xlatent.cli.shell import subcommand, tell
from astro_xlatent.core.provenance import package_version

PACKAGES = ("numpy", "astropy", "scipy", "torch", "safetensors", "sherpa", "matplotlib")

add_parser = subcommand("info", "versions, models, missions, settings and columns", None)


def run(args):
    """Print versions first, for they need no import, then the registries."""
    from astro_xlatent.core.text import aligned

    package = Path(__file__).parents[1]
    tell(aligned([("astro_xlatent", package_version()), ("python", sys.version.split()[0]),
                  *((name, package_version(name, "not installed")) for name in PACKAGES),
                  ("installed in", str(package)), ("weights in", str(package / "model" / "weights"))]))
    from astropy.units import Unit

    from astro_xlatent.core.columns import COLUMNS, GROUP_COLUMNS
    from astro_xlatent.core.config import conf
    from astro_xlatent.core.plugins import available_transforms
    from astro_xlatent.missions.base import available_missions
    from astro_xlatent.model.pretrained import available_models

    found = {"models": available_models(), "missions": available_missions(),
             "transforms": available_transforms()}
    rows = [(label, ", ".join(names) or "none") for label, names in found.items()]
    tell(aligned(rows + [(f"conf.{key}", repr(getattr(conf, key))) for key in conf]))
    tell(aligned([("column", "unit", "meaning"), *(
        (spec.name, "" if spec.unit is None else Unit(spec.unit).to_string("cds"), spec.description)
        for spec in (*COLUMNS.values(), *GROUP_COLUMNS.values()))]))
    return 0
