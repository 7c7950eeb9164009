# Licensed under a 3-clause BSD style license - see LICENSE
"""
An enriched table as one interactive HTML file.

The page is ``data/report.html``, plain JavaScript without any library;
this module fills in the data. Nothing is fetched when it is looked at.
"""

from __future__ import annotations

import base64
import json
import os
import warnings
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from astro_xlatent.core.columns import CLASSES, COLUMNS
from astro_xlatent.core.errors import ModelError, ParameterError, TableError
from astro_xlatent.core.flags import FLAGS
from astro_xlatent.plotting.axes import columns as plain_columns
from astro_xlatent.plotting.sky import sky_columns

if TYPE_CHECKING:
    from collections.abc import Sequence

    from astropy.table import Table

    from astro_xlatent.model.posterior import Model

__all__ = ["MAX_COLUMNS", "MAX_ROWS", "write_report"]

#: Rows that a report holds at most; of more, so many are drawn at random.
MAX_ROWS = 100_000
#: Columns of the user's own that a report holds at most, unless they are named.
MAX_COLUMNS = 40
# Points of the small spectra, keV, and decades that their bytes span.
_ENERGY, _DECADES = np.geomspace(0.3, 10.0, 33), 3.0
# Text columns with no more different values are stored by number.
_CATEGORIES = 250
# Columns that may hold a source's name, the best first.
_NAMES = ("name", "iauname", "source", "source_name", "object", "detuid", "file", "id")


