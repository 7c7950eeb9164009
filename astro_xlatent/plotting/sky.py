# Licensed under a 3-clause BSD style license - see LICENSE
"""Where sources lie: on the sky and in the planes of hardness ratios; and whether one has changed."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle
from typing import TYPE_CHECKING

import numpy as np
from astropy import units as u
from astropy.table import Table

from astro_xlatent.core.columns import N_LATENT
from astro_xlatent.core.errors import ParameterError, TableError
from astro_xlatent.plotting.axes import CLASS_STYLE, columns, draw_classes, new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["field_offsets", "plot_change", "plot_hardness", "plot_sky", "sky_columns", "sky_degrees"]

#: Extent in degrees up to which a field is drawn as a plane.
FIELD = 20.0


def sky_columns(table: Table) -> tuple[str, str] | None:
    """Names of a table's position columns as it spells them, or None."""
    from astro_xlatent.compare.positions import position_names

    spelled = {name.lower(): name for name in reversed(table.colnames)}
    names = position_names(spelled)
    return names and tuple(spelled[name] for name in names)


def sky_degrees(table: Table, names: tuple[str, str]) -> tuple[np.ndarray, np.ndarray]:
    """Positions (ra, dec) in degrees, NaN where not known; sexagesimal text has right ascension in hours."""
    from astro_xlatent.missions._columns import Columns

    found = Columns(table)
    ra, dec = (found.number(name.lower(), u.deg) for name in names)
    return ra, dec


def field_offsets(ra: np.ndarray, dec: np.ndarray) -> tuple[np.ndarray, float | None]:
    """
    Offsets in right ascension, degrees on the sky, from the middle of a field, NaN where not known.

    The middle's right ascension comes second: None if the field is wider than `FIELD`.
    """
    good = np.isfinite(ra) & np.isfinite(dec)
    middle, level = 0.0, 0.0
    if good.any():
        middle = np.degrees(np.angle(np.mean(np.exp(1j * np.radians(ra[good])))))
        level = np.mean(dec[good])
    x = ((ra - middle + 180) % 360 - 180) * np.cos(np.radians(level))
    small = not good.any() or max(np.ptp(x[good]), np.ptp(dec[good])) <= FIELD
    return x, float(middle % 360) if small else None


def plot_sky(table: Table, *, ax: Axes | None = None) -> Axes:
    """
    Draw the sources of an enriched table on the sky, colored by class; right ascension grows to the left.

    Parameters
    ----------
    table : `~astropy.table.Table`
        Enriched, with positions (``ra``, ``dec`` in degrees unless they have a unit).
    ax : `~matplotlib.axes.Axes`, optional
        Of projection "aitoff", or plain; by default plain for a field of up to 20 degrees.
    """
    names = sky_columns(table)
    if names is None:
        raise TableError("table has no positions; give it columns ra and dec in degrees")
    ra, dec = sky_degrees(table, names)
    (label,) = columns(table, "xl_class")
    x, middle = field_offsets(ra, dec)
    ax = new_axes(ax, 6.5, 4.0, projection="aitoff" if middle is None else None)
    if ax.name == "aitoff":
        # East to the left; the labels of the axis follow.
        draw_classes(ax, -np.radians((ra + 180) % 360 - 180), np.radians(dec), label, size=8)
        ax.set_xticks(np.radians(np.arange(-120, 121, 60)), [f"{-t % 360}°" for t in range(-120, 121, 60)])
        ax.grid(alpha=0.3)
        ax.set(xlabel="right ascension", ylabel="declination")
    else:
        draw_classes(ax, x, dec, label)
        ax.invert_xaxis()
        ax.set_aspect("equal", adjustable="datalim")
        ax.set(xlabel=f"right ascension - {middle:.4f}° [degrees on the sky]",
               ylabel="declination [deg]")
    return ax


