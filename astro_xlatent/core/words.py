# Licensed under a 3-clause BSD style license - see LICENSE
"""What was found in a source, as a sentence."""

import html
from collections.abc import Sequence

import numpy as np
from astropy.table import Row, Table

from astro_xlatent.core.columns import CLASSES
from astro_xlatent.core.errors import ParameterError, TableError
from astro_xlatent.core.flags import Flag, decode_flags
from astro_xlatent.core.numbers import plain_floats
from astro_xlatent.core.text import aligned, printable

__all__ = ["Description", "describe", "label_column", "number_text"]

# Columns that may hold a source's name, the best first.
_NAMES = ("name", "iauname", "source", "source_name", "object", "detuid", "file", "id")
_NEEDED = ("xl_class_prob", "xl_class_other", "xl_nh", "xl_nh_lolim", "xl_nh_hilim", "xl_nh_ul90", "xl_gof",
           "xl_flag")


def label_column(table: Table) -> str | None:
    """Column that names the sources: by its own name, else the first text, else None."""
    plain = [name for name in table.colnames if table[name].ndim == 1]
    lower = {name.lower(): name for name in reversed(plain)}
    texts = [name for name in plain if table[name].dtype.kind in "US" and not name.startswith("xl_")]
    return next((lower[name] for name in _NAMES if name in lower), texts[0] if texts else None)


def number_text(value: float) -> str:
    """Write a number as short as it can be read: 1.2e21; a dash for NaN."""
    return "-" if np.isnan(value) else f"{value:.2g}".replace("e+", "e")


class Description:
    """
    Sentences on some sources, to be printed or shown in a notebook: ``sentences`` are tuples of words, one a
    row, ``legend`` says what flags mean, ``note`` how many rows are not told.
    """

    def __init__(self, sentences, legend, note=""):
        self.sentences, self.legend, self.note = sentences, legend, note

    def __len__(self):
        return len(self.sentences)

    def __str__(self):
        lines = [aligned(self.sentences)] if self.sentences else ["no rows"]
        lines += [self.note] if self.note else []
        return printable("\n".join([*lines, *(f"{name}: {text}" for name, text in self.legend.items())]))

    __repr__ = __str__

    def _repr_html_(self):
        cell = "<td style='text-align:left'>{}</td>".format
        words = [[html.escape(printable(word)) for word in sentence] for sentence in self.sentences]
        body = "".join(f"<tr>{''.join(map(cell, row))}</tr>" for row in words or [["no rows"]])
        legend = "".join(f"<li><b>{name}</b>: {html.escape(text)}</li>" for name, text in self.legend.items())
        return f"<table>{body}</table>{html.escape(self.note)}<ul>{legend}</ul>"


def describe(table: Table | Row, names: str | Sequence[str] | None = None, *,
             max_rows: int | None = 50) -> Description:
    """
    Say in words what was found in the sources of an enriched table.

    Parameters
    ----------
    table : `~astropy.table.Table` or `~astropy.table.Row`
        With the columns that `~astro_xlatent.add_latents` makes.
    names : str or sequence of str, optional
        Column with the sources' names, or one name a row; by default the
        table's ``name`` or the like, else the row's number.
    max_rows : int, optional
        Of a longer table the first rows are told; None tells all.

    Returns
    -------
    description : Description
        A class stands with its probability among all nine, "other" included; where none has more than a half,
        the two likeliest are named. N_H stands with its 68 % interval, or as the 90 % upper limit where its
        flag says so; "gof" is ``xl_gof``, left out where it is masked. Other masked values are a dash.

    Raises
    ------
    TableError
        If the table has not been enriched, or the column of names is missing.
    ParameterError
        If ``names`` has another length than the table.

    Examples
    --------
    >>> from astro_xlatent import add_latents, describe
    >>> from astro_xlatent.simulate.catalog import simulate_catalog
    >>> table, truth = simulate_catalog(seed=1, n=2, mission="csc")
    >>> print(describe(add_latents(table)))
    SIM J...
    SIM J...
    BANDS_ONLY: band measurements of the catalog were used, no spectrum
    """
    table = table.table[[table.index]] if isinstance(table, Row) else table
    missing = [name for name in _NEEDED if name not in table.colnames]
    if missing:
        raise TableError(f"table lacks {', '.join(missing)}; make the columns with add_latents(table)")
    told = len(table) if max_rows is None else min(max_rows, len(table))
    part, labels = table[:told], _labels(table, names, told)
    values = {name: plain_floats(part[name]) for name in _NEEDED[:-1]}
    flags = [int(flag) for flag in np.ma.filled(np.ma.asarray(part["xl_flag"]), 0)]
    sentences = [
        (labels[i], _class_text(values["xl_class_prob"][i], values["xl_class_other"][i]),
         _nh_text([float(values[name][i]) for name in _NEEDED[2:6]], flags[i] & Flag.NH_UPPER_LIMIT),
         "" if np.isnan(values["xl_gof"][i]) else f"gof {number_text(values['xl_gof'][i])}",
         ", ".join(decode_flags(flags[i])))
        for i in range(told)]
    raised = int(np.bitwise_or.reduce(np.array(flags, np.int64)))
    note = f"... and {len(table) - told:,} rows more" if told < len(table) else ""
    legend = dict(zip(decode_flags(raised), decode_flags(raised, text=True), strict=True))
    return Description(sentences, legend, note)


def _labels(table, names, told):
    """Names of the rows that are told."""
    names = label_column(table) if names is None else names
    if names is None:
        return [f"row {i}" for i in range(told)]
    if isinstance(names, str):
        if names not in table.colnames:
            msg = f"names is {names!r}, which is no column; the table has {', '.join(table.colnames[:20])}"
            raise TableError(msg)
        names = table[names]
    if len(names) != len(table):
        raise ParameterError(f"names must hold one name for each of {len(table)} rows, got {len(names)}")
    return ["-" if name is np.ma.masked else str(name) for name in names[:told]]


def _class_text(given, other):
    """The class with its probability among all nine, or the two likeliest ones."""
    shares = np.append(given * (1 - other), other)
    if np.isnan(shares).any():
        return "-"
    best, second = (f"{(*CLASSES, 'other')[k]} ({shares[k]:.2f})" for k in np.argsort(-shares)[:2])
    return best if shares.max() > 0.5 else f"undecided: {best} or {second}"


def _nh_text(columns, is_limit):
    """The column density with its 68 % interval, or its 90 % upper limit."""
    value, low, high, limit = columns
    if is_limit:
        return f"N_H < {number_text(limit)} cm-2 (90 %)"
    if np.isnan(value):
        return "-"
    return f"N_H {number_text(value)} cm-2 ({number_text(low)} to {number_text(high)})"
