# Licensed under a 3-clause BSD style license - see LICENSE
"""Figures of an evaluation: confusion matrices, reliability, latent maps, traversals."""

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
    "plot_latent_map",
    "plot_traversals",
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


def plot_traversals(summary, titles=None):
    """
    Draw decoded spectra along each latent, one panel a latent.

    Parameters
    ----------
    summary : dict
        From `~astro_xlatent.evaluate.interpret.traversal_summary`.
    titles : sequence of str, optional
        One for each latent.

    Returns
    -------
    figure : `~matplotlib.figure.Figure`
        Outside pyplot's global state.
    """
    figure = new_axes(None, 11.0, 5.6).figure
    figure.clear()
    spectra, energy = np.asarray(summary["spectra"], float), summary["energy"]
    titles = titles or [f"latent {k}" for k in range(len(spectra))]
    axes = figure.subplots(2, -(-len(spectra) // 2), sharex=True, sharey=True, squeeze=False).ravel()
    colors = ("#b2182b", "#ef8a62", "0.3", "#67a9cf", "#2166ac")
    for ax, rows, title in zip(axes, spectra, titles, strict=False):
        for row, step, color in zip(rows, summary["steps"], colors, strict=True):
            ax.plot(energy, row, color=color, lw=1.2, label=f"{step:+g}" if step else "0")
        ax.set_title(title, fontsize="x-small")
    axes[0].set(xscale="log", yscale="log", xlim=(energy[0], energy[-1]))
    top = np.quantile(spectra, 0.995)
    axes[0].set_ylim(2e-3 * top, 2 * top)
    for ax in axes[len(axes) // 2 :]:
        ax.set_xlabel("energy [keV]")
        ax.set_xticks([0.5, 1, 2, 5], ["0.5", "1", "2", "5"])
        ax.minorticks_off()
    for ax in axes[:: len(axes) // 2]:
        ax.set_ylabel(r"$E\,F(E)$ [arbitrary]", fontsize="small")
    figure.legend(*axes[0].get_legend_handles_labels(), ncols=len(colors), loc="outside upper center")
    return figure


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
            drawn[name] = plot_traversals(array).axes[0]
    paths = []
    for name, ax in drawn.items():
        paths.append(folder / f"{re.sub(r'[^a-z0-9]+', '_', name.lower()).strip('_')}.png")
        ax.figure.savefig(paths[-1], dpi=120)
    return paths


def _classes_of(results, matrix):
    if len(matrix) == 2:
        return ("AGN", "compact")
    return results.arrays.get("classes") or CLASSES
