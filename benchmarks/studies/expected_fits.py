# Licensed under a 3-clause BSD style license - see LICENSE
"""
What N_H of real rows would differ from the catalog's fits if the model were right about the sky.

Simulated Chandra observations with enough counts for the catalog to fit
their spectra are seen twice: their bands by the model, their spectrum by an
absorbed power law. Model and fit are compared as for real rows, after drawing
for each real row simulated ones of its class that are as significant, or as
significant and as sharp in N_H. The truth of these rows says how much of the
difference is the fit's own.
"""

from dataclasses import replace

import numpy as np
from astropy.table import vstack

from astro_xlatent.core.columns import CLASSES
from astro_xlatent.core.numbers import plain_floats
from astro_xlatent.physics.absorption import convert_nh
from benchmarks.studies.expected import band_table
from benchmarks.studies.fits import FIT_CLASSES, NH_MIN, catalog_fits, fit_numbers, residual_numbers
from benchmarks.studies.mock import two_piece_mean
from benchmarks.studies.reference import MODELS, OnOff, fit_reference

__all__ = ["as_averages", "as_detections", "expected_fits", "similar_rows", "simulate_fits"]

#: Net counts in 0.5-7 keV above which the catalog fits spectra (Evans et al. 2024, ApJS 274, 22).
FIT_COUNTS = 150
#: Ranges of the catalog's significance.
RANGES = ((0.0, 15.0), (15.0, 30.0), (30.0, np.inf))
_MOST_ROWS = 500_000
# Net counts above which all simulated rows are kept; below a share in proportion.
_ALL_ABOVE = 1500
_COPIES, _NEIGHBORS = 20, 10
# Said of parts, too.
_BRIEF = ("mean |difference|, dex", "mean difference, dex")
_FIT_COLUMNS = ("powlaw_nh", "powlaw_nh_lolim", "powlaw_nh_hilim")


def simulate_fits(seed, n, classes):
    """
    Simulated detections bright enough for a fit, with that fit.

    Parameters
    ----------
    seed : int
    n : int
        At least as many rows, spread over the counts about evenly in the log up to 1,500.
    classes : mapping of str to float
        Relative frequencies.

    Returns
    -------
    table : `~astropy.table.Table`
        Columns of the simulated catalog (as
        `~astro_xlatent.simulate.catalog.simulate_catalog`), ``class_label``,
        ``true_nh`` in 1/cm2, and ``powlaw_nh`` with its 68 % limits as the
        catalog gives them (1e20 1/cm2, its abundances).
    """
    from astro_xlatent.simulate.catalog import catalog_part, fine_bins, observed_chunks
    from astro_xlatent.simulate.rows import make_table

    tables, found, rng = [], 0, np.random.default_rng([seed, 1])
    for parts in observed_chunks(seed, _MOST_ROWS, missions={"csc": 1.0}, classes=classes):
        for observed in parts:
            order = np.argsort(observed.row)
            table = make_table([(observed.row, catalog_part(observed))])
            table["class_label"] = np.array(CLASSES)[observed.sources.class_index[order]]
            table["true_nh"] = observed.sources.truth["nh"][order]
            net = np.array(table["src_cnts_aper_b"])
            # Real fits reach to bright sources: thin the faint, of which there are too many.
            bright = np.flatnonzero((net > FIT_COUNTS) & (rng.random(net.size) < net / _ALL_ABOVE))
            bins = fine_bins(observed)
            fits = [_fit(observed, bins, order[k]) for k in bright]
            table = table[bright]
            for name, values in zip(_FIT_COLUMNS, np.reshape(fits, (-1, 3)).T, strict=True):
                table[name] = values
            tables.append(table)
            found += len(table)
        if found >= n:
            break
    return vstack(tables, metadata_conflicts="silent")


def _fit(observed, bins, row):
    """Column of an absorbed power law with its 68 % limits, in the catalog's convention."""
    pointings, detector = observed.pointings, observed.detector
    matrix = detector.unit.matrix * (observed.area[row] * pointings.exposure[row])
    data = OnOff.of_bins(bins[row : row + 1], matrix, float(pointings.scale[row]))
    fit = fit_reference(data, MODELS[0], n_starts=2)
    value = float(convert_nh(10**fit.log_nh, "tbabs/wilm", "phabs/angr")) / 1e20
    error = value * np.log(10) * fit.log_nh_error(data) if 10**fit.log_nh > NH_MIN else np.nan
    return value, value - error, value + error


def as_detections(simulated, real):
    """
    Only those columns of simulated detections that a real table has, too.

    Parameters
    ----------
    simulated, real : `~astropy.table.Table`

    Returns
    -------
    table : `~astropy.table.Table`
        With ``true_nh``; read by the same recipe as the real table.
    """
    kept = [name for name in simulated.colnames
            if name in real.colnames or name in ("true_nh", "significance", *_FIT_COLUMNS)]
    return simulated[kept]


def as_averages(simulated):
    """
    Simulated detections as averages of the classified sample.

    Parameters
    ----------
    simulated : `~astropy.table.Table`

    Returns
    -------
    table : `~astropy.table.Table`
        Band fluxes made by that sample's recipe
        (`~benchmarks.studies.mock.two_piece_mean`), class, significance,
        fit and truth. One observation stands for the average.
    """
    value, low, high = (
        np.stack([plain_floats(simulated[f"flux_aper_{part}{band}"]) for band in "smh"], axis=1)
        for part in ("", "lolim_", "hilim_"))
    table = band_table(*two_piece_mean(value, value - low, high - value))
    for name in ("class_label", "significance", "true_nh", *_FIT_COLUMNS):
        table[name] = simulated[name]
    return table


