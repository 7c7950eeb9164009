# Licensed under a 3-clause BSD style license - see LICENSE
"""From energy bins to knowledge; read `~astro_xlatent.model.posterior` first."""
