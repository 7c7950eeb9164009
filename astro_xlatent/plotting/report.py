# Licensed under a 3-clause BSD style license - see LICENSE
"""An enriched table as one HTML file: ``data/report.html`` with Plotly and data in it; nothing is fetched."""

from __future__ import annotations

import base64
import json
import warnings
from importlib.resources import files
from typing import TYPE_CHECKING

import numpy as np

from astro_xlatent.core.columns import CLASSES
from astro_xlatent.core.errors import ModelError, ParameterError, TableError
from astro_xlatent.core.files import check_output, replacing
from astro_xlatent.core.flags import FLAGS
from astro_xlatent.core.numbers import plain_floats
from astro_xlatent.core.words import label_column
from astro_xlatent.plotting.axes import energy_flux
from astro_xlatent.plotting.sky import field_offsets, sky_columns, sky_degrees

if TYPE_CHECKING:
    import os
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


def write_report(table: Table, path: str | os.PathLike, *, title: str | None = None,
                 columns: Sequence[str] | None = None, model: str | Model | None = None,
                 max_rows: int = MAX_ROWS, overwrite: bool = False) -> list[str]:
    """
    Write an enriched table as one interactive HTML file.

    Parameters
    ----------
    table : `~astropy.table.Table`
        Any number of rows. Without positions or latents the page lacks those maps, and says so.
    path : str or `~pathlib.Path`
    title : str, optional
        Heading of the page; the file's name if not given.
    columns : sequence of str, optional
        Columns to hold beside the package's own; by default the first `MAX_COLUMNS` with one value a row.
    model : str or `~astro_xlatent.model.posterior.Model`, optional
        Decodes the small spectra; by default the model that made the table.
    max_rows : int, optional
        Of a longer table so many rows are drawn at random, always the same ones.
    overwrite : bool, optional

    Returns
    -------
    notes : list of str
        What was left out, also said on the page.

    Raises
    ------
    `~astro_xlatent.core.errors.TableError`, ImportError
        If the file exists, or a column is not there; if Plotly is missing.
    """
    plotly = _plotly()
    path = check_output(path, overwrite, error=TableError)
    if max_rows < 1:
        raise ParameterError(f"max_rows must be 1 or more, got {max_rows}")
    notes, rows = [], np.arange(len(table))
    if len(table) > max_rows:
        rows = np.sort(np.random.default_rng(0).choice(len(table), max_rows, replace=False))
        notes.append(f"{max_rows:,} of {len(table):,} rows, drawn at random")
    names = _choose(table, columns, notes)
    sky = sky_columns(table)
    spectra = _spectra(table, rows, model, notes)
    if not len(table):
        notes.append("the table has no rows")
    elif sky is None:
        notes.append("no positions (ra, dec in degrees), so no map of the sky")
    found = [{"name": "row", **_encode(rows)}]
    for name in names:
        found += _column(table, name, rows)
    payload = {
        "title": title or path.stem, "notes": notes, "rows": len(rows), "columns": found,
        "sky": sky and _sky(table, rows, sky), "label": label_column(table) or "row", "spectra": spectra,
        "start": _start(found, sky),
        "flags": [[int(flag.value), flag.name, flag.text] for flag in FLAGS],
        "about": {key: str(value) for key, value in table.meta.items() if key.startswith("XL")},
    }
    page = files("astro_xlatent.plotting").joinpath("data", "report.html").read_text(encoding="utf-8")
    # "<" never appears in the data: no text in a table can end the script that holds them.
    data = json.dumps(payload, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
    with replacing(path) as temporary:
        temporary.write_text(page.replace("@PLOTLY@", plotly).replace("@DATA@", data), encoding="utf-8")
    return notes


def _plotly():
    """The JavaScript of Plotly."""
    try:
        from plotly.offline import get_plotlyjs
    except ImportError as error:
        msg = 'the report needs plotly; install it with: pip install "astro_xlatent[plot]"'
        raise ImportError(msg) from error
    return get_plotlyjs()


def _choose(table, wanted, notes):
    """Names of the columns to hold: name and positions first, the package's own, then others."""
    missing = [name for name in wanted or () if name not in table.colnames]
    if missing:
        msg = f"columns names {', '.join(missing)}, which the table lacks; it has {', '.join(table.colnames)}"
        raise TableError(msg)
    first = [name for name in (label_column(table), *(sky_columns(table) or ())) if name]
    own = [name for name in table.colnames if name.startswith(("xl_", "xm_"))
           and (table[name].ndim == 1 or name in ("xl_latent", "xl_class_prob"))]
    others = [name for name in wanted or table.colnames if name not in {*first, *own}
              and table[name].ndim == 1 and table[name].dtype.kind in "biufUS"]
    if wanted is None and len(others) > MAX_COLUMNS:
        notes.append(f"{len(others) - MAX_COLUMNS} columns left out; name those to keep")
        others = others[:MAX_COLUMNS]
    return [*first, *own, *others]


def _start(found, sky):
    """Columns of color, x and y at first: class and latents, or whatever there is."""
    own = [c for c in found if c["name"] not in ("row", "xl_flag", *(sky or ()))] + found[:1]
    names = [c["name"] for c in own]
    numbers = [c["name"] for c in own if c["kind"] not in ("category", "text")]
    color = [c["name"] for c in own if c["kind"] != "text"]
    axes = ["xl_latent_0", "xl_latent_1"] if "xl_latent_0" in names else [numbers[0], numbers[:2][-1]]
    return ["xl_class" if "xl_class" in names else color[0], *axes]


def _sky(table, rows, names):
    """Places on the map of the sky, which is a plane or the whole sky, and what Plotly draws with them."""
    ra, dec = (degrees[rows] for degrees in sky_degrees(table, names))
    x, middle = field_offsets(ra, dec)
    layout = {"xaxis": {"autorange": "reversed"}, "yaxis": {"scaleanchor": "x"}}
    lines = []
    if middle is None:
        x, y = _hammer((ra + 180) % 360 - 180, dec)
        turn = np.linspace(-180, 180, 91)
        grid = [_hammer(np.full(91, lon), turn / 2) for lon in range(-180, 181, 60)]
        grid += [_hammer(turn, np.full(91, lat)) for lat in range(-60, 61, 30)]
        lines = [{"mode": "lines", "x": a.round(4).tolist(), "y": b.round(4).tolist()} for a, b in grid]
        layout["xaxis"] |= {"visible": False}
        layout["yaxis"] |= {"visible": False}
        layout["annotations"] = [
            {"x": float(_hammer(lon, 0)[0]), "y": 0, "text": f"{lon % 360}°", "showarrow": False, "yshift": 8}
            for lon in range(-120, 121, 60)]
    else:
        y = dec
        layout["xaxis"]["title"] = {"text": f"right ascension − {middle:.4f}° [degrees on the sky]"}
        layout["yaxis"]["title"] = {"text": "declination [deg]"}
    return {"x": _base64(x.astype("<f4")), "y": _base64(y.astype("<f4")), "lines": lines, "layout": layout}


def _hammer(lon, dec):
    """Degrees onto the plane: projection AIT (Hammer-Aitoff), Calabretta & Greisen 2002, A&A 395, 1077."""
    half, dec = np.radians(lon) / 2, np.radians(dec)
    scale = np.sqrt(2 / (1 + np.cos(dec) * np.cos(half)))
    return 2 * scale * np.cos(dec) * np.sin(half), scale * np.sin(dec)


def _column(table, name, rows):
    """What the page holds of one column; a vector becomes a column for each element."""
    column, part = table[name], table[name][rows]
    info = {"unit": _unit_text(getattr(column, "unit", None)),
            "ucd": str((column.info.meta or {}).get("ucd", "")),
            "description": str(column.info.description or "")}
    if column.ndim == 1:
        return [{"name": name, **info, **_encode(_values(part))}]
    elements = CLASSES if name == "xl_class_prob" else range(column.shape[1])
    values = plain_floats(part).astype(np.float32)
    return [{"name": f"{name}_{label}".replace("-", "_"), **info, "vector": True, **_encode(values[:, k])}
            for k, label in enumerate(elements)]


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


def _values(column):
    """Plain values: text, or numbers with NaN where masked; float32 stays what it is."""
    mask = np.asarray(getattr(column, "mask", False))
    plain = np.asarray(getattr(column, "unmasked", column))
    if plain.dtype.kind == "S":
        plain = np.char.decode(plain, "utf-8", "replace")
    if plain.dtype.kind == "U":
        return np.where(mask, "", plain)
    if mask.any():
        return np.where(mask, np.nan, plain if plain.dtype.kind == "f" else plain.astype(float))
    if plain.dtype.kind in "iu" and plain.size and np.abs(plain.astype(float)).max() > 2**53:
        # Too long for a number of JavaScript's: kept digit by digit.
        return plain.astype(str)
    return plain


def _encode(values):
    """Values as base64 of little-endian numbers, text as lists or numbered categories."""
    if values.dtype.kind == "U":
        kinds, codes = np.unique(values, return_inverse=True)
        if len(kinds) <= _CATEGORIES:
            return {"kind": "category", "values": kinds.tolist(), "data": _base64(codes.astype("u1"))}
        return {"kind": "text", "data": values.tolist()}
    if values.dtype.kind == "f":
        kind = "f4" if values.dtype.itemsize <= 4 else "f8"
    else:
        kind = "f8" if values.size and np.abs(values.astype(float)).max() >= 2**31 else "i4"
    return {"kind": kind, "data": _base64(values.astype(f"<{kind}"))}


def _base64(values):
    return base64.b64encode(values.tobytes()).decode("ascii")


def _spectra(table, rows, model, notes):
    """Small spectra of all rows, a byte a point: the decades of E F(E) below its maximum."""
    if "xl_latent" not in table.colnames:
        notes.append("no latents: enrich the table first (astro-xlatent enrich) to see its latent space")
        return None
    from astro_xlatent.model.pretrained import load_model

    try:
        model = model if hasattr(model, "decode") else load_model(model or table.meta.get("XLMODEL"))
    except ModelError as error:
        notes.append(f"no decoded spectra: {error}")
        return None
    space = table.meta.get("XLSPACE", model.latent_space)
    if space != model.latent_space:
        notes.append(
            f"no decoded spectra: the table's latents are of {space}, the model's of {model.latent_space}")
        return None
    latent = plain_floats(table["xl_latent"][rows])
    good = np.flatnonzero(np.isfinite(latent).all(axis=1))
    data = np.zeros((len(rows), len(_ENERGY) - 1), np.uint8)
    for part in np.array_split(good, len(good) // 2048 + 1):
        shown = energy_flux(model.decode(latent[part]), _ENERGY)
        depth = -np.log10(np.maximum(shown / shown.max(axis=1, keepdims=True), 1e-9)) / _DECADES
        data[part] = np.round(255 * (1 - np.clip(depth, 0, 1)))
    energy = np.sqrt(_ENERGY[:-1] * _ENERGY[1:]).round(4).tolist()
    return {"energy": energy, "decades": _DECADES, "data": _base64(data)}