def plot_hardness(table: Table, *, mission: str | None = None, ax: Axes | None = None) -> Axes:
    """
    Draw rows in the plane of two photon-flux hardness ratios.

    Of three neighboring bands a, b, c: (b - a)/(b + a) and (c - b)/(c + b) of net counts over area, beside
    absorbed power laws of photon index 1, 2 and 3 from N_H of 1e20 to 1e23 1/cm2. Rows in which a sum is not
    positive are left out.

    Parameters
    ----------
    table : `~astropy.table.Table`
        Catalog rows with the mission's band columns; if it is enriched, color says the class.
    mission : str, optional
        By default that of the table's columns, or else a `~astro_xlatent.core.errors.MissionError` is raised.
    """
    from astro_xlatent.missions.base import get_mission, identify_mission

    reader = identify_mission(table) if mission is None else get_mission(mission)
    bins = reader.read_bands(table).bins
    order = np.argsort(np.where(bins.valid, bins.e_lo, np.inf), axis=1, kind="stable")[:, :3]
    net, area, low, high, valid = (np.take_along_axis(values, order, axis=1) for values in (
        bins.counts - bins.background, bins.area, bins.e_lo, bins.e_hi, bins.valid))
    # The area is a mean over the bin: counts over it are photons in the band.
    flux = np.where(valid & (area > 0), net / np.where(area > 0, area, 1), np.nan)
    x, y = _ratio(flux[:, 1], flux[:, 0]), _ratio(flux[:, 2], flux[:, 1])
    ax = new_axes(ax)
    if "xl_class" in table.colnames:
        draw_classes(ax, x, y, columns(table, "xl_class")[0])
    else:
        color, marker = CLASS_STYLE["other"]
        ax.scatter(x, y, 18, color, marker=marker, lw=0)
    if not valid.all(axis=1).any():
        return ax
    first = int(np.argmax(valid.all(axis=1)))
    edges = [*low[first], high[first][-1]]
    _draw_tracks(ax, low[first], high[first])
    names = [f"{a:g}-{b:g}" for a, b in zip(edges[:-1], edges[1:], strict=True)]
    ax.set(xlim=(-1.05, 1.05), xlabel=f"({names[1]}) - ({names[0]}) keV over their sum, photon flux",
           ylim=(-1.05, 1.05), ylabel=f"({names[2]}) - ({names[1]}) keV over their sum, photon flux")
    return ax


def _ratio(a, b):
    total = a + b
    return np.where(total > 0, (a - b) / np.where(total > 0, total, 1), np.nan)


def _draw_tracks(ax, low, high):
    from astro_xlatent.physics.absorption import transmission
    from astro_xlatent.physics.emission import powerlaw
    from astro_xlatent.physics.grid import band_weights

    weights = band_weights(low, high)
    for index, style in ((1.0, "-"), (2.0, "--"), (3.0, ":")):
        flux = (powerlaw(index) * transmission(np.logspace(20, 23, 31))) @ weights.T
        ax.plot(_ratio(flux[:, 1], flux[:, 0]), _ratio(flux[:, 2], flux[:, 1]), style, color="0.4", lw=1,
                label=rf"$\Gamma = {index:g}$")
    ax.legend(fontsize="small")


def plot_change(table: Table, rows: Sequence[int] | None = None, *, names: Sequence[str] | None = None,
                ax: Axes | None = None) -> Axes:
    """
    Draw the latents of several observations of one source, and whether they differ.

    Posterior means stand with standard deviations, the joint latents as a band, and the p-value of an
    unchanged spectrum (`~astro_xlatent.compare.observations.combine`) in the title.

    Parameters
    ----------
    table : `~astropy.table.Table`
        Enriched, at best with ``xl_latent_cov``.
    rows : sequence of int, optional
        The observations of the source, two or more; all rows of the table if not given.
    names : sequence of str, optional
        One for each observation.
    """
    from astro_xlatent.compare.observations import combine

    chosen = table if rows is None else table[list(rows)]
    names = [f"observation {i + 1}" for i in range(len(chosen))] if names is None else list(names)
    if len(chosen) < 2 or len(names) != len(chosen):
        msg = f"two observations or more with one name each are needed, got {len(chosen)}, {len(names)} names"
        raise ParameterError(msg)
    latent, error = columns(chosen, "xl_latent", "xl_latent_err")
    joint = combine(chosen)
    ax = new_axes(ax, 6.5, 3.8)
    place = np.arange(N_LATENT)
    middle, half = joint.latent[0], np.sqrt(np.diagonal(joint.latent_cov[0]))
    ax.bar(place, 2 * half, 0.8, bottom=middle - half, color="0.85", label="together")
    rows = zip(names, latent, error, cycle(CLASS_STYLE.values()))
    for k, (name, value, sigma, (color, marker)) in enumerate(rows):
        ax.errorbar(place + 0.5 * ((k + 0.5) / len(names) - 0.5), value, sigma, fmt=marker, ms=5, color=color,
                    label=name)
    p = joint.p_change[0]
    ax.set_title("too little data to tell a change" if np.isnan(p)
                 else f"p = {p:.2g} if the spectrum's shape did not change", fontsize="medium")
    ax.set_xticks(place)
    ax.set(xlabel="latent", ylabel="value [standard deviations]")
    ax.legend(fontsize="small")
    return ax
