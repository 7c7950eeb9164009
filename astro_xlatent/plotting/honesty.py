# Licensed under a 3-clause BSD style license - see LICENSE
"""Whether stated probabilities and intervals come true."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from astro_xlatent.core.errors import ParameterError
from astro_xlatent.plotting.axes import COLORS, new_axes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike

__all__ = ["plot_coverage", "plot_reliability"]


def plot_reliability(curve: ArrayLike, *, label: str | None = None, ax: Axes | None = None) -> Axes:
    """
    Draw how often stated probabilities come true.

    Parameters
    ----------
    curve : array_like, shape (n, 3)
        Stated probability, share that was right, number of rows.
    label : str, optional
        For a legend.
    ax : `~matplotlib.axes.Axes`, optional

    Returns
    -------
    ax : `~matplotlib.axes.Axes`
        Error bars are binomial; right on the gray line.

    Raises
    ------
    `~astro_xlatent.core.errors.ParameterError`
        If the curve has another shape.
    """
    curve = np.asarray(curve, float)
    if curve.ndim != 2 or curve.shape[1] != 3:
        msg = f"curve must have three columns (stated, right, number), got shape {curve.shape}"
        raise ParameterError(msg)
    stated, right, number = curve[curve[:, 2] > 0].T
    ax = new_axes(ax, 5.0, 4.2)
    ax.plot([0, 1], [0, 1], color="0.6", lw=1)
    error = np.sqrt(np.maximum(right * (1 - right), 0.25 / number) / number)
    ax.errorbar(stated, right, error, fmt="o", ms=4, label=label)
    ax.set(xlabel="stated probability of the most probable class", ylabel="fraction right")
    if label is not None:
        ax.legend(fontsize="small")
    return ax


def plot_coverage(names: Sequence[str], level: ArrayLike, measured: ArrayLike, low: ArrayLike,
                  high: ArrayLike, *, ax: Axes | None = None) -> Axes:
    """
    Draw measured coverages of intervals beside what they state.

    Parameters
    ----------
    names : sequence of str, shape (n,)
        One line of the plot for each different name.
    level : array_like, shape (n,)
        Coverage that is stated.
    measured, low, high : array_like, shape (n,)
        Share of true values inside, and its interval.
    ax : `~matplotlib.axes.Axes`, optional

    Returns
    -------
    ax : `~matplotlib.axes.Axes`
        A strip of 0.03 on both sides marks each stated level.

    Raises
    ------
    `~astro_xlatent.core.errors.ParameterError`
        If the lengths differ.
    """
    level, measured, low, high = (np.asarray(v, float) for v in (level, measured, low, high))
    if not len(names) == len(level) == len(measured) == len(low) == len(high):
        msg = f"names, level, measured, low and high must be of one length, got {len(names)} names"
        raise ParameterError(msg)
    lines = list(dict.fromkeys(names))
    ax = new_axes(ax, 5.0, 1.0 + 0.16 * max(len(lines), 4))
    place = np.array([lines.index(name) for name in names])
    for stated, color in zip(np.unique(level), COLORS, strict=False):
        here = level == stated
        ax.hlines(place[here], low[here], high[here], color=color)
        ax.plot(measured[here], place[here], "o", ms=3, color=color)
        ax.axvline(stated, color=color, lw=0.8)
        ax.axvspan(stated - 0.03, stated + 0.03, color=color, alpha=0.1)
    ax.set_yticks(range(len(lines)), lines, fontsize="x-small")
    ax.invert_yaxis()
    ax.set_xlabel("share of true values inside")
    return ax
