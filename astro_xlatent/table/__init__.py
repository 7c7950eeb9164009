# Licensed under a 3-clause BSD style license - see LICENSE
"""Table in, Table out; read `~astro_xlatent.table.add_latents` first."""
