# Licensed under a 3-clause BSD style license - see LICENSE
"""Probabilities of classes and columns, what each evidence adds to them, and whether they come true."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from astropy.table import Table
from numpy.typing import ArrayLike

from astro_xlatent.core.columns import CLASSES
from astro_xlatent.core.errors import ParameterError
from astro_xlatent.plotting.axes import CLASS_STYLE, COLORS, MODEL_COLOR, columns, new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from astro_xlatent.model.posterior import Posterior

__all__ = ["plot_coverage", "plot_evidence", "plot_nh", "plot_probabilities", "plot_reliability"]


def plot_probabilities(table: Table, *, names: Sequence[str] | None = None, ax: Axes | None = None) -> Axes:
    """
    Draw the class probabilities of each row as a stacked bar.

    "None of these" is gray; the eight classes share the rest.

    Parameters
    ----------
    table : `~astropy.table.Table`
        Enriched; a few dozen rows at most are legible. Masked rows give an empty bar.
    names : sequence of str, optional
        Labels of the rows; their numbers if not given.
    """
    names = [str(i) for i in range(len(table))] if names is None else [str(n) for n in names]
    if len(names) != len(table):
        raise ParameterError(f"names must hold one label for each of {len(table)} rows, got {len(names)}")
    given, other = (np.nan_to_num(v) for v in columns(table, "xl_class_prob", "xl_class_other"))
    shares = np.column_stack([given * (1 - other[:, None]), other])
    ax = new_axes(ax, height=1.5 + 0.25 * len(table))
    left = np.zeros(len(table))
    for share, (label, (color, _)) in zip(shares.T, CLASS_STYLE.items(), strict=True):
        ax.barh(np.arange(len(table)), share, left=left, color=color, label=label)
        left += share
    ax.set_yticks(np.arange(len(table)), names)
    ax.invert_yaxis()
    ax.set(xlim=(0, 1), xlabel="probability")
    ax.legend(ncols=5, fontsize="small", loc="lower center", bbox_to_anchor=(0.5, 1.0))
    return ax


def plot_evidence(table: Table, row: int = 0, *, ax: Axes | None = None) -> Axes:
    """
    Draw what the spectrum and each evidence beside it say about one row's class.

    Log-probabilities of the eight classes stand against their mean, the class's probability beside its name.

    Parameters
    ----------
    table : `~astropy.table.Table`
        With ``xl_class_evidence`` its pieces are stacked beside the spectrum's bars; else those stand alone.
    row : int, optional
    """
    given, other = columns(table, "xl_class_prob", "xl_class_other")
    _check_row(table, row)
    log = np.log(np.clip(given[row], 1e-4, None))
    total = log - log.mean()
    pieces = {"spectrum": total}
    if "xl_class_evidence" in table.colnames:
        evidence = np.nan_to_num(columns(table, "xl_class_evidence")[0][row])
        pieces = {"spectrum": total - evidence.sum(axis=0)}
        named = zip(("X-ray columns", "counterparts"), evidence, strict=True)
        pieces |= {name: piece for name, piece in named if piece.any()}
    ax = new_axes(ax, height=3.6)
    place, height = np.arange(len(CLASSES)), 0.8 / len(pieces)
    for k, (name, values) in enumerate(pieces.items()):
        ax.barh(place + (k - (len(pieces) - 1) / 2) * height, values, height, label=name, color=COLORS[k])
    if len(pieces) > 1:
        ax.plot(total, place, "k|", ms=16, mew=2, label="together")
        ax.legend(fontsize="small")
    share = given[row] * (1 - other[row])
    ax.set_yticks(place, [name if np.isnan(p) else f"{name}  {p:.2f}"
                          for name, p in zip(CLASSES, share, strict=True)])
    ax.invert_yaxis()
    ax.axvline(0, color="0.6", lw=0.8, zorder=0)
    ax.set_xlabel("ln(probability / mean)")
    return ax


def plot_nh(source: Posterior | Table, row: int = 0, *, truth: float | None = None,
            ax: Axes | None = None) -> Axes:
    """
    Draw the posterior of the column density.

    Parameters
    ----------
    source : `~astro_xlatent.model.posterior.Posterior` or `~astropy.table.Table`
        A table's density is drawn flat in log N_H between the quantiles in its columns (with
        ``include=["xl_nh_lolim90", "xl_nh_hilim90"]`` at more of them).
    row : int, optional
    truth : float, optional
        A column in 1/cm2 to mark.
    """
    ax = new_axes(ax, height=3.2)
    levels, quantiles = (_posterior_cells if hasattr(source, "nh_density") else _table_quantiles)(source, row)
    if np.isfinite(quantiles).all():
        edges, at = np.unique(quantiles, return_index=True)
        density = np.diff(levels[at]) / np.diff(edges)
        ax.stairs(density, edges, fill=True, color=MODEL_COLOR, alpha=0.35)
        ax.axvline(np.interp(0.5, levels, quantiles), color=MODEL_COLOR, label="median")
    if truth is not None:
        ax.axvline(np.log10(truth), color=COLORS[5], ls="--", label="true")
    if ax.get_legend_handles_labels()[1]:
        ax.legend(fontsize="small")
    ax.set(xlabel=r"log $N_\mathrm{H}$ [cm$^{-2}$]", ylabel="density [1/dex]")
    ax.set_ylim(bottom=0)
    return ax


def plot_reliability(curve: ArrayLike, *, label: str | None = None, ax: Axes | None = None) -> Axes:
    """
    Draw how often stated probabilities come true, with binomial errors; right on the gray line.

    Parameters
    ----------
    curve : array_like, shape (n, 3)
        Stated probability, share that was right, number of rows.
    label : str, optional
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
    level, measured, low, high : array_like, shape (n,)
        Stated coverage (a strip of 0.03 on both sides marks it), share of true values inside, its interval.
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


def _check_row(table, row):
    if not -len(table) <= row < len(table):
        raise ParameterError(f"row must lie in a table of {len(table)} rows, got {row}")


def _posterior_cells(posterior, row):
    """Cumulative probabilities at the borders of the posterior's cells, and these in log10 N_H."""
    from astro_xlatent.model.network import LOG_NH_RANGE

    density = np.asarray(posterior.nh_density[row], float)
    half = (LOG_NH_RANGE[1] - LOG_NH_RANGE[0]) / (density.size - 1) / 2
    borders = np.linspace(LOG_NH_RANGE[0] - half, LOG_NH_RANGE[1] + half, density.size + 1)
    return np.append(0.0, np.cumsum(density) / density.sum()), borders


def _table_quantiles(table, row):
    known = {0.05: "xl_nh_lolim90", 0.16: "xl_nh_lolim", 0.5: "xl_nh", 0.84: "xl_nh_hilim", 0.9: "xl_nh_ul90",
             0.95: "xl_nh_hilim90"}
    _check_row(table, row)
    names = {level: name for level, name in known.items() if name == "xl_nh" or name in table.colnames}
    values = np.array([column[row] for column in columns(table, *names.values())])
    return np.array(list(names)), np.maximum.accumulate(np.log10(np.where(values > 0, values, np.nan)))
