# Licensed under a 3-clause BSD style license - see LICENSE
"""What all plots share: new axes, colors and markers of the classes, columns as plain arrays."""

import numpy as np

from astro_xlatent.core.columns import CLASSES
from astro_xlatent.core.errors import TableError
from astro_xlatent.core.numbers import plain_floats
from astro_xlatent.physics.grid import ENERGY_MID, band_weights

__all__ = ["CLASS_STYLE", "COLORS", "COUNTS_COLOR", "MODEL_COLOR", "columns", "draw_classes", "energy_axis",
           "energy_flux", "new_axes", "new_grid"]

#: Colors that readers with any kind of color vision can tell apart:
#: Okabe & Ito (2008), Color Universal Design, https://jfly.uni-koeln.de/color/
COLORS = ("#0072B2", "#E69F00", "#56B4E9", "#009E73", "#CC79A7", "#D55E00", "#000000", "#F0E442")
#: Color and marker of each class, and of "other".
CLASS_STYLE = dict(zip((*CLASSES, "other"), zip((*COLORS, "#888888"), "os^vDP*Xh", strict=True), strict=True))
#: What was measured, and what the latents mean.
COUNTS_COLOR, MODEL_COLOR = "#444444", COLORS[0]


def new_axes(ax, width=6.0, height=4.5, **kwargs):
    """Give the axes, or those of a new figure."""
    return new_grid(1, 1, width, height, subplot_kw=kwargs)[0, 0] if ax is None else ax


def new_grid(lines, panels, width, height, **kwargs):
    """Axes, (lines, panels), of a new figure outside pyplot's global state, width and height in inches."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        msg = 'plots need matplotlib; install it with: pip install "astro_xlatent[plot]"'
        raise ImportError(msg) from error
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure.subplots(lines, panels, squeeze=False, **kwargs)


def columns(table, *names):
    """Columns of an enriched table as plain arrays, masked values as NaN or empty text."""
    if missing := [name for name in names if name not in table.colnames]:
        raise TableError(f"table lacks {', '.join(missing)}; make the columns with add_latents(table)")
    return [np.ma.filled(np.ma.asarray(table[name]).astype(str), "") if table[name].dtype.kind in "USO"
            else plain_floats(table[name]) for name in names]


def energy_flux(spectra, edges):
    """E F(E) within cells of edges in keV, of photons in the bins of the incident grid."""
    weights = band_weights(edges[:-1], edges[1:]) * ENERGY_MID**2 / np.diff(edges)[:, None]
    return spectra @ weights.T.astype(np.float32)


def draw_classes(ax, x, y, label, size=18, alpha=1.0, legend=True):
    """Draw one marker and color for each class that occurs."""
    for name, (color, marker) in CLASS_STYLE.items():
        here = (label == name) & np.isfinite(x) & np.isfinite(y)
        if here.any():
            ax.scatter(x[here], y[here], s=size, color=color, marker=marker, label=name, alpha=alpha, lw=0)
    if legend and ax.get_legend_handles_labels()[1]:
        ax.legend(title="class", fontsize="small")


def energy_axis(ax, low, high):
    """Make x a logarithmic axis of energies in keV with plain numbers."""
    ax.set_xscale("log")
    ax.set_xlim(low, high)
    ticks = [t for t in (0.3, 0.5, 1, 2, 5, 10) if low <= t <= high]
    ax.set_xticks(ticks, [f"{t:g}" for t in ticks])
    ax.minorticks_off()
    ax.set_xlabel("energy [keV]")
