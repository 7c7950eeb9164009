# Licensed under a 3-clause BSD style license - see LICENSE
"""
Labeled rows made ready for evaluation: labels, sky fields, features.
"""

from dataclasses import dataclass

import numpy as np
from astropy.coordinates import SkyCoord

from astro_xlatent.compare.fields import SkyFields
from astro_xlatent.core.errors import MissionError, TableError
from astro_xlatent.core.numbers import plain_floats
from astro_xlatent.evaluate.hardness import band_fluxes, fluxes_of_spectra, hardness_ratios
from astro_xlatent.evaluate.labels import clean_detections, is_detections, read_labels, words_of
from astro_xlatent.evaluate.pca import read_spectra, spectrum_features
from astro_xlatent.missions.base import identify_mission

__all__ = ["LabeledRows", "prepare_rows"]

#: With fewer sky fields, folds and bootstrap are over sources.
MIN_FIELDS = 10
# Columns that the heads' answers are read from, optional in enriched tables.
_HEAD_COLUMNS = ("xl_photon_index", "xl_kt")
#: Columns of the catalog's own spectral fits, as the CSC and the labeled samples name them.
FIT_COLUMNS = ("powlaw_nh", "powlaw_gamma", "powlaw_stat", "bb_kt", "bb_nh", "brems_kt", "brems_nh",
               "apec_kt", "apec_nh", "powlaw_nh_mean", "powlaw_gamma_mean")


@dataclass
class LabeledRows:
    """
    Enriched rows with classes, sky fields and features.

    ``features`` holds those of `_baseline_features` and ``"latents"``, (n, k) each; ``hardness``
    is the kind of the hardness ratios; ``field`` numbers sources instead of sky fields
    where ``grouping`` says so.
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


def _sources(table):
    """Number of the source of every row, by name or position."""
    if "name" in table.colnames:
        key = words_of(table, "name")
    else:
        key = np.round(np.stack([plain_floats(table["ra"]), plain_floats(table["dec"])], axis=1), 4)
    return np.unique(key, axis=0, return_inverse=True)[1].ravel()


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


def prepare_rows(table, column, *, model=None, minimum=(), spectra=None, log=None):
    """
    Label, enrich and describe the rows of a table; gives `LabeledRows`, and notes on what was left out.

    Arguments are those of `~astro_xlatent.evaluate.real.evaluate_table`. Rows without a
    usable spectrum are left out where ``spectra`` are given, so that all methods see
    the same rows.
    """
    log = log or (lambda line: None)
    notes = []
    if is_detections(table, column):
        table, dropped = clean_detections(table, column)
        notes = [f"{reason}: {n} rows left out" for reason, n in dropped.items()]
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


def _by_kind(values, energy):
    """Columns of their own for rows of either kind of flux."""
    parts = [np.where(which[:, None], values, np.nan) for which in (energy, ~energy) if which.any()]
    return np.concatenate(parts, axis=1)


def _position_features(table):
    """
    What the position on the sky tells: ``"nh_gal"`` (log) where the column is there, and ``"latitude"``: |b|
    and |l|.
    """
    features = {}
    if "nh_gal" in table.colnames:
        with np.errstate(invalid="ignore", divide="ignore"):
            features["nh_gal"] = np.log10(plain_floats(table["nh_gal"]))[:, None]
    ra, dec = plain_floats(table["ra"]), plain_floats(table["dec"])
    known = np.isfinite(ra) & np.isfinite(dec)
    galactic = np.full((len(table), 2), np.nan)
    sky = SkyCoord(ra[known], dec[known], unit="deg").galactic
    galactic[known] = np.abs(np.stack([sky.b.deg, sky.l.wrap_at("180d").deg], axis=1))
    features["latitude"] = galactic
    return features


def _baseline_features(table, fluxes):
    """
    Feature sets (n, k) of the baselines, NaN where unknown, infinities included.

    ``"hardness"`` and ``"flux"`` of the rows' `~astro_xlatent.evaluate.hardness.BandFluxes`,
    and where the table has the columns ``"nh_gal"``, ``"latitude"`` and ``"catalog fits"``.
    """
    energy = np.asarray(fluxes.energy, bool)
    with np.errstate(invalid="ignore", divide="ignore"):
        total = np.log10(np.nansum(fluxes.flux, axis=1))[:, None]
    features = {"hardness": _by_kind(hardness_ratios(fluxes.flux), energy), "flux": _by_kind(total, energy)}
    if {"ra", "dec"} <= set(table.colnames):
        features |= _position_features(table)
    fits = [plain_floats(table[name]) for name in FIT_COLUMNS if name in table.colnames]
    if fits:
        features["catalog fits"] = np.stack(fits, axis=1)
    return {name: np.where(np.isfinite(values), values, np.nan) for name, values in features.items()}


def _without_constant(features):
    """Columns with at least two different known values, and how many others went."""
    with np.errstate(invalid="ignore"):
        known = [column[np.isfinite(column)] for column in features.T]
    useful = np.array([c.size > 1 and c.min() < c.max() for c in known], bool)
    return features[:, useful], int(np.sum(~useful))


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
        values, dropped = _without_constant(values)
        if dropped:
            notes.append(f"{name}: {dropped} columns are constant or empty: left out")
        if values.shape[1]:
            found[name] = values
    return found, f"{fluxes.kind} "
