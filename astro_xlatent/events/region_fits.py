# Licensed under a 3-clause BSD style license - see LICENSE
"""
FITS region tables as shapes of the ``regions`` package.

``regions`` itself reads neither components (shapes of one component are
intersected, components united) nor the vectors and extension names of the
Chandra Source Catalog's ``reg3`` files.

References
----------
McDowell J., Rots A., 1998, "FITS REGION Binary Table Design", ASC-FITS-REGION-1.0.
"""

from pathlib import Path
from types import ModuleType

import numpy as np
from astropy.wcs import WCS

from astro_xlatent.core.errors import RegionError
from astro_xlatent.events.column_wcs import column_wcs
from astro_xlatent.spectra._fits import parse_tables

__all__ = ["import_regions", "read_fits_region"]

#: Extensions to prefer where a file has several, by what the region is for.
_PREFERRED = {"source": ("SRCREG", "ECF90REGB", "ECF90REGW"), "background": ("BKGREG",)}


def import_regions() -> ModuleType:
    """The ``regions`` package, or an ImportError with the remedy."""
    try:
        import regions
    except ImportError as error:
        msg = 'regions need the regions package: pip install "astro_xlatent[archive]"'
        raise ImportError(msg) from error
    return regions


def read_fits_region(data: bytes, path: Path, extension: str | None,
                     purpose: str) -> tuple[list, str, WCS | None]:
    """
    Components, name and world coordinates of a region table in the bytes of a file.

    ``extension`` says which to take; else ``purpose`` which to prefer, see `_PREFERRED`.
    Pixels begin at 0, as in ``regions``, where those of the file begin at 1.
    """
    tables = [t for t in parse_tables(data, path, RegionError) if "SHAPE" in t.columns]
    table = _choose_table(tables, path, extension, purpose)
    x_name, y_name = _axes(table)
    if not table.n_rows:
        table.fail("no shape; the region is empty")
    arrays = {name: _vectors(table, name) for name in (x_name, y_name, "R", "ROTANG")}
    component = _vectors(table, "COMPONENT")
    groups: dict = {}
    for row, kind in enumerate(table.text("SHAPE")):
        values = [arrays[name][row] for name in (x_name, y_name, "R", "ROTANG")]
        number = component[row][0] if len(component[row]) else row
        item = (_shape(table, kind.lstrip("!").lower(), *values), not kind.startswith("!"))
        groups.setdefault(number, []).append(item)
    for members in groups.values():
        if not any(included for _, included in members):
            table.fail("a component has only excluded shapes, so that its area has no bounds; add the field "
                       "of view as an included shape")
    wcs = column_wcs(table, x_name, y_name)
    return list(groups.values()), f"{path}[{table.name}]", wcs


def _choose_table(tables, path, extension, purpose):
    names = ", ".join(t.name or "(unnamed)" for t in tables)
    if extension is not None:
        tables = [t for t in tables if t.name == extension]
    elif len(tables) > 1:
        preferred = [t for name in _PREFERRED.get(purpose, ()) for t in tables if t.name == name]
        tables = preferred[:1] or tables
    if len(tables) == 1:
        return tables[0]
    wanted = f"no region extension {extension}" if extension else (
        "several region extensions" if tables else "no region extension (a table with a column SHAPE)")
    msg = f"{path}: {wanted}; regions in it: {names or 'none'}. " + (
        f"Name one as {Path(path).name}[NAME]" if names else "Give a DS9, CRTF or FITS region file")
    raise RegionError(msg)


def _axes(table):
    """Names of the two coordinate columns (MFORM1 tells, else X and Y)."""
    named = [part.strip().upper() for part in table.header.text("MFORM1").split(",")]
    for pair in (named, ["X", "Y"]):
        if len(pair) == 2 and all(name in table.columns for name in pair) and pair[0] in ("X", "SKYX"):
            return pair
    table.fail(f"columns X and Y in sky pixels are needed, it has {', '.join(table.columns)}")


def _vectors(table, name):
    """A column as one float array a row; empty arrays where there is no such column."""
    if name not in table.columns:
        return [np.zeros(0)] * table.n_rows
    if table.is_ragged(name):
        flat, lengths = table.ragged(name)
        return np.split(flat.astype(float), np.cumsum(lengths)[:-1])
    return list(np.asarray(table.column(name), float).reshape(table.n_rows, -1))


def _shape(table, kind, x, y, r, angle):
    """A shape of ``regions``, whose pixels begin at 0, from one row, where they begin at 1."""
    import astropy.units as u

    regions = import_regions()
    x, y = x - 1, y - 1
    angle = (angle[0] if len(angle) else 0.0) * u.deg
    try:
        if kind == "polygon":
            return regions.PolygonPixelRegion(_vertices(x, y))
        if kind in ("rectangle", "rotrectangle"):
            middle = regions.PixCoord(0.5 * (x[0] + x[1]), 0.5 * (y[0] + y[1]))
            return regions.RectanglePixelRegion(middle, abs(x[1] - x[0]), abs(y[1] - y[0]), angle)
        center = regions.PixCoord(float(x[0]), float(y[0]))
        if kind in ("box", "rotbox"):
            return regions.RectanglePixelRegion(center, r[0], r[1], angle)
        if kind == "circle":
            return regions.CirclePixelRegion(center, r[0])
        if kind == "ellipse":
            return regions.EllipsePixelRegion(center, 2 * r[0], 2 * r[1], angle)
        if kind == "annulus":
            return regions.CircleAnnulusPixelRegion(center, r[0], r[1])
    except (IndexError, ValueError, TypeError) as error:
        table.fail(f"a shape {kind!r} cannot be made from X {x + 1}, Y {y + 1}, R {r}: {error}")
    return table.fail(f"shape {kind!r} is not supported; circle, ellipse, box, rotbox, rectangle, "
                      "rotrectangle, annulus and polygon are")


def _vertices(x, y):
    """Corners without what fills the vector up: NaN, zeros, repetitions of the last."""
    from regions import PixCoord

    used = np.isfinite(x) & np.isfinite(y) & ~((x == -1) & (y == -1))
    x, y = x[used], y[used]
    new = np.concatenate([[True], (np.diff(x) != 0) | (np.diff(y) != 0)]) if len(x) else used[:0]
    x, y = x[new], y[new]
    if len(x) > 1 and x[0] == x[-1] and y[0] == y[-1]:
        x, y = x[:-1], y[:-1]
    if len(x) < 3:
        msg = "a polygon needs three corners"
        raise ValueError(msg)
    return PixCoord(x, y)
