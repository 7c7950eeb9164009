# Licensed under a 3-clause BSD style license - see LICENSE
"""
Labelled rows made ready for evaluation: labels, sky fields, features.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from astro_xlatent.columns import CLASSES
from astro_xlatent.errors import MissionError, TableError
from astro_xlatent.evaluate.baselines import baseline_features, plain_column, without_constant
from astro_xlatent.evaluate.hardness import band_fluxes
from astro_xlatent.evaluate.independence import independent_labels
from astro_xlatent.evaluate.split import JUDGE, MATCH, SkySplit

__all__ = ["LabelledRows", "prepare_rows", "read_labels"]

# Spellings of the labelled samples.
_ALIASES = {"NS_BIN": "LMXB", "PULSAR": "NS", "LMXB_NS": "LMXB", "LMXB_BH": "LMXB"}


@dataclass
class LabelledRows:
    """
    Enriched rows with classes, sky fields and features.

    Attributes
    ----------
    table : `~astropy.table.Table`
        With the columns of `~astro_xlatent.add_latents`.
    label : ndarray of str, shape (n,)
    field, source : ndarray of int, shape (n,)
        Sky field and source of every row.
    split : ndarray of str, shape (n,)
        ``MATCH`` or ``JUDGE``.
    features : dict of ndarray, shape (n, k)
        By `~astro_xlatent.evaluate.baselines.baseline_features`, and ``"latents"``.
    hardness : str
        Kind of the hardness ratios.
    """

    table: object
    label: np.ndarray
    field: np.ndarray
    source: np.ndarray
    split: np.ndarray
    features: dict
    hardness: str

    def __len__(self):
        return len(self.label)

    def joined(self, *names):
        """Feature sets side by side; None if one is not there."""
        if any(name not in self.features for name in names):
            return None
        return np.concatenate([self.features[name] for name in names], axis=1)

    def __getitem__(self, rows):
        return LabelledRows(
            self.table[rows],
            self.label[rows],
            self.field[rows],
            self.source[rows],
            self.split[rows],
            {k: v[rows] for k, v in self.features.items()},
            self.hardness,
        )

    def subsets(self):
        """Rows by name: all, either side of the split, and without the largest field."""
        largest = np.bincount(self.field).argmax()
        parts = {
            "all": np.ones(len(self), bool),
            JUDGE: self.split == JUDGE,
            MATCH: self.split == MATCH,
            "all without the largest field": self.field != largest,
            "JUDGE without its largest field": self.split == JUDGE,
        }
        judge = self.field[self.split == JUDGE]
        if judge.size:
            parts["JUDGE without its largest field"] &= self.field != np.bincount(judge).argmax()
        if "label_reference" in self.table.colnames:
            parts["labels without X-rays"] = independent_labels(self.table)
        return {name: where for name, where in parts.items() if where.any()}


def read_labels(table, column):
    """
    Classes of a table's rows.

    Parameters
    ----------
    table : `~astropy.table.Table`
    column : str

    Returns
    -------
    label : ndarray of str, shape (n,)
        Empty where missing, or not one of the eight classes.
    notes : list of str
        What was renamed or left out.

    Raises
    ------
    TableError
        If there is no such column, or no usable class in it.
    """
    if column not in table.colnames:
        msg = f"--label {column}: no such column; the table has {', '.join(table.colnames[:20])}"
        raise TableError(msg)
    raw = np.ma.filled(np.ma.asarray(table[column]).astype(str), "")
    raw = np.char.strip(raw.astype(str))
    label = np.array([_ALIASES.get(value, value) for value in raw.tolist()], dtype="<U32")
    notes = [
        f"{np.sum(raw == old)} rows of class {old} count as {new}"
        for old, new in _ALIASES.items()
        if np.any(raw == old)
    ]
    for name in np.unique(label[~np.isin(label, (*CLASSES, ""))]):
        notes.append(f"class {name}: {np.sum(label == name)} rows, not one of {', '.join(CLASSES)}: left out")
    label[~np.isin(label, CLASSES)] = ""
    if not np.any(label != ""):
        msg = f"--label {column}: no row has one of the classes {', '.join(CLASSES)}; e.g. {raw[:3].tolist()}"
        raise TableError(msg)
    return label, notes


def _sky_of(path, table):
    """
    Fields and sides of the rows.

    A table that lies beside the other real data shares their split, so that
    JUDGE is the same everywhere.
    """
    ra, dec = plain_column(table, "ra"), plain_column(table, "dec")
    folder = None if path is None else Path(path).resolve().parent.parent
    names = (
        "labels/csc2_labelled_sources.csv",
        "labels/csc2_labelled_detections.csv.gz",
        "spectra/inventory.csv",
    )
    if folder is not None and all((folder / name).is_file() for name in names):
        from astro_xlatent.evaluate.sample import load_sky

        field, split = load_sky(folder).assign(ra, dec)
        if np.all(field >= 0):
            return np.unique(field, return_inverse=True)[1], split, "fields of all real data beside the table"
    sky = SkySplit(ra, dec)
    return sky.field, sky.split, "fields of this table's positions"


def _sources(table):
    """Number of the source of every row, by name or position."""
    if "name" in table.colnames:
        key = np.ma.filled(np.ma.asarray(table["name"]).astype(str), "")
    else:
        key = np.round(np.stack([plain_column(table, "ra"), plain_column(table, "dec")], axis=1), 4)
    return np.unique(key, axis=0, return_inverse=True)[1].ravel()


def _band_fluxes(table, mission=None):
    from astro_xlatent.missions.base import identify_mission

    mission = mission or identify_mission(table)
    return band_fluxes(mission.read_bands(table).bins)


def _label_and_check(table, column, minimum):
    """Rows that can be used, and why others cannot."""
    label, notes = read_labels(table, column)
    keep = label != ""
    if np.any(~keep):
        notes.append(f"{np.sum(~keep)} rows without a usable label: left out")
    for name, bound in minimum:
        if name not in table.colnames:
            msg = f"--minimum {name}: no such column; the table has {', '.join(table.colnames[:20])}"
            raise TableError(msg)
        with np.errstate(invalid="ignore"):
            above = plain_column(table, name) > bound
        notes.append(f"{np.sum(keep & ~above)} rows with {name} <= {bound:g} or unknown: left out")
        keep &= above
    missing = [n for n in ("ra", "dec") if n not in table.colnames]
    if missing:
        msg = f"the table lacks {', '.join(missing)} (degrees): sky fields need positions"
        raise TableError(msg)
    placed = np.isfinite(plain_column(table, "ra")) & np.isfinite(plain_column(table, "dec"))
    if np.any(keep & ~placed):
        notes.append(f"{np.sum(keep & ~placed)} rows without a position: left out")
    return label, keep & placed, notes


def prepare_rows(table, column, *, model=None, minimum=(), path=None, log=None):
    """
    Label, enrich and describe the rows of a table.

    Parameters
    ----------
    table : `~astropy.table.Table`
    column : str
        Column with the classes.
    model : optional
        See `~astro_xlatent.load_model`.
    minimum : sequence of (str, float), optional
        Columns that must exceed a value.
    path : path-like, optional
        Where the table came from.
    log : callable, optional

    Returns
    -------
    rows : LabelledRows
    notes : list of str
    """
    log = log or (lambda line: None)
    label, keep, notes = _label_and_check(table, column, minimum)
    if not keep.any():
        msg = "no row is left: " + "; ".join(notes)
        raise TableError(msg)
    table, label = table[keep], label[keep]
    if "xl_latent" not in table.colnames:
        from astro_xlatent.table import add_latents

        log(f"enriching {len(table)} rows")
        table = add_latents(table, model=model)
    latent = np.ma.filled(np.ma.asarray(table["xl_latent"]).astype(float), np.nan)
    usable = np.isfinite(latent).all(axis=1)
    if np.any(~usable):
        notes.append(f"{np.sum(~usable)} rows without latents (no usable data): left out")
    if not usable.any():
        msg = "no row has latents: " + "; ".join(notes)
        raise TableError(msg)
    table, label, latent = table[usable], label[usable], latent[usable]
    field, split, which = _sky_of(path, table)
    notes.append(
        f"sky split: {which}, {field.max() + 1} in all; "
        f"{np.sum(split == JUDGE)} rows are {JUDGE}, {np.sum(split == MATCH)} are {MATCH}"
    )
    features, kind = _features(table, notes)
    features["latents"] = latent
    return LabelledRows(table, label, field, _sources(table), split, features, kind), notes


def _features(table, notes):
    try:
        fluxes = _band_fluxes(table)
    except (MissionError, TableError) as error:
        notes.append(f"no hardness baselines, the table has no band columns ({error})")
        return {}, ""
    features = baseline_features(table, fluxes)
    result = {}
    for name, values in features.items():
        values, dropped = without_constant(values)
        if dropped:
            notes.append(f"{name}: {dropped} columns are constant or empty: left out")
        if values.shape[1]:
            result[name] = values
    return result, f"{fluxes.kind} "
