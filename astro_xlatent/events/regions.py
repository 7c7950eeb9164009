# Licensed under a 3-clause BSD style license - see LICENSE
"""Region files of DS9, CIAO, CRTF and FITS, as sums and products of shapes of the ``regions`` package."""

import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from astropy import units as u
from astropy.wcs import WCS

from astro_xlatent.core.errors import RegionError, XlatentWarning
from astro_xlatent.events.column_wcs import column_wcs
from astro_xlatent.spectra._fits import load_bytes, parse_tables, split_extension

__all__ = ["RegionSet", "read_region"]

_MAX_TEXT = 8 * 1024**2
_MAX_SHAPES = 20_000
# Pixels, arcseconds or degrees.
_LARGEST = 1e9
_FRAME = re.compile(r"(^|;)([ \t]*)physical\b", re.IGNORECASE | re.MULTILINE)
_ROTATED = re.compile(r"^([ \t]*[+-]?)rotbox\b", re.IGNORECASE | re.MULTILINE)
_NO_ANGLE = re.compile(r"(\bbox\s*\([^(),]+(?:,[^(),]+){3})\)", re.IGNORECASE)
# Runs of blanks are taken whole: a damaged file may be one line of them.
_ANY_FRAME = re.compile(r"(^|;)[ \t]*+(image|physical|icrs|fk[45]|[jb](?:2000|1950)|galactic|ecliptic|wcs\w?|"
                        r"linear|amplifier|detector|tile)\b", re.IGNORECASE | re.MULTILINE)
_SHAPE = re.compile(r"(?:([&*+|-])\s*+)?(?:(!)\s*+)?((?<![a-z])[a-z]++[ \t]*+\([^()]*\))", re.IGNORECASE)
# Hours and degrees, 0:40:00 or 10.2d.
_ON_SKY = re.compile(r"\([^()]*?(?:\d:\d|\dd\b)", re.IGNORECASE)
_JOINED = re.compile(r"\)[ \t]*+[&*!+|-][ \t]*+!?[ \t]*+[a-z]++[ \t]*+\(", re.IGNORECASE)
#: Extensions to prefer where a file has several, by what the region is for.
_PREFERRED = {"source": ("SRCREG", "ECF90REGB", "ECF90REGW"), "background": ("BKGREG",)}


@dataclass
class RegionSet:
    """
    A region: the union of components, each an intersection of shapes.

    Attributes
    ----------
    components : list of list of (regions.Region, bool)
        Shape, and whether to be inside of it or outside.
    name : str
        File, for messages.
    wcs : `~astropy.wcs.WCS` or None
        World coordinates of pixel shapes, where the file tells.
    """

    components: list
    name: str
    wcs: Any = None

    @property
    def shapes(self) -> list:
        """All shapes, of whatever component and sign."""
        return [shape for component in self.components for shape, _ in component]

    def map(self, change: Callable) -> list:
        """The components with every shape changed, once each."""
        made = {key: change(shape) for key, shape in {id(shape): shape for shape in self.shapes}.items()}
        return [[(made[id(shape)], sign) for shape, sign in component] for component in self.components]


def read_region(region: Any, purpose: str = "source") -> RegionSet:
    """
    Read a region from a file, or take one of the ``regions`` package.

    Parameters
    ----------
    region : str, path-like, regions.Region, regions.Regions, sequence of these, or RegionSet
        A DS9, CIAO, CRTF or FITS file, told apart by content. ``file.fits[NAME]`` chooses an extension. A
        shape marked as excluded (``-circle(...)``) is taken out of every included one.
    purpose : {'source', 'background', 'field'}, optional
        Which extension to take from a FITS file with several.

    Returns
    -------
    region : RegionSet

    Raises
    ------
    RegionError, ImportError
        If the file is missing, of another format or without an included shape; if ``regions`` is not there.
    """
    if isinstance(region, RegionSet):
        return region
    regions = _regions_package()
    if isinstance(region, (str, PathLike)):
        path, extension = split_extension(region)
        data = load_bytes(path, RegionError)
        if data[:9] == b"SIMPLE  =":
            result = RegionSet(*_read_fits(data, path, extension or None, purpose))
            _check_shapes(result.shapes, result.name)
            return result
        shapes, components = _read_text(data, path)
        return _from_shapes(shapes, components, str(path))
    try:
        shapes = [region] if isinstance(region, regions.Region) else list(region)
    except TypeError:
        shapes = [region]
    if not all(isinstance(shape, regions.Region) for shape in shapes):
        msg = (f"region is a {type(region).__name__}; give the path of a DS9, CRTF or FITS region file, or "
               "a Region or Regions object of the regions package")
        raise RegionError(msg)
    return _from_shapes(shapes, [], "region")