def similar_rows(real, simulated, real_label, simulated_label, rng, copies=_COPIES):
    """
    Draw simulated rows that resemble real ones.

    Parameters
    ----------
    real, simulated : ndarray, shape (n, k), (m, k)
        Quantities, in units in which they may differ.
    real_label, simulated_label : ndarray of str
        Drawn rows have the real row's class.
    rng : numpy.random.Generator
    copies : int, optional
        Rows drawn for every real row.

    Returns
    -------
    chosen : ndarray of int
        Row numbers of simulated rows, each of the nearest few as likely.
        Real rows of a class that was not simulated have none.
    """
    chosen = []
    for point, name in zip(real, real_label, strict=True):
        same = np.flatnonzero(simulated_label == name)
        if same.size:
            distance = ((simulated[same] - point) ** 2).sum(axis=1)
            near = same[np.argsort(distance, kind="stable")[:_NEIGHBORS]]
            chosen.append(rng.choice(near, copies))
    return np.concatenate(chosen) if chosen else np.zeros(0, int)


def expected_fits(rows, simulated, section, name="JUDGE", seed=1):
    """
    Model beside fits on real and on simulated rows.

    Parameters
    ----------
    rows : `~astro_xlatent.evaluate.rows.LabeledRows`
        Real, enriched, with the catalog's fits.
    simulated : `~astropy.table.Table`
        Enriched rows of `simulate_fits`, as the real table.
    section : str
        For the numbers.
    name : str, optional
        Of the real rows.
    seed : int, optional

    Returns
    -------
    numbers : list of Number
        As `~benchmarks.studies.fits.fit_numbers`, by significance and
        class, and for simulated rows ``xl_nh`` and the fit beside the truth.
    """
    rng = np.random.default_rng(seed)
    used = np.isin(rows.label, FIT_CLASSES) & np.isfinite(catalog_fits(rows.table)[0])
    table, label = rows.table[used], rows.label[used]
    if not len(table):
        return []
    numbers = _compared(table, label, rows.field[used], section, "real rows", name, rng)
    sim_label = np.array(simulated["class_label"]).astype(str)
    ours, theirs = _properties(table), _properties(simulated)
    high, sim_high = (catalog_fits(t)[0] > np.log10(NH_MIN) for t in (table, simulated))
    ways = (
        ("simulated, significances as real", 1, np.ones(len(table), bool), np.ones(len(simulated), bool)),
        ("simulated, significances and widths as real", 2, high, sim_high),
    )
    for method, k, mine, allowed in ways:
        allowed = np.flatnonzero(allowed & np.isfinite(theirs[:, :k]).all(axis=1))
        mine = np.flatnonzero(mine & np.isfinite(ours[:, :k]).all(axis=1))
        near = similar_rows(ours[mine, :k], theirs[allowed, :k], label[mine], sim_label[allowed], rng)
        chosen = allowed[near]
        numbers += _compared(simulated[chosen], sim_label[chosen], chosen, section, method, name, rng)
        numbers += _with_truth(simulated[chosen], chosen, section, method, name, rng)
    return numbers


def _properties(table):
    """Logs of the significance and of the 68 % width of N_H, in steps of 0.05 dex of the first."""
    with np.errstate(invalid="ignore", divide="ignore"):
        width = np.log10(plain_floats(table["xl_nh_hilim"]) / plain_floats(table["xl_nh_lolim"]))
        return np.stack([np.log10(plain_floats(table["significance"])), np.log10(width)], axis=1) / 0.05


def _compared(table, label, group, section, method, name, rng):
    significance = plain_floats(table["significance"])
    subsets = {name: np.ones(len(table), bool)}
    for low, high in RANGES:
        words = f"> {low:g}" if np.isinf(high) else f"{low:g}-{high:g}" if low else f"< {high:g}"
        subsets[f"{name}, significance {words}"] = (significance >= low) & (significance < high)
    numbers = fit_numbers(table, label, group, subsets, rng)
    whole = (f"{name}, fits > 1e21", f"{name}, fits < 1e21")
    return [replace(n, section=section, method=method) for n in numbers
            if n.subset in whole or n.quantity in _BRIEF]


def _with_truth(table, group, section, method, name, rng):
    """Model and fit beside the true column, where fit or truth exceeds the limit."""
    fit, fit_error = catalog_fits(table)
    ours, low, high, truth = (np.log10(plain_floats(table[column]))
                              for column in ("xl_nh", "xl_nh_lolim", "xl_nh_hilim", "true_nh"))
    limit = np.log10(NH_MIN)
    subsets = {f"{name}, fits > 1e21": fit > limit, f"{name}, truth > 1e21": truth > limit}
    numbers = []
    for words, where in subsets.items():
        for what, difference, error in (("xl_nh - truth", ours - truth, 0.5 * (high - low)),
                                        ("fit - truth", fit - truth, fit_error)):
            known = where & np.isfinite(difference)
            found = residual_numbers(difference, error, known, group, words, rng, 300)
            numbers += [replace(n, section=section, method=f"{what}, {method}") for n in found
                        if n.quantity in (*_BRIEF, "median |difference|, dex")]
    return numbers
