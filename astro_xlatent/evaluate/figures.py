# Licensed under a 3-clause BSD style license - see LICENSE
"""Figures of an evaluation: confusion matrices, reliability, latent maps, traversals."""

import re
from pathlib import Path

import numpy as np

from astro_xlatent import plotting
from astro_xlatent.core.columns import CLASSES
from astro_xlatent.plotting.axes import draw_classes, new_axes

__all__ = ["draw_figures"]


def _draw_matrix(values, across, down, low, cmap, size):
    """Axes with a matrix between ``low`` and 1, its values written into the cells."""
    ax = new_axes(None, *size)
    ax.imshow(values, vmin=low, vmax=1, cmap=cmap, aspect="auto")
    for i, j in np.ndindex(values.shape):
        ax.text(j, i, f"{values[i, j]:.2f}", ha="center", va="center", fontsize="small",
                color="white" if abs(values[i, j]) > 0.55 else "black")
    ax.set_xticks(range(len(across)), across, rotation=45, ha="right", fontsize="small")
    ax.set_yticks(range(len(down)), down, fontsize="small")
    return ax


def _draw_confusion(matrix, classes):
    """Shares of the true classes, in rows."""
    matrix = np.asarray(matrix, float)
    total = matrix.sum(axis=1, keepdims=True)
    names = [f"{name} ({n:.0f})" for name, n in zip(classes, total[:, 0], strict=True)]
    ax = _draw_matrix(matrix / np.maximum(total, 1), classes, names, 0, "Blues", (5.0, 4.2))
    ax.set(xlabel="predicted", ylabel="true (rows)")
    return ax


def _draw_correlations(quantities, values):
    values = np.asarray(values, float)
    latents = [f"latent {k}" for k in range(values.shape[1])]
    return _draw_matrix(values, latents, quantities, -1, "RdBu_r", (7.5, 1.2 + 0.35 * len(quantities)))


def _draw_map(latent, label):
    ax = new_axes(None, 5.0, 4.2)
    draw_classes(ax, *np.asarray(latent, float).T, np.asarray(label), size=8, alpha=0.6)
    ax.set(xlabel="latent 0", ylabel="latent 1")
    return ax


def draw_figures(results, folder):
    """Paths of all figures that results allow, as PNG in a folder, made if only it is missing."""
    folder = Path(folder)
    folder.mkdir(exist_ok=True)
    drawn = {}
    for name, array in results.arrays.items():
        if name.startswith("confusion"):
            classes = ("AGN", "compact") if len(array) == 2 else results.arrays.get("classes") or CLASSES
            drawn[name] = _draw_confusion(array, classes)
        elif name.startswith("reliability"):
            drawn[name] = plotting.plot_reliability(array)
        elif name.startswith("map"):
            drawn[name] = _draw_map(**array)
        elif name == "correlations" and array["quantities"]:
            drawn[name] = _draw_correlations(**array)
        elif name == "traversals":
            drawn[name] = plotting.plot_traversals(array)[0]
    paths = []
    for name, ax in drawn.items():
        paths.append(folder / f"{re.sub(r'[^a-z0-9]+', '_', name.lower()).strip('_')}.png")
        ax.figure.savefig(paths[-1], dpi=120)
    return paths
