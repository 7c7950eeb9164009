# Licensed under a 3-clause BSD style license - see LICENSE
"""
Pictures of enriched tables, a report to click through, and their way to TOPCAT.

Needs matplotlib (``pip install "astro_xlatent[plot]"``) but for `send` and `write_report`. Every
function draws on the axes ``ax`` (those with several panels: ``axes``), or makes a figure of its own, and
gives them back: ``plot_sky(table).figure.savefig("sky.png")``. A ``table`` is one that
`~astro_xlatent.add_latents` has enriched; else a `~astro_xlatent.core.errors.TableError` is raised. Rows
that are masked are left out. Other arguments that cannot be used raise a
`~astro_xlatent.core.errors.ParameterError`. Start at `~astro_xlatent.plotting.plot_latents`.
"""

from astro_xlatent.plotting.classes import (
    plot_coverage,
    plot_evidence,
    plot_nh,
    plot_probabilities,
    plot_reliability,
)
from astro_xlatent.plotting.desktop import send
from astro_xlatent.plotting.latents import latent_directions, plot_latents, plot_pairs, plot_traversals
from astro_xlatent.plotting.report import write_report
from astro_xlatent.plotting.sky import plot_change, plot_hardness, plot_sky
from astro_xlatent.plotting.spectra import plot_spectrum

__all__ = [
    "latent_directions", "plot_change", "plot_coverage", "plot_evidence", "plot_hardness", "plot_latents",
    "plot_nh", "plot_pairs", "plot_probabilities", "plot_reliability", "plot_sky", "plot_spectrum",
    "plot_traversals", "send", "write_report",
]
