# Licensed under a 3-clause BSD style license - see LICENSE
"""
Labeled rows made ready for evaluation: labels, sky fields, features.
"""

from dataclasses import dataclass

import numpy as np

from astro_xlatent.compare.fields import SkyFields
from astro_xlatent.core.columns import CLASSES
from astro_xlatent.core.errors import MissionError, TableError
from astro_xlatent.core.numbers import plain_floats
from astro_xlatent.evaluate.baselines import baseline_features, without_constant
from astro_xlatent.evaluate.hardness import band_fluxes
from astro_xlatent.evaluate.labels import clean_detections

__all__ = ["ALIASES", "LabeledRows", "is_detections", "prepare_rows", "read_labels"]

#: Spellings of the labeled samples.
ALIASES = {"NS_BIN": "LMXB", "PULSAR": "NS", "LMXB_NS": "LMXB", "LMXB_BH": "LMXB"}
#: With fewer sky fields, folds and bootstrap are over sources.
MIN_FIELDS = 10
# Columns that the heads' answers are read from, optional in enriched tables.
_HEAD_COLUMNS = ("xl_photon_index", "xl_kt")


@dataclass
class LabeledRows:
    """
    Enriched rows with classes, sky fields and features.

    Attributes
    ----------
    table : `~astropy.table.Table`
        With the columns of `~astro_xlatent.add_latents`.
    label : ndarray of str, shape (n,)
    field, source : ndarray of int, shape (n,)
        Sky field and source of every row.
    features : dict of ndarray, shape (n, k)
        By `~astro_xlatent.evaluate.baselines.baseline_features`, and ``"latents"``.
    hardness : str
        Kind of the hardness ratios.
    grouping : {'sky field', 'source'}
        What ``field`` numbers: sources where there are too few fields.
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
        parts = {
            "all": np.ones(len(self), bool),
            "all without the largest field": (self.field != largest) & (self.grouping == "sky field"),
        }
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
    label = np.array([ALIASES.get(value, value) for value in raw.tolist()], dtype="<U32")
    notes = [
        f"{np.sum(raw == old)} rows of class {old} count as {new}"
        for old, new in ALIASES.items()
        if np.any(raw == old)
    ]
    for name in np.unique(label[~np.isin(label, (*CLASSES, ""))]):
        notes.append(f"class {name}: {np.sum(label == name)} rows, not one of {', '.join(CLASSES)}: left out")
    label[~np.isin(label, CLASSES)] = ""
    if not np.any(label != ""):
        msg = f"--label {column}: no row has one of the classes {', '.join(CLASSES)}; e.g. {raw[:3].tolist()}"
        raise TableError(msg)
    return label, notes


def _sources(table):
    """Number of the source of every row, by name or position."""
    if "name" in table.colnames:
        key = np.ma.filled(np.ma.asarray(table["name"]).astype(str), "")
    else:
        key = np.round(np.stack([plain_floats(table["ra"]), plain_floats(table["dec"])], axis=1), 4)
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
            above = plain_floats(table[name]) > bound
        notes.append(f"{np.sum(keep & ~above)} rows with {name} <= {bound:g} or unknown: left out")
        keep &= above
    missing = [n for n in ("ra", "dec") if n not in table.colnames]
    if missing:
        msg = f"the table lacks {', '.join(missing)} (degrees): sky fields need positions"
        raise TableError(msg)
    placed = np.isfinite(plain_floats(table["ra"])) & (np.abs(plain_floats(table["dec"])) <= 90)
    if np.any(keep & ~placed):
        notes.append(f"{np.sum(keep & ~placed)} rows without a position: left out")
    return label, keep & placed, notes


def is_detections(table, column):
    """Whether rows are detections, which may repeat: they name observation and region."""
    return {"obsid", "obi", "region_id", "ra", "dec", column} <= set(table.colnames)


def _unique_detections(table, column):
    """A table of detections without repetitions and contradictions; other tables as they are."""
    if not is_detections(table, column):
        return table, []
    labeled = clean_detections(table, column)
    kept = labeled.table
    kept[column] = labeled.label
    kept.remove_column("xl_label")
    notes = [f"{reason}: {n} rows left out" for reason, n in labeled.dropped.items()]
    return kept, notes


def prepare_rows(table, column, *, model=None, minimum=(), spectra=None, log=None):
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
    spectra : str or path-like, optional
        Folder of spectra, or column with their paths. Rows without a usable
        spectrum are left out, so that all methods see the same rows.
    log : callable, optional

    Returns
    -------
    rows : LabeledRows
    notes : list of str
        What was left out, by name.
    """
    log = log or (lambda line: None)
    table, notes = _unique_detections(table, column)
    label, keep, more = _label_and_check(table, column, minimum)
    notes += more
    table, label = _kept(table, label, keep, notes)
    bins = None
    if spectra is not None:
        log(f"reading the spectra of {len(table)} rows")
        table, label, bins = _with_spectra(table, label, spectra, notes)
    if "xl_latent" not in table.colnames:
        from astro_xlatent.table.add_latents import add_latents

        log(f"enriching {len(table)} rows")
        table = add_latents(table, spectra, model=model, include=_HEAD_COLUMNS)
    latent = plain_floats(table["xl_latent"])
    usable = np.isfinite(latent).all(axis=1)
    if np.any(~usable):
        notes.append(f"{np.sum(~usable)} rows without latents (no usable data): left out")
    table, label = _kept(table, label, usable, notes)
    features, kind = _features(table, None if bins is None else bins[usable], notes)
    features["latents"] = latent[usable]
    field, grouping = _fields(table, notes)
    return LabeledRows(table, label, field, _sources(table), features, kind, grouping), notes


