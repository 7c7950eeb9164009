# Licensed under a 3-clause BSD style license - see LICENSE
"""Maps of the latent space and bars of class probabilities."""

import numpy as np

from astro_xlatent.core.columns import CLASSES, N_LATENT
from astro_xlatent.core.errors import ParameterError, TableError

__all__ = ["CLASS_STYLE", "plot_latents", "plot_probabilities"]

# Colours that readers with any kind of colour vision can tell apart:
# Okabe & Ito (2008), Color Universal Design, https://jfly.uni-koeln.de/color/
_COLORS = ("#0072B2", "#E69F00", "#56B4E9", "#009E73", "#CC79A7", "#D55E00", "#000000", "#F0E442")
_MARKERS = "os^vDP*X"

#: Colour and marker of each class.
CLASS_STYLE = dict(zip(CLASSES, zip(_COLORS, _MARKERS, strict=True), strict=True))


def _new_axes(ax, width=6.0, height=4.5):
    """Give the axes, or those of a new figure outside pyplot's global state."""
    if ax is not None:
        return ax
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained").add_subplot()


def _columns(table, *names):
    """Columns of an enriched table as plain arrays, masked values as NaN."""
    missing = [name for name in names if name not in table.colnames]
    if missing:
        msg = f"table lacks {', '.join(missing)}; make the columns with add_latents(table)"
        raise TableError(msg)
    values = []
    for name in names:
        column = np.ma.asarray(table[name])
        values.append(column.filled(np.nan if column.dtype.kind == "f" else ""))
    return values


def plot_latents(table, *, axes=(0, 1), color="class", ax=None):
    """
    Draw the sources of an enriched table in two latent dimensions.

    Parameters
    ----------
    table : `~astropy.table.Table`
        With the columns that `~astro_xlatent.add_latents` makes. Masked rows
        are left out.
    axes : tuple of int, optional
        The two latent dimensions, each 0 to 7.
    color : {'class', 'nh'}, optional
        Whether colour says the most probable class or the column density.
    ax : `~matplotlib.axes.Axes`, optional
        Where to draw; a new figure if not given.

    Returns
    -------
    ax : `~matplotlib.axes.Axes`
        ``ax.figure.savefig("map.png")`` writes the figure.

    Raises
    ------
    `~astro_xlatent.core.errors.ParameterError`
        If ``axes`` or ``color`` is none of the allowed values.
    `~astro_xlatent.core.errors.TableError`
        If the table has not been enriched.
    """
    if len(axes) != 2 or not all(i in range(N_LATENT) for i in axes):
        msg = f"axes must be two of 0 to {N_LATENT - 1}, got {axes!r}"
        raise ParameterError(msg)
    if color not in ("class", "nh"):
        msg = f"color must be 'class' or 'nh', got {color!r}"
        raise ParameterError(msg)
    latent, label, nh = _columns(table, "xl_latent", "xl_class", "xl_nh")
    x, y = latent[:, axes[0]], latent[:, axes[1]]
    ax = _new_axes(ax)
    if color == "class":
        _scatter_classes(ax, x, y, label.astype(str))
    else:
        points = ax.scatter(x, y, c=np.log10(nh), s=14, cmap="viridis")
        ax.figure.colorbar(points, ax=ax, label=r"log $N_\mathrm{H}$ [cm$^{-2}$]")
    ax.set_xlabel(f"latent {axes[0]}")
    ax.set_ylabel(f"latent {axes[1]}")
    return ax


def _scatter_classes(ax, x, y, label):
    """One marker and colour for each class that occurs."""
    for name, (color, marker) in CLASS_STYLE.items():
        here = label == name
        if here.any():
            ax.scatter(x[here], y[here], s=18, color=color, marker=marker, label=name)
    if ax.collections:
        ax.legend(title="class", fontsize="small")


def plot_probabilities(table, *, names=None, ax=None):
    """
    Draw the class probabilities of each row as a stacked bar.

    "None of these" is grey; the eight classes share the rest.

    Parameters
    ----------
    table : `~astropy.table.Table`
        With the columns that `~astro_xlatent.add_latents` makes; a few dozen
        rows at most are legible. Masked rows give an empty bar.
    names : sequence of str, optional
        Labels of the rows; their numbers if not given.
    ax : `~matplotlib.axes.Axes`, optional
        Where to draw; a new figure if not given.

    Returns
    -------
    ax : `~matplotlib.axes.Axes`

    Raises
    ------
    `~astro_xlatent.core.errors.ParameterError`
        If ``names`` has another length than the table.
    `~astro_xlatent.core.errors.TableError`
        If the table has not been enriched.
    """
    names = [str(i) for i in range(len(table))] if names is None else [str(n) for n in names]
    if len(names) != len(table):
        msg = f"names must hold one label for each of {len(table)} rows, got {len(names)}"
        raise ParameterError(msg)
    given, other = (np.nan_to_num(v) for v in _columns(table, "xl_class_prob", "xl_class_other"))
    shares = np.column_stack([given * (1 - other[:, None]), other])
    ax = _new_axes(ax, height=1.5 + 0.25 * len(table))
    left = np.zeros(len(table))
    colors = [color for color, _ in CLASS_STYLE.values()] + ["0.8"]
    for share, label, color in zip(shares.T, [*CLASSES, "other"], colors, strict=True):
        ax.barh(np.arange(len(table)), share, left=left, color=color, label=label)
        left += share
    ax.set_yticks(np.arange(len(table)), names)
    ax.invert_yaxis()
    ax.set_xlim(0, 1)
    ax.set_xlabel("probability")
    ax.legend(ncols=5, fontsize="small", loc="lower center", bbox_to_anchor=(0.5, 1.0))
    return ax
