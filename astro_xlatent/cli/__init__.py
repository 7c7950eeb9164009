# Licensed under a 3-clause BSD style license - see LICENSE
"""The shell, ``astro-xlatent``: one file a subcommand; read `~astro_xlatent.cli.main` first."""
