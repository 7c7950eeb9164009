# Licensed under a 3-clause BSD style license - see LICENSE
"""
Draw the figure of the Sherpa tutorial.

    python tools/plot_sherpa_tutorial.py docs/images/sherpa_fit.png

Both fits of the first of the two CSC spectra in Sherpa's package, and what the
samples say, by the very calls of ``docs/sherpa.rst``.
"""

import logging
import sys
from pathlib import Path

import matplotlib
import numpy as np
from sherpa.astro import datastack
from sherpa.astro.ui.utils import Session

from astro_xlatent.physics.grid import ENERGY_MID, ENERGY_WIDTH
from astro_xlatent.sherpa import LatentSpectrum, guess, predict, sample

POWER, LATENT, DATA = "#c2410c", "#1d4ed8", "0.3"
NAME = "acisf04938_000N002_r0043_pha3.fits"


def loaded():
    """A session with the spectrum."""
    session = Session()
    folder = Path(datastack.__file__).parent / "tests" / "data"
    session.load_pha(1, str(folder / NAME))
    session.notice_id(1, 0.5, 7)
    session.set_stat("wstat")
    session.set_method("levmar")
    return session


def fits(session):
    """Folded models of both fits per channel, and the column of the power law with its error."""
    guess(1, session)
    session.fit(1)
    session.covar(1)
    result = session.get_covar_results()
    column = result.parvals[0], result.parmaxes[0]
    power = session.get_model_plot(1)
    latent = LatentSpectrum("latent")
    latent.set_latent(predict(1, session))
    session.set_source(1, latent)
    session.guess(1, latent)
    session.fit(1)
    return power, session.get_model_plot(1), column


def grouped(values, starts):
    """Sums over groups of channels."""
    return np.add.reduceat(values, starts)


def draw_counts(top, bottom, session, models):
    """Counts and residuals in groups of 25 counts."""
    data = session.get_data(1)
    mask = data.get_mask()
    off = data.get_background(1).counts[mask] * data.get_background_scale(1)
    counts = data.counts[mask]
    _, starts = np.unique(np.cumsum(counts) // 25, return_index=True)
    low, high = models[0].xlo, models[0].xhi
    edges = np.append(low[starts], high[-1])
    middle, width = 0.5 * (edges[1:] + edges[:-1]), np.diff(edges)
    total, error = grouped(counts, starts), np.sqrt(grouped(counts, starts))
    top.errorbar(middle, total / width, error / width, width / 2, fmt=".", color=DATA, label="counts")
    for model, color, label in zip(models, (POWER, LATENT), ("absorbed power law", "LatentSpectrum")):
        expected = grouped(model.y * (high - low) * data.exposure + off, starts)
        top.stairs(expected / width, edges, color=color, label=label)
        bottom.stairs((total - expected) / np.sqrt(expected), edges, color=color, baseline=None)
    bottom.axhline(0, color=DATA, lw=0.8)
    top.set(yscale="log", ylabel="counts / keV", ylim=(20, None))
    bottom.set(ylabel=r"$(n - m)/\sqrt{m}$", ylim=(-4, 4))
    for axes in (top, bottom):
        energy_axis(axes)
    top.set_xlabel("")
    top.legend(frameon=False)


def energy_axis(axes):
    """A logarithmic axis from 0.5 to 7 keV with few labels."""
    axes.set(xscale="log", xlim=(0.45, 7.5), xlabel="energy [keV]")
    axes.minorticks_off()
    axes.set_xticks([0.5, 1, 2, 5], ["0.5", "1", "2", "5"])


def draw_samples(spectra, columns, draws, column):
    """Quantiles of E^2 F(E), and the distribution of N_H."""
    inside = (ENERGY_MID > 0.4) & (ENERGY_MID < 8)
    values = 1e4 * (draws.spectra() / ENERGY_WIDTH * ENERGY_MID**2)[:, inside]
    for low, high, alpha in ((0.025, 0.975, 0.2), (0.16, 0.84, 0.4)):
        spectra.fill_between(ENERGY_MID[inside], *np.quantile(values, [low, high], axis=0), color=LATENT,
                             alpha=alpha, lw=0)
    spectra.set(ylabel=r"$10^4 E^2 F(E)$ [keV cm$^{-2}$ s$^{-1}$]", ylim=(0, None))
    energy_axis(spectra)
    columns.hist(np.log10(draws.nh), 30, color=LATENT, alpha=0.5, label="samples")
    value, error = column
    ends = np.maximum([value - error, value + error], 1e-3)
    columns.axvspan(*np.log10(1e22 * ends), color=POWER, alpha=0.2)
    columns.axvline(np.log10(1e22 * value), color=POWER, label="power-law fit")
    columns.set(xlabel=r"log $N_\mathrm{H}$ [cm$^{-2}$]", yticks=[])
    columns.legend(frameon=False)


def main():
    """Draw it."""
    if len(sys.argv) != 2:
        raise SystemExit("usage: python tools/plot_sherpa_tutorial.py FIGURE.png")
    matplotlib.use("Agg")
    from matplotlib.figure import Figure

    logging.getLogger("sherpa").setLevel(logging.WARNING)
    session = loaded()
    power, latent, column = fits(session)
    figure = Figure(figsize=(10, 5), layout="constrained", dpi=110)
    axes = figure.subplot_mosaic([["counts", "spectra"], ["counts", "columns"], ["residuals", "columns"]],
                                 height_ratios=(1.3, 0.6, 0.7))
    draw_counts(axes["counts"], axes["residuals"], session, (power, latent))
    draw_samples(axes["spectra"], axes["columns"], sample(1, 2000, session, seed=1), column)
    figure.savefig(sys.argv[1])


if __name__ == "__main__":
    main()
