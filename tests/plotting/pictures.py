# Licensed under a 3-clause BSD style license - see LICENSE
"""
Pictures of made-up tables, and their baselines.

``PYTHONPATH=tests python tests/plotting/pictures.py`` draws the baselines anew: look at them before they
are committed.
"""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
from astropy.table import Table
from enriched import make_enriched

from astro_xlatent import plotting
from astro_xlatent.physics.grid import ENERGY_MID, N_ENERGY

BASELINE = Path(__file__).parent / "baseline"


class Slopes:
    """A model whose first latent is the slope of a power law."""

    latent_space = "test"

    def decode(self, latent):
        """Power laws, sum 1."""
        spectrum = ENERGY_MID ** (-2 + 0.5 * np.asarray(latent, float)[:, :1])
        return spectrum / spectrum.sum(axis=1, keepdims=True)

    def infer(self, bins, matrices):
        """Latents of no importance, with small errors."""
        n = len(bins)
        return SimpleNamespace(latent=np.zeros((n, 8)), latent_cov=np.tile(0.01 * np.eye(8), (n, 1, 1)))


def make_spectrum():
    """A spectrum of slope -2 on a detector with as many channels as energies and no redistribution."""
    from scipy import sparse

    from astro_xlatent.physics.grid import ENERGY_EDGES
    from astro_xlatent.spectra.response import Response
    from astro_xlatent.spectra.spectrum import XraySpectrum

    low, high = ENERGY_EDGES[:-1], ENERGY_EDGES[1:]
    response = Response(
        redistribution=sparse.csr_array(np.eye(N_ENERGY, dtype=np.float32)),
        area=np.full(N_ENERGY, 100.0),
        e_lo=low,
        e_hi=high,
        channel_e_lo=low,
        channel_e_hi=high,
    )
    counts = np.random.default_rng(2).poisson(6 * ENERGY_MID**-2.0)
    return XraySpectrum(counts=counts.astype(float), exposure=1000.0, response=response)


def make_sky(rows=60, spread=40.0):
    """An enriched table with positions, latents that mean something, and evidence."""
    table = make_enriched(rows)
    rng = np.random.default_rng(5)
    table["ra"], table["dec"] = rng.uniform(0, 9 * spread, rows) % 360, rng.uniform(-spread, spread, rows)
    table["xl_latent"][:] = rng.normal(size=(rows, 8))
    table["xl_nh"][:] = 10 ** (21 + 0.5 * np.asarray(table["xl_latent"])[:, 0])
    for name, factor in (("xl_nh_lolim", 0.5), ("xl_nh_hilim", 2.0), ("xl_nh_ul90", 3.0)):
        table[name][:] = factor * np.asarray(table["xl_nh"])
    table["xl_class_evidence"] = rng.normal(size=(rows, 2, 8)).astype(np.float32)
    return table


def make_bands():
    """Catalog rows of the CSC with three bands."""
    rng = np.random.default_rng(7)
    table = Table()
    for band, level in (("s", 2e-6), ("m", 3e-6), ("h", 4e-6)):
        flux = level * rng.uniform(0.3, 2, 40)
        for part, factor in (("", 1.0), ("lolim_", 0.8), ("hilim_", 1.2)):
            table[f"photflux_aper_{part}{band}"] = factor * flux
    return table


PICTURES = {
    "spectrum_counts": lambda: plotting.plot_spectrum(make_spectrum(), Slopes())[0],
    "spectrum_flux": lambda: plotting.plot_spectrum(make_spectrum(), Slopes(), quantity="flux")[0],
    "probabilities": lambda: plotting.plot_probabilities(make_sky(6)),
    "evidence": lambda: plotting.plot_evidence(make_sky(), 1),
    "nh": lambda: plotting.plot_nh(make_sky(), 1, truth=1e21),
    "latents": lambda: plotting.plot_latents(make_sky(), directions=True),
    "pairs": lambda: plotting.plot_pairs(make_sky(), latents=(0, 1, 2))[0, 0],
    "traversals": lambda: plotting.plot_traversals(Slopes(), (0, 1))[0],
    "hardness": lambda: plotting.plot_hardness(make_bands()),
    "sky": lambda: plotting.plot_sky(make_sky()),
    "field": lambda: plotting.plot_sky(make_sky(spread=0.1)),
    "change": lambda: plotting.plot_change(make_sky(), [0, 1]),
    "reliability": lambda: plotting.plot_reliability(
        [[0.2, 0.25, 100], [0.8, 0.7, 50], [0.5, 0, 0]], label="x"
    ),
    "coverage": lambda: plotting.plot_coverage(
        ["all", "all", "faint"], [0.68, 0.9, 0.68], [0.7, 0.88, 0.6], [0.65, 0.85, 0.5], [0.75, 0.91, 0.7]
    ),
}


def save(name, path):
    """Draw a picture without text, whose pixels depend on the fonts of the machine."""
    from matplotlib.testing.decorators import remove_ticks_and_titles

    figure = PICTURES[name]().figure
    figure.set_layout_engine("none")
    remove_ticks_and_titles(figure)
    for ax in figure.axes:
        ax.set(xlabel="", ylabel="")
        for text in [*ax.texts, *([ax.get_legend()] if ax.get_legend() else [])]:
            text.set_visible(False)
    figure.savefig(path, dpi=50)


if __name__ == "__main__":
    for picture in PICTURES:
        save(picture, BASELINE / f"{picture}.png")
