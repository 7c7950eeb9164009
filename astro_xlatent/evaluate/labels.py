# Licensed under a 3-clause BSD style license - see LICENSE
"""
Real sources with a class from the literature.

The catalog's rows are kept and get ``xl_label``; what is dropped is counted
and said.
"""

from dataclasses import dataclass, field

import numpy as np
from astropy.coordinates import angular_separation
from astropy.table import Table

from astro_xlatent.core.columns import CLASSES
from astro_xlatent.core.errors import TableError
from astro_xlatent.core.numbers import plain_floats

__all__ = ["SOURCE_CLASSES", "Labeled", "clean_detections"]

#: Name in the samples -> class.
SOURCE_CLASSES = {name: name for name in CLASSES} | {"NS_BIN": "LMXB"}

# Labels of one detection that say the same thing; every other combination is a contradiction.
_DETECTION_CLASSES = {
    frozenset({"CV"}): "CV",
    frozenset({"CV", "CV_or_nova"}): "CV",
    frozenset({"CV_or_nova"}): "CV",
    frozenset({"LMXB"}): "LMXB",
    frozenset({"LMXB_NS"}): "LMXB",
    frozenset({"LMXB_BH"}): "LMXB",
    frozenset({"LMXB", "LMXB_NS"}): "LMXB",
    frozenset({"LMXB", "LMXB_BH"}): "LMXB",
    frozenset({"PULSAR"}): "NS",
}
_DETECTION_KEY = ("obsid", "obi", "region_id")
# Optical novae of M31 lie in its crowded bulge, most X-ray counterparts are chance or supersoft.
_M31 = (10.6847, 41.2688, 1.5)


@dataclass
class Labeled:
    """
    Rows with a class.

    Attributes
    ----------
    table : Table
        The catalog's columns and ``xl_label`` (class name).
    dropped : dict of int
        Number of rows dropped, by reason.
    """

    table: Table
    dropped: dict = field(default_factory=dict)

    @property
    def label(self):
        """Class of every row, ndarray of str."""
        return np.asarray(self.table["xl_label"]).astype(str)

    def column(self, name):
        """
        One column as float64 with NaN where it is masked.

        Parameters
        ----------
        name : str

        Returns
        -------
        values : ndarray, shape (n,)
        """
        return plain_floats(self.table[name])

    def keep(self, mask, reason):
        """
        Keep some rows, counting the others under ``reason``.

        Parameters
        ----------
        mask : ndarray of bool, shape (n,)
        reason : str

        Returns
        -------
        labeled : Labeled
        """
        gone = int(len(self.table) - np.count_nonzero(mask))
        dropped = self.dropped | ({reason: self.dropped.get(reason, 0) + gone} if gone else {})
        return Labeled(self.table[np.asarray(mask, bool)], dropped)


def clean_detections(table, column):
    """
    One row per detection, with a label that nothing contradicts.

    Parameters
    ----------
    table : `~astropy.table.Table`
        One row for every detection and catalog entry near it, with
        ``obsid``, ``obi``, ``region_id``, ``ra`` and ``dec``.
    column : str
        Column with labels.

    Returns
    -------
    labeled : Labeled
        The reasons in ``dropped``: detection repeated, labels contradict,
        nova near M31, no label.

    Raises
    ------
    TableError
        If ``table`` has no key columns.
    """
    missing = [name for name in (*_DETECTION_KEY, "ra", "dec", column) if name not in table.colnames]
    if missing:
        found = ", ".join(table.colnames[:12])
        msg = f"a table of detections needs {', '.join(missing)}; it has {found}, ..."
        raise TableError(msg)
    labels, first = _labels_of_detections(table, column)
    joined = [labels[key] for key in _keys(table)]
    table = table.copy(copy_data=False)
    table["xl_label"] = np.array([_joint_label(names) for names in joined], dtype="<U32")
    out = Labeled(table)
    position = np.radians([out.column("ra"), out.column("dec")])
    separation = np.degrees(angular_separation(*position, *np.radians(_M31[:2])))
    nova = np.array([names == frozenset({"CV_or_nova"}) for names in joined], bool)
    table["_drop"] = nova & (separation < _M31[2])
    table["_none"] = np.array([not names for names in joined], bool)
    out = out.keep(first, "detection repeated")
    out = out.keep(~np.asarray(out.table["_none"]), "no label")
    out = out.keep(np.asarray(out.table["xl_label"]) != "", "labels contradict")
    out = out.keep(~np.asarray(out.table["_drop"]), "nova near M31")
    out.table.remove_columns(["_drop", "_none"])
    return out


def _joint_label(names):
    """What the labels of one detection say together; empty if they contradict one another."""
    if names in _DETECTION_CLASSES:
        return _DETECTION_CLASSES[names]
    known = {SOURCE_CLASSES.get(name, name) for name in names}
    return known.pop() if len(known) == 1 else ""


def _keys(table):
    """What names a detection; a row whose key is not complete stands alone."""
    keys = zip(*(table[name].tolist() for name in _DETECTION_KEY), strict=True)
    return [(number,) if None in key else key for number, key in enumerate(keys)]


def _labels_of_detections(table, column):
    """All labels of each detection, and the mask of first occurrences."""
    labels, first = {}, np.zeros(len(table), bool)
    values = np.ma.filled(np.ma.asarray(table[column]).astype(str), "").astype(str)
    for number, (key, value) in enumerate(zip(_keys(table), values.tolist(), strict=True)):
        first[number] = key not in labels
        labels[key] = labels.get(key, frozenset()) | ({value.strip()} - {""})
    return labels, first
