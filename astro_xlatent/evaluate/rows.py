# Licensed under a 3-clause BSD style license - see LICENSE
"""Labeled rows made ready for evaluation: labels, sky fields, features."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from astropy.coordinates import SkyCoord

from astro_xlatent.compare.positions import sky_fields
from astro_xlatent.core.columns import CLASSES
from astro_xlatent.core.errors import MissionError, TableError
from astro_xlatent.core.numbers import plain_floats
from astro_xlatent.evaluate.features import (
    band_fluxes,
    fluxes_of_spectra,
    hardness_ratios,
    read_spectra,
    spectrum_features,
)
from astro_xlatent.missions.base import identify_mission
from astro_xlatent.table.files import read_table

__all__ = ["ALIASES", "LabeledRows", "join_truth", "prepare_rows", "read_labels", "words_of"]

#: With fewer sky fields, folds and bootstrap are over sources.
MIN_FIELDS = 10
# Columns that the heads' answers are read from, optional in enriched tables.
_HEAD_COLUMNS = ("xl_photon_index", "xl_kt")
#: Columns of the catalog's own spectral fits, as the CSC and the labeled samples name them.
FIT_COLUMNS = ("powlaw_nh", "powlaw_gamma", "powlaw_stat", "bb_kt", "bb_nh", "brems_kt", "brems_nh",
               "apec_kt", "apec_nh", "powlaw_nh_mean", "powlaw_gamma_mean")
#: Spellings of the labeled samples.
ALIASES = {"NS_BIN": "LMXB", "PULSAR": "NS", "LMXB_NS": "LMXB", "LMXB_BH": "LMXB"}
_TRUTH = "truth.fits"
#: Quantities of the truth table that are evaluated, and what they are called in the joined table.
TRUE_COLUMNS = {name: f"true_{name}" for name in ("nh", "photon_index", "kt", "flux_05_2", "flux_2_7")}


@dataclass
class LabeledRows:
    """
    Enriched rows with classes, sky fields (or, where ``grouping`` says so, sources) and features (n, k):
    ``"latents"``, those of `_baseline_features`, and ``"spectrum"``; ``hardness`` is the ratios' kind.
    """

    table: object
    label: np.ndarray
    field: np.ndarray
    source: np.ndarray
    features: dict
    hardness: str
    grouping: str = "sky field"

    def __len__(self):
        return len(self.label)

    def joined(self, *names):
        """Feature sets side by side; None if one is not there."""
        if any(name not in self.features for name in names):
            return None
        return np.concatenate([self.features[name] for name in names], axis=1)

    def __getitem__(self, rows):
        return LabeledRows(self.table[rows], self.label[rows], self.field[rows], self.source[rows],
                            {k: v[rows] for k, v in self.features.items()}, self.hardness, self.grouping)

    def subsets(self):
        """Rows by name: all, and without the largest field."""
        largest = np.bincount(self.field).argmax()
        parts = {"all": np.ones(len(self), bool),
                 "all without the largest field": (self.field != largest) & (self.grouping == "sky field")}
        return {name: where for name, where in parts.items() if where.any()}


def words_of(table, column):
    """A column of words as ndarray of str, stripped; empty where masked."""
    return np.char.strip(np.ma.filled(np.ma.asarray(table[column]).astype(str), "").astype(str))


def read_labels(table, column):
    """Classes (n,), empty where missing or not one of the eight, and notes on others and renamed ones."""
    if column not in table.colnames:
        raise TableError(f"--label {column}: no such column; the table has {', '.join(table.colnames[:20])}")
    raw = words_of(table, column)
    label = np.array([ALIASES.get(value, value) for value in raw.tolist()], dtype="<U32")
    notes = [f"{np.sum(raw == old)} rows of class {old} count as {new}"
             for old, new in ALIASES.items() if np.any(raw == old)]
    for name in np.unique(label[~np.isin(label, (*CLASSES, ""))]):
        notes.append(f"class {name}: {np.sum(label == name)} rows, not one of {', '.join(CLASSES)}: left out")
    label[~np.isin(label, CLASSES)] = ""
    if not np.any(label != ""):
        msg = f"--label {column}: no row has one of the classes {', '.join(CLASSES)}; e.g. {raw[:3].tolist()}"
        raise TableError(msg)
    return label, notes


def join_truth(table, path, column):
    """
    A table with labels and `TRUE_COLUMNS` from the ``truth.fits`` that ``astro-xlatent simulate`` wrote
    beside it, and notes; as it is if it has the label or there is none.
    """
    truth_path = Path(path).parent / _TRUTH
    if column in table.colnames or not truth_path.is_file():
        return table, []
    truth = read_table(truth_path)
    if column not in truth.colnames:
        return table, []
    if len(truth) != len(table):
        msg = (f"{truth_path} has {len(truth)} rows, {Path(path).name} has {len(table)}: they are not of one "
               f"simulation; add a column {column} to the table")
        raise TableError(msg)
    joined = table.copy()
    joined[column] = np.asarray(truth[column]).astype(str)
    found = {name: new for name, new in TRUE_COLUMNS.items() if name in truth.colnames}
    for name, new in found.items():
        joined[new] = truth[name]
    names = ", ".join(found.values())
    return joined, [f"{column} and {names} come from {_TRUTH} beside the table (simulated)"]


def _sources(table):
    """Number of the source of every row, by name or position."""
    if "name" in table.colnames:
        key = words_of(table, "name")
    else:
        key = np.round(np.stack([plain_floats(table["ra"]), plain_floats(table["dec"])], axis=1), 4)
    return np.unique(key, axis=0, return_inverse=True)[1].ravel()


def _labeled(table, column, minimum, notes):
    """Rows with a label, a position and more than the minimum, and their labels."""
    missing = [f"--minimum {name}" for name, _ in minimum if name not in table.colnames]
    missing += [f"{name} (degrees; sky fields need positions)" for name in ("ra", "dec")
                if name not in table.colnames]
    label, more = read_labels(table, column)
    notes += more
    if missing:
        raise TableError(f"the table lacks {', '.join(missing)}; it has {', '.join(table.colnames[:20])}")
    table, label = _kept(table, label, label != "", notes, "without a usable label")
    for name, bound in minimum:
        with np.errstate(invalid="ignore"):
            above = plain_floats(table[name]) > bound
        table, label = _kept(table, label, above, notes, f"with {name} <= {bound:g} or unknown", always=True)
    placed = np.isfinite(plain_floats(table["ra"])) & (np.abs(plain_floats(table["dec"])) <= 90)
    return _kept(table, label, placed, notes, "without a position")


def prepare_rows(table, column, *, model=None, minimum=(), spectra=None, log=None):
    """
    `LabeledRows` of a table, labeled and enriched, and notes on what was left out; arguments are those of
    `evaluate_table`. With ``spectra`` all rows have a usable one, so that all methods see the same rows.
    """
    log, notes, bins = log or (lambda line: None), [], None
    table, label = _labeled(table, column, minimum, notes)
    if spectra is not None:
        log(f"reading the spectra of {len(table)} rows")
        bins, usable, reasons = read_spectra(table, spectra)
        table, label = _kept(table, label, usable, notes,
                             f"without a usable spectrum ({'; '.join(reasons[:3])})")
    if "xl_latent" not in table.colnames:
        from astro_xlatent.table.add_latents import add_latents

        log(f"enriching {len(table)} rows")
        table = add_latents(table, spectra, model=model, include=_HEAD_COLUMNS)
    latent = plain_floats(table["xl_latent"])
    usable = np.isfinite(latent).all(axis=1)
    table, label = _kept(table, label, usable, notes, "without latents (no usable data)")
    features, kind = _features(table, None if bins is None else bins[usable], notes)
    features["latents"] = latent[usable]
    field, grouping = _fields(table, notes)
    return LabeledRows(table, label, field, _sources(table), features, kind, grouping), notes


def _kept(table, label, keep, notes, what, always=False):
    """Some rows, of which there must be one; a note says what others are."""
    if always or not keep.all():
        notes.append(f"{np.sum(~keep)} rows {what}: left out")
    if not keep.any():
        raise TableError("no row is left: " + "; ".join(notes))
    return table[keep], label[keep]


def _fields(table, notes):
    """Fields to fold by; sources where there are too few fields."""
    field, names = sky_fields(plain_floats(table["ra"]), plain_floats(table["dec"]))
    notes.append(f"{len(names)} sky fields")
    if len(names) >= MIN_FIELDS:
        return field, "sky field"
    notes.append(f"only {len(names)} sky fields, fewer than {MIN_FIELDS}: "
                 "folds and intervals are over sources")
    return _sources(table), "source"


def _by_kind(values, energy):
    """Columns of their own for rows of either kind of flux."""
    parts = [np.where(which[:, None], values, np.nan) for which in (energy, ~energy) if which.any()]
    return np.concatenate(parts, axis=1)


def _baseline_features(table, fluxes):
    """
    Feature sets (n, k), NaN where unknown: ``"hardness"`` and ``"flux"`` (log) of `BandFluxes`, and of what
    the table has ``"nh_gal"`` (log), ``"latitude"`` (|b| and |l|) and ``"catalog fits"``.
    """
    energy = np.asarray(fluxes.energy, bool)
    with np.errstate(invalid="ignore", divide="ignore"):
        total = np.log10(np.nansum(fluxes.flux, axis=1))[:, None]
        features = {"hardness": _by_kind(hardness_ratios(fluxes.flux), energy),
                    "flux": _by_kind(total, energy)}
        if "nh_gal" in table.colnames:
            features["nh_gal"] = np.log10(plain_floats(table["nh_gal"]))[:, None]
    sky = SkyCoord(plain_floats(table["ra"]), plain_floats(table["dec"]), unit="deg").galactic
    features["latitude"] = np.abs(np.stack([sky.b.deg, sky.l.wrap_at("180d").deg], axis=1))
    fits = [plain_floats(table[name]) for name in FIT_COLUMNS if name in table.colnames]
    if fits:
        features["catalog fits"] = np.stack(fits, axis=1)
    return {name: np.where(np.isfinite(values), values, np.nan) for name, values in features.items()}


def _features(table, bins, notes):
    found = {} if bins is None else {"spectrum": spectrum_features(bins)}
    try:
        fluxes = band_fluxes(identify_mission(table).read_bands(table).bins)
    except (MissionError, TableError) as error:
        if bins is None:
            notes.append(f"no hardness baselines, the table has no band columns ({error})")
            return found, ""
        notes.append("the table has no band columns: hardness ratios are those of the spectra")
        fluxes = fluxes_of_spectra(bins)
    for name, values in _baseline_features(table, fluxes).items():
        useful = np.array([np.unique(column[np.isfinite(column)]).size > 1 for column in values.T])
        if not useful.all():
            notes.append(f"{name}: {np.sum(~useful)} columns are constant or empty: left out")
        if useful.any():
            found[name] = values[:, useful]
    return found, f"{fluxes.kind} "
