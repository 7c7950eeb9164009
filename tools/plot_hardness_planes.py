# Licensed under a 3-clause BSD style license - see LICENSE
"""
Draw the hardness planes of real against simulated rows, one panel per class.

    python tools/plot_hardness_planes.py DATA docs/images/hardness_planes.png [MATCH|JUDGE]

Real rows are points, simulated ones (with the significances of the real ones)
density contours that hold 39, 68 and 90 per cent; marginal histograms compare
the two.
"""

import sys
from pathlib import Path

import matplotlib
import numpy as np

from astro_xlatent.simulate.populations import CLASSES
from benchmarks.studies.discriminator import hardness_features, simulate_like
from benchmarks.studies.sample import load_sample

BINS = np.linspace(-1, 1, 26)
REAL, MOCK = "#c2410c", "#1d4ed8"


def contour_levels(density, shares=(0.9, 0.68, 0.39)):
    """Densities above which the given shares of all rows lie, rising."""
    ordered = np.sort(density.ravel())[::-1]
    cumulative = np.cumsum(ordered) / ordered.sum()
    return sorted({float(ordered[np.searchsorted(cumulative, share)]) for share in shares})


def smooth(density):
    """Binomial smoothing by one bin in both directions."""
    kernel = np.array([0.25, 0.5, 0.25])
    for axis in (0, 1):
        density = np.apply_along_axis(lambda row: np.convolve(row, kernel, mode="same"), axis, density)
    return density


def panel(figure, cell, label, real, mock):
    """One class: plane with two marginal histograms."""
    grid = cell.subgridspec(2, 2, width_ratios=(4, 1), height_ratios=(1, 4), wspace=0.04, hspace=0.04)
    plane = figure.add_subplot(grid[1, 0])
    density = smooth(np.histogram2d(mock[:, 0], mock[:, 1], bins=(BINS, BINS))[0])
    center = 0.5 * (BINS[1:] + BINS[:-1])
    levels = contour_levels(density)
    plane.contour(center, center, density.T, levels=levels, colors=MOCK, linewidths=(0.7, 1.1, 1.6))
    size = max(2.5, 8 - len(real) / 20)
    plane.plot(real[:, 0], real[:, 1], ".", color=REAL, ms=size, alpha=0.55, mec="none")
    plane.set(xlim=(-1, 1), ylim=(-1, 1), xlabel="(m - s) / (m + s)", ylabel="(h - m) / (h + m)")
    sides = {0: figure.add_subplot(grid[0, 0], sharex=plane), 1: figure.add_subplot(grid[1, 1], sharey=plane)}
    for column, axis in sides.items():
        for rows, color in ((real, REAL), (mock, MOCK)):
            height = np.histogram(rows[:, column], bins=BINS)[0] / len(rows)
            axis.stairs(height, BINS, color=color, orientation=("vertical", "horizontal")[column])
        axis.set_axis_off()
    sides[0].set_title(f"{label}: {len(real)} real, {len(mock)} simulated", fontsize=9)


def main(data, path, side="JUDGE"):
    matplotlib.use("agg")
    from matplotlib import pyplot as plt

    sample = load_sample(data)
    features = hardness_features(sample.rows.flux, sample.rows.error)
    figure = plt.figure(figsize=(14, 7.2), layout="constrained")
    cells = figure.add_gridspec(2, 4)
    for number, label in enumerate(CLASSES[:-1]):
        mine = sample.rows.label == label
        real = features[mine & (sample.split == side)]
        mock = simulate_like(label, real, 6000, sample.instruments, np.random.default_rng(number))
        panel(figure, cells[divmod(number, 4)], label, real, mock)
    title = f"Hardness of energy fluxes: CSC 2.0 rows of the {side} fields (points), simulated (contours)"
    figure.suptitle(title)
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=80)


if __name__ == "__main__":
    main(*sys.argv[1:])
