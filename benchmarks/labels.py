# Licensed under a 3-clause BSD style license - see LICENSE
"""
The labeled samples that models are judged with.

`load_sources` reads the sample of classified CSC sources (MUWCLASS training
set, Yang et al. 2022, ApJ 941, 104; VizieR J/ApJ/941/104), `load_detections`
the CSC detections near cataloged compact objects.
"""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from astropy.coordinates import angular_separation
from astropy.table import Table

from astro_xlatent.core.columns import CLASSES
from astro_xlatent.core.errors import TableError
from astro_xlatent.core.numbers import plain_floats
from astro_xlatent.evaluate.rows import ALIASES, words_of

__all__ = ["BANDS", "Labeled", "clean_detections", "load_detections", "load_sources"]

#: Bands with measurements in both files.
BANDS = ("s", "m", "h")
# Name in the sample of sources -> class.
_SOURCE_CLASSES = {name: name for name in CLASSES} | {"NS_BIN": "LMXB"}
_KEY = ("obsid", "obi", "region_id")
# Optical novae of M31 lie in its crowded bulge, most X-ray counterparts are chance or supersoft.
_M31 = (10.6847, 41.2688, 1.5)


@dataclass
class Labeled:
    """Rows with a class: ``table`` holds it in ``xl_label``, ``dropped`` counts rows left out by reason."""

    table: Table
    dropped: dict = field(default_factory=dict)

    @property
    def label(self):
        """Class of every row, ndarray of str."""
        return np.asarray(self.table["xl_label"]).astype(str)

    def column(self, name):
        """One column as float64 with NaN where it is masked."""
        return plain_floats(self.table[name])

    def keep(self, mask, reason):
        """Keep some rows, counting the others under ``reason``."""
        gone = int(len(self.table) - np.count_nonzero(mask))
        dropped = self.dropped | ({reason: self.dropped.get(reason, 0) + gone} if gone else {})
        return Labeled(self.table[np.asarray(mask, bool)], dropped)


def _read(path, needed):
    path = Path(path)
    if not path.is_file():
        msg = f"{path} is not a file; give the path of the labeled sample (CSV, may end in .gz)"
        raise TableError(msg)
    table = Table.read(path, format="ascii.csv")
    missing = [name for name in needed if name not in table.colnames]
    if missing:
        found = ", ".join(table.colnames[:12])
        msg = f"{path.name} lacks the columns {', '.join(missing)}; it has {found}, ..."
        raise TableError(msg)
    return table


def load_sources(path):
    """
    Read the classified CSC sources, one row a source.

    Parameters
    ----------
    path : path-like
        ``csc2_labelled_sources.csv``.

    Returns
    -------
    labeled : Labeled
        ``NS_BIN`` counts as LMXB. Rows of other classes, repeated names, and
        rows without the band fluxes ``flux_aper90_ave_*`` are dropped.

    Raises
    ------
    TableError
        If the file is missing or lacks columns.
    """
    fluxes = [f"{prefix}flux_aper90_ave_{band}" for prefix in ("", "e_") for band in BANDS]
    table = _read(path, ["name", "ra", "dec", "class_label", "significance", "nh_gal", *fluxes])
    names = [_SOURCE_CLASSES.get(str(value), "") for value in table["class_label"]]
    table["xl_label"] = np.array(names, dtype="<U8")
    out = Labeled(table).keep(np.array(names) != "", "class not used")
    first = np.zeros(len(out.table), bool)
    first[np.unique(np.asarray(out.table["name"]).astype(str), return_index=True)[1]] = True
    out = out.keep(first, "name repeated")
    usable = np.all([np.isfinite(out.column(name)) for name in fluxes], axis=0)
    errors = np.all([out.column(name) > 0 for name in fluxes[len(BANDS) :]], axis=0)
    return out.keep(usable & errors, "band flux missing")


def load_detections(path):
    """
    Read the detections near compact objects, one row a detection.

    Parameters
    ----------
    path : path-like
        ``csc2_labelled_detections.csv.gz``.

    Returns
    -------
    labeled : Labeled
        Unique in (obsid, obi, region_id). Detections whose labels contradict
        one another (CV with LMXB_NS, LMXB_BH with PULSAR, ...) and novae
        within 1.5 degrees of M31 are dropped.

    Raises
    ------
    TableError
        If the file is missing or lacks columns.
    """
    needed = ["class_label", "ra", "dec", "obsid", "obi", "region_id", "src_cnts_aper_s"]
    table, dropped = clean_detections(_read(path, needed), "class_label")
    table["xl_label"] = table["class_label"]
    return Labeled(table, dropped)


def clean_detections(table, column):
    """
    One row per detection, with a label that nothing contradicts, and the rows left out, by reason.

    The table has a row for every detection and catalog entry near it, with ``obsid``,
    ``obi``, ``region_id``, ``ra`` and ``dec``.
    """
    # A row whose key is not complete stands alone.
    keys = [(number,) if None in key else key for number, key in
            enumerate(zip(*(table[name].tolist() for name in _KEY), strict=True))]
    names, first = {}, np.zeros(len(table), bool)
    for number, (key, word) in enumerate(zip(keys, words_of(table, column).tolist(), strict=True)):
        first[number] = key not in names
        names[key] = names.get(key, frozenset()) | ({word} - {""})
    label = np.array([_joint_label(names[key]) for key in keys], dtype="<U32")
    position = np.radians([plain_floats(table["ra"]), plain_floats(table["dec"])])
    near = np.degrees(angular_separation(*position, *np.radians(_M31[:2]))) < _M31[2]
    keep, dropped = np.ones(len(table), bool), {}
    for reason, gone in (
        ("detection repeated", ~first),
        ("no label", np.array([not names[key] for key in keys], bool)),
        ("labels contradict", label == ""),
        ("nova near M31", near & np.array([names[key] == {"CV_or_nova"} for key in keys], bool)),
    ):
        dropped |= {reason: int(np.sum(keep & gone))} if np.any(keep & gone) else {}
        keep &= ~gone
    kept = table[keep]
    kept[column] = label[keep]
    return kept, dropped


def _joint_label(names):
    """What the labels of one detection say together; empty if they contradict one another."""
    if {"LMXB_NS", "LMXB_BH"} <= names:
        return ""
    known = {"CV" if name == "CV_or_nova" else ALIASES.get(name, name) for name in names}
    return known.pop() if len(known) == 1 else ""
