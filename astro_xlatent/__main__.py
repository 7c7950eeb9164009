# Licensed under a 3-clause BSD style license - see LICENSE
"""Run the command line as ``python -m astro_xlatent``."""

import sys

from astro_xlatent.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
