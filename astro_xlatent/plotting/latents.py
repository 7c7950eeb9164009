# Licensed under a 3-clause BSD style license - see LICENSE
"""The latent space: a map with named directions, pairs, and what moving along a latent does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy.table import Table

from astro_xlatent.core.columns import N_LATENT
from astro_xlatent.core.errors import ParameterError
from astro_xlatent.physics.grid import band_weights
from astro_xlatent.plotting.axes import columns, draw_classes, energy_axis, energy_flux, new_axes, new_grid

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from astro_xlatent.model.posterior import Model

__all__ = ["latent_directions", "plot_latents", "plot_pairs", "plot_traversals"]

#: Positions along a latent, in standard deviations of the training population.
STEPS = (-2, -1, 0, 1, 2)
# From blue to red by way of gray, to be told apart by lightness as well.
_STEP_COLORS = ("#08306b", "#4292c6", "#7f7f7f", "#f16913", "#7f2704")


def latent_directions(table: Table) -> dict[str, np.ndarray]:
    """
    Directions in latent space that go with quantities an astronomer knows.

    Parameters
    ----------
    table : `~astropy.table.Table`
        Enriched; a few hundred rows of all kinds.

    Returns
    -------
    directions : dict of str to ndarray, shape (8,)
        Unit gradients of linear least-squares fits to the latents: ``"absorbed"``, log N_H; ``"hard"``, log
        flux in 2-7 over 0.5-2 keV. Quantities with fewer than 20 usable rows are left out.
    """
    latent, nh, soft, hard = columns(table, "xl_latent", "xl_nh", "xl_flux_05_2", "xl_flux_2_7")
    found = {}
    with np.errstate(divide="ignore", invalid="ignore"):
        quantities = {"absorbed": np.log10(nh), "hard": np.log10(hard / soft)}
    for name, value in quantities.items():
        good = np.isfinite(value) & np.isfinite(latent).all(axis=1)
        if good.sum() >= 20 and np.ptp(value[good]) > 0:
            design = np.column_stack([latent[good], np.ones(good.sum())])
            gradient = np.linalg.lstsq(design, value[good])[0][:-1]
            found[name] = gradient / max(np.linalg.norm(gradient), 1e-30)
    return found


def plot_latents(table: Table, *, axes: tuple[int, int] = (0, 1), directions: bool = False,
                 ax: Axes | None = None) -> Axes:
    """
    Draw the sources of an enriched table in two latent dimensions, colored by class.

    Parameters
    ----------
    table : `~astropy.table.Table`
    axes : tuple of int, optional
        The two latent dimensions, each 0 to 7.
    directions : bool, optional
        Add arrows for `latent_directions`.
    """
    if len(axes) != 2 or not all(i in range(N_LATENT) for i in axes):
        raise ParameterError(f"axes must be two of 0 to {N_LATENT - 1}, got {axes!r}")
    latent, label = columns(table, "xl_latent", "xl_class")
    ax = new_axes(ax)
    x, y = latent[:, list(axes)].T
    draw_classes(ax, x, y, label)
    if directions:
        _draw_directions(ax, latent_directions(table), axes)
    ax.set(xlabel=f"latent {axes[0]}", ylabel=f"latent {axes[1]}")
    return ax


def _draw_directions(ax, directions, axes):
    """Arrows from the middle; a direction that leads out of the plane has a short one."""
    room = min(*map(abs, (*ax.get_xlim(), *ax.get_ylim())), 2.2)
    for name, vector in directions.items():
        tip = 0.9 * room * vector[list(axes)]
        ax.annotate("", tip, (0, 0), arrowprops={"arrowstyle": "-|>", "color": "0.15", "lw": 1.4},
                    annotation_clip=False)
        ax.annotate(name, tip, xytext=4 * np.sign(tip), textcoords="offset points", annotation_clip=False,
                    ha="left" if tip[0] > 0 else "right", va="bottom" if tip[1] > 0 else "top",
                    fontsize="small", bbox={"facecolor": "white", "alpha": 0.7, "lw": 0, "pad": 0.5})


def plot_pairs(table: Table, *, latents: Sequence[int] = (0, 1, 2, 3), axes: Any = None) -> Any:
    """
    Draw each pair of some latents, colored by class.

    Parameters
    ----------
    table : `~astropy.table.Table`
    latents : sequence of int, optional
        At least two, each 0 to 7.
    axes : ndarray of `~matplotlib.axes.Axes`, shape (n - 1, n - 1), optional
        Those above the diagonal are switched off.
    """
    n = len(latents) - 1
    if n < 1 or not all(i in range(N_LATENT) for i in latents):
        raise ParameterError(f"latents must be two or more of 0 to {N_LATENT - 1}, got {latents!r}")
    latent, label = columns(table, "xl_latent", "xl_class")
    axes = new_grid(n, n, 1 + 2.2 * n, 1 + 2.2 * n) if axes is None else axes
    for i, j in np.ndindex(n, n):
        ax, below, beside = axes[i, j], latents[j], latents[i + 1]
        if j > i:
            ax.axis("off")
            continue
        draw_classes(ax, latent[:, below], latent[:, beside], label, legend=i == 0)
        ax.set(xlabel=f"latent {below}", ylabel=f"latent {beside}")
        ax.label_outer()
    if (legend := axes[0, 0].get_legend()) is not None and n > 1:
        legend.set_loc("upper left")
        legend.set_bbox_to_anchor((1.05, 1.0))
    return axes


def plot_traversals(source: Model | Mapping[str, Any], latents: Sequence[int] = tuple(range(N_LATENT)), *,
                    titles: Sequence[str] | None = None, axes: Any = None) -> Any:
    """
    Draw the decoded spectrum along each of some latents, all others at zero.

    A panel shows E F(E) for one photon in 0.5-7 keV at -2 to 2 standard deviations of the training set.

    Parameters
    ----------
    source : `~astro_xlatent.model.posterior.Model` or dict
        From `~astro_xlatent.load_model`, or `astro_xlatent.evaluate.interpret.traversal_summary`.
    latents : sequence of int, optional
        Each 0 to 7; one panel for each.
    titles : sequence of str, optional
        One for each panel; "latent k" if not given.
    axes : array_like of `~matplotlib.axes.Axes`, shape (n,), optional
    """
    if not latents or not all(k in range(N_LATENT) for k in latents):
        raise ParameterError(f"latents must be some of 0 to {N_LATENT - 1}, got {latents!r}")
    titles = [f"latent {k}" for k in latents] if titles is None else list(titles)
    if axes is None:
        lines = -(-len(latents) // 4)
        panels = -(-len(latents) // lines)
        axes = new_grid(lines, panels, 1.5 + 2.4 * panels, 0.8 + 2.4 * lines, sharex=True, sharey=True)
    axes = np.ravel(axes)[:len(latents)]
    if not len(titles) == len(axes) == len(latents):
        msg = f"{len(latents)} latents need as many titles and axes, got {len(titles)} and {len(axes)}"
        raise ParameterError(msg)
    energy, shown = _walks(source, latents)
    top = np.quantile(shown, 0.99)
    for ax, walk, title in zip(axes, shown, titles, strict=True):
        for values, step, color in zip(walk, STEPS, _STEP_COLORS, strict=True):
            ax.plot(energy, values, color=color, lw=1.4, label=f"{step:+g}" if step else "0")
        ax.set(yscale="log", ylim=(2e-3 * top, 2 * top), ylabel=r"$E\,F(E)$ [keV]")
        ax.set_title(title, fontsize="small")
        energy_axis(ax, 0.3, 10.0)
        ax.label_outer()
    axes[0].legend(fontsize="x-small")
    return axes


def _walks(source, latents):
    """Energies in keV, and E F(E) by latent, step and energy."""
    if not hasattr(source, "decode"):
        return source["energy"], np.asarray(source["spectra"], float)[list(latents)]
    z = np.zeros((len(latents), len(STEPS), N_LATENT))
    for place, latent in enumerate(latents):
        z[place, :, latent] = STEPS
    spectrum = source.decode(z.reshape(-1, N_LATENT)).astype(float)
    spectrum /= (spectrum @ band_weights([0.5], [7.0])[0])[:, None]
    edges = np.geomspace(0.3, 10.0, 121)
    shown = energy_flux(spectrum, edges)
    return np.sqrt(edges[:-1] * edges[1:]), shown.reshape(*z.shape[:2], -1)