def _from_shapes(shapes, components, name):
    """DS9's logic: within any included shape or component, and without all excluded ones."""
    regions = _regions_package()
    shapes = [shape for shape in shapes
              if not isinstance(shape, (regions.TextSkyRegion, regions.TextPixelRegion))]
    _check_shapes(shapes + [shape for component in components for shape, _ in component], name)
    signed = [(_unsigned(shape), bool(shape.meta.get("include", True))) for shape in shapes]
    minus = [item for item in signed if not item[1]]
    plus = [[item] for item in signed if item[1]] + components
    if not plus:
        what = f"{len(minus)} excluded shapes only" if minus else "no shape"
        raise RegionError(f"{name}: {what}; a region needs at least one included shape, such as circle(...)")
    return RegionSet([[*component, *minus] for component in plus], name)


def _unsigned(shape):
    """A copy without its sign, by which ``regions`` before 0.12 inverts ``contains``."""
    copy = shape.copy()
    copy.meta.pop("include", None)
    return copy


def _check_shapes(shapes, name):
    if len(shapes) > _MAX_SHAPES:
        raise RegionError(f"{name}: {len(shapes)} shapes; at most {_MAX_SHAPES} are allowed")
    for shape in shapes:
        kind = type(shape).__name__
        if re.match("Point|Line|.*(Range|WholeSky|Lune)", kind):
            msg = (f"{name}: {kind} has no area to extract from; give circles, ellipses, boxes, polygons or "
                   "annuli")
            raise RegionError(msg)
        numbers = [getattr(shape, key) for key in shape._params if key not in ("center", "vertices")]
        place = shape.vertices if hasattr(shape, "vertices") else shape.center
        xy = (place.x, place.y) if hasattr(place, "x") else (place.spherical.lon.deg, place.spherical.lat.deg)
        if not all(np.all(np.abs(np.asarray(value)) < _LARGEST) for value in (*numbers, *xy)):
            msg = f"{name}: {kind} has values that are NaN, infinite or beyond {_LARGEST:g}: {shape!r:.200}"
            raise RegionError(msg)


def _read_text(data, path):
    """Shapes of a file, and components of those that are joined on one line."""
    if len(data) > _MAX_TEXT or b"\0" in data[:4096]:
        msg = (f"{path}: neither text nor FITS, or more than {_MAX_TEXT // 1024**2} MB; give a DS9, CIAO, "
               "CRTF or FITS region file")
        raise RegionError(msg)
    text = data.decode("utf-8", "replace")
    if text.lstrip().upper().startswith("#CRTF"):
        return _parse(text, "crtf", path), []
    text = _NO_ANGLE.sub(r"\1,0)", _ROTATED.sub(r"\1box", text.replace("''", '"')))
    bare = re.sub(r"\{[^{}]*\}", "", re.sub(r"(?m)#.*$", "", text))
    if re.search(r"(^|;)[ \t]*+image\b", bare, re.IGNORECASE | re.MULTILINE):
        warnings.warn(f"{path}: image coordinates are taken for the event list's own X and Y, which is wrong "
                      "for a binned or cut image; save the region in physical or sky coordinates",
                      XlatentWarning, stacklevel=4)
    framed = bool(_ANY_FRAME.search(bare))
    alone, joined, frame = [], [], "image"
    for line in filter(str.strip, text.splitlines()):
        code = re.sub(r"\{[^{}]*\}", "", line.partition("#")[0])
        words = _ANY_FRAME.findall(code)
        frame = words[-1][1] if words else frame
        if _JOINED.search(code):
            joined.append((code.rpartition(";")[2], frame))
        else:
            alone.append(line if framed else _with_frame(line, code))
    shapes = _parse(_FRAME.sub(r"\1\2image", "\n".join(alone)), "ds9", path)
    return shapes, [component for code, frame in joined
                    for component in _components(code, frame, framed, path)]


