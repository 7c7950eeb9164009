# Licensed under a 3-clause BSD style license - see LICENSE
"""
Region files of DS9, CIAO, CRTF and FITS, as sums and products of shapes.

Text files are read by the ``regions`` package, FITS tables by `read_fits_region`;
the shapes are those of ``regions`` in both cases.
"""

import re
import warnings
from dataclasses import dataclass
from os import PathLike
from typing import Any

import numpy as np

from astro_xlatent.core.errors import RegionError, XlatentWarning
from astro_xlatent.events.region_fits import import_regions, read_fits_region
from astro_xlatent.spectra._fits import load_bytes, split_extension

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


def read_region(region: Any, purpose: str = "source") -> RegionSet:
    """
    Read a region from a file, or take one of the ``regions`` package.

    Parameters
    ----------
    region : str, path-like, regions.Region, regions.Regions, sequence of these, or RegionSet
        A DS9, CIAO, CRTF or FITS file, told apart by content. ``file.fits[NAME]``
        chooses an extension. A shape marked as excluded (``-circle(...)``) is
        taken out of every included one.
    purpose : {'source', 'background', 'field'}, optional
        Which extension to take from a FITS file with several.

    Returns
    -------
    region : RegionSet

    Raises
    ------
    RegionError
        If the file is missing, of another format, or without an included shape.
    ImportError
        If ``regions`` is not installed.
    """
    if isinstance(region, RegionSet):
        return region
    regions = import_regions()
    if isinstance(region, (str, PathLike)):
        path, extension = split_extension(region)
        data = load_bytes(path, RegionError)
        if data[:9] == b"SIMPLE  =":
            result = RegionSet(*read_fits_region(data, path, extension or None, purpose))
            _check_shapes(result.shapes, result.name)
            return result
        shapes, components = _read_text(data, path)
        return _from_shapes(shapes, components, str(path))
    shapes = [region] if isinstance(region, regions.Region) else region
    try:
        shapes = list(shapes)
    except TypeError:
        shapes = [region]
    if not all(isinstance(shape, regions.Region) for shape in shapes):
        msg = (f"region is a {type(region).__name__}; give the path of a DS9, CRTF or FITS region file, or "
               "a Region or Regions object of the regions package")
        raise RegionError(msg)
    return _from_shapes(shapes, [], "region")


def _from_shapes(shapes, components, name):
    """DS9's logic: within any included shape or component, and without all excluded ones."""
    regions = import_regions()
    shapes = [shape for shape in shapes
              if not isinstance(shape, (regions.TextSkyRegion, regions.TextPixelRegion))]
    _check_shapes(shapes + [shape for component in components for shape, _ in component], name)
    minus = [(_unsigned(shape), False) for shape in shapes if not _included(shape)]
    plus = [[(_unsigned(shape), True)] for shape in shapes if _included(shape)] + components
    if not plus:
        what = f"{len(minus)} excluded shapes only" if minus else "no shape"
        msg = f"{name}: {what}; a region needs at least one included shape, such as circle(...)"
        raise RegionError(msg)
    return RegionSet([[*component, *minus] for component in plus], name)


def _included(shape):
    return bool(shape.meta.get("include", True))


def _unsigned(shape):
    """A copy without its sign, by which ``regions`` before 0.12 inverts ``contains``."""
    copy = shape.copy()
    copy.meta.pop("include", None)
    return copy


def _check_shapes(shapes, name):
    if len(shapes) > _MAX_SHAPES:
        msg = f"{name}: {len(shapes)} shapes; at most {_MAX_SHAPES} are allowed"
        raise RegionError(msg)
    for shape in shapes:
        kind = type(shape).__name__
        if kind.startswith(("Point", "Line")) or "Range" in kind or "WholeSky" in kind or "Lune" in kind:
            msg = (f"{name}: {kind} has no area to extract from; give circles, ellipses, boxes, polygons or "
                   "annuli")
            raise RegionError(msg)
        numbers = [getattr(shape, key) for key in shape._params if key not in ("center", "vertices")]
        place = getattr(shape, "vertices", None) if hasattr(shape, "vertices") else shape.center
        xy = (place.x, place.y) if hasattr(place, "x") else (place.spherical.lon.deg, place.spherical.lat.deg)
        if not all(np.all(np.abs(np.asarray(value)) < _LARGEST) for value in (*numbers, *xy)):
            msg = f"{name}: {kind} has values that are NaN, infinite or beyond {_LARGEST:g}: {shape!r:.200}"
            raise RegionError(msg)


# --- text -------------------------------------------------------------------------------


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
    regions = import_regions()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            shapes = list(regions.Regions.parse(text, format=form))
        except Exception as error:  # regions raises whatever its parsers meet
            msg = (f"{path}: cannot be read as a {form.upper()} region file: {error}; check it, or write it "
                   "anew in FITS")
            raise RegionError(msg) from error
    lost = [str(w.message) for w in caught if "skipping" in str(w.message) or "parse" in str(w.message)]
    lost = [text for text in lost if "metadata" not in text]
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
    Components of shapes joined on one line, as CIAO writes them.

    ``a+b`` and ``a|b`` are united; ``a-b``, ``a&!b`` and ``a&b`` (or ``*``) are one component. Which
    goes first is not the same for all readers, so that a line with both kinds is refused.
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