def write_report(
    table: Table,
    path: str | os.PathLike,
    *,
    title: str | None = None,
    columns: Sequence[str] | None = None,
    model: str | Model | None = None,
    max_rows: int = MAX_ROWS,
    overwrite: bool = False,
) -> list[str]:
    """
    Write an enriched table as one interactive HTML file.

    Parameters
    ----------
    table : `~astropy.table.Table`
        Any number of rows. Without positions the page has no map of the sky,
        without latents none of the latent space, and says so.
    path : str or `~pathlib.Path`
        File to write.
    title : str, optional
        Heading of the page; the file's name if not given.
    columns : sequence of str, optional
        Columns to hold beside the package's own; by default the first
        `MAX_COLUMNS` with one value a row.
    model : str or `~astro_xlatent.model.posterior.Model`, optional
        Decodes the small spectra; by default the model that made the table.
    max_rows : int, optional
        Of a longer table so many rows are drawn at random, always the same ones.
    overwrite : bool, optional
        Whether an existing file may be replaced.

    Returns
    -------
    notes : list of str
        What was left out, also said on the page.

    Raises
    ------
    `~astro_xlatent.core.errors.TableError`
        If the file exists, or a column is not there.
    `~astro_xlatent.core.errors.ParameterError`
        If ``max_rows`` is below 1.
    """
    path = Path(path)
    if path.exists() and not overwrite:
        msg = f"{path}: the file exists; pass overwrite=True or choose another name"
        raise TableError(msg)
    if max_rows < 1:
        msg = f"max_rows must be 1 or more, got {max_rows}"
        raise ParameterError(msg)
    notes, rows = [], np.arange(len(table))
    if len(table) > max_rows:
        rows = np.sort(np.random.default_rng(0).choice(len(table), max_rows, replace=False))
        notes.append(f"{max_rows:,} of {len(table):,} rows, drawn at random")
    names = _choose(table, columns, notes)
    sky = sky_columns(table)
    spectra = _decoded(table, rows, model, notes)
    if not len(table):
        notes.append("the table has no rows")
    elif sky is None:
        notes.append("no positions (ra, dec in degrees), so no map of the sky")
    found = [{"name": "row", **_encode(rows)}]
    for name in names:
        found += _column(table, name, rows)
    payload = {
        "title": title or path.stem, "notes": notes, "rows": len(rows), "columns": found,
        "sky": list(sky or ()), "label": _label_column(table, names), "spectra": spectra,
        "flags": [[int(flag.value), flag.name, flag.text] for flag in FLAGS],
        "about": {key: str(value) for key, value in table.meta.items() if key.startswith("XL")},
    }
    page = files("astro_xlatent.plotting").joinpath("data", "report.html").read_text(encoding="utf-8")
    # "<" never appears in the data: no text in a table can end the script that holds them.
    data = json.dumps(payload, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
    temporary = path.with_name(f".{os.getpid()}-{path.name}")
    try:
        temporary.write_text(page.replace("@DATA@", data), encoding="utf-8")
        os.replace(temporary, path)
    except OSError as error:
        msg = f"{path}: cannot be written: {error.strerror}; choose another place"
        raise TableError(msg) from error
    finally:
        temporary.unlink(missing_ok=True)
    return notes


def _choose(table, wanted, notes):
    """Names of the columns to hold: positions and name first, the package's own, then others."""
    missing = [name for name in wanted or () if name not in table.colnames]
    if missing:
        msg = f"columns names {', '.join(missing)}, which the table lacks; it has {', '.join(table.colnames)}"
        raise TableError(msg)
    own = [name for name in table.colnames if name in COLUMNS or name.startswith(("xl_", "xm_"))]
    own = [name for name in own if table[name].ndim == 1 or name in ("xl_latent", "xl_class_prob")]
    others = [name for name in wanted or table.colnames
              if name not in own and table[name].ndim == 1 and table[name].dtype.kind in "biufUS"]
    label = _label_column(table, others)
    first = [name for name in (label, *(sky_columns(table) or ())) if name in table.colnames]
    others = [name for name in others if name not in first]
    if wanted is None and len(others) > MAX_COLUMNS:
        notes.append(f"{len(others) - MAX_COLUMNS} columns left out; name those to keep")
        others = others[:MAX_COLUMNS]
    return [*first, *own, *others]


def _label_column(table, names):
    """The column that names a source: by its name, else the first text column, else the row number."""
    lower = {name.lower(): name for name in reversed(names)}
    texts = [name for name in names if table[name].dtype.kind in "US" and not name.startswith("xl_")]
    return next((lower[name] for name in _NAMES if name in lower), texts[0] if texts else "row")


def _column(table, name, rows):
    """What the page holds of one column; a vector becomes a column for each element."""
    column = table[name]
    meta = getattr(column, "meta", None) or getattr(column.info, "meta", None) or {}
    info = {
        "unit": _unit_text(getattr(column, "unit", None)),
        "ucd": str(meta.get("ucd", "")),
        "description": str(column.info.description or ""),
    }
    part = table[name][rows]
    if column.ndim == 1:
        return [{"name": name, **info, **_encode(_values(part))}]
    elements = CLASSES if name == "xl_class_prob" else range(column.shape[1])
    (values,) = plain_columns(_one(name, part), name)
    return [{"name": f"{name}_{label}".replace("-", "_"), **info, "vector": True,
             **_encode(values[:, k].astype(np.float32))} for k, label in enumerate(elements)]


def _unit_text(unit):
    """A unit as VOTable spells it, or as it came where the standard has none."""
    from astropy.units import UnitsWarning

    with warnings.catch_warnings():
        # VOUnit deprecates erg, in which all X-ray catalogs are.
        warnings.simplefilter("ignore", UnitsWarning)
        try:
            return unit.to_string("vounit") if unit else ""
        except (ValueError, AttributeError):
            return str(unit)


def _one(name, column):
    from astropy.table import Table

    return Table([column], names=[name])


def _values(column):
    """Plain values: text, or numbers with NaN where masked; float32 stays what it is."""
    mask = np.asarray(getattr(column, "mask", False))
    plain = np.asarray(getattr(column, "unmasked", column))
    if plain.dtype.kind in "US":
        return np.where(
            mask, "", np.char.decode(plain, "utf-8", "replace") if plain.dtype.kind == "S" else plain
        )
    if mask.any() and plain.dtype.kind != "f":
        plain = plain.astype(float)
    if plain.dtype.kind in "iu" and plain.size and np.abs(plain.astype(float)).max() > 2**53:
        # Too long for a number of JavaScript's: kept digit by digit.
        return plain.astype(str)
    return np.where(mask, np.nan, plain) if mask.any() else plain


def _encode(values):
    """Values as base64 of little-endian numbers, text as lists or numbered categories."""
    if values.dtype.kind in "US":
        kinds, codes = np.unique(values, return_inverse=True)
        if len(kinds) <= _CATEGORIES:
            return {"kind": "category", "values": kinds.tolist(), "data": _base64(codes.astype("u1"))}
        return {"kind": "text", "data": values.tolist()}
    if values.dtype.kind == "f" and values.dtype.itemsize <= 4:
        return {"kind": "f4", "data": _base64(values.astype("<f4"))}
    if values.dtype.kind in "biu" and (not values.size or np.abs(values.astype(float)).max() < 2**31):
        return {"kind": "i4", "data": _base64(values.astype("<i4"))}
    return {"kind": "f8", "data": _base64(values.astype("<f8"))}


def _base64(values):
    return base64.b64encode(values.tobytes()).decode("ascii")


def _decoded(table, rows, model, notes):
    """Small spectra of all rows, a byte a point: the decades of E F(E) below its maximum."""
    if "xl_latent" not in table.colnames:
        notes.append("no latents: enrich the table first (astro-xlatent enrich) to see its latent space")
        return None
    from astro_xlatent.model.pretrained import load_model
    from astro_xlatent.physics.grid import ENERGY_MID, band_weights

    try:
        model = load_model(model or table.meta.get("XLMODEL")) if not hasattr(model, "decode") else model
    except ModelError as error:
        notes.append(f"no decoded spectra: {error}")
        return None
    space = table.meta.get("XLSPACE", model.latent_space)
    if space != model.latent_space:
        notes.append(
            f"no decoded spectra: the table's latents are of {space}, the model's of {model.latent_space}"
        )
        return None
    (latent,) = plain_columns(_one("xl_latent", table["xl_latent"][rows]), "xl_latent")
    good = np.flatnonzero(np.isfinite(latent).all(axis=1))
    weights = (band_weights(_ENERGY[:-1], _ENERGY[1:]) * ENERGY_MID**2).T / np.diff(_ENERGY)
    data = np.zeros((len(rows), len(_ENERGY) - 1), np.uint8)
    for start in range(0, len(good), 2048):
        part = good[start:start + 2048]
        shown = model.decode(latent[part]) @ weights.astype(np.float32)
        depth = -np.log10(np.maximum(shown / shown.max(axis=1, keepdims=True), 1e-9)) / _DECADES
        data[part] = np.round(255 * (1 - np.clip(depth, 0, 1)))
    energy = np.sqrt(_ENERGY[:-1] * _ENERGY[1:]).round(4).tolist()
    return {"energy": energy, "decades": _DECADES, "data": _base64(data)}