def _parse(text, form, path):
    regions = _regions_package()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            shapes = list(regions.Regions.parse(text, format=form))
        except Exception as error:  # regions raises whatever its parsers meet
            msg = (f"{path}: cannot be read as a {form.upper()} region file: {error}; check it, or write it "
                   "anew in FITS")
            raise RegionError(msg) from error
    lost = [said for said in (str(w.message) for w in caught)
            if re.search("skipping|parse", said) and "metadata" not in said]
    if lost:
        msg = (f"{path}: not all of it can be read as a {form.upper()} region file: {lost[0].rstrip('.')}; "
               "give only circle, ellipse, box, polygon and annulus, one a line")
        raise RegionError(msg)
    return shapes


def _with_frame(line, code):
    """A line of a file that names no frame, as CIAO's: on the sky if in hours or degrees, else X and Y."""
    if not _SHAPE.search(code):
        return line
    return ("icrs; " if _ON_SKY.search(code) else "image; ") + line.lstrip()


def _components(code, frame, framed, path):
    """
    Components of shapes on a line as CIAO writes them: ``a+b``, ``a|b`` unite, ``a-b``, ``a&!b``, ``a&b``,
    ``a*b`` are one. Readers differ in which goes first: a line with both kinds is refused.
    """
    pieces = list(_SHAPE.finditer(code))
    rest = _SHAPE.sub("", code).strip()
    signs = [(piece[1] or " ") + (piece[2] or "") for piece in pieces]
    united = {sign[0] in "+|" for sign in signs[1:]}
    if rest or len(united) != 1 or signs[0] not in (" ", "+") or {"+!", "|!"} & set(signs):
        msg = (f"{path}: the line {code.strip()[:80]!r} joins shapes in a way that not all readers "
               "understand alike; allowed are a+b, a-b, a&b and a&!b with one kind of sign a line. Write one "
               "shape a line, with excluded ones as -circle(...), or save the region as FITS with dmmakereg")
        raise RegionError(msg)
    lines = [f"{frame}; {piece[3]}" if framed else _with_frame(piece[3], piece[3]) for piece in pieces]
    shapes = [_parse(_FRAME.sub(r"\1\2image", line), "ds9", path) for line in lines]
    items = [(shape[0], sign[0] != "-" and sign[1:] != "!")
             for shape, sign in zip(shapes, signs, strict=True)]
    return [[item] for item in items] if united == {True} else [items]


def _regions_package() -> ModuleType:
    """The ``regions`` package, or an ImportError with the remedy."""
    try:
        import regions
    except ImportError as error:
        raise ImportError('regions need the regions package: pip install "astro_xlatent[archive]"') from error
    return regions


def _read_fits(data: bytes, path: Path, extension: str | None,
               purpose: str) -> tuple[list, str, WCS | None]:
    """
    Components, name and world coordinates of a region table (McDowell & Rots 1998, ASC-FITS-REGION-1.0).

    ``regions`` reads neither components nor the vectors and extension names of CSC's ``reg3`` files.
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
    flat, lengths = table.ragged(name)
    return np.split(flat.astype(float), np.cumsum(lengths)[:-1])


def _shape(table, kind, x, y, r, angle):
    """A shape of ``regions``, whose pixels begin at 0, from one row, where they begin at 1."""
    regions = _regions_package()
    x, y = x - 1, y - 1
    angle = (angle[0] if len(angle) else 0.0) * u.deg

    def box(first, last, width, height):
        center = regions.PixCoord(0.5 * (x[first] + x[last]), 0.5 * (y[first] + y[last]))
        return regions.RectanglePixelRegion(center, width, height, angle)

    def center():
        return regions.PixCoord(float(x[0]), float(y[0]))

    makers = {
        "circle": lambda: regions.CirclePixelRegion(center(), r[0]),
        "ellipse": lambda: regions.EllipsePixelRegion(center(), 2 * r[0], 2 * r[1], angle),
        "box": lambda: box(0, 0, r[0], r[1]),
        "rectangle": lambda: box(0, 1, abs(x[1] - x[0]), abs(y[1] - y[0])),
        "annulus": lambda: regions.CircleAnnulusPixelRegion(center(), r[0], r[1]),
        "polygon": lambda: regions.PolygonPixelRegion(_vertices(x, y)),
    }
    name = kind.removeprefix("rot") if kind in ("rotbox", "rotrectangle") else kind
    if name not in makers:
        table.fail(f"shape {kind!r} is not supported; {', '.join(makers)}, rotbox and rotrectangle are")
    try:
        return makers[name]()
    except (IndexError, ValueError, TypeError) as error:
        return table.fail(f"a shape {kind!r} cannot be made from X {x + 1}, Y {y + 1}, R {r}: {error}")


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
        raise ValueError("a polygon needs three corners")
    return PixCoord(x, y)
