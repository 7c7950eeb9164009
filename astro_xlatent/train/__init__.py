# Licensed under a 3-clause BSD style license - see LICENSE
"""Making models on simulated skies; read `~astro_xlatent.train.run` first."""
