# Licensed under a 3-clause BSD style license - see LICENSE
"""Figures of an evaluation: confusion matrices, reliability, coverage, latent maps, traversals."""

import re
from pathlib import Path

import numpy as np

from astro_xlatent import plotting
from astro_xlatent.core.columns import CLASSES
from astro_xlatent.core.errors import ParameterError
from astro_xlatent.plotting.axes import draw_classes, new_axes

__all__ = [
    "draw_figures",
    "plot_confusion",
    "plot_correlations",
    "plot_coverage",
    "plot_latent_map",
]


def plot_confusion(matrix, classes, ax=None):
    """
    Draw a confusion matrix, normalized to the true classes.

    Parameters
    ----------
    matrix : array_like, shape (n, n)
        Counts, true classes in rows.
    classes : sequence of str
    ax : `~matplotlib.axes.Axes`, optional

    Returns
    -------
    ax : `~matplotlib.axes.Axes`
    """
    matrix = np.asarray(matrix, float)
    if matrix.shape != (len(classes),) * 2:
        msg = f"matrix has shape {matrix.shape}, but there are {len(classes)} classes"
        raise ParameterError(msg)
    ax = new_axes(ax, 5.0, 4.2)
    total = matrix.sum(axis=1, keepdims=True)
    share = matrix / np.maximum(total, 1)
    ax.imshow(share, vmin=0, vmax=1, cmap="Blues")
    for i, j in np.ndindex(matrix.shape):
        ax.text(j, i, f"{share[i, j]:.2f}", ha="center", va="center", fontsize="small",
                color="white" if share[i, j] > 0.55 else "black")
    ax.set_xticks(range(len(classes)), classes, rotation=45, ha="right")
    ax.set_yticks(range(len(classes)), [f"{c} ({n:.0f})" for c, n in zip(classes, total[:, 0], strict=True)])
    ax.set_xlabel("predicted")
    ax.set_ylabel("true (rows)")
    return ax


def plot_coverage(numbers, ax=None):
    """
    Draw measured coverages with their intervals.

    Parameters
    ----------
    numbers : list of `~astro_xlatent.evaluate.results.Number`
        Whose quantity is ``"coverage 68 %"`` or ``"coverage 90 %"``.
    ax : `~matplotlib.axes.Axes`, optional

    Returns
    -------
    ax : `~matplotlib.axes.Axes`
        See `~astro_xlatent.plotting.plot_coverage`.
    """
    levels = {"coverage 68 %": 0.68, "coverage 90 %": 0.90}
    return plotting.plot_coverage(
        [f"{n.subset}, {n.method}" for n in numbers], [levels[n.quantity] for n in numbers],
        [n.value for n in numbers], [n.low for n in numbers], [n.high for n in numbers], ax=ax)


def plot_latent_map(latent, label, axes=(0, 1), ax=None):
    """
    Draw rows in two latent dimensions, colored by their true class.

    Parameters
    ----------
    latent : array_like, shape (n, d)
    label : sequence of str, shape (n,)
    axes : tuple of int, optional
    ax : `~matplotlib.axes.Axes`, optional

    Returns
    -------
    ax : `~matplotlib.axes.Axes`
    """
    ax = new_axes(ax, 5.0, 4.2)
    draw_classes(ax, *np.asarray(latent, float)[:, list(axes)].T, np.asarray(label), size=8, alpha=0.6)
    ax.set_xlabel(f"latent {axes[0]}")
    ax.set_ylabel(f"latent {axes[1]}")
    return ax


def plot_correlations(correlations, ax=None):
    """
    Draw rank correlations of latents with quantities.

    Parameters
    ----------
    correlations : dict
        From `~astro_xlatent.evaluate.regression.correlation_matrix`.
    ax : `~matplotlib.axes.Axes`, optional

    Returns
    -------
    ax : `~matplotlib.axes.Axes`
    """
    names, values = correlations["quantities"], np.asarray(correlations["values"], float)
    if values.shape[:1] != (len(names),) or values.ndim != 2:
        msg = f"correlations have shape {values.shape}, but there are {len(names)} quantities"
        raise ParameterError(msg)
    ax = new_axes(ax, width=7.5, height=1.2 + 0.35 * len(names))
    ax.imshow(values, vmin=-1, vmax=1, cmap="RdBu_r", aspect="auto")
    for i, j in np.ndindex(values.shape):
        ax.text(j, i, f"{values[i, j]:.2f}", ha="center", va="center", fontsize="small")
    ax.set_xticks(range(values.shape[1]), [f"latent {k}" for k in range(values.shape[1])], fontsize="small")
    ax.set_yticks(range(len(names)), names, fontsize="small")
    return ax


def draw_figures(results, folder):
    """
    Write all figures that results allow, as PNG.

    Parameters
    ----------
    results : `~astro_xlatent.evaluate.results.Results`
    folder : path-like
        Made if it is not there; its parent must be.

    Returns
    -------
    paths : list of Path
    """
    folder = Path(folder)
    folder.mkdir(exist_ok=True)
    drawn = {}
    for name, array in results.arrays.items():
        if name.startswith("confusion"):
            drawn[name] = plot_confusion(array, _classes_of(results, array))
        elif name.startswith("reliability"):
            drawn[name] = plotting.plot_reliability(array)
        elif name.startswith("map"):
            drawn[name] = plot_latent_map(array["latent"], array["label"])
        elif name == "correlations" and array["quantities"]:
            drawn[name] = plot_correlations(array)
        elif name == "traversals":
            drawn[name] = plotting.plot_traversals(array)[0]
    for section in dict.fromkeys(n.section for n in results.numbers):
        numbers = [n for n in results.find(section) if n.quantity in ("coverage 68 %", "coverage 90 %")]
        if numbers:
            drawn[f"coverage {section}"] = plot_coverage(numbers)
    paths = []
    for name, ax in drawn.items():
        paths.append(folder / f"{re.sub(r'[^a-z0-9]+', '_', name.lower()).strip('_')}.png")
        ax.figure.savefig(paths[-1], dpi=120)
    return paths


def _classes_of(results, matrix):
    if len(matrix) == 2:
        return ("AGN", "compact")
    return results.arrays.get("classes") or CLASSES