def _kept(table, label, keep, notes):
    """Some rows, of which there must be one."""
    if not keep.any():
        msg = "no row is left: " + "; ".join(notes)
        raise TableError(msg)
    return table[keep], label[keep]


def _with_spectra(table, label, spectra, notes):
    """Rows whose spectra can be read, and their bins."""
    from astro_xlatent.evaluate.pca import read_spectra

    bins, usable, reasons = read_spectra(table, spectra)
    if np.any(~usable):
        shown = "; ".join(reasons[:3]) or "no effective area"
        notes.append(f"{np.sum(~usable)} rows without a usable spectrum ({shown}): left out")
    table, label = _kept(table, label, usable, notes)
    return table, label, bins[usable]


def _fields(table, notes):
    """Fields to fold by; sources where there are too few fields."""
    field = SkyFields(plain_floats(table["ra"]), plain_floats(table["dec"])).field
    notes.append(f"{field.max() + 1} sky fields")
    if np.unique(field).size >= MIN_FIELDS:
        return field, "sky field"
    notes.append(
        f"only {np.unique(field).size} sky fields, fewer than {MIN_FIELDS}: "
        "folds and intervals are over sources"
    )
    return _sources(table), "source"


def _features(table, bins, notes):
    from astro_xlatent.evaluate.hardness import fluxes_of_spectra
    from astro_xlatent.evaluate.pca import spectrum_features

    found = {} if bins is None else {"spectrum": spectrum_features(bins)}
    try:
        fluxes = _band_fluxes(table)
    except (MissionError, TableError) as error:
        if bins is None:
            notes.append(f"no hardness baselines, the table has no band columns ({error})")
            return found, ""
        notes.append("the table has no band columns: hardness ratios are those of the spectra")
        fluxes = fluxes_of_spectra(bins)
    for name, values in baseline_features(table, fluxes).items():
        values, dropped = without_constant(values)
        if dropped:
            notes.append(f"{name}: {dropped} columns are constant or empty: left out")
        if values.shape[1]:
            found[name] = values
    return found, f"{fluxes.kind} "
